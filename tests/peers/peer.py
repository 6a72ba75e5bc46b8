"""A real ZeroMQ peer (libzmq through pyzmq) as a process of its own, which tests can kill.

Started by tests/common/src/python.rs with the Python that scripts/setup made. Reads one JSON object a
line from standard input, answers each with one JSON line on standard output:

    {"do": "open", "type": "PULL", "options": {"IPV6": 1}}   -> {"ok": null}
    {"do": "bind", "endpoint": "tcp://127.0.0.1:*"}          -> {"ok": "tcp://127.0.0.1:41234"}
    {"do": "connect", "endpoint": "tcp://127.0.0.1:41234"}   -> {"ok": null}
    {"do": "subscribe", "topic": "a"}                        -> {"ok": null}
    {"do": "send", "messages": [[FRAME, ...], ...]}          -> {"ok": [DIGEST, ...]}
    {"do": "recv", "count": 3}                               -> {"ok": [DIGEST, ...]}
    {"do": "who", "properties": ["User-Id"]}                 -> {"ok": {"User-Id": "joe"}}
                                          (receives a message; null for a property that it does not have)
    {"do": "echo", "count": 3}            (REP, ROUTER, PAIR) -> {"ok": [DIGEST, ...]}
    {"do": "request", "messages": [...]}  (REQ)              -> {"ok": [DIGEST of request, DIGEST of reply, ...]}
    {"do": "authenticate", "passwords": {"joe": "secret"}, "keys": "*", "deny": []}  -> {"ok": null}
                                          (a ZAP handler; keys are a directory, or * for any)
    {"do": "authenticate", "status": "300"}                  -> {"ok": null}
                                          (a ZAP handler that gives everybody this answer)
    {"do": "watch"}                                          -> {"ok": null}
    {"do": "event"}                       (after watch)      -> {"ok": [NUMBER, VALUE]}
    {"do": "flood", "prefixes": ["a."], "pause": 0.001}      sends "a.0", "a.1", ... until killed
    {"do": "report"}                      (PULL, SUB)        -> {"got": ["text", ...]} again and again until killed
    {"do": "serve"}                       (REP)              -> echoes, {"got": [...]} for each, until killed

FRAME is {"text": "..."} or {"size": 10, "seed": 7} (random bytes made here). DIGEST is
[frame count, byte count, sha256 over each frame's 8-byte big-endian size and bytes]. A failure is
{"error": "..."}. No send or receive of a counted command waits longer than 30 seconds.
"""

import hashlib
import json
import os
import random
import sys
import threading
import time

import zmq
import zmq.auth
import zmq.utils.monitor
from zmq.auth.thread import ThreadAuthenticator


def frame(recipe):
    if "text" in recipe:
        return recipe["text"].encode()
    return random.Random(recipe["seed"]).randbytes(recipe["size"])


def digest(frames):
    sha = hashlib.sha256()
    for data in frames:
        sha.update(len(data).to_bytes(8, "big"))
        sha.update(data)
    return [len(frames), sum(map(len, frames)), sha.hexdigest()]


def answer(line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def texts(frames):
    return "|".join(data.decode() for data in frames)


def end_with_the_test():
    """For orders that never end: when the test is gone, so is its end of standard input."""

    def wait():
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


class SameAnswer(threading.Thread):
    """A ZAP handler (RFC 27) that has one answer for everybody."""

    def __init__(self, context, status):
        super().__init__()
        self.status = status.encode()
        self.over = threading.Event()
        self.socket = context.socket(zmq.REP)
        self.socket.bind("inproc://zeromq.zap.01")

    def run(self):
        while not self.over.is_set():
            if self.socket.poll(100):
                version, request = self.socket.recv_multipart()[:2]
                answer = [version, request, self.status, b"as ordered", b"", b""]
                self.socket.send_multipart(answer)
        self.socket.close()

    def stop(self):
        self.over.set()
        self.join()


class Peer:
    def __init__(self):
        self.context = zmq.Context()
        self.socket = None
        self.authenticator = None

    def open(self, type, options):
        self.socket = self.context.socket(getattr(zmq, type))
        self.socket.linger = 0
        self.socket.sndtimeo = self.socket.rcvtimeo = 30_000
        for name, value in options.items():
            value = value.encode() if isinstance(value, str) else value
            self.socket.setsockopt(getattr(zmq, name), value)

    def authenticate(self, passwords=None, keys=None, deny=(), status=None):
        if status:
            self.authenticator = SameAnswer(self.context, status)
            self.authenticator.start()
            return
        self.authenticator = ThreadAuthenticator(self.context)
        self.authenticator.start()
        if passwords:
            self.authenticator.configure_plain(domain="*", passwords=passwords)
        if keys:
            location = zmq.auth.CURVE_ALLOW_ANY if keys == "*" else keys
            self.authenticator.configure_curve(domain="*", location=location)
        if deny:
            self.authenticator.deny(*deny)

    def watch(self):
        self.events = self.socket.get_monitor_socket()
        self.events.rcvtimeo = 30_000

    def event(self):
        event = zmq.utils.monitor.recv_monitor_message(self.events)
        return [int(event["event"]), int(event["value"])]

    def bind(self, endpoint):
        self.socket.bind(endpoint)
        return self.socket.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()

    def connect(self, endpoint):
        self.socket.connect(endpoint)

    def subscribe(self, topic):
        self.socket.setsockopt(zmq.SUBSCRIBE, topic.encode())

    def send(self, messages):
        sent = []
        for recipes in messages:
            frames = [frame(recipe) for recipe in recipes]
            self.socket.send_multipart(frames)
            sent.append(digest(frames))
        return sent

    def recv(self, count):
        return [digest(self.socket.recv_multipart()) for _ in range(count)]

    def who(self, properties):
        last = self.socket.recv_multipart(copy=False)[-1]

        def value(name):
            try:
                return last.get(name)
            except zmq.ZMQError:
                return None

        return {name: value(name) for name in properties}

    def echo(self, count):
        seen = []
        for _ in range(count):
            frames = self.socket.recv_multipart()
            self.socket.send_multipart(frames)
            seen.append(digest(frames))
        return seen

    def request(self, messages):
        seen = []
        for recipes in messages:
            seen += self.send([recipes])
            seen += self.recv(1)
        return seen

    def flood(self, prefixes, pause):
        end_with_the_test()
        number = 0
        while True:
            for prefix in prefixes:
                try:
                    self.socket.send(f"{prefix}{number}".encode())
                except zmq.Again:
                    continue
            number += 1
            if pause:
                time.sleep(pause)

    def report(self):
        end_with_the_test()
        self.socket.rcvtimeo = -1
        while True:
            got = [texts(self.socket.recv_multipart())]
            try:
                while len(got) < 1000:
                    got.append(texts(self.socket.recv_multipart(zmq.NOBLOCK)))
            except zmq.Again:
                pass
            answer({"got": got})

    def serve(self):
        end_with_the_test()
        self.socket.rcvtimeo = -1
        while True:
            frames = self.socket.recv_multipart()
            answer({"got": [texts(frames)]})
            self.socket.send_multipart(frames)


def main():
    peer = Peer()
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer({"ok": getattr(peer, order.pop("do"))(**order)})
        except Exception as error:  # the test shows it and fails
            answer({"error": f"{type(error).__name__}: {error}"})
    # Standard input is closed: the test is over. Nothing that is still queued matters.
    if peer.authenticator:
        peer.authenticator.stop()
    peer.context.destroy(linger=0)


main()
