//! libzmq with drafts: the one in Node's package `zeromq`, which `scripts/setup` puts into `.drafts`. It is loaded when
//! this runs. It asks for functions of Node's, which are not called: the libraries of empty ones beside it have them, which
//! the tests make (`tests/peers/drafts.py`).

use common::*;
use std::ffi::{c_char, c_int, c_void, CStr, CString};
use std::path::Path;

const NAME: &str = "drafts";
const DRAFTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../.drafts");

const DEALER: c_int = 5;
const ROUTER: c_int = 6;
const STREAM: c_int = 11;
const SERVER: c_int = 12;
const CLIENT: c_int = 13;
const DGRAM: c_int = 18;
const SNDHWM: c_int = 23;
const RCVHWM: c_int = 24;
const SNDMORE: c_int = 2;

/// `zmq_msg_t`.
#[repr(C, align(8))]
struct Msg([u8; 64]);

macro_rules! functions {
    ($($name:ident: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions of the library that are called.
        struct Zmq {
            $($name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Zmq {
            /// `None`: it cannot be loaded here, or has no drafts.
            fn load(path: &Path) -> Option<Zmq> {
                let build = path.parent()?.file_name()?.to_str()?;
                let empty = CString::new(format!("{DRAFTS}/{build}.so")).ok()?;
                let path = CString::new(path.to_str()?).ok()?;
                unsafe {
                    libc::dlopen(empty.as_ptr(), libc::RTLD_LAZY | libc::RTLD_GLOBAL);
                    let library = libc::dlopen(path.as_ptr(), libc::RTLD_LAZY);
                    if library.is_null() {
                        return None;
                    }
                    Some(Zmq {
                        $($name: {
                            let name = concat!("zmq_", stringify!($name), "\0");
                            let function = libc::dlsym(library, name.as_ptr().cast());
                            if function.is_null() {
                                return None;
                            }
                            std::mem::transmute(function)
                        },)*
                    })
                }
            }
        }
    };
}

functions! {
    has: fn(*const c_char) -> c_int;
    version: fn(*mut c_int, *mut c_int, *mut c_int);
    errno: fn() -> c_int;
    strerror: fn(c_int) -> *const c_char;
    ctx_new: fn() -> *mut c_void;
    socket: fn(*mut c_void, c_int) -> *mut c_void;
    setsockopt: fn(*mut c_void, c_int, *const c_void, usize) -> c_int;
    bind: fn(*mut c_void, *const c_char) -> c_int;
    connect: fn(*mut c_void, *const c_char) -> c_int;
    msg_init: fn(*mut Msg) -> c_int;
    msg_init_size: fn(*mut Msg, usize) -> c_int;
    msg_data: fn(*mut Msg) -> *mut c_void;
    msg_size: fn(*mut Msg) -> usize;
    msg_copy: fn(*mut Msg, *mut Msg) -> c_int;
    msg_send: fn(*mut Msg, *mut c_void, c_int) -> c_int;
    msg_recv: fn(*mut Msg, *mut c_void, c_int) -> c_int;
    msg_more: fn(*const Msg) -> c_int;
}

impl Zmq {
    fn find() -> Zmq {
        let machine = match std::env::consts::ARCH {
            "aarch64" => "arm64",
            _ => "x64",
        };
        let builds = format!("{DRAFTS}/node_modules/zeromq/build/linux/{machine}/node");
        let mut builds: Vec<_> = match std::fs::read_dir(&builds) {
            Ok(builds) => builds.flatten().map(|build| build.path()).collect(),
            Err(_) => die("there is no libzmq with drafts: run scripts/setup"),
        };
        builds.sort();
        let all = builds.iter().filter_map(|build| Zmq::load(&build.join("addon.node")));
        let with_drafts = |zmq: &Zmq| unsafe { (zmq.has)(c"draft".as_ptr()) == 1 };
        all.into_iter().find(with_drafts).unwrap_or_else(|| die("no build in .drafts can be loaded here"))
    }

    fn name(&self) -> String {
        let (mut a, mut b, mut c) = (0, 0, 0);
        unsafe { (self.version)(&mut a, &mut b, &mut c) };
        format!("libzmq {a}.{b}.{c} with drafts (Node's zeromq)")
    }

    fn done(&self, result: c_int) -> c_int {
        if result < 0 {
            let text = unsafe { CStr::from_ptr((self.strerror)((self.errno)())) };
            die(&text.to_string_lossy());
        }
        result
    }

    fn open(&self, a: &Args, kind: c_int) -> *mut c_void {
        let endpoint = CString::new(a.endpoint()).unwrap();
        unsafe {
            let socket = (self.socket)((self.ctx_new)(), kind);
            if socket.is_null() {
                self.done(-1);
            }
            if let Some(hwm) = a.hwm {
                for option in [SNDHWM, RCVHWM] {
                    self.done((self.setsockopt)(socket, option, (&hwm as *const i32).cast(), 4));
                }
            }
            let attach = if a.is_bind() { self.bind } else { self.connect };
            self.done(attach(socket, endpoint.as_ptr()));
            socket
        }
    }

    fn recv(&self, socket: *mut c_void, m: &mut Msg) -> usize {
        self.done(unsafe { (self.msg_recv)(m, socket, 0) }) as usize
    }

    fn send(&self, socket: *mut c_void, m: &mut Msg, flags: c_int) {
        self.done(unsafe { (self.msg_send)(m, socket, flags) });
    }

    /// Sends back what comes. The number of a SERVER's client is a property of the message that comes and goes.
    fn echo(&self, a: &Args, kind: c_int) -> ! {
        let socket = self.open(a, kind);
        ready();
        let mut m = Msg([0; 64]);
        unsafe { (self.msg_init)(&mut m) };
        loop {
            self.recv(socket, &mut m);
            let more = unsafe { (self.msg_more)(&m) };
            self.send(socket, &mut m, if more == 1 { SNDMORE } else { 0 });
        }
    }

    /// The same for STREAM, without its notices, which would close the connection if they were sent.
    fn echo_stream(&self, a: &Args) -> ! {
        let socket = self.open(a, STREAM);
        ready();
        let (mut peer, mut data) = (Msg([0; 64]), Msg([0; 64]));
        unsafe {
            (self.msg_init)(&mut peer);
            (self.msg_init)(&mut data);
        }
        loop {
            self.recv(socket, &mut peer);
            if self.recv(socket, &mut data) > 0 {
                self.send(socket, &mut peer, SNDMORE);
                self.send(socket, &mut data, 0);
            }
        }
    }

    /// Keeps as many messages under way as peers were asked for.
    fn echoed(&self, a: &Args, kind: c_int) {
        let socket = self.open(a, kind);
        let data = a.payload();
        let (mut proto, mut m) = (Msg([0; 64]), Msg([0; 64]));
        unsafe {
            (self.msg_init)(&mut m);
            self.done((self.msg_init_size)(&mut proto, data.len()));
            std::ptr::copy_nonoverlapping(data.as_ptr(), (self.msg_data)(&mut proto).cast(), data.len());
        }
        // Messages of up to 33 bytes lie inside zmq_msg_t: nothing to share.
        let shared = a.shared && data.len() > 33;
        let ask = || unsafe {
            let mut m = Msg([0; 64]);
            if shared {
                (self.msg_init)(&mut m);
                self.done((self.msg_copy)(&mut m, (&proto as *const Msg).cast_mut()));
            } else {
                self.done((self.msg_init_size)(&mut m, data.len()));
                std::ptr::copy_nonoverlapping(data.as_ptr(), (self.msg_data)(&mut m).cast(), data.len());
            }
            self.send(socket, &mut m, 0);
        };
        let mut meter = Meter::new(a);
        let mut begun = a.total().min(a.peers as u64);
        for _ in 0..begun {
            ask();
        }
        loop {
            self.recv(socket, &mut m);
            if meter.len(unsafe { (self.msg_size)(&mut m) }) {
                break;
            }
            if begun < a.total() {
                ask();
                begun += 1;
            }
        }
        meter.report(a, NAME, &self.name());
    }
}

fn main() {
    let zmq = Zmq::find();
    let version = zmq.name();
    let a = Args::parse(NAME, &version);
    let (ctl, usage) = (Ctl::start(&a), Usage::now());
    if a.is_bind() {
        let a = a.clone();
        // Who echoes goes on until the other side has all it wants.
        std::thread::spawn(move || {
            ctl.hold_blocking();
            sender_report(&a, NAME, &version, usage);
            std::process::exit(0);
        });
    }
    match a.role.as_str() {
        "echo-stream" => zmq.echo_stream(&a),
        "echo-router" => zmq.echo(&a, ROUTER),
        "echo-server" => zmq.echo(&a, SERVER),
        "echo-dgram" => zmq.echo(&a, DGRAM),
        "echoed-dealer" => zmq.echoed(&a, DEALER),
        "echoed-client" => zmq.echoed(&a, CLIENT),
        r => die(&format!("{r}: not in the drafts peer")),
    }
}
