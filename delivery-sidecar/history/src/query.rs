//! Finding deliveries and their attempts.

use std::io;

use crate::{
    record::{self, Attempt},
    row::{Hashes, Row, hash},
    store::Store,
    types::{Delivery, Filter, Key, Live, Page, Status},
};

impl Store {
    /// Deliveries that are wanted, newest first, from below a number on.
    pub fn list(
        &self,
        filter: &Filter,
        live: &Live,
        below: Option<u64>,
        limit: usize,
        now_ms: i64,
    ) -> io::Result<Page> {
        let wanted = Wanted::new(filter, live);
        let mut page = Page::default();
        let mut last = None;
        self.rows.scan(
            below,
            |block| block.may_match(filter),
            |at, row| {
                let Some(status) = wanted.status(row) else { return true };
                if !self.is_visible(row, now_ms) {
                    return true;
                }
                let Some(event) = self.event_of(row).filter(|event| {
                    filter.event.as_ref().is_none_or(|id| *id == event.id)
                        && filter.event_type.as_ref().is_none_or(|name| *name == event.event_type)
                        && (filter.tenant.is_none() || filter.tenant == event.tenant)
                }) else {
                    return true;
                };
                if page.deliveries.len() == limit {
                    page.next = last;
                    return false;
                }
                last = Some(at.number());
                page.deliveries.push(delivery(row, status, event));
                true
            },
        )?;
        Ok(page)
    }

    /// One delivery.
    pub fn look_up(&self, key: Key, live: &Live, now_ms: i64) -> io::Result<Option<Delivery>> {
        let Some(row) = self.rows.look_up(key)?.filter(|row| self.is_visible(row, now_ms)) else { return Ok(None) };
        let status = live.status(key, row.status);
        Ok(self.event_of(&row).map(|event| delivery(&row, status, event)))
    }

    /// The attempts of a delivery that are kept, at most so many, the oldest first. When there are more, these are the last.
    pub fn attempts(&self, delivery: &Delivery, most: usize) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        let mut place = delivery.last;
        while !place.is_none() && attempts.len() < most {
            let Some((before, attempt)) = self.log.read(place).and_then(|record| record::read_attempt(&record)) else {
                break;
            };
            attempts.push(attempt);
            place = before;
        }
        attempts.reverse();
        attempts
    }
}

fn delivery(row: &Row, status: Status, event: crate::EventText) -> Delivery {
    Delivery {
        key: row.key,
        event,
        accepted_ms: row.accepted_ms,
        updated_ms: row.updated_ms,
        status,
        attempts: row.attempts,
        code: (row.code != 0).then_some(row.code),
        last: row.last,
    }
}

/// A filter that looks at rows only.
struct Wanted<'a> {
    filter: &'a Filter,
    live: &'a Live,
    hashes: Hashes,
}

impl<'a> Wanted<'a> {
    fn new(filter: &'a Filter, live: &'a Live) -> Self {
        let hashes = Hashes {
            id: hash(filter.event.as_deref()),
            event_type: hash(filter.event_type.as_deref()),
            tenant: hash(filter.tenant.as_deref()),
        };
        Self { filter, live, hashes }
    }

    /// The status of a row that is wanted, as far as it tells.
    fn status(&self, row: &Row) -> Option<Status> {
        let Filter { endpoint, status, since_ms, until_ms, .. } = self.filter;
        let Hashes { id, event_type, tenant } = self.hashes;
        let matches = (id == 0 || id == row.hashes.id)
            && (event_type == 0 || event_type == row.hashes.event_type)
            && (tenant == 0 || tenant == row.hashes.tenant)
            && endpoint.is_none_or(|endpoint| endpoint == row.key.endpoint)
            && since_ms.is_none_or(|since| since <= row.accepted_ms)
            && until_ms.is_none_or(|until| row.accepted_ms < until);
        let found = matches.then(|| self.live.status(row.key, row.status))?;
        status.is_none_or(|status| status == found).then_some(found)
    }
}
