"""`scripts/suites zeromqjs`: Node's package zeromq, its addon built anew so that it loads a libzmq.so.5 from outside.

The published addon contains libzmq; here it is compiled from the sources that the package carries, linked to the real
library, and finds the judged one by LD_LIBRARY_PATH. The tests of version 6 are in its repository only, and in no package:
they run where the variable ZEROMQJS names a checkout of it. Otherwise these run: the tests of version 5, which its package
carries, on the interface of version 5 that version 6 has over the same addon; and node_smoke.js, of our own, which has each
socket type of version 6.
"""

import glob
import os
import re
import shutil

import compare
from build import Build
from common import HERE, ROOT, Library, cache, call, needs, outcome, run, say

PACKAGES = ["zeromq@6.8.0", "node-addon-api@8.3.1"]
# What runs zeromq.js's tests, which are TypeScript.
RUNNER = ["mocha@11", "chai@4", "semver@7", "esbuild@0.25", "proper-lockfile@4", "why-is-node-running@3",
          "fs-extra@11"]
# The newest package that has its tests in it, and what runs them.
OLDER = "zeromq@5.2.0"
OLDER_RUNNER = ["mocha@11", "should@13", "semver@5"]
# Fail with the published addon as well: they want a terminal, a compiler of TypeScript, or drafts.
LEFT_OUT = ("process-exit", "thread", "typings", "draft")
LIMIT = 120


def addon(build):
    """Returns the folder that has node_modules with the package and the rebuilt addon."""
    needs("node", "Node.js")
    needs("npm", "npm")
    folder = cache("zeromqjs")
    if os.path.exists(os.path.join(folder, ".ready")):
        return folder
    call(["npm", "install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--silent", *PACKAGES])
    say("building the addon of zeromq.js")
    # As a user builds it, against the real library.
    prefix = cache("zeromqjs", "real")
    for name, target in (("lib", build.library()), ("include", os.path.join(build.source, "include"))):
        shutil.rmtree(os.path.join(prefix, name), ignore_errors=True)
        shutil.copytree(target, os.path.join(prefix, name))
    shutil.copy(os.path.join(prefix, "lib", "libzmq.so.5"), os.path.join(prefix, "lib", "libzmq.so"))
    call([os.path.join(ROOT, "capi", "node"), prefix, folder])
    open(os.path.join(folder, ".ready"), "w").close()
    return folder


def own(folder, library, limit):
    script = os.path.join(folder, "smoke.js")
    shutil.copy(os.path.join(HERE, "node_smoke.js"), script)
    code, out, seconds = run(["node", script], limit, library.env(), folder)
    cases = dict(re.findall(r"^(\w+): (pass|fail)", out, re.M))
    return {"node_smoke": {"outcome": outcome(code), "cases": cases, "seconds": seconds, "tail": out[-2000:]}}


def older(folder, library, limit, names):
    """Runs the tests of version 5: each file by itself, one after the other, since they share ports."""
    base = os.path.join(folder, "v5")
    if not os.path.exists(os.path.join(base, ".ready")):
        call(["npm", "install", "--prefix", base, "--ignore-scripts", "--no-audit", "--no-fund", "--silent", *OLDER_RUNNER])
        tarball = call(["npm", "pack", "--silent", "--pack-destination", base, OLDER]).split()[-1]
        call(["tar", "xzf", os.path.join(base, tarball), "-C", base, "--strip-components=1", "package/test"])
        # They ask for what is above them.
        with open(os.path.join(base, "index.js"), "w") as f:
            f.write('module.exports = require("../node_modules/zeromq/v5-compat")\n')
        open(os.path.join(base, ".ready"), "w").close()
    parts = {}
    for file in sorted(glob.glob(f"{base}/test/*.js")):
        name = "v5/" + os.path.basename(file)[:-len(".js")]
        with open(file) as f:
            is_test = re.search(r"\bit\(", f.read())
        if not is_test or (names and not any(n in name for n in names)):
            continue
        parts[name] = mocha(base, file, library, limit)
    return parts


def mocha(folder, file, library, limit):
    code, out, seconds = run(["node", "--expose-gc", "node_modules/.bin/mocha", "--reporter", "tap", "--timeout", "15000",
                              "--exit", file], limit, library.env(), folder)
    cases = {text.strip(): "fail" if no else "ignore" if skip else "pass" for no, text, skip in
             re.findall(r"^(not )?ok \d+ (.*?)(# SKIP.*)?$", out, re.M)}
    return {"outcome": "ok" if code == 0 else "failed" if (code or 0) > 0 else outcome(code),
            "cases": cases, "seconds": seconds, "tail": out[-3000:]}


def theirs(folder, checkout, library, limit, names):
    if not os.path.exists(os.path.join(folder, ".runner")):
        call(["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--silent", *RUNNER])
        open(os.path.join(folder, ".runner"), "w").close()
    tests = os.path.join(folder, "test", "unit")
    shutil.rmtree(os.path.dirname(tests), ignore_errors=True)
    shutil.copytree(os.path.join(checkout, "test", "unit"), tests)
    # They import the source; here it is the package.
    os.makedirs(os.path.join(folder, "src"), exist_ok=True)
    with open(os.path.join(folder, "src", "index.js"), "w") as f:
        f.write('module.exports = require("zeromq")\n')
    parts = {}
    for file in sorted(glob.glob(f"{tests}/*-test.ts")):
        name = os.path.basename(file)[:-len("-test.ts")]
        if any(x in name for x in LEFT_OUT) or (names and not any(n in name for n in names)):
            continue
        built = file[:-3] + ".js"
        call(["node_modules/.bin/esbuild", file, "--bundle", "--platform=node", "--format=cjs", "--packages=external",
              "--external:../../src", f"--outfile={built}"], cwd=folder)
        parts[name] = mocha(folder, built, library, limit)
    return parts


def main(options):
    build = Build("release", options.jobs)
    folder = addon(build)
    checkout = os.environ.get("ZEROMQJS")
    if not checkout:
        say("ZEROMQJS names no checkout of zeromq.js: the tests of version 5 run, and node_smoke.js")

    def all_of(path, label):
        with Library(path, label) as library:
            limit = options.limit or LIMIT
            if checkout:
                parts = theirs(folder, checkout, library, limit, options.names)
            else:
                parts = {**own(folder, library, limit), **older(folder, library, limit, options.names)}
            return compare.result(label, library.version(), parts)

    name = "zeromqjs-checkout.json" if checkout else "zeromqjs-packages.json"
    return compare.beside(options, name, lambda: all_of(build.library(), "libzmq 4.3.5"),
                          lambda: all_of(options.library, compare.label(options)))
