"""What all suites share: the cache folder, processes with a time limit, libraries set out for a run, comparing.

Called by every other module here; see README.md.
"""

import concurrent.futures
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
DATA = os.path.join(HERE, "data")
# Names under which a built library lies in a folder, the best first.
LIBRARY_NAMES = ("libzmq.so.5", "libzmq.so.5.*", "libzmq.so")


class Trouble(Exception):
    """Something that the user has to see to: a missing tool, a library that is not there."""


def cache(*parts, folder=True):
    """Returns a path in the cache folder (`target/suites`, or $PUREZMQ_SUITES), whose folder it makes."""
    base = os.environ.get("PUREZMQ_SUITES") or os.path.join(
        os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target"), "suites")
    path = os.path.join(base, *parts)
    os.makedirs(path if folder else os.path.dirname(path), exist_ok=True)
    return path


def say(text):
    print(text, flush=True)


def call(argv, **options):
    """Runs a tool that must succeed, and returns its output; on failure what it printed is the message."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", **options)
    if done.returncode != 0:
        raise Trouble(f"{' '.join(map(str, argv))}\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout


def needs(tool, package):
    if not shutil.which(tool):
        raise Trouble(f"{tool} not found: install {package}")


def run(argv, limit, env=None, cwd=None):
    """Runs a program for at most `limit` seconds with all that it starts. Returns exit code (None: killed at the limit),
    output and seconds. A negative exit code is a signal."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+b") as out:
        p = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=cwd,
                             env={**os.environ, **(env or {})}, start_new_session=True)
        try:
            code = p.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            # What it started, and left behind: its own session, so nobody else's.
            try:
                os.killpg(p.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            p.wait()
        out.seek(0)
        return code, out.read().decode(errors="replace"), time.monotonic() - began


def outcome(code):
    """Returns how a program ended, in a word."""
    if code is None:
        return "time-out"
    if code == 0:
        return "ok"
    if code == 77:
        return "skipped"
    if code == -signal.SIGALRM:
        return "time-out"
    if code < 0:
        return f"crash ({signal.Signals(-code).name})"
    return "failed"


def found_library(path):
    """Returns the library's file that a --library argument means: a file, or the one in a folder."""
    if os.path.isfile(path):
        return path
    for name in LIBRARY_NAMES:
        for file in sorted(glob.glob(os.path.join(path, name))):
            return file
    raise Trouble(f"no {' or '.join(LIBRARY_NAMES)} in {path}")


class Library:
    """A library set out for a run: a copy (a build may go on beside us), under the name that programs look for."""

    def __init__(self, path, name):
        self.name = name
        self.source = os.path.realpath(found_library(path))
        self.folder = tempfile.mkdtemp(prefix="suite-")
        self.file = os.path.join(self.folder, "libzmq.so.5")
        shutil.copy(self.source, self.file)
        os.symlink("libzmq.so.5", os.path.join(self.folder, "libzmq.so"))

    def env(self):
        return {"LD_LIBRARY_PATH": self.folder}

    def version(self):
        code, out, _ = run([sys.executable, "-c", (
            "import ctypes,sys; l=ctypes.CDLL(sys.argv[1]); a=[ctypes.c_int() for _ in 'abc'];"
            "l.zmq_version(*map(ctypes.byref, a)); print('.'.join(str(x.value) for x in a))"), self.file], 20)
        if code != 0:
            raise Trouble(f"{self.source} does not load:\n{out}")
        return out.strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)


def together(jobs, how_many, serial=()):
    """Calls every `job()` of {name: job}: those named in `serial` one after the other, beside `how_many` of the rest.
    Yields (name, result) as they end."""
    rest = concurrent.futures.ThreadPoolExecutor(how_many)
    lane = concurrent.futures.ThreadPoolExecutor(1)
    futures = {(lane if name in serial else rest).submit(job): name for name, job in jobs.items()}
    try:
        for f in concurrent.futures.as_completed(futures):
            yield futures[f], f.result()
    finally:
        for pool in (rest, lane):
            pool.shutdown(wait=True, cancel_futures=True)


def read_data(name):
    path = os.path.join(DATA, name)
    if not os.path.exists(path):
        return None
    with open(path) as f:
        return json.load(f)


def write_data(name, value):
    os.makedirs(DATA, exist_ok=True)
    path = os.path.join(DATA, name)
    with open(path, "w") as f:
        json.dump(value, f, indent=1, sort_keys=True, ensure_ascii=False)
        f.write("\n")
    say(f"wrote {os.path.relpath(path, ROOT)}")


def table(rows, heads):
    """Prints rows as columns of equal width."""
    rows = [[str(c) for c in r] for r in [heads, *rows]]
    widths = [max(len(r[i]) for r in rows) for i in range(len(heads))]
    for n, r in enumerate(rows):
        say("  ".join(c.ljust(w) for c, w in zip(r, widths)).rstrip())
        if n == 0:
            say("  ".join("-" * w for w in widths))


def source_of(package, of=None):
    """Returns the folder of a Debian source package, obtained with apt from the machine's own mirror and unpacked; of this
    machine's release of Debian, or of the one that is named.
    The installed lists stay as they are: an entry of our own is used, in the cache folder."""
    needs("apt-get", "apt")
    folder = cache("debian", package)
    ready = [d for d in glob.glob(os.path.join(folder, "*/")) if os.path.exists(os.path.join(folder, ".unpacked"))]
    if ready:
        return ready[0].rstrip("/")
    mirror, suite = _debian()
    suite = of or suite
    lists = cache("debian", "lists")
    parts = cache("debian", "sources")
    os.makedirs(os.path.join(lists, "partial"), exist_ok=True)
    with open(os.path.join(parts, "own.sources"), "w") as f:
        f.write(f"Types: deb-src\nURIs: {mirror}\nSuites: {suite}\nComponents: main\n"
                "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n")
    options = ["Dir::Etc::SourceList=/dev/null", f"Dir::Etc::SourceParts={parts}", f"Dir::State::Lists={lists}",
               f"Dir::Cache={cache('debian', 'cache')}", "APT::Sandbox::User=root"]
    argv = ["apt-get", *(a for o in options for a in ("-o", o))]
    call([*argv, "update"])
    call([*argv, "source", "--download-only", package], cwd=folder)
    archive = [f for f in glob.glob(os.path.join(folder, "*.orig.tar.*")) if not f.endswith(".asc")][0]
    call(["tar", "xf", archive], cwd=folder)
    open(os.path.join(folder, ".unpacked"), "w").close()
    return [d for d in glob.glob(os.path.join(folder, "*/"))][0].rstrip("/")


def _debian():
    """Returns mirror and suite of this Debian, from apt's own lists."""
    out = call(["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT) $(CREATED_BY)",
                "Created-By: Packages", "Component: main", "Origin: Debian"])
    for line in out.splitlines():
        site, release = line.split()[:2]
        if "security" not in site and "-" not in release:
            return site, release
    raise Trouble("apt knows no Debian mirror: source packages cannot be obtained")


def downloaded(package):
    """Returns the folder into which a Debian binary package was unpacked, without installing it."""
    folder = cache("debian", package)
    if not os.path.exists(os.path.join(folder, ".unpacked")):
        needs("apt-get", "apt")
        needs("dpkg-deb", "dpkg")
        call(["apt-get", "download", package], cwd=folder)
        call(["dpkg-deb", "-x", glob.glob(os.path.join(folder, "*.deb"))[0], folder])
        open(os.path.join(folder, ".unpacked"), "w").close()
    return folder
