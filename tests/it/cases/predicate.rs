//! Predicates: what a case expects of one value.
//!
//! A predicate is a JSON literal or an object with one operator. A literal object matches as a
//! subset, an array element by element, and a boolean equals no number. The operators are the
//! arms of [`apply`].

use std::cmp::Ordering;

use regex::Regex;
use serde_json::{Number, Value};

use super::placeholder::written_out;

/// How much of a value an error message shows.
const SHOWN_CHARS_MAX: usize = 200;

/// Checks a value, or its absence, against a predicate; the error says what was expected.
pub(super) fn check(predicate: &Value, actual: Option<&Value>) -> Result<(), String> {
    if let Some((operator, argument)) = operator(predicate) {
        return apply(operator, argument, actual);
    }
    if same(predicate, actual) {
        Ok(())
    } else {
        Err(format!("expected {}, got {}", show(Some(predicate)), show(actual)))
    }
}

/// Whether a value is what a literal or an operator within one asks for.
fn same(expected: &Value, actual: Option<&Value>) -> bool {
    if operator(expected).is_some() {
        return check(expected, actual).is_ok();
    }
    match (expected, actual) {
        (Value::Object(expected), Some(Value::Object(actual))) => {
            expected.iter().all(|(key, value)| check(value, actual.get(key)).is_ok())
        }
        (Value::Array(expected), Some(Value::Array(actual))) => {
            expected.len() == actual.len()
                && expected.iter().zip(actual).all(|(e, a)| same(e, Some(a)))
        }
        (Value::Number(expected), Some(Value::Number(actual))) => {
            order(expected, actual) == Some(Ordering::Equal)
        }
        (expected, Some(actual)) => expected == actual,
        (_, None) => false,
    }
}

/// The operator of a predicate and its argument, where it is one.
fn operator(predicate: &Value) -> Option<(&str, &Value)> {
    const KNOWN: [&str; 19] = [
        "$exists",
        "$absentOrEmpty",
        "$type",
        "$regex",
        "$len",
        "$minLen",
        "$maxLen",
        "$in",
        "$ne",
        "$ieq",
        "$str",
        "$gte",
        "$lte",
        "$contains",
        "$notContains",
        "$setEquals",
        "$count",
        "$any",
        "$all",
    ];
    let object = predicate.as_object().filter(|object| object.len() == 1)?;
    let (name, argument) = object.iter().next()?;
    KNOWN.contains(&name.as_str()).then_some((name.as_str(), argument))
}

fn apply(operator: &str, argument: &Value, actual: Option<&Value>) -> Result<(), String> {
    let got = || show(actual);
    let wanted = || show(Some(argument));
    let unless = |holds: bool, message: &dyn Fn() -> String| {
        if holds { Ok(()) } else { Err(message()) }
    };
    let text = actual.and_then(Value::as_str);
    let array = actual.and_then(Value::as_array);
    match operator {
        "$exists" => unless(argument == &Value::Bool(actual.is_some()), &|| {
            let what = if actual.is_some() { "nothing" } else { "a value" };
            format!("expected {what}, got {}", got())
        }),
        "$absentOrEmpty" => unless(argument == &Value::Bool(is_empty(actual)), &|| {
            format!("expected absent or empty: {}, got {}", wanted(), got())
        }),
        "$type" => {
            unless(argument.as_str().is_some_and(|name| type_name(actual) == Some(name)), &|| {
                format!("expected type {}, got {}", wanted(), got())
            })
        }
        "$regex" => {
            let pattern = argument.as_str().ok_or("$regex takes a string")?;
            let regex = Regex::new(pattern).map_err(|error| format!("bad pattern: {error}"))?;
            unless(text.is_some_and(|text| regex.is_match(text)), &|| {
                format!("{} does not match /{pattern}/", got())
            })
        }
        "$len" => length(argument, actual, "==", Ordering::is_eq),
        "$minLen" => length(argument, actual, ">=", Ordering::is_ge),
        "$maxLen" => length(argument, actual, "<=", Ordering::is_le),
        "$in" => unless(list(argument)?.iter().any(|one| same(one, actual)), &|| {
            format!("{} is not one of {}", got(), wanted())
        }),
        "$ne" => unless(!same(argument, actual), &|| format!("value must not be {}", wanted())),
        "$ieq" => {
            let wanted = argument.as_str().ok_or("$ieq takes a string")?;
            unless(text.is_some_and(|text| text.to_lowercase() == wanted.to_lowercase()), &|| {
                format!("{} is not {wanted} (any case)", got())
            })
        }
        "$str" => unless(
            actual.is_some_and(|v| !v.is_boolean() && argument == &Value::String(written_out(v))),
            &|| format!("{} is not {}", got(), wanted()),
        ),
        "$gte" => unless(compare(actual, argument).is_some_and(Ordering::is_ge), &|| {
            format!("{} is not >= {}", got(), wanted())
        }),
        "$lte" => unless(compare(actual, argument).is_some_and(Ordering::is_le), &|| {
            format!("{} is not <= {}", got(), wanted())
        }),
        "$contains" => {
            unless(holds(array, argument), &|| format!("{} does not contain {}", got(), wanted()))
        }
        "$notContains" => {
            unless(!holds(array, argument), &|| format!("{} must not contain {}", got(), wanted()))
        }
        "$setEquals" => set_equals(list(argument)?, actual),
        "$count" => count(argument, array, actual),
        "$any" => {
            let mut errors = Vec::new();
            for predicate in list(argument)? {
                match check(predicate, actual) {
                    Ok(()) => return Ok(()),
                    Err(error) => errors.push(error),
                }
            }
            Err(format!("none of: {}", errors.join(" | ")))
        }
        "$all" => list(argument)?.iter().try_for_each(|predicate| check(predicate, actual)),
        unknown => Err(format!("no predicate {unknown}")),
    }
}

fn list(argument: &Value) -> Result<&Vec<Value>, String> {
    argument.as_array().ok_or_else(|| format!("{argument} is not a list of predicates"))
}

fn is_empty(actual: Option<&Value>) -> bool {
    match actual {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(members)) => members.is_empty(),
        Some(Value::Bool(_) | Value::Number(_)) => false,
    }
}

fn type_name(actual: Option<&Value>) -> Option<&'static str> {
    match actual? {
        Value::Null => None,
        Value::Bool(_) => Some("boolean"),
        Value::Number(_) => Some("number"),
        Value::String(_) => Some("string"),
        Value::Array(_) => Some("array"),
        Value::Object(_) => Some("object"),
    }
}

fn length(
    argument: &Value,
    actual: Option<&Value>,
    sign: &str,
    holds: fn(Ordering) -> bool,
) -> Result<(), String> {
    let length = match actual {
        Some(Value::Array(items)) => items.len() as u64,
        Some(Value::String(text)) => text.chars().count() as u64,
        _ => {
            return Err(format!(
                "expected a list of length {sign} {argument}, got {}",
                show(actual)
            ));
        }
    };
    let wanted = argument.as_u64().ok_or("a length is a whole number")?;
    if holds(length.cmp(&wanted)) {
        Ok(())
    } else {
        Err(format!("length {length} is not {sign} {wanted}: {}", show(actual)))
    }
}

fn holds(array: Option<&Vec<Value>>, wanted: &Value) -> bool {
    array.is_some_and(|items| items.iter().any(|item| same(wanted, Some(item))))
}

fn set_equals(wanted: &[Value], actual: Option<&Value>) -> Result<(), String> {
    let Some(Value::Array(items)) = actual else {
        return Err(format!("expected a list, got {}", show(actual)));
    };
    let mut left: Vec<&Value> = items.iter().collect();
    for one in wanted {
        match left.iter().position(|item| same(one, Some(item))) {
            Some(at) => drop(left.remove(at)),
            None => return Err(format!("missing {} in {}", show(Some(one)), show(actual))),
        }
    }
    match left.first() {
        None => Ok(()),
        Some(first) => Err(format!("unexpected {} in {}", show(Some(first)), show(actual))),
    }
}

fn count(
    argument: &Value,
    array: Option<&Vec<Value>>,
    actual: Option<&Value>,
) -> Result<(), String> {
    let anything = Value::Object(serde_json::Map::new());
    let wanted = argument.get("where").unwrap_or(&anything);
    let limit = |name: &str, default| argument.get(name).and_then(Value::as_u64).unwrap_or(default);
    let matching = array.into_iter().flatten().filter(|item| same(wanted, Some(item))).count();
    if (limit("min", 0)..=limit("max", u64::MAX)).contains(&(matching as u64)) {
        Ok(())
    } else {
        Err(format!("{matching} elements match {} in {}", show(Some(wanted)), show(actual)))
    }
}

fn compare(actual: Option<&Value>, bound: &Value) -> Option<Ordering> {
    match (actual?, bound) {
        (Value::Number(actual), Value::Number(bound)) => order(actual, bound),
        (Value::String(actual), Value::String(bound)) => Some(actual.cmp(bound)),
        _ => None,
    }
}

fn order(left: &Number, right: &Number) -> Option<Ordering> {
    match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

fn show(value: Option<&Value>) -> String {
    let Some(value) = value else { return "<absent>".to_owned() };
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests;
