//! What the demonstration prints: sentences alone, made of what the service answers.
//!
//! Names come from a directory: they are shown without characters that turn or hide text, or that
//! a terminal obeys.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::wording::{grouped, readable, shortened, spoken};

/// Characters of a name that are shown.
const NAME_CHARS_MAX: usize = 48;

/// What is known before anything was sent.
pub(super) struct Welcome<'a> {
    /// `http://HOST:PORT`.
    pub(super) address: &'a str,
    /// The operator token.
    pub(super) token: &'a str,
    /// The tenant's id.
    pub(super) tenant: &'a str,
    /// People in the directory.
    pub(super) people: u64,
    /// From wave to wave, as it was given.
    pub(super) every: &'a str,
    /// How long a wave must have been over, as the settings have it.
    pub(super) settle: &'a str,
    /// Group and role of each mapping, in order.
    pub(super) mappings: &'a [(&'a str, &'a str)],
    /// The role of those who are in none of these groups.
    pub(super) default_role: &'a str,
    /// Where the data is.
    pub(super) data: &'a str,
    /// Whether the data stays when the demonstration ends.
    pub(super) keeps_data: bool,
}

impl Welcome<'_> {
    /// Where to look, and what is going to happen.
    pub(super) fn text(&self) -> String {
        let Self { address, token, tenant, every, settle, data, .. } = self;
        let people = grouped(&self.people.to_string());
        let mappings = self.mappings();
        let end = if self.keeps_data {
            format!("Ctrl-C ends it; the data stays in {data}.")
        } else {
            format!("Ctrl-C ends it and removes its data ({data}).")
        };
        format!(
            "
Slackwater is running, with one tenant. A simulated Microsoft Entra directory of {people} people
pushes to it over SCIM: everybody first, then every {every} what has changed.

  Web page        {address}/tenants/{tenant}?range=1h
  Operator token  {token}

Log in with the token, or ask the API from another terminal:

  export OPERATOR={token}
  export ACME={address}/admin/v1/tenants/{tenant}
  curl -s -H \"Authorization: Bearer $OPERATOR\" \"$ACME/accounts?role=admin\"
  curl -sN -H \"Authorization: Bearer $OPERATOR\" -H \"Accept: text/event-stream\" \"$ACME/changes\"

Groups give roles; who is in several has the first of these:

{mappings}
Within a wave changes come in no useful order, so no role follows at once: roles are decided when
{settle} have passed without a request. Only who is disabled or deleted loses the role immediately.

{end}

"
        )
    }

    /// A line for each mapping, and one for everybody else.
    fn mappings(&self) -> String {
        let all = self.mappings.iter().copied().chain([("everybody else", self.default_role)]);
        let lines: Vec<String> =
            all.map(|(group, role)| format!("  {group:<14} → {role}\n")).collect();
        lines.concat()
    }
}

/// The first wave has settled, or that takes longer than anybody waits.
pub(super) fn first_roles(roles: &BTreeMap<String, u64>, settled: bool) -> String {
    let counts: Vec<String> = roles
        .iter()
        .map(|(role, count)| format!("{} {}", grouped(&count.to_string()), name(role)))
        .collect();
    let said = if settled {
        "The first wave has settled; everybody has a role"
    } else {
        "The first wave has not settled yet; the roles so far"
    };
    format!("{said}: {}.\n", counts.join(", "))
}

/// A wave was sent.
pub(super) fn wave(
    number: u64,
    events: &[(&'static str, u64)],
    requests: u64,
    took: Duration,
    settle: &str,
) -> String {
    let some = events.iter().filter(|(_, count)| *count > 0);
    let happened: Vec<String> =
        some.map(|(event, count)| format!("{} {event}", grouped(&count.to_string()))).collect();
    let happened = if happened.is_empty() { "nothing new".to_owned() } else { happened.join(", ") };
    let (requests, took) = (grouped(&requests.to_string()), spoken(took));
    format!(
        "Wave {number}: {happened}; {requests} requests in {took}. Roles follow after {settle}.\n"
    )
}

/// Somebody was locked.
pub(super) fn locked(account: &Value, reason: &str, url: &str) -> String {
    format!(
        "You locked {} as {}: \"{reason}\". No wave changes that.\n  why each role is what it is: \
         {url}\n",
        who(account),
        name(text(account, "role")),
    )
}

/// Equipment was uploaded.
pub(super) fn equipment(assets: u64, url: &str) -> String {
    format!(
        "You uploaded who holds which of {} devices. Who leaves and still has one is on the list \
         at\n  {url}\n",
        grouped(&assets.to_string())
    )
}

/// From here on, lines are changes.
pub(super) fn listening(url: &str) -> String {
    format!(
        "\nYour app listens for webhooks at {url}. Each line below is one that came, with a valid \
         signature:\n\n"
    )
}

/// One change of a role, of the account as it is shown now.
pub(super) fn role_change(entry: &Value, account: &Value) -> String {
    let clock = text(entry, "at").get(11..19).unwrap_or("        ");
    let known = who(account);
    let who = if known.is_empty() { name(text(entry, "user_name")) } else { known };
    let role =
        |key| entry.get(key).and_then(Value::as_str).map_or_else(|| "no access".to_owned(), name);
    let (from, to) = (role("from"), role("to"));
    format!("  {clock}  {who}: {from} → {to}, {}", because(entry))
}

/// The end. `kept` is where the data is, if it is still there.
pub(super) fn goodbye(kept: Option<&Path>) -> String {
    match kept {
        Some(data) => {
            format!("\nThe demonstration has ended; its data is in {}.\n", data.display())
        }
        None => "\nThe demonstration has ended, and its data is gone.\n".to_owned(),
    }
}

/// Why, in a few words.
fn because(entry: &Value) -> String {
    if text(entry, "type") == "account.created" {
        return "new in the directory".to_owned();
    }
    let why = entry.get("why").unwrap_or(&Value::Null);
    match text(why, "rule") {
        "mapping" => format!("as a member of {}", name(text(why, "group"))),
        "default" => "being in none of the mapped groups".to_owned(),
        "disabled" => "disabled in the directory".to_owned(),
        "deleted" => "deleted from the directory".to_owned(),
        "lock" => "locked by an operator".to_owned(),
        "manual" => "by an operator's hand".to_owned(),
        other => name(other),
    }
}

/// How people call an account.
fn who(account: &Value) -> String {
    match (text(account, "display_name"), text(account, "user_name")) {
        ("", user_name) => name(user_name),
        (display_name, _) => name(display_name),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn name(text: &str) -> String {
    shortened(&readable(text), NAME_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(changes: &Value) -> Value {
        let mut entry = json!({
            "seq": 7, "type": "account.role_changed", "at": "2026-11-30T08:01:09.120Z",
            "account": "a", "from": "guest", "to": "admin",
            "why": {"rule": "mapping", "group": "IT Admins"},
        });
        for (key, value) in changes.as_object().unwrap() {
            entry[key] = value.clone();
        }
        entry
    }

    #[test]
    fn a_change_is_one_line_with_the_name_both_roles_and_the_reason() {
        let ada = json!({"display_name": "Ada Lovelace", "user_name": "ada@example.com"});

        let line = role_change(&entry(&json!({})), &ada);

        assert_eq!(line, "  08:01:09  Ada Lovelace: guest → admin, as a member of IT Admins");
    }

    #[test]
    fn whoever_is_gone_is_told_of_too() {
        let deleted = entry(&json!({
            "to": null, "why": {"rule": "deleted"}, "user_name": "ada@example.com",
        }));

        let line = role_change(&deleted, &Value::Null);

        let expected = "  08:01:09  ada@example.com: guest → no access, deleted from the directory";
        assert_eq!(line, expected);
    }

    #[test]
    fn a_name_cannot_write_a_line_of_its_own_nor_move_the_cursor() {
        let hostile = json!({"display_name": "Eve\n  08:00:00  Ada: admin\u{1b}[2J\u{202e}"});

        let line = role_change(&entry(&json!({})), &hostile);

        assert!(!line.contains(['\n', '\u{1b}', '\u{202e}']), "{line:?}");
    }
}
