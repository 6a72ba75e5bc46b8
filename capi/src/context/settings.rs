//! The options of a context.

use std::ffi::c_int;

use crate::errno::{EINVAL, Result, fail};

/// The most sockets that a context may be allowed.
const MOST_SOCKETS: c_int = 65_535;

/// The most bytes of a thread's name in front of what it does.
const LONGEST_PREFIX: usize = 16;

const IO_THREADS: c_int = 1;
const MAX_SOCKETS: c_int = 2;
/// Read: `SOCKET_LIMIT`. Set: `THREAD_PRIORITY`.
const SOCKET_LIMIT: c_int = 3;
const THREAD_SCHED_POLICY: c_int = 4;
const MAX_MSGSZ: c_int = 5;
const MSG_T_SIZE: c_int = 6;
const THREAD_AFFINITY_CPU_ADD: c_int = 7;
const THREAD_AFFINITY_CPU_REMOVE: c_int = 8;
pub(super) const THREAD_NAME_PREFIX: c_int = 9;
const ZERO_COPY_RECV: c_int = 10;
const IPV6: c_int = 42;
const BLOCKY: c_int = 70;

/// What a context is set to.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(super) io_threads: c_int,
    max_sockets: c_int,
    pub(super) priority: c_int,
    pub(super) policy: c_int,
    max_message: c_int,
    pub(super) processors: Vec<c_int>,
    pub(super) prefix: String,
    zero_copy: bool,
    pub(crate) ipv6: bool,
    pub(crate) is_blocky: bool,
    /// What `max_sockets` was at the first socket.
    fixed: Option<c_int>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            io_threads: 1,
            max_sockets: 1023,
            priority: -1,
            policy: -1,
            max_message: c_int::MAX,
            processors: Vec::new(),
            prefix: String::new(),
            zero_copy: true,
            ipv6: false,
            is_blocky: true,
            fixed: None,
        }
    }
}

impl Settings {
    /// Fixes what holds from the first socket on.
    pub(super) fn begin(&mut self) {
        self.fixed.get_or_insert(self.max_sockets);
    }

    /// Returns how many sockets there may be.
    pub(super) fn limit(&self) -> usize {
        usize::try_from(self.fixed.unwrap_or(self.max_sockets)).unwrap_or(0)
    }

    pub(super) fn set(&mut self, option: c_int, value: c_int) -> Result<()> {
        let is_count = value >= 0;
        match option {
            IO_THREADS if is_count => self.io_threads = value,
            MAX_SOCKETS if value >= 1 => self.max_sockets = value.min(MOST_SOCKETS),
            SOCKET_LIMIT if is_count => self.priority = value,
            THREAD_SCHED_POLICY if is_count => self.policy = value,
            MAX_MSGSZ if is_count => self.max_message = value,
            THREAD_AFFINITY_CPU_ADD if is_count => {
                if !self.processors.contains(&value) {
                    self.processors.push(value);
                }
            }
            THREAD_AFFINITY_CPU_REMOVE if is_count => {
                let Some(at) = self.processors.iter().position(|one| *one == value) else {
                    return fail(EINVAL);
                };
                self.processors.swap_remove(at);
            }
            THREAD_NAME_PREFIX if is_count => self.prefix = value.to_string(),
            ZERO_COPY_RECV if is_count => self.zero_copy = value != 0,
            IPV6 if is_count => self.ipv6 = value != 0,
            BLOCKY if is_count => self.is_blocky = value != 0,
            _ => return fail(EINVAL),
        }
        Ok(())
    }

    /// Sets what bytes stand for: an `int`, or a name.
    pub(super) fn set_bytes(&mut self, option: c_int, value: &[u8]) -> Result<()> {
        if let Ok(four) = value.try_into()
            && self.set(option, c_int::from_ne_bytes(four)).is_ok()
        {
            return Ok(());
        }
        let name = value.strip_suffix(&[0]).unwrap_or(value);
        match std::str::from_utf8(name) {
            Ok(name)
                if option == THREAD_NAME_PREFIX && (1..=LONGEST_PREFIX).contains(&value.len()) =>
            {
                self.prefix = name.to_owned();
                Ok(())
            }
            _ => fail(EINVAL),
        }
    }

    pub(super) fn get(&self, option: c_int) -> Result<c_int> {
        Ok(match option {
            IO_THREADS => self.io_threads,
            MAX_SOCKETS => self.max_sockets,
            SOCKET_LIMIT => MOST_SOCKETS,
            THREAD_SCHED_POLICY => self.policy,
            MAX_MSGSZ => self.max_message,
            MSG_T_SIZE => crate::message::SIZE as c_int,
            THREAD_NAME_PREFIX => self.prefix.parse().unwrap_or(0),
            ZERO_COPY_RECV => self.zero_copy.into(),
            IPV6 => self.ipv6.into(),
            BLOCKY => self.is_blocky.into(),
            _ => return fail(EINVAL),
        })
    }

    /// Reads what bytes stand for. The name is written with a zero at its end.
    pub(super) fn get_bytes(&self, option: c_int) -> Result<Vec<u8>> {
        if option == THREAD_NAME_PREFIX {
            return Ok([self.prefix.as_bytes(), &[0]].concat());
        }
        self.get(option).map(|value| value.to_ne_bytes().into())
    }
}
