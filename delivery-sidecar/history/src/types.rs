//! What goes in and what comes out. Times are milliseconds since the Unix epoch.

use std::path::PathBuf;

/// How a delivery stands: the one vocabulary for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// It waits for its first attempt.
    Pending,
    /// An attempt is in progress.
    InFlight,
    /// An attempt failed, and another will be made.
    Retrying,
    /// The receiver took it.
    Succeeded,
    /// It was given up, and is kept to be sent again.
    DeadLettered,
    /// Its endpoint was deleted.
    Dropped,
}

impl Status {
    /// All of them, in the order of a delivery's life.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::InFlight, Self::Retrying, Self::Succeeded, Self::DeadLettered, Self::Dropped];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InFlight => "inFlight",
            Self::Retrying => "retrying",
            Self::Succeeded => "succeeded",
            Self::DeadLettered => "deadLettered",
            Self::Dropped => "dropped",
        }
    }

    /// Nothing follows unless a person asks for it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::DeadLettered | Self::Dropped)
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::InFlight => 1,
            Self::Retrying => 2,
            Self::Succeeded => 3,
            Self::DeadLettered => 4,
            Self::Dropped => 5,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

/// Which delivery: the journal's numbers of its event and its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The event.
    pub seq: u64,
    /// The endpoint.
    pub endpoint: u32,
}

/// What is kept of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventText {
    /// Its id.
    pub id: String,
    /// Its type.
    pub event_type: String,
    /// Whose it is.
    pub tenant: Option<String>,
}

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most bytes of all files.
    pub max_bytes: u64,
    /// For how long after the acceptance of its event a finished delivery is listed, and for how long an attempt is kept.
    pub retention_ms: i64,
    /// For how long after it was given up a dead letter is listed.
    pub dead_letter_retention_ms: i64,
}

/// How a history is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Directory of its files; made when missing. Nothing else may be in it.
    pub directory: PathBuf,
    /// How much is kept.
    pub bounds: Bounds,
    /// After a crash, the journal is asked about what may be missing this long after the start.
    pub repair_after: std::time::Duration,
}

/// Where an unfinished delivery stands, as the journal has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It waits.
    Pending {
        /// Attempts so far.
        attempts: u32,
    },
    /// It was given up.
    Dead {
        /// When.
        at_ms: i64,
        /// After so many attempts.
        attempts: u32,
    },
}

/// A delivery that the journal has not finished with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Which.
    pub key: Key,
    /// When its event was accepted.
    pub accepted_ms: i64,
    /// How it stands.
    pub standing: Standing,
}

/// The journal, which knows better: what is lost of a history is learned from it again. Its methods may block for the disk.
pub trait Source: Send + Sync + 'static {
    /// What there is to say about an event, as long as it is kept, and when it was accepted.
    fn event(&self, seq: u64) -> Option<(EventText, i64)>;
    /// How a delivery stands; `None` when it is finished, or nothing is known of it.
    fn standing(&self, key: Key) -> Option<Standing>;
    /// The endpoints that there are.
    fn endpoints(&self) -> Vec<u32>;
    /// Unfinished deliveries of an endpoint, in order of events from this one on: at least one if there is one, and at most
    /// about `limit`.
    fn unfinished(&self, endpoint: u32, from: u64, limit: usize) -> Vec<Unfinished>;
}

/// What happened.
#[derive(Debug)]
pub enum Entry {
    /// An event was accepted for these endpoints, which are in ascending order.
    Accepted {
        /// Its number.
        seq: u64,
        /// When.
        accepted_ms: i64,
        /// What there is to say about it.
        event: EventText,
        /// The endpoints.
        endpoints: Vec<u32>,
    },
    /// An attempt ended, or a delivery did.
    Ended {
        /// Which.
        key: Key,
        /// When.
        at_ms: i64,
        /// How it stands now.
        status: Status,
        /// HTTP status of the answer, if there was one.
        code: Option<u16>,
        /// An attempt was made.
        attempted: bool,
        /// What is kept of it.
        attempt: Option<crate::AttemptRecord>,
    },
    /// A finished delivery is pending again.
    Again {
        /// Which.
        key: Key,
        /// When.
        at_ms: i64,
    },
}

/// Which deliveries are wanted. What is `None` is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// To this endpoint.
    pub endpoint: Option<u32>,
    /// That stand so.
    pub status: Option<Status>,
    /// Of events of exactly this type.
    pub event_type: Option<String>,
    /// Of this tenant.
    pub tenant: Option<String>,
    /// Of events with this id.
    pub event: Option<String>,
    /// Of events that were accepted at this time or later.
    pub since_ms: Option<i64>,
    /// Of events that were accepted before this time.
    pub until_ms: Option<i64>,
}

/// A delivery as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Which.
    pub key: Key,
    /// Its event.
    pub event: EventText,
    /// When its event was accepted.
    pub accepted_ms: i64,
    /// When something last happened to it.
    pub updated_ms: i64,
    /// How it stands.
    pub status: Status,
    /// Attempts so far, those before it was asked for again included. More than 65,535 count as that.
    pub attempts: u16,
    /// HTTP status of the last answer, if there was one.
    pub code: Option<u16>,
    pub(crate) last: crate::place::Place,
}

impl Delivery {
    /// One of which nothing is kept, but which is known. `times` are when its event was accepted and when something last
    /// happened.
    pub fn known(key: Key, event: EventText, times: (i64, i64), status: Status, attempts: u32) -> Self {
        let attempts = u16::try_from(attempts).unwrap_or(u16::MAX);
        let (accepted_ms, updated_ms) = times;
        let last = crate::place::Place::NONE;
        Self { key, event, accepted_ms, updated_ms, status, attempts, code: None, last }
    }
}

/// What changes too often to be written down.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Deliveries of which an attempt is in progress.
    pub in_flight: std::collections::HashSet<Key>,
    /// The endpoints that there are.
    pub endpoints: std::collections::HashSet<u32>,
}

impl Live {
    /// How a delivery stands of which `written` is written down.
    pub fn status(&self, key: Key, written: Status) -> Status {
        if written.is_final() {
            written
        } else if !self.endpoints.contains(&key.endpoint) {
            Status::Dropped
        } else if self.in_flight.contains(&key) {
            Status::InFlight
        } else {
            written
        }
    }
}

/// A page of deliveries, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// They.
    pub deliveries: Vec<Delivery>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<u64>,
}
