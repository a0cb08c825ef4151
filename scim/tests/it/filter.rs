//! Filters: what matches, what is refused, what a store may use.

use std::time::{Duration, Instant};

use scim::{
    error::ScimType,
    filter::{Filter, Lookup, MemberUse},
    path::AttributePath,
    schema::ResourceType,
};
use serde_json::{Map, Value, json};

use crate::support::ENTERPRISE;

fn parse(text: &str) -> Filter {
    Filter::parse(ResourceType::User, text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn ada() -> Map<String, Value> {
    let Value::Object(ada) = json!({
        "schemas": [scim::urn::USER, ENTERPRISE],
        "id": "u1",
        "externalId": "Ext-1",
        "userName": "Ada@Example.com",
        "displayName": "ÉCLAIR \"x\" and (y)",
        "active": true,
        "name": {"givenName": "Ada"},
        "emails": [
            {"type": "work", "value": "ada@work.example", "primary": true},
            {"type": "home", "value": "ada@home.example"},
        ],
        "addresses": [{"type": "work", "country": "GB"}],
        "groups": [{"value": "g1", "display": "Tools"}],
        ENTERPRISE: {"department": "IT", "manager": {"value": "m1"}},
        "urn:example:C:1.0:User": {"tag": "Blue", "level": 3, "on": true},
        "meta": {"resourceType": "User", "created": "2026-03-01T12:00:00Z"},
    }) else {
        unreachable!()
    };
    ada
}

#[test]
fn these_match() {
    for text in [
        "userName eq \"ada@example.com\"",
        "USERNAME EQ \"ADA@EXAMPLE.COM\"",
        "urn:ietf:params:scim:schemas:core:2.0:User:userName sw \"ada\"",
        "displayName eq \"éclair \\\"x\\\" and (y)\"",
        "displayName co \"\\u00e9cl\"",
        "displayName ew \"(Y)\"",
        "externalId eq \"Ext-1\"",
        "externalId eq Ext-1",
        "id eq \"u1\" and manager eq \"m1\"",
        "manager eq \"m1\" and id eq \"u1\"",
        "manager.value eq \"m1\"",
        "department eq \"it\"",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq \"IT\"",
        "active eq true",
        "active eq \"True\"",
        "active ne false",
        "active eq True",
        "title ne \"x\"",
        "title eq null",
        "userName ne null",
        "not (title pr)",
        "not(title pr)",
        "emails pr",
        "name pr",
        "addresses pr",
        "emails co \"work\"",
        "emails.value ew \"home.example\"",
        "emails.type eq \"HOME\"",
        "emails[type eq \"work\" and value co \"work\"]",
        "emails[type eq \"work\"].value eq \"ada@work.example\"",
        "emails[type eq \"work\"] eq \"ADA@work.example\"",
        "emails[type eq \"work\"].display eq null",
        "emails[primary eq \"True\"]",
        "emails[not (type eq \"work\") or value sw \"zzz\"]",
        "emails.value ne \"ada@work.example\"",
        "meta.created gt \"2026-03-01T11:00:00Z\"",
        "meta.created ge \"2026-03-01T13:00:00+01:00\"",
        "meta.created eq \"2026-03-01T13:00:00+01:00\"",
        "meta.resourceType eq \"User\"",
        "schemas eq \"urn:ietf:params:scim:schemas:core:2.0:User\"",
        "groups eq \"g1\"",
        "groups.display co \"tool\"",
        "userName gt \"abc\"",
        "userName le \"ADA@EXAMPLE.COM\"",
        "title pr or userName pr and active eq true",
        "(title pr or userName pr) and active eq true",
        "urn:example:C:1.0:User:tag eq \"blue\"",
        "urn:example:C:1.0:User:level ge 3",
        "urn:example:C:1.0:User:on eq true",
        " userName   pr ",
    ] {
        assert!(parse(text).matches(&ada()), "{text}");
    }
}

#[test]
fn these_do_not_match() {
    for text in [
        "userName eq \"ada\"",
        "externalId eq \"ext-1\"",
        "title eq \"\"",
        "title pr",
        "title gt \"\"",
        "title co \"\"",
        "active eq false",
        "emails[type eq \"home\" and value co \"work\"]",
        "emails[type eq \"home\"].value eq \"ada@work.example\"",
        "emails[type eq \"work\"] eq \"ada@home.example\"",
        "meta.created lt \"2020-01-01T00:00:00Z\"",
        "not (userName pr)",
        "title pr and userName pr or title pr",
        "manager eq \"m2\"",
        "urn:example:C:1.0:User:other pr",
        "urn:example:D:1.0:User:tag eq \"blue\"",
        "photos[value pr]",
    ] {
        assert!(!parse(text).matches(&ada()), "{text}");
    }
    assert!(parse("title ne \"x\"").matches(&Map::new()), "a bare resource breaks nothing");
    assert!(!parse("emails[type eq \"work\"].value sw \"x\"").matches(&Map::new()));
}

#[test]
fn these_are_refused() {
    for text in [
        "",
        " ",
        "userName",
        "userName eq",
        "userName eq ",
        "userName eq and title pr",
        "userName zz \"x\"",
        "userName eq \"a",
        "userName eq \"\\x\"",
        "userName eq \"\\ud800\"",
        "(userName eq \"a\"",
        "userName eq \"a\")",
        "userName eq \"a\" userName eq \"b\"",
        "userName eq \"a\" and",
        "and userName pr",
        "not userName pr",
        "nope eq \"x\"",
        "name.nope eq \"x\"",
        "emails[nope eq \"x\"]",
        "emails[emails.type eq \"x\"]",
        "emails[emails[type eq \"x\"]]",
        "emails[]",
        "emails[type eq \"x\"",
        "emails[type eq \"work\"].nope eq \"x\"",
        "addresses[type eq \"work\"] eq \"x\"",
        "addresses eq \"x\"",
        "name eq \"x\"",
        "name gt \"x\"",
        "userName[type eq \"x\"]",
        "active gt true",
        "active co \"t\"",
        "active eq \"banana\"",
        "active eq 1",
        "userName gt null",
        "meta.created gt \"banana\"",
        "x509Certificates gt \"x\"",
        "password eq \"x\"",
        "urn:ietf:params:scim:schemas:core:2.0:User eq \"x\"",
        "userName eq {\"a\":1}",
        "userName eq 'ada'",
        "emails[type eq 'work']",
        "members eq \"x\"",
    ] {
        let error = Filter::parse(ResourceType::User, text).expect_err(text);
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidFilter)), "{text}");
    }
    let error = Filter::parse(ResourceType::User, "favouriteColour eq \"x\"").unwrap_err();
    assert!(error.detail.contains("favouriteColour"), "{error}");
}

#[test]
fn a_filter_is_printed_as_the_rfc_would_write_it() {
    for (text, printed) in [
        ("USERNAME EQ Bob", "userName eq \"Bob\""),
        ("emails[type eq \"work\"] eq \"x\"", "emails[type eq \"work\" and value eq \"x\"]"),
        ("emails co \"x\"", "emails.value co \"x\""),
        (
            "(title pr and (userName pr and active eq \"False\"))",
            "title pr and userName pr and active eq false",
        ),
        (
            "(title pr or userName pr) and not ((active eq true))",
            "(title pr or userName pr) and not (active eq true)",
        ),
    ] {
        assert_eq!(parse(text).to_string(), printed);
        assert_eq!(parse(printed), parse(text));
    }
    assert_eq!(parse("department pr").to_string(), format!("{ENTERPRISE}:department pr"));
}

#[test]
fn a_lookup_is_found_only_where_every_match_satisfies_it() {
    for (text, lookup) in [
        ("userName eq \"A\"", Some(Lookup::UserName("A"))),
        ("externalId eq \"A\"", Some(Lookup::ExternalId("A"))),
        ("id eq \"u\" and manager eq \"m\"", Some(Lookup::Id("u"))),
        ("manager eq \"m\" and id eq \"u\"", Some(Lookup::Id("u"))),
        ("displayName eq \"A\"", None),
        ("userName eq \"A\" or title pr", None),
        ("not (userName eq \"A\")", None),
        ("userName ne \"A\"", None),
        ("userName eq null", None),
        ("userName co \"A\"", None),
    ] {
        assert_eq!(parse(text).lookup(), lookup, "{text}");
    }
    let group = Filter::parse(ResourceType::Group, "displayName eq \"A\"").unwrap();
    assert_eq!(group.lookup(), Some(Lookup::DisplayName("A")));
}

#[test]
fn a_filter_says_what_it_needs_to_know_of_members() {
    for (text, needs) in [
        ("displayName eq \"g\"", MemberUse::None),
        ("id eq \"g\" and members eq \"a\"", MemberUse::Only(vec!["a"])),
        (
            "members.value eq \"a\" or not (members[value eq \"b\"])",
            MemberUse::Only(vec!["a", "b"]),
        ),
        ("members pr", MemberUse::All),
        ("members.value sw \"a\"", MemberUse::All),
        ("members.type eq \"User\"", MemberUse::All),
        ("members eq \"a\" and members[type eq \"Group\"]", MemberUse::All),
        ("members eq null", MemberUse::All),
    ] {
        let filter = Filter::parse(ResourceType::Group, text).unwrap();
        assert_eq!(filter.member_use(), needs, "{text}");
        assert_eq!(filter.uses_attribute("members"), needs != MemberUse::None, "{text}");
    }
    assert!(parse("not (groups.display eq \"x\")").uses_groups());
    assert!(!parse("userName pr").uses_groups());
}

/// Runs in as much stack as a small thread has, and in little time.
#[test]
fn a_bomb_is_refused_fast_and_in_a_small_stack() {
    let n = 10_000;
    let bombs = [
        "(".repeat(n),
        "(".repeat(n) + "userName pr" + &")".repeat(n),
        "not (".repeat(n) + "!",
        "userName pr and ".repeat(n) + "userName pr",
        "userName pr or ".repeat(n) + "userName pr",
        "a[".repeat(n),
        "emails[".repeat(n),
        "emails[(".repeat(n),
        "userName eq \"".to_owned() + &"x".repeat(16_000),
        "userName eq \"".to_owned() + &"\\".repeat(16_000),
        "not (".repeat(31) + &"(userName pr and ".repeat(500),
        "x".repeat(1 << 20),
    ];
    let run = move || {
        for bomb in &bombs {
            let started = Instant::now();
            let head: String = bomb.chars().take(20).collect();
            for kind in ResourceType::ALL {
                assert_eq!(Filter::parse(kind, bomb).expect_err(&head).status, 400);
            }
            let path = format!("emails[{bomb}].value");
            assert_eq!(
                AttributePath::parse(ResourceType::User, &path).expect_err(&head).status,
                400
            );
            assert!(started.elapsed() < Duration::from_millis(200), "{head}");
        }
        let deepest = "not (".repeat(32) + "userName pr" + &")".repeat(32);
        assert!(Filter::parse(ResourceType::User, &deepest).unwrap().matches(&ada()));
    };
    std::thread::Builder::new().stack_size(512 * 1024).spawn(run).unwrap().join().unwrap();
}
