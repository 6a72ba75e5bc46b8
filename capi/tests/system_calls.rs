//! System calls, counted by a debugger's means: a receive of what is there makes none, a send writes an idle connection
//! itself, one behind what is stuck only fills the pipe, and one call wakes whoever waits for any number of messages. Only
//! calls of the thread that sends and receives are counted.
#![cfg(target_os = "linux")]
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "a test is on the side of C"
)]

mod common;

use std::collections::BTreeMap;
use std::ffi::{c_int, c_long, c_void};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ptr::null_mut;
use std::time::Duration;

use common::*;

/// What the child does while its calls are counted.
const STEPS: [&str; 7] = [
    "sent to a neighbour",
    "received from a neighbour",
    "received from a batch",
    "found empty",
    "sent over an idle connection",
    "sent behind what is stuck",
    "sent to who waits for ZMQ_FD",
];
const TO_NEIGHBOUR: usize = 0;
const FROM_NEIGHBOUR: usize = 1;
const FROM_BATCH: usize = 2;
const EMPTY: usize = 3;
const IDLE: usize = 4;
const STUCK: usize = 5;
const WAITED_FOR: usize = 6;

const MANY: usize = 50;

/// The calls of each time that a step was taken.
type Calls = BTreeMap<usize, Vec<Vec<u64>>>;

/// How the child ends if it may not be traced.
const NOT_TRACED: c_int = 77;

/// Asks for a process group that there is not: so the child says where a step begins, and where it ends.
const MARK: c_long = libc::SYS_getpgid;
const BEGINS: u64 = 0x7000_0000;
const ENDS: u64 = 0x7100_0000;

#[test]
fn a_receive_of_what_is_there_makes_no_system_call_and_a_send_writes_an_idle_connection() {
    let child = unsafe { libc::fork() };
    if child == 0 {
        run_child();
    }
    let Some(calls) = traced(child) else {
        eprintln!(
            "SKIPPED: this system lets no process trace its child, so no system call was counted"
        );
        return;
    };
    for (step, name) in STEPS.iter().enumerate() {
        println!("{name}: {:?}", calls[&step]);
    }
    let once = |step: usize| calls[&step].last().unwrap().as_slice();
    assert!(
        once(STUCK).is_empty(),
        "{}: {:?}",
        STEPS[STUCK],
        calls[&STUCK]
    );
    // Not every time: another thread may hold a lock when it is interrupted, and a batch may not all be there.
    for step in [TO_NEIGHBOUR, FROM_NEIGHBOUR, FROM_BATCH] {
        let free = calls[&step].iter().filter(|calls| calls.is_empty()).count();
        assert!(2 * free > MANY, "{}: {:?}", STEPS[step], calls[&step]);
    }
    // It may look at the connection itself, and does not wait.
    let waits = [libc::SYS_ppoll, libc::SYS_futex, libc::SYS_epoll_pwait];
    let empty = once(EMPTY);
    assert!(
        empty.len() <= 1 && !has(empty, &waits),
        "{}: {empty:?}",
        STEPS[EMPTY]
    );
    let writes = [
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_sendto,
        libc::SYS_sendmsg,
    ];
    // Who finds the connection idle writes, and before that may ask whether the peer has ended. That is allowed once after
    // each run of the connection's task, so that messages which follow each other closely become a batch: what comes next
    // wakes it by one call (an eventfd's), or none if it runs. Nobody waits.
    let wrote = |calls: &Vec<u64>| has(calls, &writes[1..]);
    for calls in &calls[&IDLE] {
        let one = calls.iter().filter(|call| has(&[**call], &writes)).count();
        assert!(
            one <= 1 && calls.len() <= 2 && !has(calls, &waits),
            "{}: {calls:?}",
            STEPS[IDLE]
        );
    }
    // Every other one, unless the task has told the peer and was about to leave when the next message came: where others want
    // the processor, that is most of them.
    let by_sender = calls[&IDLE].iter().filter(|calls| wrote(calls)).count();
    assert!(by_sender >= MANY / 5, "{}: {:?}", STEPS[IDLE], calls[&IDLE]);
    // But for a lock that somebody else has waited for meanwhile.
    let mut told = once(WAITED_FOR).to_vec();
    told.retain(|call| *call != libc::SYS_futex as u64);
    assert_eq!(told, [libc::SYS_write as u64], "{}", STEPS[WAITED_FOR]);
}

fn has(calls: &[u64], which: &[c_long]) -> bool {
    calls.iter().any(|call| which.contains(&(*call as c_long)))
}

/// Lets a child run to its end, and returns which calls its first thread has made in each step, memory's left out.
/// `None`: it may not be traced.
fn traced(child: libc::pid_t) -> Option<Calls> {
    let mut calls = Calls::new();
    let mut step = None;
    let mut is_set_up = false;
    loop {
        let mut status = 0;
        let waited = unsafe { libc::waitpid(child, &raw mut status, libc::__WALL) };
        assert_eq!(waited, child);
        if libc::WIFEXITED(status) {
            let code = libc::WEXITSTATUS(status);
            assert!(
                matches!(code, 0 | NOT_TRACED),
                "the child ended with {code}"
            );
            return (code == 0).then_some(calls);
        }
        assert!(libc::WIFSTOPPED(status), "the child ended by {status:#x}");
        let mut signal = libc::WSTOPSIG(status);
        if signal == libc::SIGSTOP && !is_set_up {
            is_set_up = true;
            let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL;
            let set = unsafe {
                libc::ptrace(
                    libc::PTRACE_SETOPTIONS,
                    child,
                    null_mut::<c_void>(),
                    options,
                )
            };
            assert_eq!(set, 0);
            signal = 0;
        } else if signal == libc::SIGTRAP | 0x80 {
            signal = 0;
            if let Some((call, argument)) = entered(child) {
                match argument & 0xff00_0000 {
                    BEGINS if call == MARK as u64 => {
                        let begun = (argument - BEGINS) as usize;
                        calls.entry(begun).or_default().push(Vec::new());
                        step = Some(begun);
                    }
                    ENDS if call == MARK as u64 => step = None,
                    _ if is_of_memory(call) => {}
                    _ => {
                        let times = step.and_then(|step| calls.get_mut(&step));
                        if let Some(time) = times.and_then(|times| times.last_mut()) {
                            time.push(call);
                        }
                    }
                }
            }
        }
        let went_on = unsafe {
            libc::ptrace(
                libc::PTRACE_SYSCALL,
                child,
                null_mut::<c_void>(),
                signal as usize,
            )
        };
        assert_eq!(went_on, 0);
    }
}

/// Returns the call that a stopped child is about to make, with its first argument. `None`: it comes back from one.
fn entered(child: libc::pid_t) -> Option<(u64, u64)> {
    let mut info: libc::ptrace_syscall_info = unsafe { std::mem::zeroed() };
    let size = size_of_val(&info);
    let got = unsafe { libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, child, size, &raw mut info) };
    assert!(got > 0, "{}", std::io::Error::last_os_error());
    if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return None;
    }
    let entry = unsafe { info.u.entry };
    Some((entry.nr, entry.args[0]))
}

/// The allocator's calls are not the library's: when it makes them depends on what was allocated before.
fn is_of_memory(call: u64) -> bool {
    let calls = [
        libc::SYS_brk,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_mprotect,
    ];
    has(&[call], &calls)
}

/// Marks what is done as a step.
fn counted<T>(step: usize, act: impl FnOnce() -> T) -> T {
    unsafe { libc::syscall(MARK, BEGINS + step as u64) };
    let done = act();
    unsafe { libc::syscall(MARK, ENDS) };
    done
}

/// Takes the steps, and ends the process.
fn run_child() -> ! {
    // What the test prints is kept for it, in a process that is not this one.
    std::panic::set_hook(Box::new(|panic| {
        let text = format!("{panic}\n");
        unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
    }));
    unsafe {
        // Whatever hangs is over some time.
        libc::alarm(60);
        if libc::ptrace(libc::PTRACE_TRACEME, 0, null_mut::<c_void>(), 0) != 0 {
            libc::_exit(NOT_TRACED);
        }
        libc::raise(libc::SIGSTOP);
    }
    let done = std::panic::catch_unwind(|| {
        between_neighbours();
        from_a_batch();
        over_a_connection();
        to_who_waits();
    });
    unsafe { libc::_exit(if done.is_ok() { 0 } else { 1 }) };
}

fn between_neighbours() {
    let context = Context::new();
    let (pull, push) = (context.socket(PULL), context.socket(PUSH));
    pull.bind("inproc://counted");
    push.connect("inproc://counted");
    // The first call of each waits for the other, and sees what there is to see.
    assert_eq!(push.send(b"first", 0), 5);
    assert_eq!(pull.recv(0).unwrap(), b"first");
    for _ in 0..MANY {
        counted(TO_NEIGHBOUR, || {
            for _ in 0..MANY {
                assert_eq!(push.send(&[1; 32], 0), 32);
            }
        });
        counted(FROM_NEIGHBOUR, || {
            for _ in 0..MANY {
                assert_eq!(pull.recv(0).unwrap(), [1; 32]);
            }
        });
    }
}

/// Shakes hands as a peer of the type that is named, with a socket that bound or connected.
fn shake_hands(stream: &mut TcpStream, socket_type: &[u8]) {
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut greeting = [0; 64];
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    greeting[12..16].copy_from_slice(b"NULL");
    let mut ready = b"\x05READY\x0bSocket-Type\0\0\0".to_vec();
    ready.push(socket_type.len() as u8);
    ready.extend(socket_type);
    stream.write_all(&greeting).unwrap();
    stream.write_all(&[4, ready.len() as u8]).unwrap();
    stream.write_all(&ready).unwrap();
    let mut theirs = [0; 66];
    stream.read_exact(&mut theirs).unwrap();
    let mut rest = vec![0; theirs[65].into()];
    stream.read_exact(&mut rest).unwrap();
}

fn from_a_batch() {
    let context = Context::new();
    let pull = context.socket(PULL);
    let endpoint = pull.bind("tcp://127.0.0.1:*");
    let mut peer = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
    shake_hands(&mut peer, b"PUSH");
    let mut batch = Vec::new();
    for _ in 0..MANY {
        batch.extend([0, 32]);
        batch.extend([2; 32]);
    }
    // The first read after a pause is a small one, and who is quick then waits for the next.
    for _ in 0..MANY {
        peer.write_all(&batch).unwrap();
        assert_eq!(pull.recv(0).unwrap(), [2; 32]);
        counted(FROM_BATCH, || {
            for _ in 1..MANY {
                assert_eq!(pull.recv(0).unwrap(), [2; 32]);
            }
        });
    }
    counted(EMPTY, || {
        assert_eq!(pull.recv(DONTWAIT), Err(libc::EAGAIN));
    });
}

fn over_a_connection() {
    let context = Context::new();
    let push = context.socket(PUSH);
    push.set(SNDHWM, 0);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    push.connect(&format!("tcp://{}", listener.local_addr().unwrap()));
    let (mut peer, _) = listener.accept().unwrap();
    shake_hands(&mut peer, b"PULL");
    let mut read = [0; 34];
    assert_eq!(push.send(&[3; 32], 0), 32);
    peer.read_exact(&mut read).unwrap();
    for _ in 0..10 * MANY {
        counted(IDLE, || assert_eq!(push.send(&[4; 32], 0), 32));
        peer.read_exact(&mut read).unwrap();
        assert_eq!(read[2..], [4; 32]);
    }

    // More than two systems' buffers hold, and nobody reads: from some time on the connection takes nothing.
    let large = vec![5; 1 << 20];
    for _ in 0..64 {
        assert_eq!(push.send(&large, 0), 1 << 20);
    }
    let fd = connection_of(&peer);
    let until = std::time::Instant::now() + SOON;
    while is_writable(fd) {
        assert!(std::time::Instant::now() < until, "it takes all");
    }
    counted(STUCK, || {
        for _ in 0..MANY {
            assert_eq!(push.send(&[6; 32], 0), 32);
        }
    });
}

/// Returns the descriptor of this process that is the other end of a connection.
fn connection_of(peer: &TcpStream) -> c_int {
    use std::os::fd::{AsRawFd, BorrowedFd};
    let theirs = peer.peer_addr().unwrap();
    (3..1024)
        .filter(|fd| *fd != peer.as_raw_fd())
        .find(|fd| {
            if unsafe { libc::fcntl(*fd, libc::F_GETFD) } < 0 {
                return false;
            }
            let fd = unsafe { BorrowedFd::borrow_raw(*fd) };
            let stream = fd.try_clone_to_owned().map(TcpStream::from);
            stream.is_ok_and(|stream| stream.local_addr().is_ok_and(|ours| ours == theirs))
        })
        .expect("the connection is of this process")
}

fn is_writable(fd: c_int) -> bool {
    let mut polled = libc::pollfd {
        fd,
        events: libc::POLLOUT,
        revents: 0,
    };
    unsafe { libc::poll(&raw mut polled, 1, 0) == 1 }
}

fn to_who_waits() {
    let context = Context::new();
    let (pull, push) = (context.socket(PULL), context.socket(PUSH));
    pull.bind("inproc://waited-for");
    push.connect("inproc://waited-for");
    assert_eq!(push.send(b"first", 0), 5);
    assert_eq!(pull.recv(0).unwrap(), b"first");
    let fd = pull.get(FD);
    // What has happened so far is looked at, and what happens next rings.
    assert_eq!(pull.get(EVENTS) & POLLIN, 0);
    assert!(!is_readable(fd, Duration::ZERO));
    counted(WAITED_FOR, || {
        for _ in 0..MANY {
            assert_eq!(push.send(&[7; 32], 0), 32);
        }
    });
    assert!(is_readable(fd, SOON));
}
