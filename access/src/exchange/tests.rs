//! What is known of an exchange, and what it is found by.

use serde_json::json;

use super::*;

const ADA: &str = "01990a5d-ac96-774b-bcce-b302099a8057";

fn captured<'a>(
    method: &'a str,
    path: &'a str,
    body: &'a str,
    status: u16,
    answer: &'a str,
) -> Captured<'a> {
    let body_of = |text: &'a str| {
        (!text.is_empty()).then(|| CapturedBody::of(text.as_bytes(), REQUEST_BYTES_MAX))
    };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Captured {
        id: RequestId::from_bytes([7; 16]),
        at: Timestamp::UNIX_EPOCH,
        method,
        path,
        query: Some(query),
        user_agent: Some("agent"),
        presented: "bearer-of-the-test",
        token: Some((TokenId::from_bytes([1; 16]), "entra")),
        wave: Some(WaveId::from_bytes([2; 16])),
        request: body_of(body),
        status: Some(status),
        duration: Duration::from_micros(1_500),
        answer: body_of(answer),
    }
}

fn redacted(method: &str, path: &str, body: &str, status: u16, answer: &str) -> Recorded<'static> {
    let captured = captured(method, path, body, status, answer);
    captured.redacted(&mut Redactor::default()).into_owned()
}

#[test]
fn whatever_a_client_chooses_the_length_of_counts_as_held() {
    let small = captured("GET", "/Users", "", 200, "");
    let mut large = captured("GET", "/Users", "", 200, "");
    let long = "x".repeat(3_000);
    large.method = &long[..1_000];
    large.presented = &long[..2_000];
    large.user_agent = Some(&long);

    assert!(large.bytes() >= small.bytes() + 5_900, "{}", large.bytes());
}

#[test]
fn a_create_is_found_by_its_names_and_by_the_id_that_it_got() {
    let body = json!({"userName": "Ada@Example.com", "externalId": "x-1", "password": "hunter2"});
    let answer = json!({"schemas": [], "id": ADA, "userName": "Ada@Example.com"});
    let recorded = redacted("POST", "/Users", &body.to_string(), 201, &answer.to_string());

    let facts = &recorded.facts;
    assert_eq!(facts.resource.as_deref(), Some(ADA));
    assert_eq!(facts.subject.as_deref(), Some("Ada@Example.com"));
    assert_eq!(facts.external_id.as_deref(), Some("x-1"));
    assert_eq!(facts.resource_type.as_deref(), Some("User"));
    for name in [ADA, "ada@example.com", "X-1", &facts.wave.unwrap().to_string()] {
        assert!(facts.has_one_of(&[name_hash(name)]), "{name}");
    }
    assert!(!facts.is_error() && facts.query.is_none());
    assert!(facts.request.is_redacted && !recorded.request.contains("hunter2"));
    assert_eq!(usize::try_from(facts.request.kept).unwrap(), recorded.request.len());
    assert_eq!(facts.request.size, body.to_string().len() as u64);
}

#[test]
fn a_change_of_members_is_found_by_who_they_are() {
    let body = json!({"Operations": [{"op": "Add", "path": "members", "value": [{"value": ADA}]}]});
    let facts = redacted("PATCH", "/Groups/g-1", &body.to_string(), 204, "").facts;

    assert_eq!(facts.dialect, Some(Dialect::Entra));
    assert_eq!(facts.resource.as_deref(), Some("g-1"));
    assert!(facts.has_one_of(&[name_hash(ADA)]));
}

#[test]
fn a_look_up_is_found_by_what_it_asks_for() {
    let path = "/Users?filter=userName+eq+%22ada%40example.com%22&count=1";
    let facts = redacted("GET", path, "", 200, "{}").facts;
    assert_eq!(facts.subject.as_deref(), Some("ada@example.com"));
}

#[test]
fn a_name_that_is_too_long_is_not_told() {
    for (bytes, is_told) in [(512, true), (513, false), (10_000, false)] {
        let name = "a".repeat(bytes);
        let path = format!("/Users?count=1&filter=userName+eq+%22{name}%22");
        let facts = redacted("GET", &path, "", 400, "{}").facts;
        assert_eq!(facts.subject, is_told.then(|| name.into()), "{bytes}");
    }
}

/// What is told of it is read off the query less its secrets.
#[test]
fn a_look_up_by_a_secret_does_not_tell_it() {
    let path = "/Users?filter=password+eq+%22hunter2%22&startIndex=1";
    let facts = redacted("GET", path, "", 400, "{}").facts;
    assert_eq!(facts.query.as_deref(), Some("filter=(redacted)&startIndex=1"));
    assert_eq!(facts.subject, None);
}

#[test]
fn a_refusal_says_why_and_shows_nothing_that_is_no_json() {
    let answer = json!({"status": "400", "scimType": "invalidSyntax", "detail": "no JSON"});
    let recorded =
        redacted("POST", "/Users", "{\"password\": \"hunter2\"", 400, &answer.to_string());
    assert_eq!(recorded.request, "");
    assert_eq!(recorded.facts.request.omitted, Some(Omitted::NotJson));
    assert_eq!(recorded.facts.scim_type.as_deref(), Some("invalidSyntax"));
    assert_eq!(recorded.facts.detail.as_deref(), Some("no JSON"));
    assert!(recorded.facts.is_error());
}

#[test]
fn a_bulk_counts_what_was_refused_in_it() {
    let answer = json!({"Operations": [{"status": "201"}, {"status": "409"}]}).to_string();
    let facts = redacted("POST", "/Bulk", "{}", 200, &answer).facts;
    assert_eq!(facts.failed_operations, 1);
    assert!(facts.is_error());
}

#[test]
fn facts_read_back_as_they_were_written() {
    let facts = redacted("GET", "/Users", "", 200, "{}").facts;
    let text = serde_json::to_string(&facts).unwrap();
    assert_eq!(serde_json::from_str::<Exchange<'_>>(&text).unwrap(), facts);
}

#[test]
fn what_an_earlier_version_wrote_is_read_and_found() {
    let text = json!({
        "id": ADA, "at": "2026-11-01T00:00:00Z", "method": "GET", "path": "/Users",
        "duration_us": 1_500, "request": {"size": 0, "kept": 0}, "names": [name_hash("ada")],
    });
    let facts: Exchange<'_> = serde_json::from_value(text).unwrap();
    assert!(facts.has_one_of(&[name_hash("Ada")]) && facts.has_one_of(&[name_hash(ADA)]));
}

#[test]
fn a_large_body_is_not_held_on_to() {
    let large = vec![b' '; 1 << 20];
    let held = CapturedBody::of(&large, 100);
    assert_eq!((held.held_bytes(), held.size), (100, 1 << 20));
}

/// What was learnt of one exchange is not looked for in another, and its token is.
#[test]
fn many_exchanges_in_a_batch_read_as_they_would_alone() {
    let secret = r#"{"userName": "ada", "password": "hunter2"}"#;
    let large = format!(r#"{{"userName": "{}"}}"#, "ü".repeat(200 << 10));
    let mut all = [
        captured("POST", "/Users", secret, 201, r#"{"id": "1", "nickName": "hunter2"}"#),
        captured("PATCH", "/Users/1?a=hunter2", "{\"displayName\": \"hunter2\"}", 204, ""),
        captured("POST", "/Users", &large, 413, "{}"),
        captured("GET", "/Users?filter=userName+eq+%22ada%22", "", 200, "{}"),
        captured("POST", "/Users", "{\"userName\": \"another-bearer\"}", 201, "{}"),
    ];
    all[3].presented = "another-bearer";
    all[3].user_agent = None;
    all[4].presented = "another-bearer";
    all[4].request = Some(CapturedBody::unread(12));
    all[4].token = None;
    let mut batch = Batch::default();
    let mut redactor = Redactor::default();
    for _ in 0..2 {
        for captured in &all {
            batch.add(captured);
        }

        let together: Vec<Recorded<'_>> =
            batch.iter().map(|captured| captured.redacted(&mut redactor)).collect();
        let alone = all.iter().map(|captured| captured.redacted(&mut Redactor::default()));

        assert_eq!(together, alone.collect::<Vec<_>>());
        assert!(together[1].request.contains("hunter2") && !together[0].answer.contains("hunter2"));
        assert_eq!(batch.bytes(), all.iter().map(Captured::bytes).sum::<usize>());
        batch.clear();
        assert!(batch.is_empty() && batch.bytes() == 0);
    }
}

/// The word that tells of a secret may come after what is kept of a body.
#[test]
fn nothing_is_kept_of_a_large_body_that_may_hold_a_secret() {
    let filler = "x".repeat(300 << 10);
    let secret =
        format!(r#"{{"op": "replace", "value": "hunter2", "f": "{filler}", "path": "password"}}"#);
    let plain = format!(r#"{{"value": "Ada", "f": "{filler}"}}"#);

    let of_secret = redacted("POST", "/Bulk", &secret, 200, "{}");
    let of_plain = redacted("POST", "/Bulk", &plain, 200, "{}");

    assert_eq!(of_secret.request, "");
    assert_eq!(of_secret.facts.request.omitted, Some(Omitted::TooLarge));
    assert!(of_plain.request.starts_with(r#"{"value": "Ada""#) && of_plain.facts.request.is_cut);
}

/// Half of a token is no secret any more, but nobody should have to judge that.
#[test]
fn a_token_that_begins_where_a_large_body_is_cut_is_not_kept() {
    let token = "bearer-of-the-test";
    let before = format!(r#"{{"f": "{}"#, "x".repeat(REQUEST_BYTES_MAX - 14));
    let body = format!(r#"{before}{token}{}"}}"#, "x".repeat(300 << 10));

    let kept = redacted("POST", "/Bulk", &body, 200, "{}").request;

    assert!(kept.len() > REQUEST_BYTES_MAX - 100 && !kept.contains("bear"), "{}", kept.len());
}
