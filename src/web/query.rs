//! Addresses with queries: what the filters of a list are, and where its next page is.

use super::forms::percent_encode;
use crate::admin::page::Parameters;

/// Rows on a page of a list.
pub(super) const ROWS: usize = 50;

/// Where a list goes on.
pub(super) struct Pager {
    /// Back to its first page, unless this is it.
    pub(super) first: Option<String>,
    /// Its next page, if there may be one.
    pub(super) next: Option<String>,
    /// What the link to the next page says.
    pub(super) words: &'static str,
}

/// Filters of a list, as they were filled in; blank ones do not count.
pub(super) struct Filters(Vec<(&'static str, String)>);

impl Filters {
    /// Those of these names.
    pub(super) fn read(parameters: &Parameters, names: &[&'static str]) -> Self {
        let filled = |name: &&'static str| {
            let value = parameters.get(name).unwrap_or_default().trim();
            (!value.is_empty()).then(|| (*name, value.to_owned()))
        };
        Self(names.iter().filter_map(filled).collect())
    }

    /// One of them; empty where it is not filled in.
    pub(super) fn get(&self, name: &str) -> &str {
        let mut all = self.0.iter();
        all.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }

    /// Whether none is filled in.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As the admin API reads them.
    pub(super) fn parameters(&self) -> Parameters {
        let address = self.address("", &[]);
        Parameters::read(address.strip_prefix('?'))
    }

    /// This path with these filters, and more.
    pub(super) fn address(&self, path: &str, more: &[(&str, &str)]) -> String {
        let own = self.0.iter().map(|(name, value)| (*name, value.as_str()));
        let pairs: Vec<_> = own.chain(more.iter().copied()).collect();
        address(path, &pairs)
    }

    /// The pages of this list.
    pub(super) fn pager(
        &self,
        path: &str,
        is_first: bool,
        next_cursor: Option<&str>,
        words: &'static str,
    ) -> Pager {
        let first = (!is_first).then(|| self.address(path, &[]));
        let next = next_cursor.map(|cursor| self.address(path, &[("cursor", cursor)]));
        Pager { first, next, words }
    }
}

/// A path with these parameters.
pub(super) fn address(path: &str, parameters: &[(&str, &str)]) -> String {
    let pairs = parameters.iter().map(|(name, value)| format!("{name}={}", percent_encode(value)));
    let query = pairs.collect::<Vec<_>>().join("&");
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_filters_do_not_count_and_the_next_page_keeps_the_others() {
        let parameters = Parameters::read(Some("q=a%26b&role=&status=+&cursor=x&other=1"));
        let filters = Filters::read(&parameters, &["q", "role", "status"]);

        assert_eq!((filters.get("q"), filters.get("role")), ("a&b", ""));
        assert_eq!(filters.address("/x", &[]), "/x?q=a%26b");
        let pager = filters.pager("/x", false, Some("y"), "Next");
        assert_eq!(pager.next.as_deref(), Some("/x?q=a%26b&cursor=y"));
        assert_eq!(filters.parameters().get("status"), None);
    }
}
