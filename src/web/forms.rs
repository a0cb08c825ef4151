//! What forms send: fields by name, read with errors that say which field is wrong.

use std::collections::HashSet;
use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::admin::problem::Problem;

/// Fields of a form: four for each of the 1,000 mappings that settings may have, and then some.
const FIELDS_MAX: usize = 5_000;

/// The fields of a form, in order. Line ends are those of Unix.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn read(body: &[u8]) -> Result<Self, Problem> {
        let pairs = form_urlencoded::parse(body).into_owned();
        let pairs = pairs.map(|(name, value)| (name, value.replace("\r\n", "\n")));
        let fields: Vec<(String, String)> = pairs.take(FIELDS_MAX + 1).collect();
        if fields.len() > FIELDS_MAX {
            let detail = format!("the form has more than {FIELDS_MAX} fields");
            return Err(Problem::unprocessable(detail));
        }
        Ok(Self(fields))
    }

    /// The first field of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The field of this name, without blanks around it; empty where it is missing.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default().trim()
    }

    /// The field of this name, unless it is missing or blank.
    pub fn filled(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// Whether a box of this name was ticked.
    pub fn ticked(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// All fields of this name, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The field of this name, read as a `T`; none if it is blank.
    pub fn parse<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, Problem> {
        let refused = |_| Problem::unprocessable(format!("{name}: expected {expected}"));
        self.filled(name).map(|text| text.parse().map_err(refused)).transpose()
    }

    /// The names of all fields.
    pub fn names(&self) -> HashSet<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }
}

impl<S: Sync> FromRequestParts<S> for Fields {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.remove().unwrap_or_default())
    }
}

/// A text as part of a query.
pub fn percent_encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_name_and_in_order() {
        let form = b"group=IT+Admins&role=admin&group=All&reason=%20&text=a%0D%0Ab";
        let fields = Fields::read(form).unwrap();

        assert!(Fields::read(&b"a=1&".repeat(FIELDS_MAX + 1)).is_err());
        assert_eq!(fields.all("group").collect::<Vec<_>>(), ["IT Admins", "All"]);
        assert_eq!(fields.filled("reason"), None);
        assert_eq!(fields.text("text"), "a\nb");
        assert_eq!(
            fields.parse::<u32>("role", "a number").unwrap_err().sentence(),
            "role: expected a number."
        );
    }
}
