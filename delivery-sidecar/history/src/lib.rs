#![doc = include_str!("../README.md")]

mod block;
mod bytes;
mod files;
mod history;
mod log;
mod place;
mod query;
mod queue;
mod record;
mod repair;
mod row;
mod rows;
mod store;
mod types;
mod writer;

#[cfg(test)]
mod tests;

pub use history::History;
pub use record::{Attempt, AttemptRecord, Durations, Header, MOST_BODY, MOST_HEADERS, Response};
pub use types::{
    Bounds, Delivery, Entry, EventText, Filter, Key, Live, Options, Page, Source, Standing, Status, Unfinished,
};
