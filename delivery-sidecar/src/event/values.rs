//! An event as expressions see it.

use posthaste_expressions::{Data, Value};

use super::Event;

/// The JSON texts of an event, which are looked into only when an expression does.
#[derive(Debug)]
pub struct Texts<'e> {
    event: &'e Event,
    data: Data<'e>,
    metadata: Option<Data<'e>>,
}

impl<'e> Texts<'e> {
    /// Looks at nothing yet.
    pub fn new(event: &'e Event) -> Self {
        // Ingest takes nothing that is not UTF-8; an empty text is no JSON, which expressions tell.
        let text = |bytes: &'e [u8]| Data::new(std::str::from_utf8(bytes).unwrap_or_default());
        Self { event, data: text(&event.data), metadata: event.metadata.as_deref().map(text) }
    }

    /// The fields that the event has, by their names.
    pub fn fields(&self) -> Vec<(&str, Value<'_>)> {
        let Event { id, event_type, source, subject, tenant, time, data: _, metadata: _ } = self.event;
        let texts = [
            ("id", Some(id)),
            ("type", Some(event_type)),
            ("source", source.as_ref()),
            ("subject", subject.as_ref()),
            ("time", Some(time)),
            ("tenant", tenant.as_ref()),
        ];
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name, Value::from(text?.as_str()))));
        let data = [("data", Some(&self.data)), ("metadata", self.metadata.as_ref())];
        texts.chain(data.into_iter().filter_map(|(name, data)| Some((name, Value::Data(data?))))).collect()
    }
}
