//! Whose a name is, with the option `tied_names`: the user's or key's that had it first.

use std::collections::HashMap;

use crate::routing_id::{Identity, RoutingId};

/// Ties that are kept. Beyond that, those end that were used longest ago.
const MOST: usize = 100_000;

/// The ties of a socket's names.
#[derive(Default)]
pub(crate) struct NameTies {
    ties: HashMap<RoutingId, Tie>,
    uses: u64,
}

struct Tie {
    owner: Identity,
    used: u64,
}

impl NameTies {
    /// Ties a name to its owner, if it is not another's: then `false`. The tie of a name that `is_held` does not end.
    pub(crate) fn tie(
        &mut self,
        name: &RoutingId,
        owner: Identity,
        is_held: impl Fn(&RoutingId) -> bool,
    ) -> bool {
        self.uses += 1;
        let used = self.uses;
        if let Some(tie) = self.ties.get_mut(name) {
            let is_its = tie.owner == owner;
            if is_its {
                tie.used = used;
            }
            return is_its;
        }
        if self.ties.len() >= MOST {
            self.end_oldest(is_held);
        }
        self.ties.insert(name.name_only(), Tie { owner, used });
        true
    }

    /// Ends the older half of the ties, so that it takes long until it has to be done again.
    #[cold]
    fn end_oldest(&mut self, is_held: impl Fn(&RoutingId) -> bool) {
        let mut used: Vec<u64> = self.ties.values().map(|tie| tie.used).collect();
        let middle = used.len() / 2;
        let newest_to_end = *used.select_nth_unstable(middle).1;
        self.ties
            .retain(|name, tie| tie.used > newest_to_end || is_held(name));
    }
}

#[cfg(all(test, not(purezmq_loom)))]
mod tests {
    use super::*;

    fn name(number: usize) -> RoutingId {
        RoutingId::from(number.to_string())
    }

    fn owner(number: usize) -> Identity {
        Identity::of(&[&number.to_le_bytes()])
    }

    #[test]
    fn a_name_is_its_first_owners() {
        let mut ties = NameTies::default();
        let nobody = |_: &RoutingId| false;
        assert!(ties.tie(&name(1), owner(1), nobody));
        assert!(!ties.tie(&name(1), owner(2), nobody));
        assert!(ties.tie(&name(1), owner(1), nobody));
        assert!(ties.tie(&name(2), owner(2), nobody));
    }

    #[test]
    fn ties_are_limited_and_those_of_peers_that_are_there_stay() {
        let mut ties = NameTies::default();
        let first_is_there = |one: &RoutingId| *one == name(0);
        for number in 0..MOST + 10 {
            assert!(ties.tie(&name(number), owner(number), first_is_there));
        }
        assert!(ties.ties.len() <= MOST);
        assert!(!ties.tie(&name(0), owner(1), first_is_there));
        assert!(ties.tie(&name(1), owner(0), first_is_there), "long ago");
        assert!(!ties.tie(&name(MOST), owner(0), first_is_there));
    }
}
