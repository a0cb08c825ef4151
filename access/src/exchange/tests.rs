//! What is known of an exchange, and what it is found by.

use serde_json::json;

use super::*;

const ADA: &str = "01990a5d-ac96-774b-bcce-b302099a8057";

fn captured(method: &str, path: &str, body: &str, status: u16, answer: &str) -> Captured {
    let body_of = |text: &str| {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        (!text.is_empty()).then(|| CapturedBody::of(&bytes, REQUEST_BYTES_MAX))
    };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Captured {
        id: RequestId::from_bytes([7; 16]),
        at: Timestamp::UNIX_EPOCH,
        method: method.into(),
        path: path.into(),
        query: Some(query.into()),
        user_agent: Some("agent".into()),
        presented: "bearer-of-the-test".into(),
        token: Some((TokenId::from_bytes([1; 16]), "entra".into())),
        wave: Some(WaveId::from_bytes([2; 16])),
        request: body_of(body),
        status: Some(status),
        duration: Duration::from_micros(1_500),
        answer: body_of(answer),
    }
}

#[test]
fn whatever_a_client_chooses_the_length_of_counts_as_held() {
    let small = captured("GET", "/Users", "", 200, "");
    let mut large = captured("GET", "/Users", "", 200, "");
    large.method = "M".repeat(1_000);
    large.presented = "p".repeat(2_000);
    large.user_agent = Some("a".repeat(3_000));

    assert!(large.held_bytes() >= small.held_bytes() + 5_900, "{}", large.held_bytes());
}

#[test]
fn a_create_is_found_by_its_names_and_by_the_id_that_it_got() {
    let body = json!({"userName": "Ada@Example.com", "externalId": "x-1", "password": "hunter2"});
    let answer = json!({"schemas": [], "id": ADA, "userName": "Ada@Example.com"});
    let recorded =
        captured("POST", "/Users", &body.to_string(), 201, &answer.to_string()).redacted();

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
    let facts = captured("PATCH", "/Groups/g-1", &body.to_string(), 204, "").redacted().facts;

    assert_eq!(facts.dialect, Some(Dialect::Entra));
    assert_eq!(facts.resource.as_deref(), Some("g-1"));
    assert!(facts.has_one_of(&[name_hash(ADA)]));
}

#[test]
fn a_look_up_is_found_by_what_it_asks_for() {
    let path = "/Users?filter=userName+eq+%22ada%40example.com%22&count=1";
    let facts = captured("GET", path, "", 200, "{}").redacted().facts;
    assert_eq!(facts.subject.as_deref(), Some("ada@example.com"));
}

#[test]
fn a_refusal_says_why_and_shows_nothing_that_is_no_json() {
    let answer = json!({"status": "400", "scimType": "invalidSyntax", "detail": "no JSON"});
    let recorded =
        captured("POST", "/Users", "{\"password\": \"hunter2\"", 400, &answer.to_string())
            .redacted();
    assert_eq!(recorded.request, "");
    assert_eq!(recorded.facts.request.omitted, Some(Omitted::NotJson));
    assert_eq!(recorded.facts.scim_type.as_deref(), Some("invalidSyntax"));
    assert_eq!(recorded.facts.detail.as_deref(), Some("no JSON"));
    assert!(recorded.facts.is_error());
}

#[test]
fn a_bulk_counts_what_was_refused_in_it() {
    let answer = json!({"Operations": [{"status": "201"}, {"status": "409"}]}).to_string();
    let facts = captured("POST", "/Bulk", "{}", 200, &answer).redacted().facts;
    assert_eq!(facts.failed_operations, 1);
    assert!(facts.is_error());
}

#[test]
fn facts_read_back_as_they_were_written() {
    let facts = captured("GET", "/Users", "", 200, "{}").redacted().facts;
    let text = serde_json::to_string(&facts).unwrap();
    assert_eq!(serde_json::from_str::<Exchange>(&text).unwrap(), facts);
}

#[test]
fn a_large_body_is_not_held_on_to() {
    let large = Bytes::from(vec![b' '; 1 << 20]);
    let held = CapturedBody::of(&large, 100);
    assert_eq!((held.held_bytes(), held.size), (100, 1 << 20));
}
