//! From what is kept to what is answered.

use std::collections::HashSet;

use jiff::Timestamp;
use posthaste_history as history;
use posthaste_history::{Live, Status};
use posthaste_journal::{Ordinal, Standing};

use super::{
    Shared,
    model::{Attempt, Delivery, DeliveryStatus, Durations, Endpoint, Failure, Header, Request, Response},
    parameters,
};

impl Shared {
    /// What of this moment is not written down.
    pub fn live(&self) -> Live {
        let endpoints: HashSet<u32> = self.api.journal.endpoints().into_iter().map(|ordinal| ordinal.0).collect();
        Live { in_flight: self.api.in_flight.all(), endpoints }
    }

    /// A delivery as it is answered.
    pub fn delivery(&self, kept: history::Delivery) -> Delivery {
        let history::Delivery { key, event, accepted_ms, updated_ms, status, attempts, code, .. } = kept;
        let next_attempt_at = match self.api.journal.standing(key.seq, Ordinal(key.endpoint)) {
            Some(Standing::Pending { due_ms, .. }) if due_ms > 0 && status == Status::Retrying => Some(time(due_ms)),
            _ => None,
        };
        Delivery {
            id: parameters::id(key),
            event_id: event.id,
            event_type: event.event_type,
            tenant: event.tenant,
            endpoint: self.endpoint(Ordinal(key.endpoint)),
            status: status.into(),
            attempt_count: attempts.into(),
            accepted_at: time(accepted_ms),
            updated_at: time(updated_ms),
            next_attempt_at,
            last_status_code: code,
        }
    }

    fn endpoint(&self, ordinal: Ordinal) -> Endpoint {
        let snapshot = self.api.snapshot.load();
        let loaded = snapshot.by_ordinal(ordinal).map(|entry| &entry.loaded);
        Endpoint {
            name: loaded.map(|loaded| loaded.name.to_string()),
            uid: loaded.map(|loaded| loaded.uid.to_string()),
        }
    }
}

impl From<Status> for DeliveryStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::InFlight => Self::InFlight,
            Status::Retrying => Self::Retrying,
            Status::Succeeded => Self::Succeeded,
            Status::DeadLettered => Self::DeadLettered,
            Status::Dropped => Self::Dropped,
        }
    }
}

impl From<history::Attempt> for Attempt {
    fn from(kept: history::Attempt) -> Self {
        let history::Attempt {
            number,
            started_ms,
            durations,
            failure,
            url,
            request_headers,
            request_headers_left_out,
            response,
        } = kept;
        let request = Request {
            method: "POST".to_owned(),
            url,
            headers: headers(request_headers),
            headers_truncated: request_headers_left_out,
        };
        let response = response.map(|answer| Response {
            status: answer.status,
            headers: headers(answer.headers),
            headers_truncated: answer.headers_left_out,
            body: String::from_utf8_lossy(&answer.body).into_owned(),
            body_truncated: answer.body_truncated,
        });
        let error = failure.map(|(reason, message)| Failure { reason, message });
        Self { number, started_at: time(started_ms), request, response, error, durations: durations.into() }
    }
}

impl From<history::Durations> for Durations {
    fn from(durations: history::Durations) -> Self {
        let ms = |us: u32| f64::from(us) / 1_000.0;
        Self {
            dns_ms: durations.dns_us.map(ms),
            connect_ms: durations.connect_us.map(ms),
            first_byte_ms: durations.first_byte_us.map(ms),
            total_ms: ms(durations.total_us),
        }
    }
}

fn headers(headers: Vec<history::Header>) -> Vec<Header> {
    headers.into_iter().map(|history::Header { name, value }| Header { name, value }).collect()
}

/// A time of ours is one that there is.
pub fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or_default()
}
