//! How single deliveries stand.

use super::support::{NOW, dead, event, failure, journal, options, outcome, succeeded};
use crate::testing::FakeDisk;
use crate::{Journal, Ordinal, OutcomeKind, Seq, Standing};

async fn with_events(count: u64) -> (Journal, Ordinal, Ordinal) {
    let journal = journal(&FakeDisk::new(1), options());
    let (a, b) = (journal.ordinal("a").await.unwrap(), journal.ordinal("b").await.unwrap());
    for _ in 0..count {
        journal.accept(vec![event(20, &[a, b])]).await.unwrap();
    }
    (journal, a, b)
}

#[tokio::test]
async fn a_delivery_stands_as_its_last_outcome_says_until_it_is_finished() {
    let (journal, a, b) = with_events(1).await;
    assert_eq!(journal.standing(1, a), Some(Standing::Pending { attempts: 0, due_ms: 0 }));
    let retry = OutcomeKind::Retry { due_ms: NOW + 9, failure: failure("later") };
    journal.record(outcome(1, a, 1, retry)).await;
    journal.record(dead(1, b)).await;
    journal.flush().await.unwrap();
    assert_eq!(journal.standing(1, a), Some(Standing::Pending { attempts: 1, due_ms: NOW + 9 }));
    assert_eq!(journal.standing(1, b), Some(Standing::Dead { attempts: 1, at_ms: NOW + 1 }));
    journal.record(succeeded(1, a)).await;
    journal.flush().await.unwrap();
    assert_eq!(journal.standing(1, a), None);
    assert_eq!(journal.standing(2, a), None);
}

#[tokio::test]
async fn unfinished_deliveries_are_gone_through_in_steps_and_none_is_left_out() {
    let (journal, a, _) = with_events(20).await;
    // Every third is dead, and every fifth delivered.
    for seq in 1..=20 {
        match (seq % 3, seq % 5) {
            (0, _) => journal.record(dead(seq, a)).await,
            (_, 0) => journal.record(succeeded(seq, a)).await,
            _ => {}
        }
    }
    journal.flush().await.unwrap();
    let wanted: Vec<Seq> = (1..=20).filter(|seq| seq % 3 == 0 || seq % 5 != 0).collect();
    for limit in 1..25 {
        let (mut found, mut from) = (Vec::new(), 0);
        loop {
            let step = journal.unfinished(a, from, limit);
            let Some(last) = step.last() else { break };
            assert!(step.len() <= 2 * limit);
            from = last.seq + 1;
            for delivery in step {
                assert_eq!(Some(delivery.standing), journal.standing(delivery.seq, a));
                found.push(delivery.seq);
            }
        }
        assert_eq!(found, wanted, "{limit}");
    }
    assert!(journal.unfinished(Ordinal(9), 0, 5).is_empty());
}
