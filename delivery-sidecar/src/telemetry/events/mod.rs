//! One struct for each thing that is worth telling. `emit` logs it and counts it.

mod configuration;
mod delivery;
mod ingest;
mod journal;

pub use configuration::{ConfigurationLoaded, ConfigurationRefused};
pub use delivery::{AttemptFinished, DeliveryFinished, Overflowed};
pub use ingest::{EventsHandled, FiltersErred, RequestFinished, ReviewFinished, TokenRemembered};
pub use journal::{JournalFailed, JournalOpened};
