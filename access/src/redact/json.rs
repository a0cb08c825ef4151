//! Taking secrets out of JSON that was parsed.
//!
//! The parser limits how deep a document nests, and so how deep this goes.

use serde_json::{Map, Value};

use super::scan::{escapes_ascii, has_word, is_of_names, is_plain, is_plain_path};
use super::{REDACTED, Redactor};

/// Keys that say what the values beside them are.
const SAY_WHAT: [&str; 6] = ["path", "type", "name", "key", "attribute", "label"];
/// Keys that are no values, beside one that says that the values are secret.
const NO_VALUES: [&str; 5] = ["op", "method", "bulkId", "primary", "schemas"];
/// Keys whose value is that of the attribute around it.
const VALUES: [&str; 3] = ["value", "values", "display"];

impl Redactor {
    /// Takes out what is secret. Answers whether anything was.
    pub(super) fn json(&mut self, value: &mut Value) -> bool {
        // Twice: what is learnt at the end may stand at the beginning, too.
        let known_before = self.known.len();
        let mut changed = self.walk(value, false);
        if self.known.len() > known_before {
            changed |= self.walk(value, false);
        }
        changed
    }

    /// `of_names`: whether the attribute that this is the value of holds names.
    fn walk(&mut self, value: &mut Value, of_names: bool) -> bool {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
            Value::String(text) => {
                let is_secret = self.holds_known(text)
                    || escapes_ascii(text.as_bytes())
                    || (has_word(text.as_bytes()) && !(of_names && is_plain(text)));
                if is_secret && text != REDACTED {
                    REDACTED.clone_into(text);
                }
                is_secret
            }
            Value::Array(items) => {
                let mut changed = false;
                for item in items {
                    changed |= self.walk(item, of_names);
                }
                changed
            }
            Value::Object(object) => self.object(object, of_names),
        }
    }

    fn object(&mut self, object: &mut Map<String, Value>, of_names: bool) -> bool {
        let said = object.iter().any(|(key, value)| {
            is_one_of(key, &SAY_WHAT)
                && value.as_str().is_some_and(|text| {
                    let is_name = !key.eq_ignore_ascii_case("path") && of_names;
                    (has_word(text.as_bytes()) && !is_name) || escapes_ascii(text.as_bytes())
                })
        });
        let path = object.iter().find(|(key, _)| key.eq_ignore_ascii_case("path"));
        let path = path.and_then(|(_, path)| path.as_str()).map(is_of_names);
        let mut changed = false;
        for (key, value) in object.iter_mut() {
            changed |= if has_word(key.as_bytes()) {
                self.take(value)
            } else if is_one_of(key, &SAY_WHAT) {
                let shown = value
                    .as_str()
                    .is_some_and(|text| is_plain_path(text) && !self.holds_known(text));
                !shown && self.walk(value, of_names || is_of_names(key))
            } else if said && !is_one_of(key, &NO_VALUES) {
                self.take(value)
            } else if is_one_of(key, &VALUES) {
                self.walk(value, path.unwrap_or(of_names))
            } else {
                self.walk(value, is_of_names(key))
            };
        }
        let secret_key = |key: &String| self.holds_known(key) || escapes_ascii(key.as_bytes());
        if object.keys().any(secret_key) {
            let all = std::mem::take(object).into_iter();
            let renamed = |(key, value): (String, Value)| {
                if secret_key(&key) { (REDACTED.to_owned(), value) } else { (key, value) }
            };
            *object = all.map(renamed).collect();
            changed = true;
        }
        changed
    }

    /// Takes a secret out, and remembers it.
    fn take(&mut self, value: &mut Value) -> bool {
        if value.is_null() || value.as_str() == Some(REDACTED) {
            return !value.is_null();
        }
        self.learn_all(value);
        *value = REDACTED.into();
        true
    }

    fn learn_all(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.learn(text),
            Value::Array(items) => {
                for item in items {
                    self.learn_all(item);
                }
            }
            Value::Object(object) => {
                for value in object.values() {
                    self.learn_all(value);
                }
            }
            Value::Number(number) => self.learn(&number.to_string()),
            Value::Null | Value::Bool(_) => {}
        }
    }
}

fn is_one_of(key: &str, keys: &[&str]) -> bool {
    keys.iter().any(|known| key.eq_ignore_ascii_case(known))
}
