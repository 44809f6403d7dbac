//! What becomes of templates.

use proptest::prelude::*;

use crate::{Budget, Data, ErrorKind, EvalError, JsonTemplate, Render, Scope, TEMPLATE, TextTemplate, Value};

const DATA: &str = r#"{ "total": 1.50, "count": 3, "name": "A \"quoted\"\n\u00fc", "none": null,
    "order": {"z": 1.0, "a": [ 1e2, true ]}, "tags": ["x", "y"], "big": 12345678901234567890 }"#;

fn with_scope<T>(data: &str, run: impl FnOnce(Scope, &mut Budget) -> T) -> T {
    let data = Data::new(data);
    let event = [
        ("id", Value::from("evt-1")),
        ("type", Value::from("order.created")),
        ("time", Value::from("2026-01-02T03:04:05.678Z")),
        ("data", Value::Data(&data)),
    ];
    let parameters = [("region", Value::from("eu"))];
    let endpoint = [("name", Value::from("acme")), ("parameters", Value::Record(&parameters))];
    let attempt = [("number", Value::Int(3))];
    let roots = [
        ("event", Value::Record(&event)),
        ("endpoint", Value::Record(&endpoint)),
        ("attempt", Value::Record(&attempt)),
    ];
    run(Scope { roots: &roots }, &mut Budget::rendering())
}

fn render_at_most(template: &str, most: usize) -> Result<String, EvalError> {
    let template = JsonTemplate::compile(template, TEMPLATE).unwrap_or_else(|error| panic!("{template}: {error}"));
    with_scope(DATA, |scope, budget| template.render(Render { scope, budget, most }))
}

fn render(template: &str) -> String {
    render_at_most(template, 1 << 20).unwrap_or_else(|error| panic!("{template}: {error}"))
}

fn fill(template: &str) -> Result<Option<String>, EvalError> {
    let template = TextTemplate::compile(template, TEMPLATE).unwrap_or_else(|error| panic!("{template}: {error}"));
    with_scope(DATA, |scope, budget| template.fill(&mut Render { scope, budget, most: 4096 }))
}

#[test]
fn a_body_is_compact_in_the_templates_order_and_its_numbers_are_as_they_came() {
    let template = r#"
        {
          "type": "${event.type}",
          "at": "${formatTime(event.time, 'unix')}",
          "payload": "${event.data}",
          "total": "${event.data.total}",
          "literal": [1.0, -0, 1E5, true, null, "a\u0062\/", "", {}, []],
          "to": "${endpoint.name} in ${endpoint.parameters.region}, try ${attempt.number}"
        }"#;
    let payload = r#"{"total":1.50,"count":3,"name":"A \"quoted\"\n\u00fc","none":null,"order":{"z":1.0,"a":[1e2,true]},"tags":["x","y"],"big":12345678901234567890}"#;
    assert_eq!(
        render(template),
        format!(
            r#"{{"type":"order.created","at":1767323045,"payload":{payload},"total":1.50,"literal":[1.0,-0,1E5,true,null,"ab/","",{{}},[]],"to":"acme in eu, try 3"}}"#
        )
    );
}

#[test]
fn a_whole_string_is_the_value_and_a_part_of_one_is_text() {
    for (template, expected) in [
        (r#""${event.data.count}""#, "3"),
        (r#""${ event.data.count }""#, "3"),
        (r#""n=${event.data.count}""#, r#""n=3""#),
        (r#""${event.data.count}${event.data.total}""#, r#""31.50""#),
        (r#""${event.data.name}""#, r#""A \"quoted\"\n\u00fc""#),
        (r#""<${event.data.name}>""#, r#""<A \"quoted\"\nü>""#),
        (r#""${event.data.none}""#, "null"),
        (r#""<${event.data.none}>""#, r#""<>""#),
        (r#""${event.data.order}""#, r#"{"z":1.0,"a":[1e2,true]}"#),
        (r#""${event.data.tags.map(t, t + '!')}""#, r#"["x!","y!"]"#),
        (r#""${ {'a': event.data.total, 'b': '}'} }""#, r#"{"a":1.50,"b":"}"}"#),
        (r#""${event.data[\"count\"] > 2 ? 'many' : 'few'}""#, r#""many""#),
        (r#""$${event.id} costs $5""#, r#""${event.id} costs $5""#),
        (r#""${event.data.count == 3}""#, "true"),
    ] {
        assert_eq!(render(template), expected, "{template}");
    }
}

#[test]
fn a_plain_path_that_is_missing_leaves_its_member_out() {
    for (template, expected) in [
        (r#"{"a": "${event.data.nothing}", "b": 1}"#, r#"{"b":1}"#),
        (r#"{"b": 1, "a": "${event.subject}"}"#, r#"{"b":1}"#),
        (r#"{"a": "x ${event.data.order.nothing}", "b": {"c": "${event.data.nothing.deeper}"}}"#, r#"{"b":{}}"#),
        (r#"["${event.data.nothing}", 1, "${event.data['no']}", 2]"#, "[1,2]"),
        (r#"{"a": "${event.data.tags[7]}", "b": "${event.data.tags[1]}"}"#, r#"{"b":"y"}"#),
        (r#"{"a": "${endpoint.parameters.nothing}"}"#, "{}"),
    ] {
        assert_eq!(render(template), expected, "{template}");
    }
    let error = render_at_most(r#""${event.data.nothing}""#, 100).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Missing);
}

#[test]
fn everything_else_without_a_value_is_an_error_at_its_place_in_the_template() {
    for (template, kind, position) in [
        ("{\n  \"a\": \"${event.data.nothing + 1}\"}", ErrorKind::Missing, "line 2, column 22"),
        ("{\"a\": \"\\u00fc${event.data.count.x}\"}", ErrorKind::Type, "line 1, column 33"),
        ("{\"\\u00fc\": \"${event.data[\\\"count\\\"] + ''}\"}", ErrorKind::Type, "line 1, column 37"),
        ("[\"<${event.data.order}>\"]", ErrorKind::Type, "line 1, column 6"),
        ("[\"${1.0 / 0.0}\"]", ErrorKind::Value, "line 1, column 5"),
    ] {
        let error = render_at_most(template, 1 << 20).unwrap_err();
        assert_eq!((error.kind, error.position.to_string().as_str()), (kind, position), "{template}: {error}");
    }
    for template in [r#"["${event.data}", "${event.data}"]"#, r#"["${event.data.name} ${event.data.name}"]"#] {
        assert_eq!(render_at_most(template, 20).unwrap_err().kind, ErrorKind::TooCostly, "{template}");
    }
}

#[test]
fn what_is_no_template_is_refused_at_its_place() {
    let deep = format!("{}1{}", "[".repeat(33), "]".repeat(33));
    for (template, position, part) in [
        ("", "line 1, column 1", "expected a JSON value, found the end"),
        ("{\n  \"a\": ${event.id}\n}", "line 2, column 8", "write expressions in double quotes"),
        ("{\"a\": 1,}", "line 1, column 9", "expected a key in double quotes"),
        ("{\"a\" 1}", "line 1, column 6", "expected : after the key"),
        ("{\"a\": 1} x", "line 1, column 10", "expected the end"),
        ("{\"a\": 1 \"b\": 2}", "line 1, column 9", "expected , or }"),
        ("[01]", "line 1, column 2", "expected a JSON value"),
        ("{\"a\": 1, \"\\u0061\": 2}", "line 1, column 10", "is there twice"),
        ("{\"${event.id}\": 2}", "line 1, column 2", "a key has no expressions"),
        ("\"a\nb\"", "line 1, column 3", "write \\n"),
        ("\"\\x\"", "line 1, column 2", "this escape is not JSON"),
        ("\"\\ud800\"", "line 1, column 2", "this escape is not JSON"),
        ("[\"a\\u0062\\n${event.totl}\"]", "line 1, column 20", "event has no field \"totl\""),
        ("[\"${event.id\"]", "line 1, column 3", "is not closed"),
        ("[\"${'}'\"]", "line 1, column 3", "is not closed"),
        ("[\"${}\"]", "line 1, column 5", "expected a value"),
        (
            "[\"${session.id}\"]",
            "line 1, column 5",
            "session is not known; known are event, endpoint, webhook, attempt",
        ),
        (deep.as_str(), "line 1, column 33", "more than 32 levels"),
    ] {
        let error = JsonTemplate::compile(template, TEMPLATE).unwrap_err();
        assert_eq!(error.position.to_string(), position, "{template}: {error}");
        assert!(error.message.contains(part), "{template}: {error}");
    }
    assert!(JsonTemplate::compile(&" ".repeat(20_000), TEMPLATE).unwrap_err().message.contains("at most 16384"));
}

#[test]
fn texts_are_filled_and_missing_fields_leave_them_out() {
    for (template, expected) in [
        ("eu", Some("eu")),
        ("", Some("")),
        ("v=${event.type}/${ attempt.number }!", Some("v=order.created/3!")),
        ("a $${event.id} $$${x", Some("a ${event.id} $${x")),
        ("${event.data.total}", Some("1.50")),
        ("${event.data.nothing}", None),
        ("x ${event.subject}", None),
        ("${event.data.count > 2 ? 'many' : 'few'}", Some("many")),
    ] {
        assert_eq!(fill(template), Ok(expected.map(str::to_owned)), "{template}");
    }
    let error = fill("größe ${event.data.name + 1}").unwrap_err();
    assert_eq!((error.kind, error.position.to_string().as_str()), (ErrorKind::Type, "line 1, column 25"));
    let error = TextTemplate::compile("ü${event.id", TEMPLATE).unwrap_err();
    assert!(error.to_string().starts_with("line 1, column 2: \"${\" is not closed"), "{error}");
    assert_eq!(TextTemplate::compile("100 $ {x}", TEMPLATE).unwrap().literal(), Some("100 $ {x}"));
}

proptest! {
    #[test]
    fn any_text_is_a_template_or_refused_at_a_place_in_it(
        text in r#"(\$|\{|\}|\[|\]|"|:|,|'|\\|event\.id|event\.data|1|\n|ü|\PC){0,16}"#,
    ) {
        for error in [TextTemplate::compile(&text, TEMPLATE).err(), JsonTemplate::compile(&text, TEMPLATE).err()].into_iter().flatten() {
            let line = text.split('\n').nth(error.position.line as usize - 1).unwrap_or_default();
            prop_assert!((1..=line.chars().count() + 1).contains(&(error.position.column as usize)), "{}", error);
        }
    }

    #[test]
    fn a_template_without_expressions_is_that_json(value in any_json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let template = JsonTemplate::compile(&text, TEMPLATE).unwrap();
        let rendered = template.render(Render { scope: Scope { roots: &[] }, budget: &mut Budget::rendering(), most: 1 << 20 });
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&rendered.unwrap()).unwrap(), value);
    }

    #[test]
    fn a_value_that_goes_through_a_template_is_the_same(value in any_json()) {
        let data = serde_json::to_string_pretty(&value).unwrap();
        for template in [r#"{"whole": "${event.data}"}"#, r#"{"whole": "${[event.data][0]}"}"#] {
            let template = JsonTemplate::compile(template, TEMPLATE).unwrap();
            let rendered = with_scope(&data, |scope, budget| template.render(Render { scope, budget, most: 1 << 20 })).unwrap();
            let parsed: serde_json::Value = serde_json::from_str(&rendered).unwrap();
            prop_assert_eq!(&parsed["whole"], &value);
        }
    }
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<u64>().prop_map(serde_json::Value::from),
        any::<String>().prop_map(|text| serde_json::Value::from(text.replace('$', "S"))),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            proptest::collection::btree_map("[a-z\"\\\\é]{0,3}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}
