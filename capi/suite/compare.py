"""The result of a suite: how it is kept as data, compared with the real library's, and shown.

A result is {"library", "version", "date", "system", "parts": {name: {"outcome", "seconds", "cases": {name: verdict},
"tail"}}}; a part is a program, a test file or a test, as the suite has it. Verdicts are "pass", "fail", "ignore".
"""

import datetime
import os
import platform

from common import read_data, say, table, write_data

GOOD = ("ok", "skipped")


def result(library, version, parts):
    return {"library": library, "version": version, "date": datetime.date.today().isoformat(),
            "system": f"{platform.system()} {platform.release().split('-')[0]}, {platform.machine()}", "parts": parts}


def label(options):
    """Returns how the judged library is called in what is printed."""
    return os.path.basename(os.path.realpath(options.library))


def again(part, job, runs):
    """Returns a part that failed as a later run has it, of `runs` in all: the first that is good, or the last."""
    for run in range(2, runs + 1):
        # A time-out is hardly a race: it is waited for twice at most.
        if part["outcome"] in GOOD or (part["outcome"] == "time-out" and run > 2):
            break
        part = {**job(), "run": run}
    return part


def kept(res):
    """Returns what of a result is stored as data: no output, no seconds below one."""
    parts = {n: {k: v for k, v in p.items() if k != "tail"} | {"seconds": round(p["seconds"])}
             for n, p in res["parts"].items()}
    return {**res, "parts": parts}


def count(part):
    """Returns `passed of all` cases of a part."""
    cases = part.get("cases") or {}
    passed = sum(v == "pass" for v in cases.values())
    return f"{passed}/{len(cases)}" if cases else "-"


def total(res):
    by = {}
    for p in res["parts"].values():
        key = "crash" if p["outcome"].startswith("crash") else p["outcome"]
        by[key] = by.get(key, 0) + 1
    cases = [v for p in res["parts"].values() for v in (p.get("cases") or {}).values()]
    return (", ".join(f"{n} {k}" for k, n in sorted(by.items(), key=lambda kv: -kv[1])) +
            f"; cases: {cases.count('pass')} passed, {cases.count('fail')} failed, {cases.count('ignore')} ignored")


def losses(ours, real, races):
    """Returns {part: what} of what the real library passes and ours does not, and the same of what may go either way: a part
    that ends by itself and fails in no case but those of `races` ({part: {"cases", "why"}})."""
    lost, raced = {}, {}
    for name, r in real["parts"].items():
        o = ours["parts"].get(name)
        if o is None or r["outcome"] not in GOOD:
            continue
        # A skip of the real one asks nothing of ours; a pass asks for a pass.
        missing = [c for c, v in (r.get("cases") or {}).items()
                   if v == "pass" and (o.get("cases") or {}).get(c) != "pass"]
        if missing or o["outcome"] not in (GOOD if r["outcome"] == "skipped" else ("ok",)):
            by_luck = o["outcome"] == "failed" and missing and name in races and set(missing) <= set(races[name]["cases"])
            (raced if by_luck else lost)[name] = o["outcome"] + (": " + ", ".join(missing) if missing else "")
    return lost, raced


def show(ours, real, reasons=None, everything=False, races=None):
    """Prints a result, beside the real library's where there is one. Returns the exit code. The cases in `races` may go
    either way, for the reason that stands there: they are shown, and not counted."""
    reasons = reasons or {}
    races = races or {}
    rows = []
    for name in sorted(ours["parts"]):
        o = ours["parts"][name]
        r = (real or {"parts": {}})["parts"].get(name)
        differs = r is None or r["outcome"] != o["outcome"] or count(r) != count(o)
        if everything or differs or o["outcome"] not in GOOD:
            rows.append([name, o["outcome"] + (f" at run {o['run']}" if o.get("run", 1) > 1 else ""), count(o),
                         f"{o['seconds']:.0f}", r["outcome"] if r else "-", count(r) if r else "-",
                         reasons.get(name, "")])
    if rows:
        table(rows, ["", "here", "cases", "s", "libzmq", "cases", "does not apply because"])
    else:
        say("every part as with libzmq")
    say(f"\nhere ({ours['library']}, says {ours['version']}): {total(ours)}")
    if not real:
        return int(any(p["outcome"] not in GOOD for n, p in ours["parts"].items() if n not in reasons))
    say(f"real ({real['library']}, {real['date']}): {total(real)}")
    lost, raced = losses(ours, real, races)
    for name, what in sorted(raced.items()):
        say(f"RACE {name}: {what}: {races[name]['why']}")
    for name, what in sorted(lost.items()):
        say(f"LOST {name}: {what}")
    say(f"{len(lost)} parts that libzmq passes are lost" if lost else "nothing that libzmq passes is lost")
    return int(bool(lost))


def beside(options, name, real_one, ours_one, reasons=None, races=None):
    """Does what a suite was asked for: runs ours, beside what the real library reached (stored under `name`, or run now).
    `real_one()` and `ours_one()` give results. Returns the exit code."""
    stored = read_data(name)
    real = stored
    if options.both or options.baseline or not options.library:
        real = real_one()
        if options.baseline:
            write_data(name, kept(real))
            stored = real
        if not options.library:
            return show(real, stored, reasons, options.all, races)
    ours = ours_one()
    if real and options.names:
        real = {**real, "parts": {n: p for n, p in real["parts"].items() if n in ours["parts"]}}
    if options.tails:
        for n, p in sorted(ours["parts"].items()):
            if p["outcome"] not in GOOD:
                say(f"---- {n}\n{p['tail']}")
    return show(ours, real, reasons, options.all, races)

