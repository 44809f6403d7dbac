//! How `limits.inFlight` is shared out, so that endpoints of which it is not known that they answer, and soon, cannot take
//! the places of those that do. Counts what is taken, and says whether there is room for one more.
//!
//! Endpoints that answer may take every place. The others together leave a quarter to them: doubtful ones start an attempt
//! only while they have less than half of all places, untried ones while they have less than a quarter. An attempt that
//! takes long makes its endpoint doubtful while it is in flight, which may make the doubtful ones more than that half; then
//! none of them starts anything until they are fewer. So those that hang move over to the doubtful share, and the untried
//! one is free for the next.

/// Whose places an attempt takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Of endpoints that answer.
    Proven,
    /// Of endpoints that are new: nothing is known of them yet.
    Untried,
    /// Of endpoints that fail, or answer late.
    Doubtful,
}

/// See the module.
#[derive(Debug)]
pub struct Places {
    limit: usize,
    /// By [`Share`].
    taken: [usize; 3],
}

impl Share {
    /// All, in the order of their indices.
    pub const ALL: [Self; 3] = [Self::Proven, Self::Untried, Self::Doubtful];

    /// Its place in an array.
    pub fn index(self) -> usize {
        self as usize
    }
}

impl Places {
    /// So many places, at least one.
    pub fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), taken: [0; 3] }
    }

    /// Changes how many there are. What is taken stays taken.
    pub fn resize(&mut self, limit: usize) {
        self.limit = limit.max(1);
    }

    /// How many there are.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.taken.iter().sum()
    }

    /// Whether one more attempt may take a place.
    pub fn has_room_for(&self, share: Share) -> bool {
        let [_, untried, doubtful] = self.taken;
        let part = |quarters: usize| (self.limit * quarters / 4).max(1);
        let others_have_room = untried + doubtful < part(3);
        self.taken() < self.limit
            && match share {
                Share::Proven => true,
                Share::Untried => others_have_room && untried < part(1),
                Share::Doubtful => others_have_room && doubtful < part(2),
            }
    }

    /// An attempt takes a place.
    pub fn take(&mut self, share: Share) {
        self.taken[share.index()] += 1;
    }

    /// An attempt has ended.
    pub fn free(&mut self, share: Share) {
        self.taken[share.index()] -= 1;
    }

    /// So many attempts go over to another share.
    pub fn go_over(&mut self, attempts: usize, from: Share, to: Share) {
        self.taken[from.index()] -= attempts;
        self.taken[to.index()] += attempts;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes what it can, and says how many that were.
    fn fill(places: &mut Places, share: Share) -> usize {
        let mut taken = 0;
        while places.has_room_for(share) {
            places.take(share);
            taken += 1;
        }
        taken
    }

    #[test]
    fn who_answers_may_take_all_and_the_others_leave_a_quarter() {
        let mut places = Places::new(100);
        assert_eq!([Share::Doubtful, Share::Untried].map(|share| fill(&mut places, share)), [50, 25]);
        assert_eq!(fill(&mut places, Share::Proven), 25);
        assert_eq!(fill(&mut Places::new(100), Share::Proven), 100);
    }

    #[test]
    fn those_that_go_over_free_their_share_until_a_quarter_is_left() {
        let mut places = Places::new(100);
        let mut all = 0;
        loop {
            let started = fill(&mut places, Share::Untried);
            if started == 0 {
                break;
            }
            all += started;
            places.go_over(started, Share::Untried, Share::Doubtful);
        }
        assert_eq!((all, places.has_room_for(Share::Doubtful)), (75, false));
        places.free(Share::Doubtful);
        assert!(places.has_room_for(Share::Untried) && !places.has_room_for(Share::Doubtful));
    }

    #[test]
    fn each_share_has_room_for_one_however_few_there_are() {
        for limit in 0..4 {
            assert!(Share::ALL.iter().all(|share| Places::new(limit).has_room_for(*share)), "{limit}");
        }
        let mut places = Places::new(2);
        assert_eq!([Share::Untried, Share::Doubtful].map(|share| fill(&mut places, share)), [1, 0]);
        assert_eq!(fill(&mut places, Share::Proven), 1);
    }
}
