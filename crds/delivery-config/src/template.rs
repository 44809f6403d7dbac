//! Templates in header values: text with `${path}` in it.

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

impl Template {
    /// Its pieces in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }
}
