//! What is kept of an event and of an attempt, as records of the log.
//!
//! An event is a 1, its id, its type, and, if it has one, its tenant. An attempt is a 2, the place of the attempt before,
//! and then what an [`AttemptRecord`] holds.

use crate::{
    bytes::{Reader, put_bytes, put_number},
    place::Place,
    types::EventText,
};

const EVENT: u8 = 1;
const ATTEMPT: u8 = 2;

const FAILURE: u8 = 1;
const URL: u8 = 2;
const REQUEST_HEADER: u8 = 3;
const STATUS: u8 = 4;
const RESPONSE_HEADER: u8 = 5;
const BODY: u8 = 6;
const TRUNCATED_BODY: u8 = 7;
const HEADERS_LEFT_OUT: u8 = 8;

/// Most bytes of a body that are kept.
pub const MOST_BODY: usize = 4 << 10;
/// Most bytes of the headers of a request or of a response that are kept.
pub const MOST_HEADERS: usize = 8 << 10;
/// Most bytes of a message.
const MOST_MESSAGE: usize = 1 << 10;
/// Most bytes of a URL.
const MOST_URL: usize = 2 << 10;

/// How long an attempt took, in microseconds. The name and the connection only when they were needed for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// Until the name was resolved.
    pub dns_us: Option<u32>,
    /// From then until the connection was there, TLS included.
    pub connect_us: Option<u32>,
    /// From the beginning to the answer's status and headers.
    pub first_byte_us: Option<u32>,
    /// The whole.
    pub total_us: u32,
}

/// An attempt, written. What must not be kept must not be given to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRecord(Vec<u8>);

impl AttemptRecord {
    /// An attempt with this number, from 1.
    pub fn new(number: u32, started_ms: i64, durations: Durations) -> Self {
        let mut record = Vec::with_capacity(768);
        put_number(&mut record, number.into());
        put_number(&mut record, started_ms.cast_unsigned());
        let Durations { dns_us, connect_us, first_byte_us, total_us } = durations;
        for duration in [dns_us, connect_us, first_byte_us] {
            put_number(&mut record, duration.map_or(0, |us| u64::from(us) + 1));
        }
        put_number(&mut record, total_us.into());
        Self(record)
    }

    /// Why it failed.
    pub fn failure(&mut self, reason: &str, message: &str) {
        self.0.push(FAILURE);
        put_bytes(&mut self.0, reason.as_bytes());
        put_bytes(&mut self.0, cut(message, MOST_MESSAGE).as_bytes());
    }

    /// Where the request went, as far as it may be shown.
    pub fn url(&mut self, url: &str) {
        self.0.push(URL);
        put_bytes(&mut self.0, cut(url, MOST_URL).as_bytes());
    }

    /// The request's headers.
    pub fn request_headers<'a>(&mut self, headers: impl Iterator<Item = (&'a str, &'a [u8])>) {
        self.headers(REQUEST_HEADER, headers);
    }

    /// The answer: its status, its headers, and the beginning of its body. `whole` says that there was no more of it.
    pub fn response<'a>(
        &mut self,
        status: u16,
        headers: impl Iterator<Item = (&'a str, &'a [u8])>,
        body: &[u8],
        whole: bool,
    ) {
        self.0.push(STATUS);
        put_number(&mut self.0, status.into());
        self.headers(RESPONSE_HEADER, headers);
        let kept = &body[..body.len().min(MOST_BODY)];
        self.0.push(if whole && kept.len() == body.len() { BODY } else { TRUNCATED_BODY });
        put_bytes(&mut self.0, kept);
    }

    fn headers<'a>(&mut self, kind: u8, headers: impl Iterator<Item = (&'a str, &'a [u8])>) {
        let mut room = MOST_HEADERS;
        for (name, value) in headers {
            let Some(rest) = room.checked_sub(name.len() + value.len()) else {
                self.0.extend([HEADERS_LEFT_OUT, kind]);
                return;
            };
            room = rest;
            self.0.push(kind);
            put_bytes(&mut self.0, name.as_bytes());
            put_bytes(&mut self.0, value);
        }
    }

    /// Bytes of memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.0.capacity()
    }

    /// The parts of a record that says where the attempt before is. What comes before its content is written to `head`.
    pub(crate) fn parts<'a>(&'a self, before: Place, head: &'a mut [u8; 1 + Place::BYTES]) -> [&'a [u8]; 2] {
        head[0] = ATTEMPT;
        head[1..].copy_from_slice(&before.to_bytes());
        [head.as_slice(), &self.0]
    }
}

fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// A header. Values that are no UTF-8 are shown as near to it as they can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Its HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<Header>,
    /// Not all of them.
    pub headers_left_out: bool,
    /// The beginning of its body.
    pub body: Vec<u8>,
    /// There was more of it.
    pub body_truncated: bool,
}

/// An attempt, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// Its number, from 1; again from 1 when its delivery was asked for again.
    pub number: u32,
    /// When it began.
    pub started_ms: i64,
    /// How long it took.
    pub durations: Durations,
    /// Reason and message, when it failed.
    pub failure: Option<(String, String)>,
    /// Where the request went, as far as it may be shown.
    pub url: Option<String>,
    /// The request's headers.
    pub request_headers: Vec<Header>,
    /// Not all of them.
    pub request_headers_left_out: bool,
    /// The answer, if there was one.
    pub response: Option<Response>,
}

impl AttemptRecord {
    /// Reads it.
    pub fn read(&self) -> Option<Attempt> {
        read(&mut Reader(&self.0))
    }
}

/// The record of an event.
pub fn event(event: &EventText) -> Vec<u8> {
    let mut record = vec![EVENT];
    put_bytes(&mut record, event.id.as_bytes());
    put_bytes(&mut record, event.event_type.as_bytes());
    if let Some(tenant) = &event.tenant {
        put_bytes(&mut record, tenant.as_bytes());
    }
    record
}

/// Reads the record of an event.
pub fn read_event(record: &[u8]) -> Option<EventText> {
    let mut reader = Reader(record);
    if reader.byte()? != EVENT {
        return None;
    }
    let (id, event_type) = (reader.text()?, reader.text()?);
    let tenant = if reader.is_empty() { None } else { Some(reader.text()?) };
    Some(EventText { id, event_type, tenant })
}

/// Reads the record of an attempt, and where the one before is.
pub fn read_attempt(record: &[u8]) -> Option<(Place, Attempt)> {
    let (&ATTEMPT, rest) = record.split_first()? else { return None };
    let (before, rest) = rest.split_first_chunk::<{ Place::BYTES }>()?;
    Some((Place::from_bytes(*before), read(&mut Reader(rest))?))
}

fn read(reader: &mut Reader<'_>) -> Option<Attempt> {
    let (number, started_ms) = (reader.small()?, reader.number()?.cast_signed());
    let mut duration = || -> Option<Option<u32>> {
        let us = reader.number()?;
        Some(us.checked_sub(1).and_then(|us| u32::try_from(us).ok()))
    };
    let (dns_us, connect_us, first_byte_us) = (duration()?, duration()?, duration()?);
    let durations = Durations { dns_us, connect_us, first_byte_us, total_us: reader.small()? };
    let mut attempt = Attempt { number, started_ms, durations, ..Attempt::default() };
    while !reader.is_empty() {
        let kind = reader.byte()?;
        match kind {
            FAILURE => attempt.failure = Some((reader.text()?, reader.text()?)),
            URL => attempt.url = Some(reader.text()?),
            REQUEST_HEADER => attempt.request_headers.push(header(reader)?),
            STATUS => attempt.response = Some(Response { status: reader.small()?, ..Response::default() }),
            RESPONSE_HEADER => attempt.response.as_mut()?.headers.push(header(reader)?),
            BODY | TRUNCATED_BODY => {
                let response = attempt.response.as_mut()?;
                response.body = reader.bytes()?.to_vec();
                response.body_truncated = kind == TRUNCATED_BODY;
            }
            HEADERS_LEFT_OUT => match reader.byte()? {
                REQUEST_HEADER => attempt.request_headers_left_out = true,
                RESPONSE_HEADER => attempt.response.as_mut()?.headers_left_out = true,
                _ => return None,
            },
            _ => return None,
        }
    }
    Some(attempt)
}

fn header(reader: &mut Reader<'_>) -> Option<Header> {
    Some(Header { name: reader.text()?, value: reader.text()? })
}
