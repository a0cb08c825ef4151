//! What a request asks for, in one word of a fixed list: the label under which its time is counted.
//!
//! Told by method and path alone, so that refused requests count as well; never by anything that a
//! client could make up.

use axum::http::Method;

use crate::{http, web};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operation(&'static str);

/// Every word that there is.
pub(crate) const ALL: [&str; 27] = [
    "create_user",
    "get_user",
    "find_users",
    "replace_user",
    "patch_user",
    "delete_user",
    "create_group",
    "get_group",
    "find_groups",
    "replace_group",
    "patch_group",
    "delete_group",
    "find",
    "bulk",
    "discover",
    "other_scim",
    "read_admin",
    "write_admin",
    "follow_changes",
    "transfer",
    "fetch_token",
    "show_page",
    "send_form",
    "follow_page",
    "probe",
    "describe",
    "other",
];

impl Operation {
    /// What this method on this path asks for.
    pub(super) fn of(method: &Method, path: &str) -> Self {
        if let Some(path) = http::behind_prefix(path) {
            return Self(of_scim(method, path));
        }
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        Self(match path.strip_prefix("/admin/v1") {
            Some(path) => of_admin(is_read, path),
            None if path == "/metrics" || path == "/healthz" || path == "/readyz" => "probe",
            None if path == "/openapi.json" => "describe",
            None if path == "/oauth/token" => "fetch_token",
            None if !web::is_path(path) => "other",
            None if path.ends_with("/live") => "follow_page",
            None if is_read => "show_page",
            None => "send_form",
        })
    }

    /// The word.
    pub(super) const fn name(self) -> &'static str {
        self.0
    }
}

fn of_scim(method: &Method, path: &str) -> &'static str {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty()).skip(1);
    let (endpoint, id, more) = (segments.next(), segments.next(), segments.next());
    match (endpoint, id, method.as_str(), more) {
        (_, _, _, Some(_)) => "other_scim",
        (Some("Users"), None, "POST", _) => "create_user",
        (Some("Users"), None, "GET" | "HEAD", _) | (Some("Users"), Some(".search"), "POST", _) => {
            "find_users"
        }
        (Some("Users"), Some(_), "GET" | "HEAD", _) => "get_user",
        (Some("Users"), Some(_), "PUT", _) => "replace_user",
        (Some("Users"), Some(_), "PATCH", _) => "patch_user",
        (Some("Users"), Some(_), "DELETE", _) => "delete_user",
        (Some("Groups"), None, "POST", _) => "create_group",
        (Some("Groups"), None, "GET" | "HEAD", _)
        | (Some("Groups"), Some(".search"), "POST", _) => "find_groups",
        (Some("Groups"), Some(_), "GET" | "HEAD", _) => "get_group",
        (Some("Groups"), Some(_), "PUT", _) => "replace_group",
        (Some("Groups"), Some(_), "PATCH", _) => "patch_group",
        (Some("Groups"), Some(_), "DELETE", _) => "delete_group",
        (Some(".search"), None, "POST", _) => "find",
        (Some("Bulk"), None, "POST", _) => "bulk",
        (Some("ServiceProviderConfig" | "ResourceTypes" | "Schemas"), ..) => "discover",
        _ => "other_scim",
    }
}

/// What takes as long as its client likes is counted apart: it says nothing of how fast we are.
fn of_admin(is_read: bool, path: &str) -> &'static str {
    let last = path.rsplit('/').find(|segment| !segment.is_empty()).unwrap_or_default();
    match last {
        "changes" if is_read => "follow_changes",
        "backup" | "audit" | "equipment" => "transfer",
        _ if is_read => "read_admin",
        _ => "write_admin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_has_a_word_of_the_list() {
        let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        for (at, path, word) in [
            (1, "/scim/v2/acme/Users", "create_user"),
            (0, "//scim/v2/acme//Users/", "find_users"),
            (1, "/scim/v2/acme/Users/.search", "find_users"),
            (3, "/scim/v2/acme/Users/7", "patch_user"),
            (4, "/scim/v2/acme/Groups/7", "delete_group"),
            (0, "/scim/v2/acme/Groups/7/members", "other_scim"),
            (0, "/scim/v2/acme/Schemas/urn:x", "discover"),
            (0, "/scim/v2", "other_scim"),
            (0, "/admin/v1/tenants/acme/accounts", "read_admin"),
            (3, "/admin/v1/tenants/acme/settings", "write_admin"),
            (0, "/admin/v1/tenants/acme/changes", "follow_changes"),
            (0, "/admin/v1/backup", "transfer"),
            (0, "/metrics", "probe"),
            (1, "/oauth/token", "fetch_token"),
            (0, "/", "show_page"),
            (0, "/tenants/acme/live", "follow_page"),
            (1, "/login", "send_form"),
            (0, "/favicon.ico", "other"),
        ] {
            let operation = Operation::of(&methods[at], path);
            assert_eq!(operation.name(), word, "{} {path}", methods[at]);
            assert!(ALL.contains(&operation.name()), "{word}");
        }
    }
}
