//! One struct for each thing that is worth telling. `emit` logs it and counts it.

mod delivery;
mod ingest;
mod journal;
mod status;

pub use delivery::{AttemptFinished, DeliveryFinished};
pub use ingest::{EventsHandled, RequestFinished, ReviewFinished, TokenRemembered};
pub use journal::{JournalOpened, JournalSyncFailed};
pub use status::{ConfigurationLoaded, ConfigurationRefused, StatusPatched};
