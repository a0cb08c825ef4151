//! Whether a resource, or one value of a complex attribute, satisfies a filter.
//!
//! A multi-valued attribute satisfies a comparison when one of its values does (RFC 7644 §3.4.2.2).
//! An attribute without a value satisfies `ne` and `eq null`, and no other comparison.

use serde_json::{Map, Value};

use super::node::{Literal, Node, Operator, Subject};
use crate::{
    casefold::{equals_folded, fold, fold_chars},
    document::{self, Foreign, is_unassigned},
    values,
};

/// Whether `node` holds for `object`.
pub(super) fn holds(node: &Node, object: &Map<String, Value>) -> bool {
    match node {
        Node::And(terms) => terms.iter().all(|term| holds(term, object)),
        Node::Or(terms) => terms.iter().any(|term| holds(term, object)),
        Node::Not(inner) => !holds(inner, object),
        Node::Present(subject) => any(subject, object, |_| true),
        Node::Element(known, inner) => match document::get(object, &known.place) {
            Some(Value::Array(items)) => items.iter().any(|item| element_holds(inner, item)),
            Some(value) => element_holds(inner, value),
            None => false,
        },
        Node::Compare(subject, Operator::Eq, Literal::Null) => !any(subject, object, |_| true),
        Node::Compare(subject, Operator::Ne, Literal::Null) => any(subject, object, |_| true),
        Node::Compare(subject, Operator::Ne, literal) => {
            !any(subject, object, |_| true)
                || any(subject, object, |value| !compare(value, Operator::Eq, literal))
        }
        Node::Compare(subject, operator, literal) => {
            any(subject, object, |value| compare(value, *operator, literal))
        }
    }
}

fn element_holds(node: &Node, element: &Value) -> bool {
    element.as_object().is_some_and(|object| holds(node, object))
}

/// Whether one of the subject's assigned values passes.
fn any(subject: &Subject, object: &Map<String, Value>, test: impl Fn(&Value) -> bool) -> bool {
    let test = |value: &Value| !is_unassigned(value) && test(value);
    let (value, sub) = match subject {
        Subject::Known(known) => (document::get(object, &known.place), known.sub),
        Subject::Element(sub) => (object.get(sub.name), None),
        Subject::Foreign(name) => {
            (Foreign::locate(object, name).and_then(|foreign| foreign.get(object)), None)
        }
    };
    let test = |value: &Value| match sub {
        Some(sub) => value.get(sub.name).is_some_and(&test),
        None => test(value),
    };
    match value {
        None => false,
        Some(Value::Array(items)) => items.iter().any(test),
        Some(value) => test(value),
    }
}

fn compare(value: &Value, operator: Operator, literal: &Literal) -> bool {
    match (literal, value) {
        (Literal::Text { text, folded: None }, Value::String(value)) => {
            compare_exact(value, operator, text)
        }
        (Literal::Text { folded: Some(folded), .. }, Value::String(value)) => {
            compare_folded(value, operator, folded)
        }
        (Literal::Instant { instant, .. }, Value::String(value)) => {
            values::instant(value).is_some_and(|value| ordered(&value, operator, instant))
        }
        (Literal::Boolean(literal), Value::Bool(value)) => {
            operator == Operator::Eq && literal == value
        }
        (Literal::Number(literal), Value::Number(value)) => {
            match (value.as_f64(), literal.as_f64()) {
                (Some(value), Some(literal)) => ordered(&value, operator, &literal),
                _ => false,
            }
        }
        _ => false,
    }
}

fn compare_exact(value: &str, operator: Operator, literal: &str) -> bool {
    match operator {
        Operator::Co => value.contains(literal),
        Operator::Sw => value.starts_with(literal),
        Operator::Ew => value.ends_with(literal),
        _ => ordered(value, operator, literal),
    }
}

fn compare_folded(value: &str, operator: Operator, folded: &str) -> bool {
    match operator {
        Operator::Eq => equals_folded(value, folded),
        Operator::Sw => {
            let mut value = fold_chars(value);
            folded.chars().all(|character| value.next() == Some(character))
        }
        _ => compare_exact(&fold(value), operator, folded),
    }
}

fn ordered<T: PartialOrd + ?Sized>(value: &T, operator: Operator, literal: &T) -> bool {
    match operator {
        Operator::Eq => value == literal,
        Operator::Gt => value > literal,
        Operator::Ge => value >= literal,
        Operator::Lt => value < literal,
        Operator::Le => value <= literal,
        Operator::Ne | Operator::Co | Operator::Sw | Operator::Ew => false,
    }
}
