//! Any sequence of entries leaves what a simple model says, also after it was closed and opened again.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};

use super::{Setup, event};
use crate::{Entry, Filter, Key, Status};

#[derive(Clone, Debug)]
enum Step {
    Accept(u8),
    End(u16, u32, Status),
    Again(u16, u32),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let status = prop_oneof![Just(Status::Retrying), Just(Status::Succeeded), Just(Status::DeadLettered)];
    let step = prop_oneof![
        6 => (0_u8..16).prop_map(Step::Accept),
        6 => (any::<u16>(), 0_u32..4, status).prop_map(|(seq, endpoint, status)| Step::End(seq, endpoint, status)),
        2 => (any::<u16>(), 0_u32..4).prop_map(|(seq, endpoint)| Step::Again(seq, endpoint)),
        1 => Just(Step::Reopen),
    ];
    vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn it_has_what_happened(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut setup = Setup::start(directory.path());
        let mut model: BTreeMap<Key, (Status, u16)> = BTreeMap::new();
        let mut last = 0;
        for step in steps {
            match step {
                Step::Accept(bits) => {
                    last += 1;
                    let endpoints: Vec<u32> = (0..4).filter(|bit| bits & (1 << bit) != 0).collect();
                    setup.accepted(last, &endpoints);
                    setup.journal.knows(last, event(last));
                    model.extend(endpoints.into_iter().map(|endpoint| (Key { seq: last, endpoint }, (Status::Pending, 0))));
                }
                Step::End(seq, endpoint, status) if last > 0 => {
                    let key = Key { seq: 1 + u64::from(seq) % last, endpoint };
                    let known = model.entry(key).or_insert((Status::Pending, 0));
                    *known = (status, known.1 + 1);
                    setup.ended(key.seq, endpoint, known.1.into(), status, 200);
                }
                Step::Again(seq, endpoint) if last > 0 => {
                    let key = Key { seq: 1 + u64::from(seq) % last, endpoint };
                    model.entry(key).or_insert((Status::Pending, 0)).0 = Status::Pending;
                    setup.history.record(Entry::Again { key, at_ms: 1 });
                }
                Step::End(..) | Step::Again(..) => {}
                Step::Reopen => {
                    setup.history.close();
                    setup = Setup::with(directory.path(), 64 << 20, setup.journal);
                }
            }
        }
        let found = runtime.block_on(setup.list(Filter::default()));
        let mut as_model = BTreeMap::new();
        for delivery in &found {
            prop_assert_eq!(&delivery.event, &event(delivery.key.seq));
            let attempts = setup.history.attempts(delivery, usize::MAX).unwrap();
            prop_assert_eq!(attempts.len(), usize::from(delivery.attempts));
            let looked_up = setup.history.look_up(delivery.key, &super::live()).unwrap();
            prop_assert_eq!(looked_up.as_ref(), Some(delivery));
            as_model.insert(delivery.key, (delivery.status, delivery.attempts));
        }
        prop_assert_eq!(found.len(), as_model.len());
        prop_assert_eq!(as_model, model);
        setup.history.close();
    }
}
