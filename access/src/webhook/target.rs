//! Where a webhook may point: the rules against requests into our own network.
//!
//! They are applied twice: to what an operator enters, and to every address at the moment of
//! connecting, since a name can come to mean another address. What is not known to be public is
//! refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Characters in a URL.
const URL_CHARS_MAX: usize = 2_048;

/// Why a URL cannot be a webhook's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// It is none, or not one that can be used.
    #[error("expected an absolute URL such as https://app.example.com/hook: {0}")]
    Invalid(&'static str),
    /// It is not encrypted.
    #[error("expected https (http only where private webhooks are allowed)")]
    NotHttps,
    /// It leads into a network that is not public.
    #[error("the address is private, local or reserved")]
    Forbidden,
}

/// Reads a URL and judges it as far as that can be done without asking a name server.
pub fn read(text: &str, allow_private: bool) -> Result<Url, TargetError> {
    if text.chars().count() > URL_CHARS_MAX {
        return Err(TargetError::Invalid("it is longer than 2048 characters"));
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(TargetError::Invalid("it has white space"));
    }
    let url = Url::parse(text).map_err(|_| TargetError::Invalid("it cannot be read"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(TargetError::Invalid("it is neither https nor http"));
    }
    if !url.username().is_empty() || url.password().is_some() || has_userinfo(text) {
        return Err(TargetError::Invalid("it has a user or password"));
    }
    if url.fragment().is_some() {
        return Err(TargetError::Invalid("it has a fragment"));
    }
    if url.port() == Some(0) {
        return Err(TargetError::Invalid("its port is 0"));
    }
    let host = url.host().ok_or(TargetError::Invalid("it has no host"))?;
    if allow_private {
        return Ok(url);
    }
    // The parsed host, not its text: `host_str` keeps the brackets of an IPv6 address, and decimal,
    // octal and hexadecimal spellings of an IPv4 address are numbers only here.
    let forbidden = match host {
        Host::Ipv4(address) => is_forbidden(IpAddr::V4(address)),
        Host::Ipv6(address) => is_forbidden(IpAddr::V6(address)),
        Host::Domain(name) => is_local_name(name),
    };
    if forbidden {
        return Err(TargetError::Forbidden);
    }
    if url.scheme() == "https" { Ok(url) } else { Err(TargetError::NotHttps) }
}

/// `https://@host/` has no user, and is still written to mislead.
fn has_userinfo(text: &str) -> bool {
    let authority = text.split_once("://").map_or(text, |(_, rest)| rest);
    authority.split(['/', '?', '#', '\\']).next().is_some_and(|authority| authority.contains('@'))
}

/// A name that never leaves the machine or the local network.
fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let last = name.rsplit('.').next().unwrap_or_default();
    name.is_empty()
        || !name.contains('.')
        || matches!(
            last,
            "localhost"
                | "local"
                | "localdomain"
                | "internal"
                | "intranet"
                | "lan"
                | "home"
                | "corp"
        )
        || name.ends_with(".home.arpa")
}

/// Whether an address is one that webhooks must not reach.
pub fn is_forbidden(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_forbidden_v4(address),
        IpAddr::V6(address) => is_forbidden_v6(address),
    }
}

/// The IANA registry of special addresses, less what is public.
fn is_forbidden_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        // This network, private, loopback, multicast, reserved and broadcast.
        (0 | 10 | 127 | 224.., ..)
        // Carriers' own.
        | (100, 64..=127, _)
        // Link-local, where clouds keep their metadata.
        | (169, 254, _)
        | (172, 16..=31, _)
        // Protocol assignments, documentation, 6to4 relays, private.
        | (192, 0, 0 | 2)
        | (192, 88, 99)
        | (192, 168, _)
        // Benchmarks and documentation.
        | (198, 18 | 19, _)
        | (198, 51, 100)
        | (203, 0, 113) => true,
        _ => false,
    }
}

fn is_forbidden_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let [first, .., high, low] = segments;
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    let embedded = Ipv4Addr::new(a, b, c, d);
    match segments {
        // IPv4 in IPv6: what is inside counts.
        [0, 0, 0, 0, 0, 0xffff, ..] => is_forbidden_v4(embedded),
        // Unspecified, loopback, the old form of IPv4 in IPv6, and the rest of that block; 6to4;
        // NAT64: nothing in these can be told to be public.
        [0 | 0x2002, ..]
        | [0x0064, 0xff9b, ..]
        // Discarded.
        | [0x0100, 0, 0, 0, ..]
        // Teredo and other protocol assignments; documentation.
        | [0x2001, 0..=0x01ff | 0x0db8, ..]
        | [0x3fff, 0..=0x0fff, ..] => true,
        // Only 2000::/3 is given out to the public; that leaves out unique local, link-local,
        // site-local and multicast addresses.
        _ => first & 0xe000 != 0x2000,
    }
}

#[cfg(test)]
mod tests;
