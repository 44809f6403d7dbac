//! The filters of all endpoints: each text is compiled once, and evaluated at most once for an event.

use std::{collections::HashMap, sync::Arc};

use posthaste_expressions::{Data, EvalError, Filter, FilterScope};

use crate::event::Event;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Filters {
    /// `None`: the text does not compile. The operator has refused it, unless it is of another version; then the endpoint
    /// says so itself, and gets nothing new.
    compiled: Vec<Option<Arc<Filter>>>,
    numbers: HashMap<String, usize>,
}

/// The number of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Number(u32);

impl Filters {
    /// The number of a text, compiled here or by `previous`.
    pub fn add(&mut self, text: &str, previous: Option<&Filters>) -> Number {
        let next = self.compiled.len();
        let number = *self.numbers.entry(text.to_owned()).or_insert(next);
        if number == next {
            let known = previous.and_then(|previous| previous.compiled.get(*previous.numbers.get(text)?));
            let compiled = known.cloned().unwrap_or_else(|| Filter::compile(text).ok().map(Arc::new));
            self.compiled.push(compiled);
        }
        Number(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// How many different ones there are.
    pub fn len(&self) -> usize {
        self.compiled.len()
    }

    fn get(&self, Number(number): Number) -> Option<&Filter> {
        self.compiled.get(number as usize)?.as_deref()
    }

    /// Begins to match an event, whose data is looked at only if a filter does.
    pub fn matching<'m>(&'m self, parts: &'m Parts<'m>) -> Matching<'m> {
        Matching { filters: self, scope: parts.scope(), known: HashMap::new() }
    }
}

/// The JSON texts of an event.
pub(super) struct Parts<'e> {
    event: &'e Event,
    data: Data<'e>,
    metadata: Option<Data<'e>>,
}

impl<'e> Parts<'e> {
    pub fn new(event: &'e Event) -> Self {
        // Ingest takes nothing that is not UTF-8; an empty text is no JSON, which filters tell.
        let text = |bytes: &'e [u8]| Data::new(std::str::from_utf8(bytes).unwrap_or_default());
        Self { event, data: text(&event.data), metadata: event.metadata.as_deref().map(text) }
    }

    fn scope(&self) -> FilterScope<'_> {
        let event = self.event;
        FilterScope::new(
            [
                ("id", Some(event.id.as_str())),
                ("type", Some(&event.event_type)),
                ("source", event.source.as_deref()),
                ("subject", event.subject.as_deref()),
                ("time", Some(&event.time)),
                ("tenant", event.tenant.as_deref()),
            ],
            [("data", Some(&self.data)), ("metadata", self.metadata.as_ref())],
        )
    }
}

/// One event and what filters have said of it.
pub(super) struct Matching<'m> {
    filters: &'m Filters,
    scope: FilterScope<'m>,
    known: HashMap<Number, Result<bool, EvalError>>,
}

impl Matching<'_> {
    /// What the filter says; a text that does not compile says no.
    pub fn says(&mut self, number: Number) -> &Result<bool, EvalError> {
        let Some(filter) = self.filters.get(number) else { return &Ok(false) };
        self.known.entry(number).or_insert_with(|| filter.matches(&self.scope))
    }
}
