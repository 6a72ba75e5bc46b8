"""`scripts/suites czmq`: the selftest of czmq, which is built once against the real library, with the library replaced.

The source is Debian's package. Left out: zhttp (wants libcurl and libmicrohttpd), and what Debian builds as programs.
"""

import glob
import os
import re
import shutil

import compare
from build import Build
from common import Library, Trouble, cache, call, outcome, run, say, source_of, together

LIMIT = 60
# Defines of its platform.h for libraries that are not here.
WITHOUT = ("HAVE_LIBCURL", "HAVE_LIBLZ4", "HAVE_LIBMICROHTTPD", "HAVE_LIBNSS", "HAVE_UUID", "HAVE_LIBSYSTEMD")
NOT_SOURCES = ("test_randof.c", "zmakecert.c", "zsp.c")


def built(build):
    """Builds czmq's selftest. Returns the program, and the source folder in which its tests want to run."""
    source = cache("czmq", "source")
    program = cache("czmq", "selftest", folder=False)
    if not os.path.exists(program):
        say("building czmq's selftest")
        shutil.copytree(source_of("czmq"), source, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("bindings", "doc", "builds", "config*", "aclocal.m4"))
        # Its platform.h is of the machine that made the package: without what is not here.
        platform = os.path.join(source, "src", "platform.h")
        with open(platform) as f:
            lines = [line for line in f if not any(w in line for w in WITHOUT)]
        with open(platform, "w") as f:
            f.writelines(lines)
        work = cache("czmq", "objects")
        flags = ["-w", "-O0", "-g", "-DCZMQ_BUILD_DRAFT_API", f"-I{source}/include", f"-I{source}/src",
                 f"-I{build.source}/include"]
        names = [f for f in glob.glob(f"{source}/src/*.c") if os.path.basename(f) not in NOT_SOURCES]
        objects = {f: os.path.join(work, os.path.basename(f) + ".o") for f in names}
        for _ in together({f: (lambda f=f: os.path.exists(objects[f]) or
                               call(["gcc", *flags, "-c", f, "-o", objects[f]])) for f in names}, build.jobs):
            pass
        call(["gcc", *objects.values(), os.path.join(build.library(), "libzmq.so.5"), "-lpthread", "-lm", "-o",
              program + ".part"])
        os.rename(program + ".part", program)
    return program, source


def names_of(program, env, source):
    code, out, _ = run([program, "--list"], 30, env, source)
    names = re.findall(r"^\s*(z\w+|test_\w+)\b", out, re.M)
    if code != 0 or not names:
        raise Trouble(f"czmq's selftest does not list its tests:\n{out}")
    return [n for n in dict.fromkeys(names) if not n.startswith("zhttp")]


def main(options):
    build = Build("release", options.jobs)
    program, source = built(build)

    def all_of(path, label):
        with Library(path, label) as library:
            tests = names_of(program, library.env(), source)
            if options.names:
                tests = [t for t in tests if any(n in t for n in options.names)]

            def one(test):
                # Its tests want the source folder, and leave files behind in it: each gets a copy.
                folder = os.path.join(library.folder, test)
                shutil.copytree(source, folder)
                code, out, seconds = run([program, "--test", test], options.limit or LIMIT,
                                         {**library.env(), "ZSYS_INTERFACE": "lo"}, folder)
                shutil.rmtree(folder, ignore_errors=True)
                return {"outcome": outcome(code), "cases": {}, "seconds": seconds, "tail": out[-1500:]}

            # One after the other: many of them bind fixed ports.
            parts = {}
            for t in tests:
                parts[t] = compare.again(one(t), lambda t=t: one(t), options.runs)
            return compare.result(label, library.version(), parts)

    return compare.beside(options, "czmq.json", lambda: all_of(build.library(), "libzmq 4.3.5"),
                          lambda: all_of(options.library, compare.label(options)))
