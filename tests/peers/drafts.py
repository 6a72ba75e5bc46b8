"""A socket of a type that only a libzmq with drafts has (CLIENT, SERVER, RADIO, DISH, CHANNEL, PEER, ...), as a process
of its own. Started by tests/interop/drafts.rs, and by websocket.rs.

The libzmq is the one in Node's package `zeromq`, which scripts/setup puts into .drafts; it is called by ctypes. That file
also asks for Node's own functions when it is loaded, none of which is called here: an empty library has them. With the
argument `websocket` it is the one that scripts/setup builds of libzmq's sources, which speaks wss:// as well.

Orders as for peer.py:

    {"do": "open", "type": "SERVER"}                          -> {"ok": [4, 3, 5]}, libzmq's version
    {"do": "bind", "endpoint": "tcp://127.0.0.1:*"}           -> {"ok": "tcp://127.0.0.1:41234"}
    {"do": "connect", "endpoint": "tcp://127.0.0.1:41234"}    -> {"ok": null}
    {"do": "connect_peer", "endpoint": ...}           (PEER)  -> {"ok": the peer's number}
    {"do": "join", "group": "a"}, {"do": "leave", ...} (DISH) -> {"ok": null}
    {"do": "set_bytes", "option": 110, "text": "hello"}       -> {"ok": null}
    {"do": "set", "option": 75, "value": 20}                  -> {"ok": null}
    {"do": "set_pem", "option": 104, "label": "CERTIFICATE", "der": [48, 130]} -> {"ok": null}, these bytes as PEM
    {"do": "allow", "user": "joe"}                            -> {"ok": null}, lets this user in with any password, and no other
    {"do": "close"}                                           -> {"ok": null}
    {"do": "send", "text": "...", "size": 10, "group": "a", "to": 5}   -> {"ok": null}
    {"do": "recv"}                                            -> {"ok": ["text", size, "group", number]}
    {"do": "recv_property", "name": "X-a"}                    -> {"ok": "value"}, of the message that comes, or null
    {"do": "try_recv"}                                        -> the same, or {"ok": null}
    {"do": "echo", "count": 3}                                -> {"ok": null}
    {"do": "send_to", "address": "127.0.0.1:5", "text": ...} (DGRAM)   -> {"ok": null}
    {"do": "recv_from"}                              (DGRAM)  -> {"ok": ["127.0.0.1:5\\0", "text", size]}

A message is its text, and spaces up to `size` bytes. A failure is {"error": "..."}, with errno's name. No call waits
longer than 30 seconds.
"""

import base64
import ctypes
import errno
import glob
import os
import subprocess
import sys
import tempfile
import threading

import orders

TYPES = ["SERVER", "CLIENT", "RADIO", "DISH", "GATHER", "SCATTER", "DGRAM", "PEER", "CHANNEL"]
FIRST_TYPE = 12
STABLE_TYPES = {"PUB": 1, "SUB": 2, "REQ": 3, "REP": 4, "DEALER": 5, "ROUTER": 6, "XPUB": 9, "XSUB": 10}
RCVMORE = 13
LINGER, RCVTIMEO, SNDTIMEO, LAST_ENDPOINT, IPV6 = 17, 27, 28, 32, 42
DONTWAIT, SNDMORE = 1, 2


DRAFTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".drafts")


def empty_library(build):
    """Makes the library that has the functions of Node's that a build asks for, once, and returns its path."""
    empty = os.path.join(DRAFTS, os.path.basename(os.path.dirname(build)) + ".so")
    if os.path.exists(empty):
        return empty
    symbols = subprocess.check_output(["nm", "-D", "--undefined-only", build], text=True)
    names = [line.split()[-1] for line in symbols.splitlines()]
    names = [name for name in names if name.startswith(("napi_", "node_api_", "uv_"))]
    with tempfile.TemporaryDirectory(dir=DRAFTS) as folder:
        source, made = os.path.join(folder, "empty.c"), os.path.join(folder, "empty.so")
        with open(source, "w") as file:
            file.writelines(f"void {name}(void) {{}}\n" for name in names)
        subprocess.check_call(["cc", "-shared", "-fPIC", "-w", "-o", made, source])
        os.replace(made, empty)
    return empty


def load():
    """The first build in the package that this system can load, and that has drafts; or our own."""
    if sys.argv[1:] == ["websocket"]:
        return ctypes.CDLL(os.path.join(DRAFTS, "websocket", "libzmq.so.5"), use_errno=True)
    machine = {"x86_64": "x64", "aarch64": "arm64"}[os.uname().machine]
    builds = os.path.join(DRAFTS, "node_modules/zeromq/build/linux", machine, "node/*/addon.node")
    for build in sorted(glob.glob(builds)):
        ctypes.CDLL(empty_library(build), mode=ctypes.RTLD_GLOBAL)
        try:
            library = ctypes.CDLL(build, use_errno=True)
        except OSError:
            continue
        if library.zmq_has(b"draft"):
            return library
    raise RuntimeError("no build in .drafts can be loaded here")


def declare(library):
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, arguments in [
        ("ctx_new", pointer, []),
        ("socket", pointer, [pointer, number]),
        ("setsockopt", number, [pointer, number, pointer, ctypes.c_size_t]),
        ("getsockopt", number, [pointer, number, pointer, pointer]),
        ("close", number, [pointer]),
        ("bind", number, [pointer, text]),
        ("connect", number, [pointer, text]),
        ("connect_peer", ctypes.c_uint32, [pointer, text]),
        ("join", number, [pointer, text]),
        ("leave", number, [pointer, text]),
        ("send", number, [pointer, text, ctypes.c_size_t, number]),
        ("recv", number, [pointer, pointer, ctypes.c_size_t, number]),
        ("msg_init", number, [pointer]),
        ("msg_init_size", number, [pointer, ctypes.c_size_t]),
        ("msg_data", pointer, [pointer]),
        ("msg_size", ctypes.c_size_t, [pointer]),
        ("msg_close", number, [pointer]),
        ("msg_gets", text, [pointer, text]),
        ("msg_send", number, [pointer, pointer, number]),
        ("msg_recv", number, [pointer, pointer, number]),
        ("msg_set_group", number, [pointer, text]),
        ("msg_group", text, [pointer]),
        ("msg_set_routing_id", number, [pointer, ctypes.c_uint32]),
        ("msg_routing_id", ctypes.c_uint32, [pointer]),
        ("strerror", text, [number]),
    ]:
        function = getattr(library, "zmq_" + name)
        function.restype, function.argtypes = result, arguments


class Drafts:
    def __init__(self):
        self.zmq = load()
        declare(self.zmq)
        self.context = self.zmq.zmq_ctx_new()

    def done(self, result):
        if result in (-1, None):
            number = ctypes.get_errno()
            name = errno.errorcode.get(number) or self.zmq.zmq_strerror(number).decode()
            raise OSError(name)
        return result

    def set(self, option, value):
        value = ctypes.c_int(value)
        size = ctypes.sizeof(value)
        self.done(self.zmq.zmq_setsockopt(self.socket, option, ctypes.byref(value), size))

    def set_bytes(self, option, text):
        value = text.encode()
        self.done(self.zmq.zmq_setsockopt(self.socket, option, value, len(value)))

    def set_pem(self, option, label, der):
        body = base64.encodebytes(bytes(der)).decode()
        self.set_bytes(option, f"-----BEGIN {label}-----\n{body}-----END {label}-----\n")

    def allow(self, user):
        """Answers for the context who may come in (ZAP)."""
        handler = self.done(self.zmq.zmq_socket(self.context, STABLE_TYPES["REP"]))
        self.done(self.zmq.zmq_bind(handler, b"inproc://zeromq.zap.01"))
        threading.Thread(target=self.answer, args=(handler, user.encode()), daemon=True).start()

    def answer(self, handler, user):
        while True:
            frames = []
            more = ctypes.c_int(1)
            while more.value:
                frame = ctypes.create_string_buffer(256)
                size = self.done(self.zmq.zmq_recv(handler, frame, len(frame), 0))
                frames.append(frame.raw[:size])
                length = ctypes.c_size_t(ctypes.sizeof(more))
                self.done(self.zmq.zmq_getsockopt(handler, RCVMORE, ctypes.byref(more), ctypes.byref(length)))
            version, number = frames[:2]
            status = b"200" if frames[6] == user else b"400"
            reply = [version, number, status, b"", user, b""]
            for at, frame in enumerate(reply):
                flags = SNDMORE if at + 1 < len(reply) else 0
                self.done(self.zmq.zmq_send(handler, frame, len(frame), flags))

    def close(self):
        self.done(self.zmq.zmq_close(self.socket))

    def open(self, type):
        kind = STABLE_TYPES.get(type) or FIRST_TYPE + TYPES.index(type)
        self.socket = self.done(self.zmq.zmq_socket(self.context, kind))
        # A DGRAM with IPv6 ends its process when something is sent by it.
        ipv6 = int(type != "DGRAM")
        for option, value in [(LINGER, 0), (RCVTIMEO, 30_000), (SNDTIMEO, 30_000), (IPV6, ipv6)]:
            self.set(option, value)
        version = [ctypes.c_int() for _ in range(3)]
        self.zmq.zmq_version(*map(ctypes.byref, version))
        return [part.value for part in version]

    def bind(self, endpoint):
        self.done(self.zmq.zmq_bind(self.socket, endpoint.encode()))
        text = ctypes.create_string_buffer(256)
        size = ctypes.c_size_t(len(text))
        self.done(self.zmq.zmq_getsockopt(self.socket, LAST_ENDPOINT, text, ctypes.byref(size)))
        return text.value.decode()

    def connect(self, endpoint):
        self.done(self.zmq.zmq_connect(self.socket, endpoint.encode()))

    def connect_peer(self, endpoint):
        number = self.zmq.zmq_connect_peer(self.socket, endpoint.encode())
        return number or self.done(-1)

    def join(self, group):
        self.done(self.zmq.zmq_join(self.socket, group.encode()))

    def leave(self, group):
        self.done(self.zmq.zmq_leave(self.socket, group.encode()))

    def send(self, text, size=0, group=None, to=None, flags=0):
        body = text.encode().ljust(size)
        message = ctypes.create_string_buffer(64)
        self.done(self.zmq.zmq_msg_init_size(message, len(body)))
        ctypes.memmove(self.zmq.zmq_msg_data(message), body, len(body))
        if group is not None:
            self.done(self.zmq.zmq_msg_set_group(message, group.encode()))
        if to is not None:
            self.done(self.zmq.zmq_msg_set_routing_id(message, to))
        self.done(self.zmq.zmq_msg_send(message, self.socket, flags))

    def send_to(self, address, text, size=0):
        self.send(address, flags=SNDMORE)
        self.send(text, size)

    def recv_from(self):
        return [self.recv()[0]] + self.recv()[:2]

    def recv(self, flags=0):
        message = ctypes.create_string_buffer(64)
        self.done(self.zmq.zmq_msg_init(message))
        size = self.done(self.zmq.zmq_msg_recv(message, self.socket, flags))
        body = ctypes.string_at(self.zmq.zmq_msg_data(message), size) if size else b""
        group = self.zmq.zmq_msg_group(message).decode()
        number = self.zmq.zmq_msg_routing_id(message)
        self.zmq.zmq_msg_close(message)
        return [body.decode().rstrip(" "), size, group, number]

    def recv_property(self, name):
        message = ctypes.create_string_buffer(64)
        self.done(self.zmq.zmq_msg_init(message))
        self.done(self.zmq.zmq_msg_recv(message, self.socket, 0))
        value = self.zmq.zmq_msg_gets(message, name.encode())
        self.zmq.zmq_msg_close(message)
        return value and value.decode()

    def try_recv(self):
        try:
            return self.recv(DONTWAIT)
        except OSError as error:
            if str(error) == "EAGAIN":
                return None
            raise

    def echo(self, count):
        for _ in range(count):
            text, size, _, number = self.recv()
            self.send(text, size, to=number or None)


orders.serve(Drafts())
