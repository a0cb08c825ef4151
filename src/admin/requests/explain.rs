//! What a refusal means, in the words of an administrator of the directory: the one place where
//! they are chosen. A test sees to it that everything that can be answered has its words.
//!
//! What Entra makes of an answer is in Microsoft's documentation of provisioning: a refused user or
//! group is tried again in later cycles, at growing intervals, and enough refusals put the whole
//! job into quarantine.

use access::exchange::Exchange;
use serde::Serialize;
use utoipa::ToSchema;

/// What a refusal means, and what can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Explanation {
    /// What it means.
    pub(crate) meaning: &'static str,
    /// What can be done.
    pub(crate) remedy: &'static str,
}

const fn told(meaning: &'static str, remedy: &'static str) -> Explanation {
    Explanation { meaning, remedy }
}

/// What a refusal means; none for what was not refused.
pub(crate) fn explain(facts: &Exchange<'_>) -> Option<Explanation> {
    if !facts.is_error() {
        return None;
    }
    let Some(status) = facts.status else {
        return Some(told(
            "There was no answer: it took too long, or whoever asked went away before it came.",
            "The directory tries again by itself. If it happens often, look at the service's health.",
        ));
    };
    if status < 400 {
        return Some(told(
            "Some of the operations that were sent together were refused; the others were done.",
            "The body of the answer says which, and why.",
        ));
    }
    let keyword = facts.scim_type.as_deref().unwrap_or_default();
    let general = told(
        "The request was refused.",
        "What the answer says in its detail tells why. The directory tries again by itself.",
    );
    by_keyword(keyword, facts).or_else(|| by_status(status, facts)).or(Some(general))
}

/// Of refusals that have a keyword (RFC 7644 table 9, RFC 9865).
fn by_keyword(keyword: &str, facts: &Exchange<'_>) -> Option<Explanation> {
    let is_group = facts.resource_type.as_deref() == Some("Group");
    Some(match keyword {
        "uniqueness" if is_group => told(
            "Another group here has that name already, and two groups of one name cannot be told \
             apart.",
            "Rename one of the two groups in the directory. If the other one is left over from an \
             earlier set-up, delete it here.",
        ),
        "uniqueness" => told(
            "Another user here has that user name already.",
            "If it is the same person, the directory finds them by itself in its next cycle. If it \
             is somebody else, or a user who was deleted and restored in the directory, rename or \
             delete one of the two.",
        ),
        "invalidFilter" => told(
            "The directory searched for something in a way that is not understood here.",
            "Look which attribute is the matching property in the attribute mappings of the \
             directory: userName and externalId always work for users, displayName for groups.",
        ),
        "invalidSyntax" => told(
            "What was sent is no valid JSON, or not of the form that SCIM asks for.",
            "The directory itself does not send such requests: look what else uses this token, such \
             as a script, or a proxy that changes bodies.",
        ),
        "invalidPath" => told(
            "The directory tried to change an attribute that does not exist here.",
            "Correct the target attribute in the attribute mappings, or delete that mapping. Until \
             then the user or group is refused in every cycle.",
        ),
        "noTarget" => told(
            "The directory tried to change a value that is not there, so there was nothing to change.",
            "Provision the user or group on demand: that sends all its values again.",
        ),
        "invalidValue" => told(
            "A value is missing that must be there, or it is not of the kind that its attribute \
             takes.",
            "The detail names the attribute. Correct the value in the directory, or the expression \
             in the attribute mappings that makes it; a user without a user name, or a group \
             without a name, cannot be provisioned.",
        ),
        "mutability" => told(
            "The directory tried to change an attribute that cannot be changed in this way.",
            "The detail names the attribute. Delete it from the attribute mappings if it only shows \
             what this service decides, such as an id.",
        ),
        "tooMany" => told(
            "More was sent in one request than is done at once.",
            "The directory itself sends less: look what else uses this token, and let it send in \
             smaller pieces.",
        ),
        "invalidVers" => told(
            "The request speaks a version of SCIM that is not spoken here.",
            "Use the address that ends in the tenant's name, as it is shown under Configure SCIM: \
             version 2.0.",
        ),
        "sensitive" => told(
            "The request would have shown something secret in an address.",
            "Send searches for such values as POST to .search.",
        ),
        "invalidCursor" | "expiredCursor" | "invalidCount" => told(
            "The next page of a list was asked for in a way that no page before had named, or too \
             late.",
            "Read the list again from its beginning. The directory itself does not read lists in \
             this way.",
        ),
        _ => return None,
    })
}

/// Of refusals that have none.
fn by_status(status: u16, facts: &Exchange<'_>) -> Option<Explanation> {
    let known = facts.resource_type.as_deref();
    Some(match status {
        400 => told(
            "The request cannot be understood.",
            "The directory itself does not send such requests: look what else uses this token.",
        ),
        401 => told(
            "The token is missing, has expired, or is not one of this tenant.",
            "Make a new token under Configure SCIM and paste it into the directory as the secret \
             token. The directory stops provisioning until then.",
        ),
        403 => told(
            "The descriptions of the service cannot be searched.",
            "Read them whole: /Schemas, /ResourceTypes and /ServiceProviderConfig take no filter.",
        ),
        404 if facts.resource.is_some() && known == Some("User") => told(
            "The directory meant a user who is not here: it was deleted here, or never made.",
            "The directory searches and makes the user again in a later cycle. If it does not, \
             restart provisioning in the directory: it then looks for everybody again.",
        ),
        404 if facts.resource.is_some() => told(
            "The directory meant a group that is not here: it was deleted here, or never made.",
            "The directory searches and makes the group again in a later cycle. If it does not, \
             restart provisioning in the directory: it then looks for everything again.",
        ),
        404 => told(
            "There is nothing at the address that was asked for.",
            "Compare the tenant URL in the directory with the one under Configure SCIM: nothing \
             may follow the tenant's name.",
        ),
        405 => told(
            "What is at this address cannot be used in this way.",
            "The directory itself does not send such requests: look what else uses this token.",
        ),
        408 => told(
            "The request did not arrive whole within half a minute.",
            "The directory tries again by itself. If it happens often, look at the network and at \
             the proxy in between.",
        ),
        409 => told(
            "The operations that were sent together wait for each other in a circle.",
            "Send one of them by itself first.",
        ),
        412 => told(
            "Somebody else changed the user or group in between, so the change was not made.",
            "The directory reads it again and tries again by itself.",
        ),
        413 => told(
            "What was sent is too large.",
            "The directory itself sends less: look what else uses this token, and let it send in \
             smaller pieces.",
        ),
        415 => told(
            "What was sent does not say that it is JSON, or is compressed.",
            "Send application/scim+json, uncompressed. The directory does so by itself: look at the \
             proxy in between, or what else uses this token.",
        ),
        429 => told(
            "More requests came in a second than this tenant may send.",
            "The directory tries again by itself, after a while. If an initial cycle takes too \
             long, let the operator of this service raise the rate limit.",
        ),
        501 => told(
            "This part of SCIM is not offered here.",
            "The directory does not need it: look what else uses this token.",
        ),
        500..=599 => told(
            "The service could not do it at that moment: it was starting, stopping, too busy, or \
             its disk refused to write. Nothing is wrong with what was sent.",
            "The directory tries again by itself. If it goes on, the operator of this service has \
             to look.",
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use access::RequestId;
    use access::exchange::{Captured, CapturedBody};
    use access::redact::Redactor;
    use jiff::Timestamp;
    use scim::error::{Error, ScimType};
    use serde_json::json;

    use super::*;
    use crate::http::error::Failure;

    const GENERAL: &str = "The request was refused.";

    fn facts(path: &str, status: Option<u16>, answer: &serde_json::Value) -> Exchange<'static> {
        let answer = answer.to_string();
        let captured = Captured {
            id: RequestId::from_bytes([1; 16]),
            at: Timestamp::UNIX_EPOCH,
            method: "PATCH",
            path,
            query: None,
            user_agent: None,
            presented: "",
            token: None,
            wave: None,
            request: None,
            status,
            duration: Duration::ZERO,
            answer: Some(CapturedBody::of(answer.as_bytes(), 10_000)),
        };
        captured.redacted(&mut Redactor::default()).facts.into_owned()
    }

    fn explained(path: &str, error: &Error) -> Explanation {
        let found = explain(&facts(path, Some(error.status), &error.to_json())).unwrap();
        assert_ne!(found.meaning, GENERAL, "{error:?}");
        found
    }

    #[test]
    fn every_keyword_has_its_words() {
        for keyword in ScimType::ALL {
            let error = Error::new(499, Some(keyword), "x");
            for path in ["/Users/1", "/Groups/1", "/Bulk", "/Me"] {
                explained(path, &error);
            }
        }
    }

    #[test]
    fn every_failure_that_can_be_answered_has_its_words() {
        let wait = Duration::from_secs(1);
        for failure in [
            Failure::unauthorized(),
            Failure::not_found("x"),
            Failure::method_not_allowed("GET"),
            Failure::too_large("x"),
            Failure::unsupported_media_type("x"),
            Failure::too_fast(wait),
            Failure::too_many_failed_logins(wait),
            Failure::not_implemented("x"),
            Failure::unavailable(),
            Error::new(400, None, "x").into(),
            Error::new(403, None, "x").into(),
            Error::new(408, None, "x").into(),
            Error::new(409, None, "x").into(),
            Error::invalid_value("x").into(),
            Error::invalid_syntax("x").into(),
            Error::invalid_filter("x").into(),
            Error::invalid_path("x").into(),
            Error::no_target("x").into(),
            Error::mutability("x").into(),
            Error::uniqueness("x").into(),
            Error::too_many("x").into(),
            Error::not_found("x").into(),
            Error::precondition_failed("x").into(),
        ] {
            for path in ["/Users/1", "/Groups/1", "/Users", "/Bulk", ""] {
                explained(path, failure.error());
            }
        }
    }

    #[test]
    fn no_status_is_without_words() {
        for status in 400..600 {
            let error = Error::new(status, None, "x");
            assert!(explain(&facts("/Users/1", Some(status), &error.to_json())).is_some());
        }
        assert!(explain(&facts("/Users/1", None, &json!({}))).is_some());
        assert_eq!(explain(&facts("/Users/1", Some(200), &json!({}))), None);
        let bulk = json!({"Operations": [{"status": "409"}]});
        assert!(explain(&facts("/Bulk", Some(200), &bulk)).is_some());
    }

    #[test]
    fn a_name_that_is_taken_is_explained_for_users_and_groups() {
        let error = Error::uniqueness("userName is taken by another resource");
        assert!(explained("/Users", &error).meaning.contains("Another user"));
        assert!(explained("/Groups", &error).meaning.contains("Another group"));
    }
}
