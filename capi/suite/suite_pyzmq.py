"""`scripts/suites pyzmq`: pyzmq's own test suite, unchanged, with the library under it replaced.

Two variants: the newest wheel, whose bundled library's file is overwritten for the run (it is found by its path), and
Debian's python3-zmq (`--variant debian`), which is unpacked, not installed, and finds the library by LD_LIBRARY_PATH.
"""

import glob
import os
import shutil
import sys
import tempfile
import xml.etree.ElementTree as xml

import compare
from build import Build
from common import Library, Trouble, cache, call, downloaded, outcome, run, say, together
from wheel import PYZMQ, Environment

# What runs the tests; the plain newest versions but for pytest, whose 9 pyzmq's plugins do not know.
WITH = ["pytest<9", "pytest-asyncio<1.3", "pytest-timeout", "tornado", "gevent"]
# Seconds for a test, and for a file of them.
TEST, LIMIT = 60, 240
# 2 GiB in one message; and a test that publishes at once after it subscribed, which libzmq fails as well now and then,
# and then takes the rest of its file along, since its address stays bound.
LEFT_OUT = ["test_large_send", "test_blank_root_topic"]


def wheel():
    """Returns the environment and the folder of the tests."""
    environment = Environment("pyzmq", WITH)
    python = environment.python
    tests = cache("pyzmq", "wheel-tests")
    if not os.path.exists(os.path.join(tests, "tests")):
        # Its conftest refuses to run beside the package's source: the tests are taken away from it.
        with tempfile.TemporaryDirectory() as d:
            call([python, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "pyzmq", "-d", d,
                  f"pyzmq=={PYZMQ}"])
            call(["tar", "xzf", glob.glob(os.path.join(d, "*.tar.gz"))[0], "-C", d])
            source = glob.glob(os.path.join(d, "pyzmq-*/"))[0]
            for part in ("pytest.ini", "tests"):
                shutil.move(os.path.join(source, part), os.path.join(tests, part))
    return environment, os.path.join(tests, "tests")


def debian():
    """Returns Python and the folder of the tests that Debian's package carries."""
    root = downloaded("python3-zmq")
    venv = cache("pyzmq", "debian-venv")
    python = os.path.join(venv, "bin", "python")
    if not os.path.exists(os.path.join(venv, ".ready")):
        call(["/usr/bin/python3", "-m", "venv", "--clear", "--without-pip", venv])
        site = glob.glob(os.path.join(venv, "lib/python3*"))[0] + "/site-packages"
        version = call([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).strip()
        # Of the age of that pyzmq (2023): its tests make loops and fixtures as was usual then.
        call([sys.executable, "-m", "pip", "install", "--quiet", "--target", site, "--python-version", version,
              "--only-binary", ":all:", "pytest<8", "pytest-timeout", "tornado==6.2", "py", "cffi"])
        shutil.copytree(os.path.join(root, "usr/lib/python3/dist-packages/zmq"), os.path.join(site, "zmq"))
        open(os.path.join(venv, ".ready"), "w").close()
    return python, glob.glob(os.path.join(venv, "lib/python3*"))[0] + "/site-packages/zmq/tests"


def one(python, folder, file, env, limit):
    with tempfile.TemporaryDirectory(prefix="py") as d:
        report = os.path.join(d, "report.xml")
        code, out, seconds = run(
            [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not large", f"--timeout={TEST}",
             "--timeout-method=thread", "-k", " and ".join(f"not {t}" for t in LEFT_OUT), "--junitxml", report, file],
            limit, {**env, "TMPDIR": d, "PYTHONDONTWRITEBYTECODE": "1"}, folder)
        cases = {}
        if os.path.exists(report):
            for case in xml.parse(report).getroot().iter("testcase"):
                verdict = "pass"
                for kind in case:
                    verdict = {"failure": "fail", "error": "fail", "skipped": "ignore"}.get(kind.tag, verdict)
                name = f"{case.get('classname', '').rpartition('.')[2]}.{case.get('name')}"
                cases[name] = verdict
    how = outcome(code)
    # pytest: 5 is `no test was collected`.
    if code == 5 or (code == 0 and cases and set(cases.values()) == {"ignore"}):
        how = "skipped"
    return {"outcome": how, "cases": cases, "seconds": seconds, "tail": out[-3000:]}


def judge(python, tests, env, options):
    # Each file runs in a process of its own. Not beside pyzmq's modules: some are named as those of the standard library.
    files = sorted(os.path.basename(f) for f in glob.glob(os.path.join(tests, "test_*.py")))
    if options.names:
        files = [f for f in files if any(n in f for n in options.names)]
    folder = tests[:-len("zmq/tests")] if tests.endswith("zmq/tests") else os.path.dirname(tests)
    prefix = os.path.relpath(tests, folder)
    jobs = {f[:-3]: (lambda f=f: one(python, folder, f"{prefix}/{f}", env, options.limit or LIMIT)) for f in files}
    parts = {}
    for name, part in together(jobs, options.jobs):
        parts[name] = part
        if options.verbose:
            say(f"{name}: {part['outcome']} {compare.count(part)} {part['seconds']:.1f} s")
    return {n: compare.again(parts[n], jobs[n], options.runs) for n in sorted(parts)}


def main(options):
    variant = options.variant or "wheel"
    build = Build("release", options.jobs) if variant == "debian" else None
    if variant == "wheel":
        environment, tests = wheel()
        python = environment.python
    elif variant == "debian":
        python, tests = debian()
    else:
        raise Trouble("--variant is wheel or debian")

    def tried(label, env):
        version = call([python, "-c", "import zmq; print(zmq.zmq_version())"], env={**os.environ, **env}).strip()
        return compare.result(label, version, judge(python, tests, env, options))

    def real_one():
        if variant == "wheel":
            return tried(f"libzmq of pyzmq {PYZMQ}", {})
        with Library(build.library(), "libzmq 4.3.5") as library:
            return tried(library.name, library.env())

    def ours_one():
        with Library(options.library, compare.label(options)) as library:
            if variant == "debian":
                return tried(library.name, library.env())
            with environment.replaced(library):
                return tried(library.name, {})

    return compare.beside(options, f"pyzmq-{variant}.json", real_one, ours_one)
