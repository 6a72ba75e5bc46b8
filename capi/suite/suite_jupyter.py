"""`scripts/suites jupyter`: a Jupyter session, ipykernel and jupyter_client both on the library that is judged, in two
processes; and ipykernel's and jupyter_client's own tests, of their source distributions.
"""

import os
import re
import shutil
import tempfile
import xml.etree.ElementTree as xml

import compare
from common import HERE, Library, outcome, run
from wheel import PYZMQ, Environment

PACKAGES = ["ipykernel==7.4.0", "jupyter_client==8.10.0", "pytest<9", "pytest-asyncio", "pytest-timeout", "pytest-jupyter[client]",
            "flaky", "psutil", "ipyparallel"]
LIMIT = 300
# Seconds for a test, and for a package's tests.
TEST, ALL = 90, 500


def session(environment, limit):
    with tempfile.TemporaryDirectory(prefix="jup") as d:
        shutil.copy(os.path.join(HERE, "jupyter_session.py"), d)
        code, out, seconds = run([environment.python, "jupyter_session.py"], limit, settings(d), d)
    cases = dict(re.findall(r"^([\w ]+): (pass|fail)$", out, re.M))
    how = "failed" if code == 0 and "fail" in cases.values() else outcome(code)
    return {"outcome": how, "cases": cases, "seconds": seconds, "tail": out[-3000:]}


def settings(folder):
    """Returns the variables by which nothing of the user's own Jupyter is read or written."""
    own = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    return {**{name: os.path.join(folder, name.lower()) for name in own}, "PYTHONDONTWRITEBYTECODE": "1"}


def tests(environment, package, limit):
    """Runs a package's own tests, away from its source: what is installed is to be imported."""
    source = environment.source(package)
    with tempfile.TemporaryDirectory(prefix="jup") as d:
        shutil.copytree(os.path.join(source, "tests"), os.path.join(d, "tests"))
        shutil.copy(os.path.join(source, "pyproject.toml"), d)
        report = os.path.join(d, "report.xml")
        code, out, seconds = run(
            [environment.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--timeout={TEST}", "-W", "ignore",
             "--junitxml", report, "tests"], limit, settings(d), d)
        cases = {}
        if os.path.exists(report):
            for case in xml.parse(report).getroot().iter("testcase"):
                verdict = "pass"
                for kind in case:
                    verdict = {"failure": "fail", "error": "fail", "skipped": "ignore"}.get(kind.tag, verdict)
                cases[f"{case.get('classname', '').removeprefix('tests.')}.{case.get('name')}"] = verdict
    return {"outcome": outcome(code), "cases": cases, "seconds": seconds, "tail": out[-3000:]}


def main(options):
    environment = Environment("jupyter", PACKAGES)

    def judged(label):
        jobs = {"session": lambda: session(environment, options.limit or LIMIT)}
        for package in ("jupyter_client", "ipykernel"):
            jobs[package] = lambda package=package: tests(environment, package, options.limit or ALL)
        parts = {}
        for name, job in jobs.items():
            if not options.names or any(n in name for n in options.names):
                parts[name] = compare.again(job(), job, options.runs)
        return compare.result(label, environment.version(), parts)

    def ours():
        with Library(options.library, compare.label(options)) as library, environment.replaced(library):
            return judged(library.name)

    return compare.beside(options, "jupyter.json", lambda: judged(f"libzmq of pyzmq {PYZMQ}"), ours)
