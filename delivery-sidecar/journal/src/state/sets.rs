//! Lists of endpoints that many events share: most events of a stream are for the same ones.

use std::collections::HashMap;
use std::sync::Arc;

use crate::Ordinal;

/// Each list once, with a number, for as long as there is an event that has it.
#[derive(Debug, Default)]
pub(super) struct Sets {
    numbers: HashMap<Arc<[Ordinal]>, u32>,
    by_number: Vec<Option<Set>>,
    /// Numbers that are not in use.
    free: Vec<u32>,
}

#[derive(Debug)]
struct Set {
    endpoints: Arc<[Ordinal]>,
    events: u64,
}

impl Sets {
    /// The number of a list, for one more event.
    pub(super) fn hold(&mut self, endpoints: &[Ordinal]) -> u32 {
        if let Some(number) = self.numbers.get(endpoints).copied()
            && let Some(set) = self.set(number)
        {
            set.events += 1;
            return number;
        }
        let endpoints: Arc<[Ordinal]> = endpoints.into();
        let number = self.free.pop().unwrap_or_else(|| {
            self.by_number.push(None);
            u32::try_from(self.by_number.len() - 1).expect("memory ends before")
        });
        self.numbers.insert(Arc::clone(&endpoints), number);
        self.by_number[number as usize] = Some(Set { endpoints, events: 1 });
        number
    }

    pub(super) fn get(&self, number: u32) -> &[Ordinal] {
        self.by_number.get(number as usize).and_then(Option::as_ref).map_or(&[], |set| &set.endpoints)
    }

    /// One event less has the list.
    pub(super) fn release(&mut self, number: u32) {
        let Some(set) = self.set(number) else { return };
        set.events -= 1;
        if set.events == 0 {
            let endpoints = Arc::clone(&set.endpoints);
            self.numbers.remove(&endpoints);
            self.by_number[number as usize] = None;
            self.free.push(number);
        }
    }

    fn set(&mut self, number: u32) -> Option<&mut Set> {
        self.by_number.get_mut(number as usize)?.as_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_kept_once_and_as_long_as_an_event_has_it() {
        let list = |ordinals: &[u32]| ordinals.iter().copied().map(Ordinal).collect::<Vec<_>>();
        let (one, other) = (list(&[1, 2]), list(&[1, 3]));
        let mut sets = Sets::default();
        let numbers = [&one, &other, &one].map(|list| sets.hold(list));
        assert_eq!(numbers, [0, 1, 0]);
        assert_eq!((sets.get(0), sets.get(1)), (&one[..], &other[..]));
        sets.release(0);
        assert_eq!(sets.get(0), one);
        sets.release(0);
        assert!(sets.get(0).is_empty() && sets.numbers.len() == 1);
        assert_eq!(sets.hold(&list(&[7, 8])), 0, "a number that is free is used again");
    }
}
