"""`scripts/suites jupyter`: a Jupyter session, ipykernel and jupyter_client both on the library that is judged, in two
processes.
"""

import os
import re
import shutil
import tempfile

import compare
from common import HERE, Library, outcome, run
from wheel import PYZMQ, Environment

PACKAGES = ["ipykernel==7.4.0", "jupyter_client==8.10.0"]
LIMIT = 300


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


def main(options):
    environment = Environment("jupyter", PACKAGES)

    def judged(label):
        job = lambda: session(environment, options.limit or LIMIT)  # noqa: E731
        return compare.result(label, environment.version(), {"session": compare.again(job(), job, options.runs)})

    def ours():
        with Library(options.library, compare.label(options)) as library, environment.replaced(library):
            return judged(library.name)

    return compare.beside(options, "jupyter.json", lambda: judged(f"libzmq of pyzmq {PYZMQ}"), ours)
