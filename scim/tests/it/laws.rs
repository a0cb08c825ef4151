//! Laws that hold for anything a client may send.

use proptest::{collection::vec, prelude::*, sample::select};
use scim::{
    casefold::fold,
    filter::{Filter, Lookup},
    json,
    list::ListQuery,
    patch::Patch,
    path::AttributePath,
    projection::Projection,
    render::{Meta, representation},
    resource::{self, Resource},
    schema::{self, Attribute, AttributeType, ResourceType},
    stored::{AttributeNames, ReviseError, Stored},
};
use serde_json::{Map, Value, json};

use crate::support::{replace, user};

/// Checks a resource against its schema, with nothing of the code under test but the tables.
fn check(resource: &Resource) -> Result<(), String> {
    let kind = resource.resource_type();
    let mut extensions = vec![Value::from(kind.core().id)];
    for (key, value) in resource.attributes() {
        match key.as_str() {
            "schemas" | "id" => {}
            "meta" | "groups" | "members" | "password" => return Err(format!("{key} is kept")),
            key if key.contains(':') => {
                extensions.push(key.into());
                let object = value.as_object().filter(|object| !object.is_empty());
                let object = object.ok_or_else(|| format!("{key} is empty"))?;
                if key == scim::urn::ENTERPRISE_USER {
                    let attributes = schema::ENTERPRISE_USER.attributes;
                    for (name, value) in object {
                        check_value(attributes, name, value)?;
                    }
                }
            }
            name => {
                let attributes =
                    if name == "externalId" { schema::COMMON } else { kind.core().attributes };
                check_value(attributes, name, value)?;
            }
        }
    }
    let Some(Value::Array(schemas)) = resource.attributes().get("schemas") else {
        return Err("no schemas".to_owned());
    };
    if schemas.len() != extensions.len() || !extensions.iter().all(|urn| schemas.contains(urn)) {
        return Err(format!("schemas {schemas:?} for {extensions:?}"));
    }
    for required in kind.core().attributes.iter().filter(|attribute| attribute.required) {
        let text = resource.attributes().get(required.name).and_then(Value::as_str);
        if text.is_none_or(str::is_empty) {
            return Err(format!("{} is gone", required.name));
        }
    }
    Ok(())
}

fn check_value(attributes: &[Attribute], name: &str, value: &Value) -> Result<(), String> {
    let attribute = attributes.iter().find(|attribute| attribute.name == name);
    let attribute = attribute.ok_or_else(|| format!("{name} is not canonical"))?;
    if attribute.multi_valued {
        let items = value.as_array().filter(|items| !items.is_empty());
        let items = items.ok_or_else(|| format!("{name} is no list"))?;
        let primary = items.iter().filter(|item| item["primary"] == true).count();
        if primary > 1 {
            return Err(format!("{name} has {primary} primary values"));
        }
        return items.iter().try_for_each(|item| check_single(attribute, item));
    }
    check_single(attribute, value)
}

fn check_single(attribute: &Attribute, value: &Value) -> Result<(), String> {
    let right = match attribute.kind {
        AttributeType::Boolean => value.is_boolean(),
        AttributeType::Complex => {
            let object = value.as_object().filter(|object| !object.is_empty());
            let object = object.ok_or_else(|| format!("{} is empty", attribute.name))?;
            for (name, value) in object {
                check_value(attribute.sub_attributes, name, value)?;
            }
            true
        }
        _ => value.as_str().is_some_and(|text| !text.is_empty()),
    };
    if right { Ok(()) } else { Err(format!("{}: {value}", attribute.name)) }
}

fn any_path() -> impl Strategy<Value = String> {
    let good: &[&str] = &[
        "userName",
        "displayName",
        "title",
        "active",
        "name",
        "name.givenName",
        "Name.FamilyName",
        "emails",
        "emails.value",
        "emails[type eq \"work\"]",
        "emails[type eq \"work\"].value",
        "emails[type eq \"home\"].primary",
        "emails[primary eq \"True\"].value",
        "emails[value sw \"a\"].display",
        "emails[type eq \"work\" and primary eq true]",
        "addresses[type eq \"work\"].country",
        "roles",
        "roles[primary eq true].value",
        "phoneNumbers[type pr].value",
        "manager",
        "manager.value",
        "manager[value eq \"m\"]",
        "department",
        "externalId",
        "password",
        "schemas",
        "x509Certificates",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
        "urn:example:Custom:1.0:User:tag",
        "urn:example:Custom:1.0:User:tag.sub",
        "urn:example:Custom:1.0:User",
        "urn:example:Custom:1.0",
    ];
    let bad: &[&str] =
        &["id", "meta", "meta.created", "groups", "nope", "__proto__", "emails[", "members", ""];
    prop_oneof![
        8 => select(good).prop_map(str::to_owned),
        1 => select(bad).prop_map(str::to_owned),
        1 => "[a-z.:\\[\\]\" ]{0,12}",
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!("")),
        any::<bool>().prop_map(Value::from),
        select(&["True", "false", "work", "home", "a@x", "m", "{\"value\":\"R\"}"][..])
            .prop_map(Value::from),
        (0..3).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let key = select(
            &[
                "value",
                "type",
                "primary",
                "display",
                "$ref",
                "givenName",
                "Department",
                "manager",
                "x",
            ][..],
        );
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec((key, inner), 0..4).prop_map(|entries| {
                Value::Object(entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            }),
        ]
    })
}

fn any_operation() -> impl Strategy<Value = Value> {
    let op = select(&["add", "Replace", "remove", "replace", "Add"][..]);
    (op, any_path(), any_value(), any::<bool>()).prop_map(|(op, path, value, with_path)| {
        if with_path || op == "remove" {
            json!({"op": op, "path": path, "value": value})
        } else {
            json!({"op": op, "value": {path: value}})
        }
    })
}

fn meta(resource: &Resource) -> Meta<'_> {
    Meta {
        resource_type: resource.resource_type(),
        created: "2026-01-01T00:00:00Z",
        last_modified: "2026-01-01T00:00:00Z",
        version: "W/\"1\"",
        location: "https://x/Users/u1",
    }
}

/// Attributes, sub-attributes and literals that go together.
fn any_term() -> impl Strategy<Value = String> {
    let text = "[a-zA-Z0-9 \"\\\\éß]{0,8}".prop_map(|text| Value::from(text).to_string());
    let operator = select(&["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"][..]);
    let names: &[&str] = &[
        "userName",
        "title",
        "name.givenName",
        "emails",
        "emails.type",
        "manager",
        "department",
        "externalId",
        "meta.version",
        "groups.display",
        "urn:example:C:1.0:User:tag",
        "urn:ietf:params:scim:schemas:core:2.0:User:nickName",
    ];
    let comparison = (select(names), operator, text.clone())
        .prop_map(|(name, operator, text)| format!("{name} {operator} {text}"));
    let equality = (
        select(&["active", "emails.primary", "roles.primary"][..]),
        select(&["eq true", "ne \"False\"", "eq null"][..]),
    )
        .prop_map(|(name, rest)| format!("{name} {rest}"));
    let present =
        select(&["emails", "name", "title", "manager"][..]).prop_map(|n| format!("{n} pr"));
    let date = select(&["2026-01-01T00:00:00Z", "2020-02-29T10:00:00.5+02:00"][..])
        .prop_map(|date| format!("meta.created ge \"{date}\""));
    let element = (
        select(&["emails", "roles"][..]),
        select(&["type", "value"][..]),
        text,
        select(&["", " or not (type pr)", " and primary eq true"][..]),
        select(&["", ".value sw \"x\"", " eq \"y\""][..]),
    )
        .prop_map(|(name, sub, text, more, after)| format!("{name}[{sub} eq {text}{more}]{after}"));
    prop_oneof![comparison, equality, present, date, element]
}

fn any_filter() -> impl Strategy<Value = String> {
    any_term().prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..4).prop_map(|terms| terms.join(" and ")),
            vec(inner.clone(), 1..4).prop_map(|terms| terms.join(" or ")),
            inner.clone().prop_map(|term| format!("not ({term})")),
            inner.prop_map(|term| format!("({term})")),
        ]
    })
}

/// The attributes, less `schemas`: of extensions that come and go at once the order may differ.
fn comparable(resource: &Resource) -> Map<String, Value> {
    let mut attributes = resource.attributes().clone();
    attributes.remove("schemas");
    attributes
}

proptest! {
    /// Two users take the same requests, one of them as bytes of which no more is read than is needed.
    #[test]
    fn a_stored_user_is_changed_as_a_whole_one_is(
        requests in vec(vec(any_operation(), 1..4), 1..12), reads_all in any::<bool>(),
    ) {
        let mut whole = user(json!({"emails": [{"type": "work", "value": "a@x", "primary": true}]}));
        let mut bytes = whole.to_bytes();
        let names = ["userName", "active", "emails", "name", "photos", scim::urn::ENTERPRISE_USER];
        let wanted = if reads_all { AttributeNames::ALL } else { AttributeNames::of(names) };
        for operations in requests {
            let body = json!({"Operations": operations});
            let Ok(patch) = Patch::compile(ResourceType::User, body.clone()) else { continue };
            let stored = Stored::read(ResourceType::User, &bytes).unwrap();
            let revised = match (stored.revise(&patch, &wanted), patch.apply(&whole)) {
                (Err(ReviseError::Refused(refused)), Err(error)) => {
                    prop_assert_eq!(refused, error, "{}", body);
                    continue;
                }
                (Ok(None), Ok(patched)) => {
                    let same = comparable(&patched.resource) == comparable(&whole);
                    prop_assert!(same, "{}", body);
                    continue;
                }
                (Ok(Some(revised)), Ok(patched)) => {
                    let same = comparable(&patched.resource) == comparable(&whole);
                    prop_assert!(!same, "{}", body);
                    whole = patched.resource;
                    revised
                }
                (revised, patched) => {
                    return Err(TestCaseError::fail(format!("{body}: {revised:?}, {patched:?}")));
                }
            };
            let after: Map<String, Value> = serde_json::from_slice(&revised.body).unwrap();
            for name in names {
                prop_assert_eq!(revised.excerpt.get(name), after.get(name), "{} {}", name, body);
            }
            let after = Resource::from_stored(ResourceType::User, after);
            prop_assert_eq!(check(&after), Ok(()), "{}", body);
            prop_assert_eq!(comparable(&after), comparable(&whole), "{}", body);
            bytes = revised.body;
        }
    }

    #[test]
    fn a_patch_never_leaves_a_resource_that_its_schema_refuses(
        requests in vec(vec(any_operation(), 1..4), 1..12),
    ) {
        let mut resource = user(json!({"emails": [{"type": "work", "value": "a@x", "primary": true}]}));
        for operations in requests {
            let body = json!({"Operations": operations});
            let patched = Patch::compile(ResourceType::User, body.clone())
                .and_then(|patch| patch.apply(&resource));
            if let Ok(patched) = patched {
                resource = patched.resource;
                prop_assert_eq!(check(&resource), Ok(()), "{}", body);
                prop_assert_eq!(resource.id(), "u1");
            }
        }
        let full = Value::Object(representation(&resource, &meta(&resource), None));
        let again = resource::create(ResourceType::User, "u1", full).unwrap().resource;
        prop_assert_eq!(again, resource);
    }

    #[test]
    fn a_body_is_refused_or_gives_what_its_schema_allows(
        entries in vec((any_path(), any_value()), 0..8),
    ) {
        let mut body: Map<String, Value> = entries.into_iter().collect();
        body.entry("userName").or_insert_with(|| "ada".into());
        if let Ok(created) = resource::create(ResourceType::User, "u1", Value::Object(body)) {
            let resource = created.resource;
            prop_assert_eq!(check(&resource), Ok(()));
            let full = Value::Object(representation(&resource, &meta(&resource), None));
            let again = resource::create(ResourceType::User, "u1", full.clone()).unwrap().resource;
            prop_assert_eq!(&again, &resource);
            let (replaced, _) = replace(&resource, full).unwrap();
            prop_assert_eq!(replaced, resource);
        }
    }

    #[test]
    fn a_printed_filter_parses_to_the_same_filter(text in any_filter()) {
        let filter = Filter::parse(ResourceType::User, &text).unwrap();
        let printed = filter.to_string();
        prop_assert_eq!(Filter::parse(ResourceType::User, &printed).unwrap(), filter, "{}", printed);
    }

    #[test]
    fn a_lookup_holds_for_every_match(
        text in any_filter(), asked in "[abAB]{1,2}", name in "[abAB]{1,2}",
    ) {
        let text = format!("({text}) and userName eq \"{asked}\"");
        let filter = Filter::parse(ResourceType::User, &text).unwrap();
        let Some(Lookup::UserName(looked_up)) = filter.lookup() else {
            return Err(TestCaseError::reject("another attribute is looked up"));
        };
        let resource = json!({"userName": name, "title": "x", "name": {"givenName": name}});
        if filter.matches(resource.as_object().unwrap()) {
            prop_assert_eq!(fold(looked_up), fold(&name));
        }
    }

    #[test]
    fn folding_twice_is_folding_once(text in any::<String>()) {
        prop_assert_eq!(fold(&fold(&text)), fold(&text));
        prop_assert_eq!(fold(&text.to_uppercase()), fold(&text));
    }

    #[test]
    fn parsers_never_panic(text in "\\PC{0,60}", bytes in vec(any::<u8>(), 0..60)) {
        for kind in ResourceType::ALL {
            let _ = Filter::parse(kind, &text);
            let _ = Filter::parse(kind, &format!("emails[{text}"));
            let _ = AttributePath::parse(kind, &text);
            let _ = AttributePath::parse(kind, &format!("emails[{text}"));
            let _ = Projection::parse(kind, Some(&text), None);
        }
        let _ = ListQuery::from_query_string(&text);
        let _ = json::parse(&bytes);
        let _ = json::parse(text.as_bytes());
    }

    #[test]
    fn text_of_filter_words_never_panics(
        words in vec(select(&[
            "userName", "emails", "[", "]", "(", ")", "eq", "and", "or", "not", "\"x\"", "pr", ".",
            ".value", "true", "null", " ", "\"", "\\", "urn:a:b:c", "é",
        ][..]), 0..20),
        spaced in any::<bool>(),
    ) {
        let text = words.join(if spaced { " " } else { "" });
        let _ = Filter::parse(ResourceType::User, &text);
        let _ = AttributePath::parse(ResourceType::User, &text);
    }

    #[test]
    fn what_serde_json_writes_is_read_the_same(value in any_value()) {
        let bytes = serde_json::to_vec(&value).unwrap();
        if let Ok(parsed) = json::parse(&bytes) {
            prop_assert_eq!(parsed, value);
        }
    }
}
