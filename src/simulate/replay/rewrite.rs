//! What is changed in a recorded request before it is sent again: ids, and for copies, names.
//!
//! Ids are found by their shape wherever they stand: in paths, filters, references and paths of a
//! PATCH. Names are changed where a resource has them: userName, externalId, e-mail addresses and a
//! group's displayName, in bodies, in operations of a PATCH, and in filters that look for them.

use serde_json::Value;

/// Characters of an id, and where its hyphens are.
const ID_CHARS: usize = 36;
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// The ids in a text, in order.
pub(super) fn ids_in(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut from = 0_usize;
    while let Some(end) = from.checked_add(ID_CHARS).filter(|end| *end <= text.len()) {
        match text.get(from..end).filter(|part| is_id(part)) {
            Some(id) => {
                found.push(id);
                from = end;
            }
            None => from += 1,
        }
    }
    found
}

fn is_id(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| {
        if HYPHENS.contains(&at) { byte == b'-' } else { byte.is_ascii_hexdigit() }
    })
}

/// The text with the ids that `other` knows replaced.
pub(super) fn with_ids(text: &str, other: &impl Fn(&str) -> Option<String>) -> String {
    let mut written = text.to_owned();
    for id in ids_in(text) {
        if let Some(new) = other(id) {
            written = written.replace(id, &new);
        }
    }
    written
}

/// The same in all texts of a body.
pub(super) fn body_with_ids(body: &mut Value, other: &impl Fn(&str) -> Option<String>) {
    texts(body, &mut |text| {
        if !ids_in(text).is_empty() {
            *text = with_ids(text, other);
        }
    });
}

/// The ids in all texts of a body.
pub(super) fn ids_in_body(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![body];
    while let Some(value) = waiting.pop() {
        match value {
            Value::String(text) => found.extend(ids_in(text).into_iter().map(str::to_owned)),
            Value::Array(elements) => waiting.extend(elements),
            Value::Object(attributes) => waiting.extend(attributes.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    found
}

fn texts(value: &mut Value, change: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(elements) => elements.iter_mut().for_each(|value| texts(value, change)),
        Value::Object(attributes) => {
            attributes.values_mut().for_each(|value| texts(value, change));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Makes the names of one copy of a recording its own.
#[derive(Debug, Clone)]
pub(super) struct Copy {
    /// What is added to names; none for the first copy, which is sent as it was recorded.
    suffix: Option<String>,
}

impl Copy {
    /// The copy with this number, from 1.
    pub(super) fn new(number: usize) -> Self {
        Self { suffix: (number > 1).then(|| format!("~{number}")) }
    }

    /// A name, changed: before the `@` of an address, or else at its end.
    fn renamed(&self, name: &str) -> String {
        let suffix = self.suffix.as_deref().unwrap_or_default();
        match name.rsplit_once('@') {
            Some((local, domain)) => format!("{local}{suffix}@{domain}"),
            None => format!("{name}{suffix}"),
        }
    }

    /// A query whose filter looks for a name.
    pub(super) fn query(&self, path: &str, query: &str) -> String {
        if self.suffix.is_none() {
            return query.to_owned();
        }
        let mut written = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if name.eq_ignore_ascii_case("filter") {
                written.append_pair(&name, &self.filter(is_group(path), &value));
            } else {
                written.append_pair(&name, &value);
            }
        }
        written.finish()
    }

    /// A filter: texts behind the name of an attribute that is changed.
    fn filter(&self, is_group: bool, filter: &str) -> String {
        let mut written = String::with_capacity(filter.len());
        let mut rest = filter;
        while let Some(at) = rest.find('"') {
            let (before, text) = rest.split_at(at);
            written.push_str(before);
            let mut values = serde_json::Deserializer::from_str(text).into_iter::<String>();
            let Some(Ok(value)) = values.next() else {
                rest = text;
                break;
            };
            let end = values.byte_offset();
            let is_name = is_name(is_group, compared_in(&written));
            let value = if is_name { self.renamed(&value) } else { value };
            written.push_str(&Value::String(value).to_string());
            rest = text.get(end..).unwrap_or_default();
        }
        written.push_str(rest);
        written
    }

    /// A body: a resource, or a PATCH.
    pub(super) fn body(&self, path: &str, body: &mut Value) {
        if self.suffix.is_none() {
            return;
        }
        let is_group = is_group(path);
        let operations = body.get_mut("Operations").and_then(Value::as_array_mut);
        let Some(operations) = operations else { return self.resource(is_group, body) };
        for operation in operations {
            let target = operation.get("path").and_then(Value::as_str).map(str::to_owned);
            let Some(value) = operation.get_mut("value") else { continue };
            match target {
                Some(target) if is_name(is_group, &target) => texts(value, &mut |text| {
                    *text = self.renamed(text);
                }),
                Some(_) => {}
                // Keys are attributes, or paths.
                None => self.resource(is_group, value),
            }
        }
    }

    fn resource(&self, is_group: bool, resource: &mut Value) {
        let Some(attributes) = resource.as_object_mut() else { return };
        for (attribute, value) in attributes {
            if attribute.eq_ignore_ascii_case("emails") {
                for email in value.as_array_mut().into_iter().flatten() {
                    if let Some(Value::String(address)) = email.get_mut("value") {
                        *address = self.renamed(address);
                    }
                }
            } else if is_name(is_group, attribute)
                && let Value::String(name) = value
            {
                *name = self.renamed(name);
            }
        }
    }
}

/// The attribute at the end of a filter's beginning that stops before what it is compared with.
fn compared_in(filter: &str) -> &str {
    let starts = [" and ", " or "].map(|word| filter.rfind(word).map(|at| at + word.len()));
    let start = starts.into_iter().flatten().max().unwrap_or_default();
    let comparison = filter.get(start..).unwrap_or_default().trim_end();
    comparison.rsplit_once(' ').map_or("", |(attribute, _)| attribute).trim_start_matches('(')
}

fn is_group(path: &str) -> bool {
    path.starts_with("/Groups")
}

/// Whether this path is one of an attribute that must differ from copy to copy.
fn is_name(is_group: bool, path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    match path.as_str() {
        "username" | "externalid" => true,
        "displayname" => is_group,
        _ => path.starts_with("emails[") && path.ends_with("].value"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ADA: &str = "01990a5d-b9a0-7c52-8e4a-0d9e8f7a6b5c";
    const NEW: &str = "01990a5d-0000-7c52-8e4a-000000000000";

    #[test]
    fn ids_are_found_by_their_shape_wherever_they_stand() {
        let known = |id: &str| (id == ADA).then(|| NEW.to_owned());
        let path = format!("/Users/{ADA}");
        let query = format!("filter=id+eq+%22{ADA}%22&attributes=id");
        let mut body = json!({"Operations": [
            {"op": "remove", "path": format!("members[value eq \"{ADA}\"]")},
            {"op": "Add", "path": "members", "value": [{"$ref": null, "value": ADA}]},
        ]});

        assert_eq!(ids_in_body(&body).len(), 2);
        body_with_ids(&mut body, &known);

        assert_eq!(with_ids(&path, &known), format!("/Users/{NEW}"));
        assert_eq!(with_ids(&query, &known), format!("filter=id+eq+%22{NEW}%22&attributes=id"));
        assert!(!body.to_string().contains(ADA) && body.to_string().matches(NEW).count() == 2);
        assert_eq!(ids_in("no-id-here, ünïcödé 01990a5d-b9a0-7c52"), Vec::<&str>::new());
    }

    #[test]
    fn the_first_copy_is_sent_as_it_was_recorded() {
        let copy = Copy::new(1);
        let mut body = json!({"userName": "ada@example.com"});

        copy.body("/Users", &mut body);

        assert_eq!(body, json!({"userName": "ada@example.com"}));
        assert_eq!(copy.query("/Users", "filter=a+eq+%22b%22"), "filter=a+eq+%22b%22");
    }

    #[test]
    fn names_of_a_copy_are_its_own() {
        let copy = Copy::new(3);
        let mut user = json!({
            "userName": "ada@example.com", "externalId": "e-1", "displayName": "Ada",
            "emails": [{"type": "work", "value": "ada@example.com"}],
        });
        let mut group = json!({"displayName": "Staff", "externalId": "g-1"});
        let mut patch = json!({"Operations": [
            {"op": "Replace", "path": "userName", "value": "ada.l@example.com"},
            {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "a@example.com"},
            {"op": "Replace", "path": "displayName", "value": "Ada L"},
            {"op": "replace", "value": {"externalId": "e-2", "title": "x"}},
        ]});

        copy.body("/Users", &mut user);
        copy.body("/Groups", &mut group);
        copy.body(&format!("/Users/{ADA}"), &mut patch);

        assert_eq!(
            user,
            json!({
                "userName": "ada~3@example.com", "externalId": "e-1~3", "displayName": "Ada",
                "emails": [{"type": "work", "value": "ada~3@example.com"}],
            })
        );
        assert_eq!(group, json!({"displayName": "Staff~3", "externalId": "g-1~3"}));
        assert_eq!(
            patch,
            json!({"Operations": [
                {"op": "Replace", "path": "userName", "value": "ada.l~3@example.com"},
                {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "a~3@example.com"},
                {"op": "Replace", "path": "displayName", "value": "Ada L"},
                {"op": "replace", "value": {"externalId": "e-2~3", "title": "x"}},
            ]})
        );
    }

    #[test]
    fn filters_of_a_copy_look_for_its_names() {
        let copy = Copy::new(2);
        let query = "excludedAttributes=members&filter=displayName+eq+%22a+%5C%22b%5C%22%22";
        let decoded = |query: &str| -> Vec<(String, String)> {
            form_urlencoded::parse(query.as_bytes()).into_owned().collect()
        };

        let group = decoded(&copy.query("/Groups", query));
        let user = decoded(&copy.query("/Users", query));

        assert_eq!(group[1].1, r#"displayName eq "a \"b\"~2""#);
        assert_eq!(user[1].1, r#"displayName eq "a \"b\"""#, "a user's displayName stays");
        let both = copy.filter(false, r#"userName eq "ada@x.y" and active eq "True""#);
        assert_eq!(both, r#"userName eq "ada~2@x.y" and active eq "True""#);
        let email = copy.filter(false, r#"emails[type eq "work"].value eq "ada@x.y""#);
        assert_eq!(email, r#"emails[type eq "work"].value eq "ada~2@x.y""#);
        assert_eq!(copy.filter(false, "userName eq \"broken"), "userName eq \"broken");
    }
}
