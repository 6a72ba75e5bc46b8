"""`scripts/suites locust`: locust, a load generator, distributed: one master and two workers in processes of their own, which
talk by ROUTER and DEALER with gevent. What the workers have done, the master has to have heard.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import compare
from common import HERE, Library, outcome
from wheel import PYZMQ, Environment

PACKAGES = ["locust==2.47.0"]
# Seconds that the users are at work, and that the whole may take.
WORK, LIMIT = 8, 120
USERS = 20


def port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def distributed(environment, limit):
    cases, began = {}, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="locust") as d:
        shutil.copy(os.path.join(HERE, "locust_users.py"), d)
        locust = [environment.python, "-m", "locust", "-f", "locust_users.py", "--headless"]
        at = str(port())
        outputs = [open(os.path.join(d, name), "w+") for name in ("master", "worker1", "worker2", "errors")]

        def start(out, *arguments):
            return subprocess.Popen([*locust, *arguments], cwd=d, stdout=out, stderr=outputs[3], stdin=subprocess.DEVNULL,
                                    start_new_session=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})

        processes = [start(outputs[0], "--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", at,
                           "--expect-workers", "2", "-u", str(USERS), "-r", str(USERS), "-t", f"{WORK}s", "--json",
                           "--stop-timeout", "5")]
        processes += [start(out, "--worker", "--master-host", "127.0.0.1", "--master-port", at) for out in outputs[1:3]]
        codes = []
        for process in processes:
            try:
                codes.append(process.wait(max(1, began + limit - time.monotonic())))
            except subprocess.TimeoutExpired:
                codes.append(None)
            finally:
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                process.wait()
        for out in outputs:
            out.seek(0)
        master, *workers, errors = (out.read() for out in outputs)
        for out in outputs:
            out.close()
    for name, code in zip(("master", "first worker", "second worker"), codes):
        cases[f"{name} ends well"] = "pass" if code == 0 else "fail"
    counted = [int(n) for text in workers for n in re.findall(r"counted (\d+)", text)]
    heard = re.search(r"^\[.*^\]", master, re.M | re.S)
    heard = sum(entry["num_requests"] for entry in json.loads(heard.group(0))) if heard else 0
    cases["both have worked"] = "pass" if len(counted) == 2 else "fail"
    cases["enough was done"] = "pass" if sum(counted) > USERS * WORK * 20 // 4 else "fail"
    cases["the master has heard of all"] = "pass" if heard == sum(counted) > 0 else "fail"
    bad = [code for code in codes if code != 0]
    how = outcome(bad[0]) if bad else "ok" if "fail" not in cases.values() else "failed"
    tail = f"counted {counted}, heard {heard}\n{master[-500:]}{errors[-3000:]}"
    return {"outcome": how, "cases": cases, "seconds": time.monotonic() - began, "tail": tail}


def main(options):
    environment = Environment("locust", PACKAGES)

    def judged(label):
        job = lambda: distributed(environment, options.limit or LIMIT)  # noqa: E731
        return compare.result(label, environment.version(), {"distributed": compare.again(job(), job, options.runs)})

    def ours():
        with Library(options.library, compare.label(options)) as library, environment.replaced(library):
            return judged(library.name)

    return compare.beside(options, "locust.json", lambda: judged(f"libzmq of pyzmq {PYZMQ}"), ours)
