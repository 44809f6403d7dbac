//! What endpoints have in common: a template that ten thousand of them inherit is compiled once, and is in memory once.

use std::{collections::HashMap, sync::Arc};

use posthaste_expressions::{CompileError, JsonTemplate, TEMPLATE};

/// Templates by their text. Kept from one configuration to the next.
#[derive(Debug, Default)]
pub struct Shared {
    templates: HashMap<Arc<str>, Arc<JsonTemplate>>,
}

impl Shared {
    /// The template of a text, compiled now if it is new.
    pub(super) fn template(&mut self, text: &str) -> Result<Arc<JsonTemplate>, CompileError> {
        if let Some(known) = self.templates.get(text) {
            return Ok(Arc::clone(known));
        }
        let compiled = Arc::new(JsonTemplate::compile(text, TEMPLATE)?);
        self.templates.insert(text.into(), Arc::clone(&compiled));
        Ok(compiled)
    }

    /// Forgets what no endpoint has any more.
    pub fn forget_unused(&mut self) {
        self.templates.retain(|_, template| Arc::strong_count(template) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_templates_are_one_until_nobody_has_it() {
        let mut shared = Shared::default();
        let (a, b) = (shared.template("[1]").unwrap(), shared.template("[1]").unwrap());
        assert!(Arc::ptr_eq(&a, &b));
        drop((a, b));
        assert!(shared.template("[").is_err());
        shared.forget_unused();
        assert!(shared.templates.is_empty());
    }
}
