//! URLs that a webhook may and may not have, one by one.

use super::*;

/// Refused without the flag, whatever the reason.
const REFUSED: &[&str] = &[
    // Loopback and this host, in every spelling.
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.255.255.254/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://0177.1/",
    "https://017700000001/",
    "https://0.0.0.0/",
    "https://0/",
    "https://0.1.2.3/",
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://a.localhost/",
    "https://127.0.0.1./",
    // Private, carriers', link-local.
    "https://10.0.0.1/",
    "https://10.255.255.255/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.0.1/",
    "https://192.168.255.255:8443/x",
    "https://3232235521/",
    "https://100.64.0.1/",
    "https://100.127.255.255/",
    "https://169.254.169.254/latest/meta-data",
    "https://0xa9fea9fe/",
    // Special.
    "https://192.0.0.1/",
    "https://192.0.2.1/",
    "https://192.88.99.1/",
    "https://198.18.0.1/",
    "https://198.19.255.255/",
    "https://198.51.100.7/",
    "https://203.0.113.9/",
    "https://224.0.0.1/",
    "https://239.1.1.1/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    // IPv4 in IPv6.
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[::127.0.0.1]/",
    "https://[::ffff:0:127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::808:808]/",
    "https://[64:ff9b:1::1]/",
    // IPv6.
    "https://[fc00::1]/",
    "https://[fd12:3456::1]/",
    "https://[fe80::1]/",
    "https://[febf::1]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[2001::1]/",
    "https://[2001:db8::1]/",
    "https://[2002:7f00:1::]/",
    "https://[2002:808:808::]/",
    "https://[100::1]/",
    "https://[3fff::1]/",
    "https://[5f00::1]/",
    "https://[4000::1]/",
    // Names of a local network.
    "https://intranet/",
    "https://router.lan/",
    "https://printer.local/",
    "https://a.internal/",
    "https://metadata.google.internal/",
    "https://nas.home.arpa/",
    "https://x.localdomain/",
    // Full-width digits and dots are digits and dots.
    "https://１２７.０.０.１/",
    "https://127。0。0。1/",
    "https://ⓛocalhost/",
    // Not encrypted.
    "http://example.com/",
    "http://8.8.8.8/",
];

/// Refused with the flag too.
const NEVER: &[&str] = &[
    "",
    "/hook",
    "example.com/hook",
    "//example.com/",
    "https://",
    "https:///",
    "http://[::1/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "javascript:alert(1)",
    "unix:/run/x.sock",
    "https://user@example.com/",
    "https://user:pass@example.com/",
    "https://@example.com/",
    "https://example.com@127.0.0.1/",
    "https://:p@example.com/",
    "https://example.com/#part",
    "https://example.com/#@127.0.0.1/",
    "https://example.com#",
    "https://exa mple.com/",
    " https://example.com/",
    "https://example.com/\r\nX: y",
    "https://example.com:99999/",
    "https://example.com:0/",
    "https://1.2.3.256/",
    "https://0x100000000/",
    "https://[fe80::1%25eth0]/",
    "https://ex%00ample.com/",
];

const ALLOWED: &[&str] = &[
    "https://example.com/hook",
    "https://app.example.com:8443/hooks?tenant=acme",
    "https://8.8.8.8/",
    "https://1.1.1.1:444/",
    "https://9.255.255.255/",
    "https://11.0.0.0/",
    "https://100.63.255.255/",
    "https://100.128.0.0/",
    "https://172.15.255.255/",
    "https://172.32.0.0/",
    "https://192.167.1.1/",
    "https://192.169.0.1/",
    "https://198.17.0.1/",
    "https://198.20.0.1/",
    "https://223.255.255.255/",
    "https://169.253.1.1/",
    "https://126.0.0.1/",
    "https://128.0.0.1/",
    "https://[2606:4700:4700::1111]/",
    "https://[2a00:1450::1]/",
    "https://[::ffff:8.8.8.8]/",
    "https://example.com./",
    "https://xn--bcher-kva.example/",
    "https://bücher.example/",
    "https://example.com/a@b",
    "https://example.com/?to=a@b",
    "HTTPS://EXAMPLE.COM/",
];

#[test]
fn what_leads_inside_is_refused() {
    for text in REFUSED {
        assert!(read(text, false).is_err(), "{text}");
    }
}

#[test]
fn what_is_no_usable_url_is_refused_always() {
    for text in NEVER {
        for allow_private in [false, true] {
            let read = read(text, allow_private);
            assert!(matches!(read, Err(TargetError::Invalid(_))), "{text}: {read:?}");
        }
    }
}

#[test]
fn public_addresses_are_allowed() {
    for text in ALLOWED {
        assert!(read(text, false).is_ok(), "{text}: {:?}", read(text, false));
    }
}

#[test]
fn with_the_flag_private_addresses_and_http_are_allowed() {
    for text in
        ["http://127.0.0.1:9000/hook", "http://localhost:1/", "https://10.0.0.1/", "http://[::1]/"]
    {
        assert!(read(text, true).is_ok(), "{text}");
    }
}

#[test]
fn an_ipv4_address_in_ipv6_is_judged_by_itself() {
    let mapped = |text: &str| is_forbidden(IpAddr::V6(text.parse().unwrap()));
    assert!(mapped("::ffff:192.168.1.1"));
    assert!(!mapped("::ffff:8.8.4.4"));
}
