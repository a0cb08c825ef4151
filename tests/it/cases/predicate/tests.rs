//! Every operator accepts what it should, and refuses something.

use serde_json::{Value, json};

use super::check;

#[test]
fn a_predicate_holds_for_one_value_and_fails_for_another() {
    for (predicate, good, bad) in [
        (json!("a"), json!("a"), json!("A")),
        (json!(null), json!(null), json!(0)),
        (json!(1), json!(1.0), json!(true)),
        (json!(true), json!(true), json!(1)),
        (json!(false), json!(false), json!("False")),
        (json!({"a": 1}), json!({"a": 1, "b": 2}), json!({"b": 2})),
        (json!({"a": {"$exists": false}}), json!({}), json!({"a": null})),
        (json!([1, {"$type": "string"}]), json!([1, "x"]), json!([1, "x", 2])),
        (json!([1]), json!([1]), json!([true])),
        (json!({"$exists": true}), json!(null), Value::from("absent")),
        (json!({"$absentOrEmpty": true}), json!([]), json!(0)),
        (json!({"$type": "number"}), json!(1.5), json!(true)),
        (json!({"$type": "boolean"}), json!(false), json!("false")),
        (json!({"$type": "object"}), json!({}), json!([])),
        (json!({"$regex": "^(W/)?\".*\"$"}), json!("W/\"1\""), json!("1")),
        (json!({"$regex": "b"}), json!("abc"), json!(["b"])),
        (json!({"$len": 2}), json!("üß"), json!("abc")),
        (json!({"$minLen": 1}), json!([0]), json!([])),
        (json!({"$maxLen": 1}), json!([0]), json!({"a": 1})),
        (json!({"$in": ["a", null]}), json!(null), json!("b")),
        (json!({"$ne": "a"}), json!("b"), json!("a")),
        (json!({"$ieq": "STRASSE"}), json!("strasse"), json!("straße")),
        (json!({"$str": "404"}), json!(404), json!("0404")),
        (json!({"$gte": 2}), json!(2), json!(1)),
        (json!({"$lte": "2026"}), json!("2025"), json!(2025)),
        (json!({"$contains": {"value": "x"}}), json!([{"value": "x", "type": "y"}]), json!("x")),
        (json!({"$notContains": 1}), json!([2]), json!([2, 1])),
        (json!({"$setEquals": [1, 2]}), json!([2, 1]), json!([1, 2, 2])),
        (json!({"$setEquals": [1, 1]}), json!([1, 1]), json!([1, 2])),
        (
            json!({"$count": {"where": {"primary": true}, "max": 1}}),
            json!([{"primary": true}, {"primary": false}]),
            json!([{"primary": true}, {"primary": true}]),
        ),
        (json!({"$count": {"min": 1}}), json!([{}]), json!("no list")),
        (json!({"$any": [1, {"$type": "string"}]}), json!("x"), json!(2)),
        (json!({"$all": [{"$gte": 1}, {"$lte": 3}]}), json!(2), json!(4)),
    ] {
        assert_eq!(check(&predicate, Some(&good)), Ok(()), "{predicate} on {good}");
        let bad = if bad == "absent" { None } else { Some(&bad) };
        assert!(check(&predicate, bad).is_err(), "{predicate} on {bad:?}");
    }
}

#[test]
fn only_the_operators_about_absence_accept_an_absent_value() {
    for accepting in [
        json!({"$exists": false}),
        json!({"$absentOrEmpty": true}),
        json!({"$ne": 1}),
        json!({"$notContains": 1}),
        json!({"$any": [1, {"$exists": false}]}),
        json!({"$in": [{"$exists": false}]}),
    ] {
        assert_eq!(check(&accepting, None), Ok(()), "{accepting}");
    }
    for refusing in [
        json!(null),
        json!([]),
        json!({}),
        json!({"$type": "string"}),
        json!({"$maxLen": 9}),
        json!({"$lte": 9}),
        json!({"$contains": 1}),
        json!({"$setEquals": []}),
    ] {
        assert!(check(&refusing, None).is_err(), "{refusing}");
    }
}

#[test]
fn an_operator_nobody_knows_is_a_literal_that_matches_nothing_sent() {
    assert!(check(&json!({"$likes": 1}), Some(&json!(1))).is_err());
}

#[test]
fn a_failure_says_what_was_expected_and_what_came() {
    let error = check(&json!({"active": true}), Some(&json!({"active": "True"})));

    assert_eq!(error, Err(r#"expected {"active":true}, got {"active":"True"}"#.to_owned()));
}
