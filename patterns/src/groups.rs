//! Tables of which much comes and goes: their memory, and those whose keys have mostly one value.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, Hash};

use rustc_hash::FxHashMap;

/// Gives the memory back of a table that was made for many more than are in it.
pub(crate) fn give_back<K: Eq + Hash, V, S: BuildHasher>(table: &mut HashMap<K, V, S>) {
    /// Smaller ones stay.
    const FEW: usize = 64;
    if table.capacity() > FEW && table.len() < table.capacity() / 8 {
        table.shrink_to(2 * table.len());
    }
}

/// Values by a key that mostly one of them has: finding, adding or removing it is one step of a hash table.
pub(crate) struct Groups<K, V>(FxHashMap<K, Group<V>>);

/// What is found by one key.
enum Group<V> {
    One(V),
    /// In a box: there are few.
    #[allow(clippy::box_collection)] // It would make the others larger.
    Several(Box<BTreeSet<V>>),
}

impl<K, V> Default for Groups<K, V> {
    fn default() -> Self {
        Groups(FxHashMap::default())
    }
}

impl<V: Copy + Ord> Group<V> {
    /// Iterates over the values, least first.
    fn values(&self) -> impl Iterator<Item = V> {
        let (one, several) = match self {
            Group::One(one) => (Some(*one), None),
            Group::Several(several) => (None, Some(several.iter())),
        };
        one.into_iter()
            .chain(several.into_iter().flatten().copied())
    }
}

impl<K: Copy + Eq + Hash, V: Copy + Ord> Groups<K, V> {
    /// Adds a value, if it is not there.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        let group = self.0.entry(key).or_insert(Group::One(value));
        match group {
            Group::One(one) if *one == value => {}
            Group::One(one) => *group = Group::Several(Box::new([*one, value].into())),
            Group::Several(several) => {
                several.insert(value);
            }
        }
    }

    /// Removes a value, if it is there.
    pub(crate) fn remove(&mut self, key: K, value: V) {
        let is_empty = match self.0.get_mut(&key) {
            None => false,
            Some(Group::One(one)) => *one == value,
            Some(Group::Several(several)) => several.remove(&value) && several.is_empty(),
        };
        if is_empty {
            self.0.remove(&key);
            give_back(&mut self.0);
        }
    }

    /// Iterates over the values of a key, least first.
    pub(crate) fn of(&self, key: K) -> impl Iterator<Item = V> {
        self.0.get(&key).into_iter().flat_map(Group::values)
    }

    /// Takes the values of a key, least first.
    pub(crate) fn take(&mut self, key: K) -> impl Iterator<Item = V> + use<K, V> {
        let group = self.0.remove(&key);
        give_back(&mut self.0);
        let (one, several) = match group {
            None => (None, None),
            Some(Group::One(one)) => (Some(one), None),
            Some(Group::Several(several)) => (None, Some(several.into_iter())),
        };
        one.into_iter().chain(several.into_iter().flatten())
    }

    /// Removes all of them.
    pub(crate) fn clear(&mut self) {
        self.0 = FxHashMap::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_values_that_it_was_given_and_that_were_not_removed() {
        let mut groups = Groups::default();
        let of = |groups: &Groups<u64, u32>, key| groups.of(key).collect::<Vec<_>>();
        assert_eq!(of(&groups, 1), [0; 0]);
        groups.remove(1, 3);
        groups.insert(1, 3);
        groups.insert(1, 3);
        groups.insert(2, 3);
        assert_eq!(of(&groups, 1), [3]);
        groups.insert(1, 1);
        groups.insert(1, 2);
        assert_eq!(of(&groups, 1), [1, 2, 3], "least first");
        groups.remove(1, 2);
        groups.remove(1, 4);
        groups.remove(2, 4);
        assert_eq!(of(&groups, 1), [1, 3]);
        groups.remove(1, 1);
        groups.remove(1, 3);
        assert_eq!(of(&groups, 1), [0; 0]);
        assert_eq!(groups.0.len(), 1, "a key without values is not kept");
        groups.insert(2, 5);
        assert_eq!(groups.take(2).collect::<Vec<_>>(), [3, 5]);
        assert_eq!(groups.take(2).next(), None);
        assert!(groups.0.is_empty());
    }

    #[test]
    fn what_many_had_is_given_back() {
        let mut groups = Groups::default();
        for number in 0..1000 {
            groups.insert(number, number);
        }
        for number in 0..1000 {
            groups.remove(number, number);
        }
        assert!(groups.0.capacity() < 100);
    }
}
