"""Python environments whose pyzmq has a library of its own inside, which is replaced for a run. Used by the suites that are
Python programs.
"""

import contextlib
import glob
import os
import shutil
import sys

from common import Trouble, cache, call

PYZMQ = "27.3.0"


class Environment:
    """A virtual environment in the cache folder, with pyzmq's wheel and the packages that are named."""

    def __init__(self, name, packages):
        self.folder = cache(name, "venv")
        self.python = os.path.join(self.folder, "bin", "python")
        if not os.path.exists(os.path.join(self.folder, ".ready")):
            call([sys.executable, "-m", "venv", "--clear", self.folder])
            call([self.python, "-m", "pip", "install", "--quiet", "--only-binary", "pyzmq", f"pyzmq=={PYZMQ}", *packages])
            open(os.path.join(self.folder, ".ready"), "w").close()
        bundled = glob.glob(os.path.join(self.folder, "lib/python3*/site-packages/pyzmq.libs/libzmq-*.so.5*"))
        bundled = [b for b in bundled if not b.endswith((".real", ".part"))]
        if not bundled:
            raise Trouble(f"pyzmq {PYZMQ} has no bundled library here: is there a wheel for this Python?")
        self.bundled = bundled[0]
        self.real = self.bundled + ".real"
        if not os.path.exists(self.real):
            shutil.copy(self.bundled, self.real)

    def version(self):
        """Returns what the library in it says that it is."""
        return call([self.python, "-c", "import zmq; print(zmq.zmq_version())"]).strip()

    @contextlib.contextmanager
    def replaced(self, library):
        """Has the environment use another library. By renaming: an interpreter that still runs keeps the file it has mapped."""
        try:
            self._put(library.file)
            yield self
        finally:
            self._put(self.real)

    def _put(self, file):
        shutil.copy(file, self.bundled + ".part")
        os.rename(self.bundled + ".part", self.bundled)
