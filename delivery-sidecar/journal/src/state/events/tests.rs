use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::delivery::Standing;

fn event(deliveries: Deliveries<'_>) -> Event<'_> {
    Event { accepted_ms: 0, segment: 0, offset: 0, length: 1, group: 0, deliveries }
}

#[test]
fn what_is_put_in_is_given_back_to_the_last_bit() {
    let mut events = Events::default();
    let times = [0, -1, 1, 1_800_000_000_123, (1 << 47) - 1, -(1 << 47) + 1];
    for (seq, accepted_ms) in (1..).zip(times) {
        let segment = 70_000 + u32::from(seq != 3) * 65_535;
        let one = Deliveries::One(Ordinal(7));
        let (offset, length, group) = (u32::MAX - 1, 0x1_0002, u16::MAX);
        events.insert(seq, &Event { accepted_ms, segment, offset, length, group, deliveries: one });
    }
    for (seq, accepted_ms) in (1..).zip(times) {
        let event = events.get(seq).unwrap();
        assert_eq!(
            (event.accepted_ms, event.offset, event.length, event.group),
            (accepted_ms, u32::MAX - 1, 0x1_0002, u16::MAX)
        );
        assert_eq!(event.segment, 70_000 + u32::from(seq != 3) * 65_535);
    }
    events.moved(3, 135_536, 5, 6);
    let event = events.get(3).unwrap();
    assert_eq!((event.segment, event.offset, event.length), (135_536, 5, 6));
}

#[test]
fn every_ordinal_and_every_time_that_can_be_kept_is() {
    for ordinal in [0, 1, SETS - 1, SETS, u32::MAX] {
        let mut events = Events::default();
        events.insert(1, &event(Deliveries::One(Ordinal(ordinal))));
        let found: Vec<_> = events.get(1).unwrap().deliveries.iter().collect();
        assert_eq!(found, [Delivery::fresh(Ordinal(ordinal))]);
    }
}

#[test]
fn only_what_does_not_wait_for_its_first_attempt_takes_more() {
    let mut events = Events::default();
    let endpoints = [1, 2, 3].map(Ordinal);
    events.insert(1, &event(Deliveries::Fresh(&endpoints)));
    assert!(events.standing.is_empty());
    events.take(1, Ordinal(1));
    events.take(1, Ordinal(3));
    assert!(events.standing.is_empty(), "one is left that was not tried");
    events.put(1, Delivery::new(Ordinal(2), 1, Standing::Pending { due_ms: 5 }));
    assert_eq!(events.standing.len(), 1);
    events.remove(1);
    assert!(events.is_empty() && events.standing.is_empty());
}

fn delivery() -> impl Strategy<Value = Delivery> {
    (0_u32..6, 0_u8..4).prop_map(|(ordinal, kind)| match kind {
        0 | 1 => Delivery::fresh(Ordinal(ordinal)),
        2 => Delivery::new(Ordinal(ordinal), 3, Standing::Pending { due_ms: 9 }),
        _ => Delivery::new(Ordinal(ordinal), 3, Standing::Dead { at_ms: 9 }),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn they_are_lists_of_deliveries(
        operations in prop::collection::vec((0_u64..8, 0_u8..5, prop::collection::vec(delivery(), 1..5)), 0..200),
    ) {
        let mut events = Events::default();
        let mut model: BTreeMap<Seq, BTreeMap<Ordinal, Delivery>> = BTreeMap::new();
        for (seq, kind, some) in operations {
            let first = some[0];
            match kind {
                0 | 1 => {
                    let list: BTreeMap<_, _> = some.into_iter().map(|delivery| (delivery.endpoint(), delivery)).collect();
                    let standings = Standings::new(list.values().copied().collect()).unwrap();
                    events.insert(seq, &event(Deliveries::Standing(&standings)));
                    model.insert(seq, list);
                }
                2 => {
                    events.put(seq, first);
                    if let Some(list) = model.get_mut(&seq) {
                        list.insert(first.endpoint(), first);
                    }
                }
                3 => {
                    if let Some(list) = model.get_mut(&seq).filter(|list| list.len() > 1) {
                        events.take(seq, first.endpoint());
                        list.remove(&first.endpoint());
                    }
                }
                _ => {
                    events.remove(seq);
                    model.remove(&seq);
                }
            }
            prop_assert_eq!(events.len(), model.len());
            for (seq, list) in &model {
                let event = events.get(*seq).unwrap();
                prop_assert!(event.deliveries.iter().eq(list.values().copied()));
                prop_assert_eq!(event.deliveries.len(), list.len());
                prop_assert_eq!(event.is_only_dead(), list.values().all(|delivery| delivery.is_dead()));
                prop_assert!((0..6).map(Ordinal).all(|of| event.deliveries.get(of) == list.get(&of).copied()));
            }
        }
        for seq in 0..8 {
            events.remove(seq);
        }
        prop_assert!(events.is_empty() && events.standing.is_empty());
        prop_assert!((0..100).all(|set| events.sets.get(set).is_empty()), "no list is kept for nobody");
    }
}
