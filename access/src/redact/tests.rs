//! What is secret goes, whatever it is wrapped in; what is not stays readable.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const SECRET: &str = "hunter2-5f0c1a7e";
const BEARER: &str = "0123456789abcdef-bearer";

fn redacted(body: &str) -> String {
    let body = Body { bytes: body.as_bytes(), is_whole: true, is_json: false };
    match Redactor::new(Some(BEARER)).body(body, 16 << 10) {
        Ok(kept) => kept.text.into_owned(),
        Err(omitted) => format!("{omitted:?}"),
    }
}

#[test]
fn a_secret_is_taken_out_wherever_it_stands() {
    for body in [
        json!({"userName": "ada", "password": SECRET}).to_string(),
        json!({"PassWord": SECRET, "displayName": "x"}).to_string(),
        json!([{"password": SECRET}]).to_string(),
        json!({"a": {"b": [{"clientSecret": [SECRET, {"x": SECRET}]}]}}).to_string(),
        json!({"urn:ietf:params:scim:schemas:core:2.0:User:password": SECRET}).to_string(),
        json!({"credentials.old": {"value": SECRET}}).to_string(),
        json!({"Operations": [{"op": "replace", "path": "password", "value": SECRET}]}).to_string(),
        json!({"Operations": [{"op": "Add", "path": "urn:x:2.0:User:apiKey", "value": [{"value": SECRET}]}]})
            .to_string(),
        json!({"Operations": [{"op": "add", "value": {"password": SECRET}}]}).to_string(),
        json!({"Operations": [{"method": "PATCH", "path": "/Users/1", "data":
            {"Operations": [{"op": "add", "path": "Password", "value": SECRET}]}}]})
            .to_string(),
        json!({"items": [{"type": "password", "value": SECRET}, {"name": "api_key", "value": SECRET}]})
            .to_string(),
        json!({"filter": format!("password eq \"{SECRET}\"")}).to_string(),
        json!({"path": format!("members[password eq \"{SECRET}\"]"), "op": "remove"}).to_string(),
        json!({"title": format!("{{\"password\": \"{SECRET}\"}}")}).to_string(),
        json!({"title": format!("{{\"p\\u0061ssword\": \"{SECRET}\"}}")}).to_string(),
        json!({"displayName": format!("password={SECRET}")}).to_string(),
        json!({"nonsense": format!("token {SECRET}")}).to_string(),
        json!({"displayName": SECRET, "password": SECRET}).to_string(),
        json!({SECRET: 1, "password": SECRET}).to_string(),
        format!("{{\"p\\u0061ssword\": \"{SECRET}\"}}"),
        format!("{{\"p\\u0061ssword\": \"{SECRET}\""),
        format!("{{\"password\": \"{SECRET}\"}} trailing"),
        format!("{{\"password\": \"{SECRET}\", \"password\": \"{SECRET}\"}}"),
        format!("password={SECRET}"),
        format!("{}{{\"password\":\"{SECRET}\"}}{}", "[".repeat(100), "]".repeat(100)),
        format!("{}{{\"password\":\"{SECRET}\"}}{}", "[".repeat(1_000), "]".repeat(1_000)),
    ] {
        assert!(!redacted(&body).contains(SECRET), "{body}: {}", redacted(&body));
    }
}

#[test]
fn the_token_of_the_request_is_taken_out_wherever_it_stands() {
    for body in [
        json!({"displayName": BEARER}).to_string(),
        json!({"title": format!("x{BEARER}x")}).to_string(),
        json!({BEARER: true}).to_string(),
        json!({"Operations": [{"path": BEARER, "op": "add", "value": 1}]}).to_string(),
        format!("{{\"displayName\": \"\\u0030{}\"}}", &BEARER[1..]),
    ] {
        assert!(!redacted(&body).contains(&BEARER[1..]), "{body}");
    }
    let redactor = Redactor::new(Some(BEARER));
    assert_eq!(
        redactor.query(&format!("a=1&b={BEARER}&{BEARER}=c")).text,
        "a=1&b=(redacted)&(redacted)"
    );
    assert_eq!(redactor.query("b=%30123456789abcdef-bearer").text, "b=(redacted)");
    assert_eq!(redactor.text(&format!("agent/{BEARER}")), REDACTED);
    assert_eq!(redactor.path(&format!("/Users/{BEARER}")), REDACTED);
}

#[test]
fn what_the_request_hid_is_taken_out_of_the_answer() {
    let mut redactor = Redactor::new(None);
    let request = json!({"password": "pass\"word", "pin": {"token": 123_456}}).to_string();
    let body = |bytes| Body { bytes, is_whole: true, is_json: true };
    redactor.body(body(request.as_bytes()), 1_000).unwrap();

    let answer = json!({"detail": "got pass\"word", "nickName": "x123456x"}).to_string();
    let kept = redactor.body(body(answer.as_bytes()), 1_000).unwrap();

    assert_eq!(kept.text, json!({"detail": REDACTED, "nickName": REDACTED}).to_string());
}

#[test]
fn filters_are_looked_into() {
    let redactor = Redactor::new(None);
    for (query, kept) in [
        ("filter=userName+eq+%22ada%22&count=1", "filter=userName+eq+%22ada%22&count=1"),
        ("filter=password+eq+%22x%22", "filter=(redacted)"),
        ("filter=userName+eq+%22a%22+and+p%61ssword+eq+%22x%22", "filter=(redacted)"),
        ("filter=displayName+eq+%22Token+Admins%22", "filter=displayName+eq+%22Token+Admins%22"),
        ("filter=nonsense+eq+%22my+password%22", "filter=(redacted)"),
        ("filter=displayName+eq+%22password%3Dx%22", "filter=(redacted)"),
        ("filter=%22pass%5Cu0077ord%22+eq+%22x%22&a=b", "filter=(redacted)&a=b"),
        ("access_token=x&a=b", "access_token=(redacted)&a=b"),
        ("attributes=password", "attributes=(redacted)"),
        ("", ""),
    ] {
        assert_eq!(redactor.query(query).text, kept, "{query}");
    }
}

#[test]
fn names_stay_readable() {
    for body in [
        json!({"displayName": "Password reset helpers", "title": "Secretary"}),
        json!({"userName": "secretary@example.com", "emails": [{"value": "token@example.com", "type": "work"}]}),
        json!({"Operations": [{"op": "Replace", "path": "displayName", "value": "Token Admins"}]}),
        json!({"Operations": [{"op": "Add", "path": "emails[type eq \"work\"].value", "value": "secretary@example.com"}]}),
        json!({"name": {"givenName": "Pwdo", "familyName": "Token"}}),
        json!({"password": null, "active": false}),
    ] {
        assert_eq!(redacted(&body.to_string()), body.to_string());
    }
    let shown = redacted(&json!({"op": "add", "path": "password", "value": "x"}).to_string());
    assert_eq!(shown, json!({"op": "add", "path": "password", "value": REDACTED}).to_string());
}

#[test]
fn a_long_body_is_cut_and_one_that_is_no_json_is_not_kept() {
    let long = json!({"displayName": "ä".repeat(20_000)}).to_string();
    let body = |bytes, is_whole, is_json| Body { bytes, is_whole, is_json };
    let mut redactor = Redactor::new(Some(BEARER));

    for known_json in [true, false] {
        let kept = redactor.body(body(long.as_bytes(), true, known_json), 101).unwrap();
        assert!(kept.is_cut && !kept.is_redacted && (100..=101).contains(&kept.text.len()));
    }
    let start = redactor.body(body(&long.as_bytes()[..500], false, true), 1_000).unwrap();
    assert!(start.is_cut);
    let start = redactor.body(body(b"{\"password\":", false, true), 1_000);
    assert_eq!(start, Err(Omitted::TooLarge));
    assert_eq!(redactor.body(body(b"<xml/>", true, false), 1_000), Err(Omitted::NotJson));
}

/// Attributes with a secret somewhere among them, as anybody may write them.
fn wrapped() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(&WORDS[..]);
    let key = (words, any::<u32>(), "[a-z:.]{0,6}", "[a-z_]{0,6}");
    let key = key.prop_map(|(word, cases, before, after)| {
        let cased = word.chars().enumerate().map(|(place, c)| {
            if cases >> (place % 32) & 1 == 1 { c.to_ascii_uppercase() } else { c }
        });
        format!("{before}{}{after}", cased.collect::<String>())
    });
    let secret = prop_oneof![
        Just(json!(SECRET)),
        Just(json!([SECRET, 1])),
        Just(json!({"value": SECRET, "x": {"y": SECRET}})),
    ];
    let hidden = (key, secret, 0..4).prop_map(|(key, secret, form)| match form {
        0 => json!({key: secret}),
        1 => json!({"op": "add", "path": key, "value": secret}),
        2 => json!({"type": key, "value": secret}),
        _ => json!({"displayName": json!({key: secret}).to_string()}),
    });
    hidden.prop_recursive(6, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Value::Array),
            ("[a-zA-Z]{1,8}", inner.clone()).prop_map(|(key, value)| json!({key: value, "a": 1})),
            inner.prop_map(|value| json!({"Operations": [{"op": "add", "value": value}]})),
        ]
    })
}

proptest! {
    #[test]
    fn no_nesting_hides_a_secret(value in wrapped(), escape in any::<bool>()) {
        let mut text = value.to_string();
        if escape {
            // Each letter of every key and value, as JSON may write it.
            text = text.chars().map(|c| match c {
                'a'..='z' | 'A'..='Z' => format!("\\u{:04x}", u32::from(c)),
                c => c.to_string(),
            }).collect();
            text = text.replace("\\\\u", "\\u");
        }
        prop_assert!(!redacted(&text).contains(SECRET), "{}", redacted(&text));
    }

    #[test]
    fn what_is_redacted_is_still_json_and_redacting_again_changes_nothing(value in wrapped()) {
        let once = redacted(&value.to_string());
        let parsed: Value = serde_json::from_str(&once).unwrap();
        prop_assert_eq!(redacted(&parsed.to_string()), once);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), limit in 0_usize..64) {
        for (is_whole, is_json) in [(true, true), (true, false), (false, true), (false, false)] {
            let body = Body { bytes: &bytes, is_whole, is_json };
            let _ = Redactor::new(Some("abcd")).body(body, limit);
        }
        let text = String::from_utf8_lossy(&bytes);
        let redactor = Redactor::new(Some("abcd"));
        let _ = (redactor.query(&text), redactor.path(&text), redactor.text(&text));
    }
}
