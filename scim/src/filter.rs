//! Filters (RFC 7644 §3.4.2.2).
//!
//! A filter is resolved against the schemas when it is parsed: what names no attribute, or compares
//! what cannot be compared, is refused with `invalidFilter`, and never answered with everything.
//! Length, depth and number of terms are limited before the parser descends, so neither parsing nor
//! dropping a filter can exhaust a small stack.
//!
//! Beyond the RFC, for Entra: `emails[type eq "work"].value eq "x"` and the older
//! `emails[type eq "work"] eq "x"`, a bare word as a string, `"True"` for a boolean, and extension
//! attributes without their URN. All are turned into what the RFC would write, and printed so.
//!
//! Not here: which index answers a filter. [`Filter::lookup`] and [`Filter::member_use`] say what
//! a store may use.

mod evaluate;
mod node;
mod parse;

use std::fmt;

use serde_json::{Map, Value};

use self::node::{Literal, Node, Operator, Subject};
use crate::{
    error::Error,
    schema::{Attribute, ResourceType},
};

/// The longest filter, in bytes.
pub const LENGTH_MAX: usize = 16 * 1024;
/// How many parentheses and brackets may be open at once.
pub const DEPTH_MAX: usize = 32;
/// The most comparisons in one filter.
pub const TERMS_MAX: usize = 100;

/// A parsed and resolved filter.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    root: Node,
}

/// An `eq` that every match of a filter has to satisfy, on an attribute that a store has an index
/// for. The value is as the client sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// `id eq`
    Id(&'a str),
    /// `userName eq`
    UserName(&'a str),
    /// `externalId eq`
    ExternalId(&'a str),
    /// `displayName eq`, of a group only
    DisplayName(&'a str),
}

/// What a filter needs to know of a group's `members`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberUse<'a> {
    /// Nothing.
    None,
    /// Whether these are members.
    Only(Vec<&'a str>),
    /// Every member.
    All,
}

impl Filter {
    /// Parses a filter over resources of this type.
    pub fn parse(resource_type: ResourceType, text: &str) -> Result<Self, Error> {
        parse::filter(resource_type, text).map(|root| Self { root })
    }

    /// Parses the `[…]` of an attribute path; also returns what follows it.
    pub(crate) fn parse_bracket<'t>(
        attribute: &'static Attribute,
        text: &'t str,
    ) -> Result<(Self, &'t str), Error> {
        parse::bracket(attribute, text).map(|(root, rest)| (Self { root }, rest))
    }

    /// Whether a resource matches. It has to be the full representation, with `meta`, and with
    /// `groups` or `members` where [`Filter::uses_groups`] or [`Filter::member_use`] say so.
    pub fn matches(&self, full_resource: &Map<String, Value>) -> bool {
        evaluate::holds(&self.root, full_resource)
    }

    /// Whether one value of a complex attribute matches the filter of a value path.
    pub fn matches_element(&self, element: &Map<String, Value>) -> bool {
        evaluate::holds(&self.root, element)
    }

    /// An indexed `eq` that every match has to satisfy.
    pub fn lookup(&self) -> Option<Lookup<'_>> {
        let terms = match &self.root {
            Node::And(terms) => terms.as_slice(),
            node => std::slice::from_ref(node),
        };
        terms.iter().find_map(|term| {
            let Node::Compare(Subject::Known(known), Operator::Eq, literal) = term else {
                return None;
            };
            let text = literal.text()?;
            match (known.place.attribute.name, known.resource_type) {
                _ if known.place.extension.is_some() => None,
                ("id", _) => Some(Lookup::Id(text)),
                ("userName", _) => Some(Lookup::UserName(text)),
                ("externalId", _) => Some(Lookup::ExternalId(text)),
                ("displayName", ResourceType::Group) => Some(Lookup::DisplayName(text)),
                _ => None,
            }
        })
    }

    /// Whether the filter is that `eq` and nothing else: then everything that the index gives
    /// matches, as far as the index compares as the attribute does.
    pub fn is_lookup(&self) -> bool {
        matches!(self.root, Node::Compare(..)) && self.lookup().is_some()
    }

    /// What the filter needs to know of a group's `members`.
    pub fn member_use(&self) -> MemberUse<'_> {
        let mut values = Vec::new();
        let mut all = false;
        self.root.visit(&mut |node| match node {
            Node::Compare(subject @ Subject::Known(known), operator, literal)
                if subject.is_top("members") =>
            {
                let by_value = known.sub.is_some_and(|sub| sub.name == "value");
                match literal.text().filter(|_| by_value && *operator == Operator::Eq) {
                    Some(text) => values.push(text),
                    None => all = true,
                }
            }
            Node::Present(subject) if subject.is_top("members") => all = true,
            Node::Element(known, inner) if known.is_top("members") => match inner.value_eq() {
                Some(text) => values.push(text),
                None => all = true,
            },
            _ => {}
        });
        match (all, values.is_empty()) {
            (true, _) => MemberUse::All,
            (false, true) => MemberUse::None,
            (false, false) => MemberUse::Only(values),
        }
    }

    /// Whether the filter looks at a user's `groups`.
    pub fn uses_groups(&self) -> bool {
        self.uses_attribute("groups")
    }

    /// Whether the filter looks at the attribute with this canonical name.
    pub fn uses_attribute(&self, name: &str) -> bool {
        let mut uses = false;
        self.root.visit(&mut |node| {
            uses |= match node {
                Node::Compare(subject, ..) | Node::Present(subject) => subject.is_top(name),
                Node::Element(known, _) => known.is_top(name),
                Node::And(_) | Node::Or(_) | Node::Not(_) => false,
            };
        });
        uses
    }

    /// For the filter of a value path that is a conjunction of `eq`: the element that it
    /// describes. `None` when it cannot name a new one.
    pub(crate) fn described_element(&self) -> Option<Map<String, Value>> {
        let terms = match &self.root {
            Node::And(terms) => terms.as_slice(),
            node => std::slice::from_ref(node),
        };
        let mut element = Map::new();
        for term in terms {
            let Node::Compare(Subject::Element(sub), Operator::Eq, literal) = term else {
                return None;
            };
            element.insert(sub.name.to_owned(), literal.to_value()?);
        }
        Some(element)
    }

    /// For `value eq "a"`, or an `or` of such: the values.
    pub(crate) fn listed_values(&self) -> Option<Vec<String>> {
        let terms = match &self.root {
            Node::Or(terms) => terms.as_slice(),
            node => std::slice::from_ref(node),
        };
        terms.iter().map(|term| term.value_eq().map(str::to_owned)).collect()
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(formatter)
    }
}

impl Literal {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    fn to_value(&self) -> Option<Value> {
        match self {
            Self::Text { text, .. } | Self::Instant { text, .. } => {
                (!text.is_empty()).then(|| text.as_str().into())
            }
            Self::Boolean(value) => Some(Value::Bool(*value)),
            Self::Number(number) => Some(Value::Number(number.clone())),
            Self::Null => None,
        }
    }
}
