//! What C has set of options, by their numbers.

use std::ffi::c_int;

/// What has been set of an option.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Number(i64),
    Unsigned(u64),
    Bytes(Vec<u8>),
}

/// What has been set, by number. It is little: a tree's first node alone has the memory of a dozen.
#[derive(Clone, Debug, Default)]
pub(super) struct Values(Vec<(c_int, Value)>);

impl Values {
    pub(super) fn get(&self, option: &c_int) -> Option<&Value> {
        let mut all = self.0.iter();
        all.find(|(number, _)| number == option)
            .map(|(_, value)| value)
    }

    pub(super) fn contains_key(&self, option: &c_int) -> bool {
        self.get(option).is_some()
    }

    pub(super) fn insert(&mut self, option: c_int, value: Value) {
        self.remove(&option);
        self.0.reserve_exact(1);
        self.0.push((option, value));
    }

    pub(super) fn remove(&mut self, option: &c_int) -> Option<Value> {
        let at = self.0.iter().position(|(number, _)| number == option)?;
        Some(self.0.swap_remove(at).1)
    }
}
