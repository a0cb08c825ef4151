//! Lists as the target answers them (RFC 7644 section 3.4.2), as far as they matter.

use scim::casefold::fold;
use serde::Deserialize;
use serde_json::Value;

const LIST_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// A list, or a page of one.
#[derive(Debug, Deserialize)]
pub(super) struct List {
    #[serde(default)]
    schemas: Vec<String>,
    /// How many resources there are on all pages.
    #[serde(rename = "totalResults")]
    pub(super) total_results: usize,
    /// Those of this page.
    #[serde(rename = "Resources", default)]
    pub(super) resources: Vec<Value>,
}

impl List {
    /// Whether it says that it is one.
    pub(super) fn is_list_response(&self) -> bool {
        self.schemas.iter().any(|schema| schema.eq_ignore_ascii_case(LIST_RESPONSE))
    }

    /// The id of the one resource whose name this is, if there is one; or what is wrong with the
    /// list. Whoever ignores filters answers somebody else, who must not be written over.
    pub(super) fn id_of(&self, attribute: &str, name: &str) -> Result<Option<&str>, &'static str> {
        let found = match self.resources.as_slice() {
            [] => return Ok(None),
            [found] => found,
            _ => return Err("more than one resource matches"),
        };
        if text(found, attribute).is_none_or(|is| fold(is) != fold(name)) {
            return Err("the resource that matches has another name");
        }
        let id = text(found, "id").filter(|id| !id.is_empty());
        id.map(Some).ok_or("the resource that matches has no id")
    }

    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.total_results == 0 && self.resources.is_empty()
    }
}

/// An attribute whose value is a string.
pub(super) fn text<'a>(resource: &'a Value, attribute: &str) -> Option<&'a str> {
    resource.get(attribute).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn list(resources: &Value) -> List {
        serde_json::from_value(json!({"totalResults": 1, "Resources": resources})).unwrap()
    }

    #[test]
    fn only_the_one_resource_of_the_name_is_found() {
        let id_of =
            |resources| list(&resources).id_of("userName", "ada@x.y").map(|id| id.is_some());

        assert_eq!(id_of(json!([{"id": "1", "userName": "ADA@x.y"}])), Ok(true));
        assert_eq!(id_of(json!([])), Ok(false));
        for wrong in [
            json!([{"id": "1", "userName": "ben@x.y"}]),
            json!([{"id": "1"}]),
            json!([{"id": "", "userName": "ada@x.y"}]),
            json!([{"id": "1", "userName": "ada@x.y"}, {"id": "2", "userName": "ada@x.y"}]),
        ] {
            assert!(id_of(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_list_says_that_it_is_one() {
        let said: List =
            serde_json::from_value(json!({"schemas": [LIST_RESPONSE], "totalResults": 0})).unwrap();

        assert!(said.is_list_response() && said.is_empty());
        assert!(!list(&json!([{}])).is_list_response() && !list(&json!([{}])).is_empty());
    }
}
