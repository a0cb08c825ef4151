//! Placeholders of the cases: `{{rand}}`, `{{user1.id}}`, `{{rep:x:4000}}`.
//!
//! A string that is one placeholder takes the captured value with its JSON type; within a longer
//! string the value is written out. What is not here: where captured values come from (see
//! [`super::runner`]).

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use uuid::Uuid;

/// The names a case can use, and their values.
#[derive(Debug, Default)]
pub(super) struct Environment {
    values: BTreeMap<String, Value>,
}

/// What to do about a placeholder that has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unresolved {
    /// Refuse: a request must not go out with a placeholder in it.
    Refuse,
    /// Leave it in the text: an expectation then cannot be met, and says so.
    Keep,
}

impl Environment {
    /// A fresh environment: what it calls random differs from every other one's.
    pub(super) fn random() -> Self {
        // The low ten digits of a version 7 UUID are its random part; the high ones are the time.
        let rand = Uuid::now_v7().simple().to_string()[22..].to_owned();
        let mut environment = Self::default();
        environment.set("RAND", rand.to_uppercase().into());
        environment.set("rand", rand.into());
        environment.set("guid", Uuid::now_v7().to_string().into());
        environment.set("hex32", Uuid::now_v7().simple().to_string().into());
        environment
    }

    /// Gives `name` a value, or a new one.
    pub(super) fn set(&mut self, name: impl Into<String>, value: Value) {
        self.values.insert(name.into(), value);
    }

    /// Fills in the placeholders of a JSON value, object keys included.
    pub(super) fn fill(&self, value: &Value, unresolved: Unresolved) -> Result<Value, String> {
        match value {
            Value::String(text) => match whole_placeholder(text) {
                Some(name) => match self.look_up(name)? {
                    Some(found) => Ok(found),
                    None => self.fill_text(text, unresolved).map(Value::String),
                },
                None => self.fill_text(text, unresolved).map(Value::String),
            },
            Value::Array(items) => {
                items.iter().map(|item| self.fill(item, unresolved)).collect::<Result<_, _>>()
            }
            Value::Object(members) => {
                let mut filled = Map::new();
                for (key, member) in members {
                    filled.insert(self.fill_text(key, unresolved)?, self.fill(member, unresolved)?);
                }
                Ok(Value::Object(filled))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
        }
    }

    /// Fills in the placeholders of a text.
    pub(super) fn fill_text(&self, text: &str, unresolved: Unresolved) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, name, after)) = next_placeholder(rest) {
            filled.push_str(before);
            let value = match self.look_up(name)? {
                Some(value) => written_out(&value),
                None if unresolved == Unresolved::Keep => format!("{{{{{name}}}}}"),
                None => return Err(format!("placeholder {{{{{name}}}}} has no value")),
            };
            filled.push_str(&value);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn look_up(&self, name: &str) -> Result<Option<Value>, String> {
        let Some(repeated) = name.strip_prefix("rep:") else {
            return Ok(self.values.get(name).cloned());
        };
        let (text, times) = repeated
            .rsplit_once(':')
            .and_then(|(text, times)| Some((text, times.parse().ok()?)))
            .ok_or_else(|| format!("placeholder {{{{{name}}}}} is not rep:TEXT:N"))?;
        Ok(Some(text.repeat(times).into()))
    }
}

/// A JSON value within a text: strings bare, `True`, `False` and `None` as the corpus has them.
pub(super) fn written_out(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Null => "None".to_owned(),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn whole_placeholder(text: &str) -> Option<&str> {
    match next_placeholder(text) {
        Some(("", name, "")) => Some(name),
        _ => None,
    }
}

/// Splits at the first `{{name}}`, where the name holds no brace.
fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(open) = text[from..].find("{{").map(|at| at + from) {
        let inner = &text[open + 2..];
        let end = inner.find(['{', '}']).unwrap_or(inner.len());
        if end > 0 && inner[end..].starts_with("}}") {
            return Some((&text[..open], &inner[..end], &inner[end + 2..]));
        }
        from = open + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Environment, Unresolved};

    fn environment() -> Environment {
        let mut environment = Environment::default();
        environment.set("u.id", json!("42"));
        environment.set("n", json!(7));
        environment
    }

    #[test]
    fn a_whole_placeholder_keeps_its_type_and_a_part_is_written_out() {
        let filled = environment()
            .fill(&json!({"a-{{u.id}}": ["{{n}}", "x{{n}}y{{u.id}}"]}), Unresolved::Refuse);

        assert_eq!(filled, Ok(json!({"a-42": [7, "x7y42"]})));
    }

    #[test]
    fn a_repetition_is_as_long_as_it_says() {
        let filled = environment().fill_text("<{{rep:ab:3}}>", Unresolved::Refuse);

        assert_eq!(filled, Ok("<ababab>".to_owned()));
    }

    #[test]
    fn an_unknown_placeholder_is_refused_in_a_request_and_kept_in_an_expectation() {
        let refused = environment().fill(&json!("{{gone}}"), Unresolved::Refuse);
        let kept = environment().fill(&json!("{{gone}}"), Unresolved::Keep);

        assert_eq!(refused, Err("placeholder {{gone}} has no value".to_owned()));
        assert_eq!(kept, Ok(json!("{{gone}}")));
    }

    #[test]
    fn braces_that_are_no_placeholder_stay() {
        let filled = environment().fill_text("{{{n}} {{}} {{ {\"a\":{}}}", Unresolved::Refuse);

        assert_eq!(filled, Ok("{7 {{}} {{ {\"a\":{}}}".to_owned()));
    }

    #[test]
    fn two_environments_share_no_random_name() {
        let random = || Environment::random().fill_text("{{rand}}", Unresolved::Refuse);

        assert_ne!(random(), random());
    }
}
