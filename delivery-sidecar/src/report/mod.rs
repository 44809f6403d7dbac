//! Writes what is displayed to the status of the Webhook and its endpoints, within the status budget.

pub mod view;
