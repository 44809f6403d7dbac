//! What is no expression, where, and what would be right.

use crate::{EVENT, Expression, Filter};

#[test]
fn a_mistake_is_named_at_its_place() {
    for (text, position, part) in [
        ("", "line 1, column 1", "expected a value"),
        ("event.data.total >", "line 1, column 19", "expected a value, found the end"),
        ("event.data.total > 100)", "line 1, column 23", "expected an operator or the end, found )"),
        ("(event.data.total", "line 1, column 18", "expected )"),
        ("event.data.total = 1", "line 1, column 18", "write =="),
        ("event.data & true", "line 1, column 12", "write &&"),
        ("evnt.data", "line 1, column 1", "evnt is not known; known are event"),
        ("event.totl > 1", "line 1, column 7", "event has no field \"totl\"; it has id, type"),
        ("event.data.x ==\n  'a", "line 2, column 3", "not closed"),
        ("'ü' + nope", "line 1, column 7", "nope is not known"),
        ("event.data.x.frobnicate()", "line 1, column 14", "there is no function \"frobnicate\"; there are has, all"),
        ("startsWith(event.type, 'a')", "line 1, column 1", "write x.startsWith()"),
        ("event.data.x.int()", "line 1, column 14", "write int(x)"),
        ("event.type.startsWith()", "line 1, column 12", "takes 1 arguments, not 0"),
        ("exists(event.data.x, y, y)", "line 1, column 1", "write list.exists(item, ...)"),
        ("event.data.x.exists(event, true)", "line 1, column 21", "choose another name"),
        ("event.data.x.exists(1, true)", "line 1, column 21", "expected a name for the item"),
        ("event.data.x.exists(y)", "line 1, column 22", "expected ,"),
        ("event.data.a.exists(x, x.all(y, y))", "line 1, column 26", "do not nest"),
        ("event.data.a.exists(x, true) && x", "line 1, column 33", "x is not known"),
        ("has(event)", "line 1, column 1", "has takes a field"),
        ("event.type.matches('[a')", "line 1, column 20", "not a regular expression"),
        ("event.type.matches('(?:\\\\pL{50}){50}')", "line 1, column 20", "too large"),
        ("event.type.matches(event.id)", "line 1, column 26", "must be written here as a text"),
        ("'\\q'", "line 1, column 2", "this escape is not known"),
        ("'\\ud800'", "line 1, column 2", "this escape is not known"),
        ("99999999999999999999", "line 1, column 1", "not a number of 64 bits"),
        ("9223372036854775808", "line 1, column 1", "write u after it"),
        ("1e999", "line 1, column 1", "too large for a double"),
        ("12ab", "line 1, column 3", "followed by a letter"),
        ("event.[1]", "line 1, column 7", "write [\"name\"]"),
        ("true ? 1", "line 1, column 9", "expected :"),
        ("{'a' 1}", "line 1, column 6", "expected :"),
        ("event.data.x ; 1", "line 1, column 14", "';' means nothing here"),
        ("b'abc'", "line 1, column 1", "b is not known"),
    ] {
        let error = Expression::compile(text, &[EVENT]).unwrap_err();
        assert_eq!(error.position.to_string(), position, "{text}: {error}");
        assert!(error.message.contains(part), "{text}: {error}");
    }
}

#[test]
fn length_and_depth_have_bounds() {
    let longest = format!("'{}'", "x".repeat(1022));
    assert!(Expression::compile(&longest, &[EVENT]).is_ok());
    let error = Expression::compile(&format!("{longest} "), &[EVENT]).unwrap_err();
    assert!(error.message.contains("1025 bytes; it may have at most 1024"), "{error}");
    let nested = |levels: usize| format!("{}true{}", "(".repeat(levels), ")".repeat(levels));
    assert!(Expression::compile(&nested(63), &[EVENT]).is_ok());
    let error = Expression::compile(&nested(64), &[EVENT]).unwrap_err();
    assert!(error.message.contains("more than 64 levels deep"), "{error}");
}

#[test]
fn a_filter_says_yes_or_no() {
    for text in ["1", "'a'", "event", "event.data.x + 1", "[true]", "size(event.data.x)", "true ? 1 : 2", "", "  "] {
        assert!(Filter::compile(text).is_err(), "{text}");
    }
    for text in ["true", "event.data.paid", "event.data.x > 1", "bool(event.data.x)", "event.data.x ? true : false"] {
        assert!(Filter::compile(text).is_ok(), "{text}");
    }
    let error = Filter::compile(" 'a' + 'b'").unwrap_err();
    assert_eq!(error.to_string(), "line 1, column 6: a filter is true or false, this is a number, text or list");
}
