//! Values of expressions.

use super::evaluate;
use crate::ErrorKind;

const DATA: &str = r#"{"total": 120, "price": 9.90, "big": 1e400, "wide": 18446744073709551615, "zero": -0,
    "name": "Gr\u00fc\u00dfe", "tags": ["a", "b", "a"], "items": [{"sku": "x1", "count": 2}, {"sku": "x2", "count": 5}],
    "none": null, "yes": true, "deep": {"a": {"b": [1, 2.0, "3"]}}, "package": "p", "a.b": 1, "twice": 1, "twice": 2}"#;

fn value(text: &str) -> String {
    evaluate(text, DATA).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn fields_are_what_the_event_has() {
    for (text, expected) in [
        ("event.type", "\"order.created\""),
        ("event.data.total", "120"),
        ("event.data.price", "9.90"),
        ("event.data.big", "1e400"),
        ("event.data.zero", "-0"),
        ("event.data.name", "\"Grüße\""),
        ("event.data.none", "null"),
        ("event.data.items[1].sku", "\"x2\""),
        ("event.data['a.b']", "1"),
        ("event['data'].total", "120"),
        ("event.data.package", "\"p\""),
        ("event.data.twice", "2"),
        ("event.data.deep", r#"{"a":{"b":[1,2.0,"3"]}}"#),
        ("event.data.deep.a.b[1]", "2.0"),
        ("has(event.data.total)", "true"),
        ("has(event.data.nothing)", "false"),
        ("has(event.subject)", "false"),
        ("has(event.data.none)", "true"),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn operators_mean_what_they_mean_in_cel() {
    for (text, expected) in [
        ("event.data.total > 100 && event.data.price < 10", "true"),
        ("event.data.total == 120.0", "true"),
        ("event.data.wide > 9223372036854775807", "true"),
        ("1 + 2 * 3 - -4", "11"),
        ("7 / 2", "3"),
        ("-7 % 3", "-1"),
        ("7.0 / 2.0", "3.5"),
        ("9223372036854775807 == 9223372036854775808.0", "false"),
        ("-9223372036854775808 < 0", "true"),
        ("1u + 2u", "3"),
        ("0x1F", "31"),
        ("1.5e3", "1500"),
        ("'a' + 'b' + \"c\"", "\"abc\""),
        ("[1] + [2]", "[1,2]"),
        ("1 == '1'", "false"),
        ("1 != '1'", "true"),
        ("'b' in event.data.tags", "true"),
        ("'total' in event.data", "true"),
        ("2 in [1, 2]", "true"),
        ("1 in {1: 'x'}", "true"),
        ("{1: 'x', 'k': 'y'}[1]", "\"x\""),
        ("{'z': 1, 'a': [true, null]}", r#"{"z":1,"a":[true,null]}"#),
        ("[1, 2.0] == [1.0, 2]", "true"),
        ("{'a': 1, 'b': 2} == {'b': 2, 'a': 1.0}", "true"),
        ("event.data.deep == {'a': {'b': [1, 2, '3']}}", "true"),
        ("true ? 1 : 2", "1"),
        ("false ? 1 : true ? 2 : 3", "2"),
        ("!false || event.data.nothing", "true"),
        ("event.data.nothing == 1 || true", "true"),
        ("event.data.nothing == 1 && false", "false"),
        ("!(!true)", "true"),
        ("r'\\d' == '\\\\d'", "true"),
        ("'''a\nb''' == 'a\\nb'", "true"),
        ("'\\u00fc\\x41\\101'", "\"üAA\""),
        ("1 // the rest is a comment\n + 1", "2"),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn macros_go_over_lists_and_keys() {
    for (text, expected) in [
        ("event.data.items.exists(i, i.count > 3)", "true"),
        ("event.data.items.all(i, i.count > 3)", "false"),
        ("event.data.items.exists_one(i, i.sku == 'x1')", "true"),
        ("event.data.items.filter(i, i.count > 3).map(i, i.sku)", "[\"x2\"]"),
        ("event.data.items.map(i, i.count > 3, i.sku + '!')", "[\"x2!\"]"),
        ("event.data.deep.map(key, key)", "[\"a\"]"),
        ("[].all(x, x)", "true"),
        ("[].exists(x, x)", "false"),
        ("[1, 'a'].exists(x, x > 0)", "true"),
        ("[1, 'a'].all(x, x < 0)", "false"),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
    assert_eq!(evaluate("[1, 'a'].all(x, x > 0)", DATA).unwrap_err().kind, ErrorKind::Type);
}

#[test]
fn functions_do_what_their_names_say() {
    for (text, expected) in [
        ("size(event.data.name)", "5"),
        ("event.data.tags.size()", "3"),
        ("size(event.data.deep)", "1"),
        ("event.type.startsWith('order.')", "true"),
        ("event.type.endsWith('x')", "false"),
        ("event.type.contains('r.c')", "true"),
        ("event.type.matches('^order[.][a-z]+$')", "true"),
        ("matches(event.type, 'x')", "false"),
        ("'aBc'.upperAscii() + 'aBc'.lowerAscii()", "\"ABCabc\""),
        ("' a '.trim()", "\"a\""),
        ("'a-b-c'.replace('-', '+')", "\"a+b+c\""),
        ("'a,b'.split(',')", "[\"a\",\"b\"]"),
        ("'üb'.split('')", "[\"ü\",\"b\"]"),
        ("event.data.tags.join('/')", "\"a/b/a\""),
        ("['x', 'y'].join()", "\"xy\""),
        ("'grün'.substring(2)", "\"ün\""),
        ("'grün'.substring(1, 3)", "\"rü\""),
        ("int('12') + int(1.9) + int(2u)", "15"),
        ("uint(3)", "3"),
        ("double('1.5') * 2.0", "3"),
        ("double(event.data.total) / 50.0", "2.4"),
        ("string(event.data.price) + string(1) + string(1.5) + string(true)", "\"9.9011.5true\""),
        ("bool('true')", "true"),
        ("timestamp(event.time) > timestamp('2026-01-01T00:00:00Z')", "true"),
        ("timestamp(event.time) - timestamp('2026-01-02T03:04:00Z') < duration('6s')", "true"),
        ("timestamp(event.time)", "\"2026-01-02T03:04:05.678Z\""),
        ("duration('1h30m') + duration('500ms')", "\"5400.5s\""),
        ("formatTime(event.time, 'seconds')", "\"2026-01-02T03:04:05Z\""),
        ("formatTime('2026-01-02T03:04:05Z', 'millis')", "\"2026-01-02T03:04:05.000Z\""),
        ("formatTime('2026-01-02T05:04:05.678+02:00', 'millis')", "\"2026-01-02T03:04:05.678Z\""),
        ("formatTime(event.time, 'unix')", "1767323045"),
        ("formatTime('1969-12-31T23:59:59.500Z', 'unix')", "-1"),
        ("int(timestamp(event.time))", "1767323045"),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn what_has_no_value_says_where_and_why_and_not_what_the_event_says() {
    for (text, kind, position) in [
        ("event.data.nothing == 1", ErrorKind::Missing, "line 1, column 12"),
        ("event.subject == 'x'", ErrorKind::Missing, "line 1, column 7"),
        ("true &&\n  event.data.tags[9] == 'x'", ErrorKind::Missing, "line 2, column 18"),
        ("event.data.name > 1", ErrorKind::Type, "line 1, column 17"),
        ("event.data.total.x", ErrorKind::Type, "line 1, column 18"),
        ("event.data.total * 1.5", ErrorKind::Type, "line 1, column 18"),
        ("event.data.name && true", ErrorKind::Type, "line 1, column 12"),
        ("event.data.total / 0", ErrorKind::Value, "line 1, column 18"),
        ("9223372036854775807 + event.data.total", ErrorKind::Value, "line 1, column 21"),
        ("int(event.data.name)", ErrorKind::Value, "line 1, column 1"),
        ("timestamp(event.data.name)", ErrorKind::Value, "line 1, column 1"),
        ("{'a': 1, 'a': 2}", ErrorKind::Value, "line 1, column 10"),
    ] {
        let error = evaluate(text, DATA).unwrap_err();
        assert_eq!((error.kind, error.position.to_string().as_str()), (kind, position), "{text}: {error}");
        assert!(!error.to_string().contains("Grü"), "{error}");
    }
    assert_eq!(evaluate("event.data.x", "{\"x\"").unwrap_err().kind, ErrorKind::Malformed);
}
