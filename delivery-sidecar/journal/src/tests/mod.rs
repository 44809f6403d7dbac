//! Tests of the crate as a whole, against a disk that fails.

mod cleaning;
mod corruption;
mod failing;
mod group_commit;
mod handle;
mod history;
mod model;
mod replay;
mod standing;
pub(crate) mod support;
