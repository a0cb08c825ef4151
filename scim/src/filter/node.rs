//! The tree of a filter, and how it is printed.
//!
//! `and` and `or` hold all their terms in one list, so the tree is only as deep as the parentheses
//! and brackets of its text. What is printed parses to an equal tree.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Number, Value};

use crate::{
    casefold::fold,
    schema::{Attribute, Place, ResourceType},
};

/// A filter or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    /// All of two or more, none of which is an `And`.
    And(Vec<Node>),
    /// One of two or more, none of which is an `Or`.
    Or(Vec<Node>),
    /// Not this.
    Not(Box<Node>),
    /// An attribute against a literal.
    Compare(Subject, Operator, Literal),
    /// `pr`
    Present(Subject),
    /// `emails[…]`: one value satisfies the whole filter.
    Element(Known, Box<Node>),
}

/// What is compared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Subject {
    /// An attribute that a schema names.
    Known(Known),
    /// Within brackets: a sub-attribute of the attribute before them.
    Element(&'static Attribute),
    /// Within an extension that we have no schema for.
    Foreign(String),
}

/// An attribute that a schema names, or a sub-attribute of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Known {
    pub(crate) resource_type: ResourceType,
    pub(crate) place: Place,
    pub(crate) sub: Option<&'static Attribute>,
}

/// The comparison operators of RFC 7644 table 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Eq,
    Ne,
    Co,
    Sw,
    Ew,
    Gt,
    Ge,
    Lt,
    Le,
}

/// What an attribute is compared with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    /// With its folded form where letter case does not count.
    Text {
        text: String,
        folded: Option<String>,
    },
    /// A dateTime.
    Instant {
        text: String,
        instant: Timestamp,
    },
    Boolean(bool),
    Number(Number),
    Null,
}

impl Node {
    /// All of `terms`.
    pub(crate) fn and(terms: Vec<Self>) -> Self {
        Self::join(terms, Self::And, |node| match node {
            Self::And(inner) => Ok(inner),
            node => Err(node),
        })
    }

    /// One of `terms`.
    pub(crate) fn or(terms: Vec<Self>) -> Self {
        Self::join(terms, Self::Or, |node| match node {
            Self::Or(inner) => Ok(inner),
            node => Err(node),
        })
    }

    fn join(
        terms: Vec<Self>,
        make: impl Fn(Vec<Self>) -> Self,
        open: impl Fn(Self) -> Result<Vec<Self>, Self>,
    ) -> Self {
        let mut flat = Vec::with_capacity(terms.len());
        for term in terms {
            match open(term) {
                Ok(inner) => flat.extend(inner),
                Err(term) => flat.push(term),
            }
        }
        match flat.pop() {
            Some(only) if flat.is_empty() => only,
            Some(last) => {
                flat.push(last);
                make(flat)
            }
            None => make(flat),
        }
    }

    /// Calls `see` for this node and all nodes below it, but not for those within brackets.
    pub(crate) fn visit<'a>(&'a self, see: &mut impl FnMut(&'a Self)) {
        see(self);
        match self {
            Self::And(terms) | Self::Or(terms) => {
                for term in terms {
                    term.visit(see);
                }
            }
            Self::Not(inner) => inner.visit(see),
            Self::Compare(..) | Self::Present(_) | Self::Element(..) => {}
        }
    }

    /// Within brackets: the text of `value eq "text"`.
    pub(crate) fn value_eq(&self) -> Option<&str> {
        match self {
            Self::Compare(Subject::Element(sub), Operator::Eq, Literal::Text { text, .. })
                if sub.name == "value" =>
            {
                Some(text)
            }
            _ => None,
        }
    }
}

impl Subject {
    /// Whether this is the core attribute `name`, or a sub-attribute of it.
    pub(crate) fn is_top(&self, name: &str) -> bool {
        matches!(self, Self::Known(known) if known.is_top(name))
    }
}

impl Known {
    /// Whether this is the core attribute `name`, or a sub-attribute of it.
    pub(crate) fn is_top(&self, name: &str) -> bool {
        self.place.attribute.name == name
    }
}

impl Operator {
    /// The operator of this name, in any case.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Eq, Self::Ne, Self::Co, Self::Sw, Self::Ew, Self::Gt, Self::Ge, Self::Lt, Self::Le]
            .into_iter()
            .find(|operator| operator.as_str().eq_ignore_ascii_case(name))
    }

    /// The name, in lower case.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }

    /// `eq` and `ne`, which compare any two values.
    pub(crate) const fn is_equality(self) -> bool {
        matches!(self, Self::Eq | Self::Ne)
    }

    /// `co`, `sw` and `ew`, which look into a text.
    pub(crate) const fn is_substring(self) -> bool {
        matches!(self, Self::Co | Self::Sw | Self::Ew)
    }
}

impl Literal {
    /// A text, folded unless `case_exact`.
    pub(crate) fn text_of(text: String, case_exact: bool) -> Self {
        let folded = (!case_exact).then(|| fold(&text));
        Self::Text { text, folded }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(terms) => join(formatter, terms, " and ", |term| matches!(term, Self::Or(_))),
            Self::Or(terms) => join(formatter, terms, " or ", |_| false),
            Self::Not(inner) => write!(formatter, "not ({inner})"),
            Self::Compare(subject, operator, literal) => {
                write!(formatter, "{subject} {} {literal}", operator.as_str())
            }
            Self::Present(subject) => write!(formatter, "{subject} pr"),
            Self::Element(known, inner) => write!(formatter, "{known}[{inner}]"),
        }
    }
}

fn join(
    formatter: &mut fmt::Formatter<'_>,
    terms: &[Node],
    separator: &str,
    needs_parentheses: impl Fn(&Node) -> bool,
) -> fmt::Result {
    for (index, term) in terms.iter().enumerate() {
        if index > 0 {
            formatter.write_str(separator)?;
        }
        if needs_parentheses(term) {
            write!(formatter, "({term})")?;
        } else {
            write!(formatter, "{term}")?;
        }
    }
    Ok(())
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(known) => known.fmt(formatter),
            Self::Element(sub) => formatter.write_str(sub.name),
            Self::Foreign(text) => formatter.write_str(text),
        }
    }
}

impl fmt::Display for Known {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.place)?;
        self.sub.map_or(Ok(()), |sub| write!(formatter, ".{}", sub.name))
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { text, .. } | Self::Instant { text, .. } => {
                write!(formatter, "{}", Value::from(text.as_str()))
            }
            Self::Boolean(value) => write!(formatter, "{value}"),
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Null => formatter.write_str("null"),
        }
    }
}
