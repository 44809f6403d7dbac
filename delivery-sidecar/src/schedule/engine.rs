//! All lanes together.

mod aging;

use posthaste_journal::{EndpointRecord, Ordinal, Outcome, OutcomeKind, Pending, Seq};
use rand::{SeedableRng, rngs::SmallRng};

use super::{
    breaker::Breaker,
    cache::EventCache,
    conclude::conclude,
    lane::{Lane, Readiness, Running},
    lateness::{Lateness, Started},
    memo::Memo,
    message::{Effect, Input, LaneView, Options, Settings, Start},
    overflow,
    places::Places,
    queue::OUTSIDE,
    rate::{Rate, Used},
    ready::{Ready, Ticket},
    standing::Standing,
    timers::Timers,
};
use crate::send::Verdict;

/// Behind so many others, an event is not kept at hand for a lane: its turn may come in hours, and what comes at once for
/// other lanes would have to make room for it.
const MOST_AT_HAND: usize = 4_096;

/// See [`crate::schedule`].
#[derive(Debug)]
pub struct Engine {
    /// By ordinal. Ordinals are dense and never reused.
    slots: Vec<Slot>,
    ready: Ready,
    timers: Timers,
    /// When lanes are to be looked through for deliveries that are too old.
    ages: Timers,
    cache: EventCache,
    random: SmallRng,
    /// What is in flight, and what may be.
    places: Places,
    lateness: Lateness,
    suspended: bool,
    draining: bool,
    /// Deliveries that are not finished, of all lanes that were not dropped.
    pending: u64,
}

#[derive(Debug, Default)]
enum Slot {
    #[default]
    Empty,
    Lane(Box<Scheduled>),
    /// The endpoint was deleted. Remembered, so that an event that was matched just before makes no new lane.
    Dropped,
}

/// A lane and where the engine has it.
#[derive(Debug)]
struct Scheduled {
    lane: Lane,
    /// Its ticket in `ready`, if it is there.
    ready: Option<Ticket>,
    /// Its entry in `timers`.
    timer: Option<i64>,
    /// Its entry in `ages`.
    age: Option<i64>,
    /// [`Effect::Changed`] was given and the view not taken since.
    changed: bool,
}

impl Engine {
    /// An engine without lanes, which delivers nothing before it is configured.
    pub fn new(options: Options) -> Self {
        Self {
            slots: Vec::new(),
            ready: Ready::default(),
            timers: Timers::default(),
            ages: Timers::default(),
            cache: EventCache::new(options.cache_bytes),
            random: SmallRng::seed_from_u64(options.seed),
            places: Places::new(1),
            lateness: Lateness::default(),
            suspended: false,
            draining: false,
            pending: 0,
        }
    }

    /// Takes over what a journal held when it was opened. `pending` must be in order of acceptance, and may come in parts.
    pub fn recover(&mut self, endpoints: &[EndpointRecord], pending: &[Pending]) {
        for endpoint in endpoints {
            if let Some(scheduled) = self.lane_or_parked(endpoint.ordinal) {
                let Memo { gone, exhausted, used, used_until_ms } = Memo::from_bytes(&endpoint.memo);
                scheduled.lane.gone = gone;
                scheduled.lane.exhausted = exhausted;
                scheduled.lane.rate = Rate::recovered(used, used_until_ms, endpoint.stats.last_attempt_ms);
                scheduled.lane.standing = Standing::recovered(&endpoint.stats);
                scheduled.lane.breaker = Breaker::recovered(endpoint.stats.consecutive_failures);
            }
        }
        for delivery in pending {
            if let Some(scheduled) = self.lane_or_parked(delivery.endpoint) {
                if delivery.redelivered {
                    scheduled.lane.push_again(delivery.seq, delivery.attempts, delivery.due_ms);
                } else if delivery.attempts == 0 {
                    scheduled.lane.push_fresh(delivery.seq, delivery.accepted_ms, delivery.group);
                } else {
                    scheduled.lane.push_tried(delivery);
                }
                self.pending += 1;
            }
        }
    }

    /// Takes an input and adds to `effects` what is to be done now.
    pub fn handle(&mut self, input: Input, now_ms: i64, effects: &mut Vec<Effect>) {
        self.notice_late(now_ms);
        match input {
            Input::Committed { seq, accepted_ms, deliveries, group, event } => {
                let (mut kept, mut uses) = (0, 0);
                for ordinal in deliveries {
                    if let Some(scheduled) = self.lane_or_parked(ordinal) {
                        kept += 1;
                        uses += usize::from(scheduled.lane.waiting() < MOST_AT_HAND);
                        scheduled.lane.push_fresh(seq, accepted_ms, group);
                        self.settle(ordinal, now_ms, effects);
                    }
                }
                self.pending += kept;
                if let Some(event) = event {
                    self.cache.insert(seq, event, uses);
                }
            }
            Input::Finished { ordinal, seq, ended_ms, verdict } => {
                self.finished(ordinal, seq, ended_ms, verdict, now_ms, effects);
            }
            Input::Redelivered { ordinal, events } => {
                if let Some(scheduled) = self.lane_or_parked(ordinal) {
                    for seq in &events {
                        scheduled.lane.push_again(*seq, 0, now_ms);
                    }
                    self.pending += events.len() as u64;
                    self.settle(ordinal, now_ms, effects);
                }
            }
            Input::Overflow { ordinal, oldest } => self.overflow(ordinal, &oldest, now_ms, effects),
            Input::Configure(settings) => self.configure(settings, now_ms, effects),
            Input::Drain => self.drain(now_ms, effects),
            Input::Tick => {}
        }
        if !self.draining {
            self.give_up_old(now_ms, effects);
        }
        self.expire_timers(now_ms);
        self.start(now_ms, effects);
        let slots = &self.slots;
        self.lateness.forget_ended(|started| is_in_flight(slots, started));
    }

    /// When [`Input::Tick`] is wanted, if nothing else happens before.
    pub fn wake_at_ms(&self) -> Option<i64> {
        let age_ms = self.ages.next_ms().filter(|_| self.pending > 0);
        // Who is late makes room only for those who wait for it.
        let late_ms = self.lateness.next_ms().filter(|_| !self.ready.is_empty());
        [self.timers.next_ms(), age_ms, late_ms].into_iter().flatten().min().filter(|_| !self.draining)
    }

    /// Attempts in flight.
    pub fn in_flight(&self) -> usize {
        self.places.taken()
    }

    /// Deliveries that are not finished, over all endpoints.
    pub fn pending(&self) -> u64 {
        self.pending
    }

    /// No delivery waits that could be attempted without anyone's doing: all are finished, or their endpoints are
    /// suspended, parked or stopped.
    pub fn is_drained(&self) -> bool {
        let waits = |slot: &Slot| {
            matches!(slot, Slot::Lane(scheduled)
                if scheduled.lane.in_flight() > 0
                    || scheduled.lane.pending() > 0 && scheduled.lane.may_deliver() && !self.suspended)
        };
        !self.slots.iter().any(waits)
    }

    /// What is known of an endpoint; `None` when it was deleted or never seen.
    pub fn view(&mut self, ordinal: Ordinal, now_ms: i64) -> Option<LaneView> {
        let suspended = self.suspended;
        let Slot::Lane(scheduled) = self.slots.get_mut(ordinal.0 as usize)? else { return None };
        scheduled.changed = false;
        let lane = &scheduled.lane;
        if lane.dropped {
            return None;
        }
        let next = lane.next_due_ms().filter(|due_ms| *due_ms > now_ms && lane.may_deliver() && !suspended);
        Some(LaneView {
            gone: lane.gone.is_some(),
            exhausted: lane.exhausted,
            circuit: lane.breaker.circuit(),
            configured: !lane.parked,
            pending: lane.pending() as u64,
            next_attempt_ms: next,
        })
    }

    fn finished(
        &mut self,
        ordinal: Ordinal,
        seq: Seq,
        ended_ms: i64,
        verdict: Verdict,
        now_ms: i64,
        effects: &mut Vec<Effect>,
    ) {
        let Some(Slot::Lane(scheduled)) = self.slots.get_mut(ordinal.0 as usize) else { return };
        let lane = &mut scheduled.lane;
        let Some(running) = lane.finish(seq) else { return };
        self.places.free(lane.standing.share());
        if lane.dropped {
            if lane.in_flight() == 0 {
                self.slots[ordinal.0 as usize] = Slot::Dropped;
            }
            return;
        }
        let before = lane.standing;
        let succeeded = matches!(verdict, Verdict::Succeeded { .. });
        lane.standing = Standing::after(succeeded, ended_ms - running.started_ms);
        self.places.go_over(lane.in_flight(), before.share(), lane.standing.share());
        let memory = lane.memory();
        let kind = conclude(lane, running, ended_ms, verdict, now_ms, &mut self.random);
        if !matches!(kind, OutcomeKind::Retry { .. }) {
            self.pending -= 1;
        }
        // While draining, what was kept of its rate limit has to be younger than its last attempt.
        let keeps_used = self.draining && lane.rate.used(now_ms) != Used::None;
        if lane.memory() != memory || keeps_used {
            effects.push(Effect::Remember { ordinal, memo: lane.memo(now_ms).to_bytes() });
        }
        effects.push(Effect::Record(Outcome {
            seq,
            endpoint: ordinal,
            at_ms: ended_ms,
            attempts: running.attempt,
            kind,
        }));
        self.settle(ordinal, now_ms, effects);
    }

    /// Gives up what waits among `oldest`. Nothing was sent, so it says nothing of the receiver.
    fn overflow(&mut self, ordinal: Ordinal, oldest: &[Seq], now_ms: i64, effects: &mut Vec<Effect>) {
        let Some(Slot::Lane(scheduled)) = self.slots.get_mut(ordinal.0 as usize) else { return };
        let taken = scheduled.lane.take(oldest);
        self.pending -= taken.len() as u64;
        for waiting in taken {
            if waiting.is_fresh() {
                drop(self.cache.take(waiting.seq));
            }
            effects.push(Effect::Record(overflow::outcome(ordinal, &waiting, now_ms)));
        }
        self.settle(ordinal, now_ms, effects);
    }

    fn configure(&mut self, settings: Settings, now_ms: i64, effects: &mut Vec<Effect>) {
        self.places.resize(settings.in_flight as usize);
        self.suspended = settings.suspend;
        for slot in &mut self.slots {
            if let Slot::Lane(scheduled) = slot {
                scheduled.lane.parked = true;
            }
        }
        for (ordinal, settings) in settings.lanes {
            let Some(scheduled) = self.lane_or_parked(ordinal) else { continue };
            let before = scheduled.lane.standing;
            if scheduled.lane.configure(settings) {
                let memo = scheduled.lane.memo(now_ms).to_bytes();
                effects.push(Effect::Remember { ordinal, memo });
            }
            let Some(Slot::Lane(scheduled)) = self.slots.get(ordinal.0 as usize) else { continue };
            let lane = &scheduled.lane;
            self.places.go_over(lane.in_flight(), before.share(), lane.standing.share());
        }
        for ordinal in settings.dropped {
            self.drop_lane(ordinal);
        }
        for index in 0..self.slots.len() {
            if let Ok(ordinal) = u32::try_from(index) {
                self.settle(Ordinal(ordinal), now_ms, effects);
            }
        }
    }

    /// Nothing starts any more, so what is used of rate limits is final: it is kept for the next process.
    fn drain(&mut self, now_ms: i64, effects: &mut Vec<Effect>) {
        self.draining = true;
        for (ordinal, slot) in (0..).map(Ordinal).zip(&self.slots) {
            if let Slot::Lane(scheduled) = slot
                && !scheduled.lane.dropped
                && scheduled.lane.rate.used(now_ms) != Used::None
            {
                effects.push(Effect::Remember { ordinal, memo: scheduled.lane.memo(now_ms).to_bytes() });
            }
        }
    }

    fn drop_lane(&mut self, ordinal: Ordinal) {
        let Some(slot) = self.slot(ordinal) else { return };
        let Slot::Lane(scheduled) = slot else {
            *slot = Slot::Dropped;
            return;
        };
        if scheduled.lane.dropped {
            return;
        }
        let (timer, age) = (scheduled.timer.take(), scheduled.age.take());
        let pending = scheduled.lane.pending() as u64;
        scheduled.lane.dropped = true;
        scheduled.lane.clear();
        if scheduled.lane.in_flight() == 0 {
            *slot = Slot::Dropped;
        }
        self.pending -= pending;
        self.timers.reset(ordinal, timer, None);
        self.ages.reset(ordinal, age, None);
    }

    /// Puts a lane where its state says that it belongs. To be called after every change to a lane.
    fn settle(&mut self, ordinal: Ordinal, now_ms: i64, effects: &mut Vec<Effect>) {
        let Some(Slot::Lane(scheduled)) = self.slots.get_mut(ordinal.0 as usize) else { return };
        if !scheduled.changed && !scheduled.lane.dropped {
            scheduled.changed = true;
            effects.push(Effect::Changed(ordinal));
        }
        self.place(ordinal, now_ms);
    }

    fn place(&mut self, ordinal: Ordinal, now_ms: i64) {
        let Some(Slot::Lane(scheduled)) = self.slots.get_mut(ordinal.0 as usize) else { return };
        let age = scheduled.lane.looks_for_old_at_ms();
        self.ages.reset(ordinal, std::mem::replace(&mut scheduled.age, age), age);
        let readiness = if self.suspended { Readiness::Blocked } else { scheduled.lane.readiness(now_ms) };
        if readiness == Readiness::Now {
            let share = scheduled.lane.standing.share();
            scheduled.ready = Some(match scheduled.ready {
                None => self.ready.push(ordinal, share),
                // It may have been put there when something else was known of it.
                Some(ticket) => self.ready.go_over(ticket, share),
            });
        }
        let timer = if let Readiness::At(at_ms) = readiness { Some(at_ms) } else { None };
        self.timers.reset(ordinal, std::mem::replace(&mut scheduled.timer, timer), timer);
    }

    fn expire_timers(&mut self, now_ms: i64) {
        while let Some(ordinal) = self.timers.due(now_ms) {
            self.place(ordinal, now_ms);
        }
    }

    /// Attempts that take long make their endpoints doubtful, before anything else is done at this time.
    fn notice_late(&mut self, now_ms: i64) {
        while let Some(late) = self.lateness.late(now_ms) {
            let Some(Slot::Lane(scheduled)) = self.slots.get_mut(late.ordinal.0 as usize) else { continue };
            let lane = &mut scheduled.lane;
            if lane.is_in_flight(late.seq, late.at_ms) {
                let before = lane.standing;
                lane.standing = before.while_waiting();
                self.places.go_over(lane.in_flight(), before.share(), lane.standing.share());
                self.place(late.ordinal, now_ms);
            }
        }
    }

    /// Starts what may start, lane by lane in turn.
    fn start(&mut self, now_ms: i64, effects: &mut Vec<Effect>) {
        while !self.draining {
            let Some(ordinal) = self.ready.pop(|share| self.places.has_room_for(share)) else { return };
            let Some(Slot::Lane(scheduled)) = self.slots.get_mut(ordinal.0 as usize) else { continue };
            let lane = &mut scheduled.lane;
            scheduled.ready = None;
            // What has happened since the lane was put there shows only now.
            if !self.suspended
                && lane.readiness(now_ms) == Readiness::Now
                && self.places.has_room_for(lane.standing.share())
                && let Some(Running { seq, attempt, group, .. }) = lane.start(now_ms)
            {
                self.places.take(lane.standing.share());
                let started = Started { at_ms: now_ms, ordinal, seq };
                let (slots, limit) = (&self.slots, self.places.limit());
                self.lateness.started(started, limit, |started| is_in_flight(slots, started));
                let event = if attempt == 1 && group != OUTSIDE { self.cache.take(seq) } else { None };
                effects.push(Effect::Start(Start { ordinal, seq, attempt, event }));
            }
            self.place(ordinal, now_ms);
        }
    }

    fn slot(&mut self, ordinal: Ordinal) -> Option<&mut Slot> {
        let index = ordinal.0 as usize;
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, Slot::default);
        }
        self.slots.get_mut(index)
    }

    /// The lane of an endpoint, made if it is not there; `None` when the endpoint was deleted.
    fn lane_or_parked(&mut self, ordinal: Ordinal) -> Option<&mut Scheduled> {
        let slot = self.slot(ordinal)?;
        if matches!(slot, Slot::Empty) {
            let scheduled = Scheduled { lane: Lane::parked(), ready: None, timer: None, age: None, changed: false };
            *slot = Slot::Lane(Box::new(scheduled));
        }
        match slot {
            Slot::Lane(scheduled) if !scheduled.lane.dropped => Some(scheduled),
            _ => None,
        }
    }
}

fn is_in_flight(slots: &[Slot], started: &Started) -> bool {
    let slot = slots.get(started.ordinal.0 as usize);
    matches!(slot, Some(Slot::Lane(scheduled)) if scheduled.lane.is_in_flight(started.seq, started.at_ms))
}
