//! Asks the journal about what may have been lost: after a crash, when there was no room to write something down, when the
//! files are gone or were never there. In small steps, so that what happens meanwhile is written, too.

use std::io;

use crate::{
    row::Row,
    rows::At,
    store::Store,
    types::{Key, Standing, Status, Unfinished},
};

/// Rows, or deliveries, of one step.
const STEP: usize = 1024;

/// How far it is.
#[derive(Debug)]
pub enum Repair {
    /// Rows of unfinished deliveries, from below this number on.
    Rows(Option<u64>),
    /// Unfinished deliveries of these endpoints that have no row; of the last one from this event on.
    Missing(Vec<u32>, u64),
}

impl Repair {
    /// From the beginning.
    pub fn new() -> Self {
        Self::Rows(None)
    }

    /// Takes a step, and returns what is left to do.
    pub fn step(self, store: &mut Store, now_ms: i64) -> io::Result<Option<Self>> {
        match self {
            Self::Rows(below) => {
                let mut found: Vec<(At, Row)> = Vec::new();
                store.rows.scan(below, crate::block::Block::is_unfinished, |at, row| {
                    if !row.status.is_final() {
                        found.push((at, *row));
                    }
                    found.len() < STEP
                })?;
                let Some((last, _)) = found.last() else {
                    return Ok(Some(Self::Missing(store.source.endpoints(), 0)));
                };
                let below = Some(last.number());
                let endpoints = store.source.endpoints();
                for (at, row) in found {
                    let is_there = endpoints.contains(&row.key.endpoint);
                    if let Some(after) = corrected(&row, store.source.standing(row.key), is_there, now_ms) {
                        store.rows.replace(at, row.status, &after)?;
                    }
                }
                Ok(Some(Self::Rows(below)))
            }
            Self::Missing(mut endpoints, from) => {
                let Some(endpoint) = endpoints.last().copied() else { return Ok(None) };
                let unfinished = store.source.unfinished(endpoint, from, STEP);
                let Some(last) = unfinished.iter().map(|delivery| delivery.key.seq).max() else {
                    endpoints.pop();
                    return Ok(Some(Self::Missing(endpoints, 0)));
                };
                for delivery in unfinished {
                    learn(store, &delivery, now_ms)?;
                }
                Ok(Some(Self::Missing(endpoints, last + 1)))
            }
        }
    }
}

/// A row as the journal says that it is, when that is something else.
fn corrected(row: &Row, standing: Option<Standing>, endpoint_is_there: bool, now_ms: i64) -> Option<Row> {
    match standing {
        Some(Standing::Pending { .. }) => None,
        Some(Standing::Dead { at_ms, attempts }) => Some(dead(row, at_ms, attempts)),
        None if !endpoint_is_there => Some(Row { status: Status::Dropped, updated_ms: now_ms, ..*row }),
        // A dead letter is kept for days, so what the journal has finished with lately was delivered.
        None => Some(Row { status: Status::Succeeded, updated_ms: now_ms, ..*row }),
    }
}

fn dead(row: &Row, at_ms: i64, attempts: u32) -> Row {
    let attempts = u16::try_from(attempts).unwrap_or(u16::MAX).max(row.attempts);
    Row { status: Status::DeadLettered, updated_ms: at_ms, attempts, ..*row }
}

/// Makes the row of an unfinished delivery unless there is one.
fn learn(store: &mut Store, delivery: &Unfinished, now_ms: i64) -> io::Result<()> {
    let key: Key = delivery.key;
    let mut found = store.rows.find(key)?;
    if found.is_none() {
        store.learn(key, now_ms)?;
        found = store.rows.find(key)?;
    }
    let Some((at, row)) = found else { return Ok(()) };
    let after = match delivery.standing {
        Standing::Dead { at_ms, attempts } if row.status != Status::DeadLettered => dead(&row, at_ms, attempts),
        Standing::Pending { attempts } if row.status.is_final() => {
            let status = if attempts > 0 { Status::Retrying } else { Status::Pending };
            Row { status, ..row }
        }
        Standing::Pending { attempts } if row.attempts == 0 && attempts > 0 => {
            Row { status: Status::Retrying, attempts: u16::try_from(attempts).unwrap_or(u16::MAX), ..row }
        }
        _ => return Ok(()),
    };
    store.rows.replace(at, row.status, &after)
}
