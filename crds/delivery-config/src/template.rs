//! Templates in header values: text with `${path}` in it.
//!
//! Parsing only. Which text a [`Field`] stands for is the business of whoever renders; a template that parsed can name
//! nothing outside of [`Field`]. `$${` stands for a literal `${`; every other `$` is a `$`.

use std::mem;

/// A compiled template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// As it is.
    Text(String),
    /// Replaced at each attempt.
    Field(Field),
}

/// What a path can name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// `event.id`
    EventId,
    /// `event.type`
    EventType,
    /// `event.time`
    EventTime,
    /// `event.source`
    EventSource,
    /// `event.subject`
    EventSubject,
    /// `event.tenant`
    EventTenant,
    /// `endpoint.uid`
    EndpointUid,
    /// `endpoint.name`
    EndpointName,
    /// `endpoint.displayName`
    EndpointDisplayName,
    /// `endpoint.tenant`
    EndpointTenant,
    /// `endpoint.parameters.<name>`
    EndpointParameter(String),
    /// `webhook.name`
    WebhookName,
    /// `webhook.namespace`
    WebhookNamespace,
    /// `attempt.number`
    AttemptNumber,
    /// `attempt.time`
    AttemptTime,
}

/// Why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {position}: {message}")]
pub struct TemplateError {
    /// Where, counted in characters from 1.
    pub position: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Every path without a name of the user's in it.
const PATHS: [(&str, Field); 14] = [
    ("event.id", Field::EventId),
    ("event.type", Field::EventType),
    ("event.time", Field::EventTime),
    ("event.source", Field::EventSource),
    ("event.subject", Field::EventSubject),
    ("event.tenant", Field::EventTenant),
    ("endpoint.uid", Field::EndpointUid),
    ("endpoint.name", Field::EndpointName),
    ("endpoint.displayName", Field::EndpointDisplayName),
    ("endpoint.tenant", Field::EndpointTenant),
    ("webhook.name", Field::WebhookName),
    ("webhook.namespace", Field::WebhookNamespace),
    ("attempt.number", Field::AttemptNumber),
    ("attempt.time", Field::AttemptTime),
];
const PARAMETERS: &str = "endpoint.parameters.";
/// Longest name of a parameter, as in the rule on `parameters` of the resource.
const MAX_PARAMETER_NAME: usize = 63;

impl Template {
    /// Compiles a text.
    ///
    /// # Errors
    /// A `${` that is not closed, or a path that names nothing; the position is that of the path, or of the `${`.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            let (before, at) = rest.split_at(dollar);
            literal.push_str(before);
            if let Some(after) = at.strip_prefix("$${") {
                literal.push_str("${");
                rest = after;
            } else if let Some(after) = at.strip_prefix("${") {
                let position = characters_before(text, at) + 1;
                let Some((inner, after)) = after.split_once('}') else {
                    return Err(TemplateError {
                        position,
                        message: "\"${\" is not closed: write } after the path, or $${ for a literal ${".to_owned(),
                    });
                };
                let path = inner.trim_start();
                let field = parse_path(path.trim_end())
                    .map_err(|message| TemplateError { position: characters_before(text, path) + 1, message })?;
                if !literal.is_empty() {
                    parts.push(Part::Text(mem::take(&mut literal)));
                }
                parts.push(Part::Field(field));
                rest = after;
            } else {
                literal.push('$');
                rest = &at[1..];
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self { parts })
    }

    /// Its pieces in order: never two texts in a row, never an empty text.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether it is the same at each attempt.
    pub fn is_literal(&self) -> bool {
        self.literal().is_some()
    }

    /// Its text, with `$${` replaced, if it is the same at each attempt.
    pub fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }
}

/// Number of characters of `text` before its part `rest`.
fn characters_before(text: &str, rest: &str) -> usize {
    let bytes = rest.as_ptr() as usize - text.as_ptr() as usize;
    text[..bytes].chars().count()
}

fn parse_path(path: &str) -> Result<Field, String> {
    if let Some((_, field)) = PATHS.iter().find(|(known, _)| *known == path) {
        return Ok(field.clone());
    }
    if let Some(name) = path.strip_prefix(PARAMETERS) {
        if is_parameter_name(name) {
            return Ok(Field::EndpointParameter(name.to_owned()));
        }
        return Err(format!(
            "{name:?} is not the name of a parameter: write a letter or _ and then at most 62 letters, digits and _"
        ));
    }
    let known: Vec<&str> = PATHS.iter().map(|(known, _)| *known).collect();
    Err(format!("{path:?} is not known; known are {} and {PARAMETERS}<name>", known.join(", ")))
}

fn is_parameter_name(name: &str) -> bool {
    name.len() <= MAX_PARAMETER_NAME
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_a_template_or_refused_at_a_position_in_it(text in r"(\$|\{|\}|event\.id|\PC){0,12}") {
            match Template::parse(&text) {
                Ok(template) if !text.contains("${") => prop_assert_eq!(template.literal(), Some(text.as_str())),
                Ok(_) => {}
                Err(error) => prop_assert!((1..=text.chars().count() + 1).contains(&error.position)),
            }
        }
    }

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    #[test]
    fn text_without_paths_is_itself() {
        for plain in ["", "eu", "$", "$5", "100 $ {x}", "a$$b", "grün}"] {
            let template = Template::parse(plain).unwrap();
            assert_eq!(template.literal(), Some(plain));
            assert!(template.is_literal());
        }
    }

    #[test]
    fn paths_are_replaced_between_texts() {
        let template = Template::parse("v=${event.type}/${ attempt.number }${endpoint.parameters.region}!").unwrap();
        assert!(!template.is_literal());
        assert_eq!(
            template.parts(),
            [
                text("v="),
                Part::Field(Field::EventType),
                text("/"),
                Part::Field(Field::AttemptNumber),
                Part::Field(Field::EndpointParameter("region".to_owned())),
                text("!"),
            ]
        );
    }

    #[test]
    fn every_known_path_parses() {
        for (path, field) in PATHS {
            assert_eq!(Template::parse(&format!("${{{path}}}")).unwrap().parts(), [Part::Field(field)]);
        }
    }

    #[test]
    fn two_dollars_before_a_brace_are_a_literal() {
        assert_eq!(Template::parse("a $${event.id} $$${x").unwrap().literal(), Some("a ${event.id} $${x"));
    }

    #[test]
    fn positions_are_in_characters() {
        let error = Template::parse("größe ${event.size}").unwrap_err();
        assert_eq!(error.position, 9);
        let error = Template::parse("ü${event.id").unwrap_err();
        assert_eq!(error.position, 2);
        assert!(error.to_string().starts_with("at character 2: \"${\" is not closed"), "{error}");
    }

    #[test]
    fn an_unknown_path_is_answered_with_the_known_ones() {
        for path in ["", "event", "event.data.total", "Event.id", "endpoint.url", "event.id.x"] {
            let error = Template::parse(&format!("${{{path}}}")).unwrap_err().to_string();
            assert!(error.contains("event.id, event.type") && error.contains("endpoint.parameters.<name>"), "{error}");
        }
    }

    #[test]
    fn a_parameter_needs_a_proper_name() {
        for name in ["", "1a", "a-b", "a.b", "é", &"a".repeat(64)] {
            let error = Template::parse(&format!("${{endpoint.parameters.{name}}}")).unwrap_err();
            assert!(error.message.contains("a letter or _"), "{error}");
        }
        assert!(Template::parse(&format!("${{endpoint.parameters.{}}}", "a".repeat(63))).is_ok());
    }
}
