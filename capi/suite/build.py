"""Obtains libzmq 4.3.5's sources and builds from them the real library, its test programs and its perf programs.

The sources come with cargo (`sources/Cargo.toml` names the package, its lock file the checksum) and stay in cargo's own
folder. Everything is built twice: `release`, and `draft` with the functions that libzmq may still change. A third one,
`websocket`, is the library alone: `draft` with `wss://` as well, if GnuTLS is here. `scripts/setup` has it made for
tests/interop/websocket.rs:

    python3 capi/suite/build.py FOLDER      puts libzmq.so.5 there
"""

import glob
import json
import os
import shutil
import sys
import time

from common import HERE, Trouble, cache, call, downloaded, needs, say, together

# What configure would find on Linux. The same for library and programs, so that zmq_has says what programs expect.
PLATFORM = """
ZMQ_HAVE_LINUX ZMQ_HAVE_IPC ZMQ_HAVE_UIO ZMQ_HAVE_SO_PEERCRED ZMQ_HAVE_STRUCT_SOCKADDR_UN ZMQ_HAVE_CURVE
ZMQ_USE_LIBSODIUM ZMQ_HAVE_CRYPTO_BOX_EASY_FNS ZMQ_IOTHREAD_POLLER_USE_EPOLL ZMQ_IOTHREAD_POLLER_USE_EPOLL_CLOEXEC
ZMQ_POLL_BASED_ON_POLL ZMQ_HAVE_EVENTFD ZMQ_HAVE_EVENTFD_CLOEXEC ZMQ_HAVE_SOCK_CLOEXEC ZMQ_HAVE_O_CLOEXEC
ZMQ_HAVE_IFADDRS ZMQ_HAVE_SO_BINDTODEVICE ZMQ_HAVE_SO_PRIORITY ZMQ_HAVE_BUSY_POLL ZMQ_HAVE_SO_KEEPALIVE
ZMQ_HAVE_TCP_KEEPCNT ZMQ_HAVE_TCP_KEEPIDLE ZMQ_HAVE_TCP_KEEPINTVL ZMQ_HAVE_PTHREAD_SETNAME_2
ZMQ_HAVE_PTHREAD_SET_AFFINITY ZMQ_HAVE_PPOLL ZMQ_HAVE_NOEXCEPT ZMQ_USE_CV_IMPL_STL11 HAVE_POSIX_MEMALIGN HAVE_FORK
HAVE_CLOCK_GETTIME HAVE_MKDTEMP HAVE_ACCEPT4 HAVE_STRNLEN HAVE_IF_NAMETOINDEX
""".split()
# Only a build with drafts has WebSockets, as with libzmq's own configure.
DRAFT = ["ZMQ_BUILD_DRAFT_API", "ZMQ_HAVE_WS", "ZMQ_USE_BUILTIN_SHA1"]
TLS = ["ZMQ_HAVE_WSS", "ZMQ_USE_GNUTLS"]
KINDS = ("release", "draft")
HELPERS = ("testutil", "testutil_monitoring", "testutil_security", "testutil_unity")
# Programs that need sources of the library beside them: a raw client of the CURVE handshake.
BESIDE = {"test_security_curve": ("err", "random", "clock")}
# Sources whose transports want libraries that are not here.
WITHOUT = {"wss_address", "wss_engine", "norm_engine", "precompiled"}


def sources():
    """Returns the folder of libzmq's sources, which cargo obtains if need be."""
    needs("cargo", "Rust")
    folder = os.path.join(HERE, "sources")
    call(["cargo", "fetch", "--locked", "--quiet"], cwd=folder)
    meta = json.loads(call(["cargo", "metadata", "--format-version", "1", "--offline", "--locked"], cwd=folder))
    package = [p for p in meta["packages"] if p["name"] == "zeromq-src"][0]
    return os.path.join(os.path.dirname(package["manifest_path"]), "vendor")


def sodium():
    """Returns flags to compile and to link with libsodium: the installed one, or Debian's packages unpacked."""
    if os.path.exists("/usr/include/sodium.h"):
        return [], ["-lsodium"]
    library = glob.glob(os.path.join(downloaded("libsodium23"), "usr/lib/*/libsodium.so.23"))[0]
    return (["-I" + os.path.join(downloaded("libsodium-dev"), "usr/include")],
            [library, "-Wl,-rpath," + os.path.dirname(library)])


def gnutls():
    """Returns flags to compile and to link with GnuTLS: with the library that is installed, and its headers or Debian's,
    unpacked. `None`: it is not here."""
    installed = glob.glob("/usr/lib/*/libgnutls.so.30") + glob.glob("/lib/*/libgnutls.so.30")
    if not installed:
        return None
    if os.path.exists("/usr/include/gnutls/gnutls.h"):
        return [], [installed[0]]
    try:
        return ["-I" + os.path.join(downloaded("libgnutls28-dev"), "usr/include")], [installed[0]]
    except Trouble:
        return None


class Build:
    """What was built of one kind, in the cache folder. Each step is made once; an output that is there is kept."""

    def __init__(self, kind, jobs):
        needs("g++", "a C++ compiler")
        self.kind = kind
        self.jobs = jobs
        self.source = sources()
        self.folder = cache("libzmq", kind)
        self.sodium, self.sodium_link = sodium()
        self.tls = gnutls() if kind == "websocket" else None
        defines = PLATFORM + (DRAFT if self.has_drafts() else []) + (TLS if self.tls else [])
        with open(os.path.join(self.folder, "platform.hpp"), "w") as f:
            f.write("#pragma once\n" + "".join(f"#define {d} 1\n" for d in defines) +
                    "#define ZMQ_CACHELINE_SIZE 64\n")
        self.flags = ["-w", "-std=c++11", "-DZMQ_CUSTOM_PLATFORM_HPP", "-DUNITY_EXCLUDE_FLOAT", "-I" + self.folder,
                      *(f"-I{self.source}/{d}" for d in ("include", "src", "external/unity", "external/sha1", "tests")),
                      *self.sodium, *(self.tls[0] if self.tls else [])]

    def has_drafts(self):
        return self.kind != "release"

    def path(self, *parts):
        path = os.path.join(self.folder, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def _compile(self, source, out, optimize):
        if not os.path.exists(out):
            tool = ["gcc"] if source.endswith(".c") else ["g++"]
            flags = [f for f in self.flags if not (tool == ["gcc"] and f.startswith("-std"))]
            call([*tool, *optimize, *flags, "-fPIC", "-c", source, "-o", out + ".part"])
            os.rename(out + ".part", out)
        return out

    def _all(self, jobs, what):
        jobs = {n: j for n, j in jobs.items()}
        began = time.monotonic()
        failed = {}
        for name, error in together(jobs, self.jobs):
            if error:
                failed[name] = error
        if time.monotonic() - began > 5:
            say(f"built {what} ({self.kind}) in {time.monotonic() - began:.0f} s")
        return failed

    def library(self):
        """Returns the folder of the real library, as `libzmq.so.5`."""
        out = self.path("lib", "libzmq.so.5")
        if not os.path.exists(out):
            without = {w for w in WITHOUT if not (self.tls and w.startswith("wss_"))}
            files = [f for f in glob.glob(f"{self.source}/src/*.cpp") if os.path.basename(f)[:-4] not in without and
                     (self.has_drafts() or not os.path.basename(f).startswith("ws_"))]
            files += [f"{self.source}/external/sha1/sha1.c"]
            objects = {f: self.path("lib", os.path.basename(f) + ".o") for f in files}
            failed = self._all({f: _errors(lambda f=f: self._compile(f, objects[f], ["-O2", "-DNDEBUG"]))
                                for f in files}, "libzmq")
            if failed:
                raise Trouble("\n".join(failed.values()))
            call(["g++", "-shared", "-Wl,-soname,libzmq.so.5", *objects.values(), "-o", out + ".part",
                  *self.sodium_link, *(self.tls[1] if self.tls else []), "-lpthread", "-lrt"])
            os.rename(out + ".part", out)
            for o in objects.values():
                os.remove(o)
        return os.path.dirname(out)

    def helpers(self):
        """Returns the objects that every test program is linked with."""
        files = [f"{self.source}/tests/{h}.cpp" for h in HELPERS] + [f"{self.source}/external/unity/unity.c"]
        return [self._compile(f, self.path("helpers", os.path.basename(f) + ".o"), ["-O0"]) for f in files]

    def tests(self):
        """Builds the test programs. Returns {name: file}, and {name: why} of those that do not compile in this kind."""
        library = os.path.join(self.library(), "libzmq.so.5")
        helpers = self.helpers()
        names = sorted(os.path.basename(f)[:-4] for f in glob.glob(f"{self.source}/tests/test_*.cpp"))
        known = self.path("cannot-compile.json")
        cannot = json.load(open(known)) if os.path.exists(known) else {}

        def one(name):
            out = self.path("tests", name)
            if not os.path.exists(out):
                beside = BESIDE.get(name, ())
                call(["g++", "-O0", *self.flags, f"{self.source}/tests/{name}.cpp", *helpers,
                      *(f"{self.source}/src/{b}.cpp" for b in beside), library,
                      *(self.sodium_link if beside else []), "-lpthread", "-lrt", "-o", out + ".part"])
                os.rename(out + ".part", out)

        cannot.update(self._all({n: _errors(lambda n=n: one(n)) for n in names if n not in cannot}, "test programs"))
        with open(known, "w") as f:
            json.dump(cannot, f, indent=1)
        return {n: self.path("tests", n) for n in names if n not in cannot}, cannot

    def perf(self):
        """Builds libzmq's perf programs. Returns {name: file}."""
        library = os.path.join(self.library(), "libzmq.so.5")
        names = [os.path.basename(f)[:-4] for f in glob.glob(f"{self.source}/perf/*_*.cpp")]
        names = [n for n in names if not n.startswith("benchmark")]

        def one(name):
            out = self.path("perf", name)
            if not os.path.exists(out):
                call(["g++", "-O2", *self.flags, f"{self.source}/perf/{name}.cpp", library, "-lpthread", "-o",
                      out + ".part"])
                os.rename(out + ".part", out)

        failed = self._all({n: _errors(lambda n=n: one(n)) for n in names}, "perf programs")
        if failed:
            raise Trouble("\n".join(failed.values()))
        return {n: self.path("perf", n) for n in names}


def _errors(step):
    """Returns a job that gives the step's error text, or None."""
    def job():
        try:
            step()
        except Trouble as e:
            return str(e)
        return None
    return job


if __name__ == "__main__":
    try:
        build = Build("websocket", os.cpu_count() or 1)
        if not build.tls:
            raise Trouble("GnuTLS not found: install libgnutls30 and libgnutls28-dev")
        made = build.library()
        os.makedirs(sys.argv[1], exist_ok=True)
        shutil.copy2(os.path.join(made, "libzmq.so.5"), sys.argv[1])
    except (Trouble, OSError) as trouble:
        sys.exit(f"build.py: {trouble}")
