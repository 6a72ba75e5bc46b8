"""What the machine says of itself, measured and not declared; and what the kernel says of processes: where they may run,
and how many system calls they make."""

import glob
import os
import re
import shutil
import subprocess
import tempfile
import time


def text(path):
    """A file's first line, or `None` where there is no such file."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline().strip()
    except OSError:
        return None


def describe():
    """The processor, the kernel, and what changes a processor's speed."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        info = file.read()
    model = re.search(r"^model name\s*: (.*)", info, re.M)
    return {"cpus": os.cpu_count(), "cpu": model.group(1).strip() if model else "?", "kernel": os.uname().release,
            "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "governor": governor(), "turbo": turbo(),
            "virtual": virtual(info), "clock": text("/sys/devices/system/clocksource/clocksource0/current_clocksource")}


def governor():
    found = {text(path) for path in glob.glob("/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")}
    return "+".join(sorted(found)) or "not to be seen"


def turbo():
    boost, none = text("/sys/devices/system/cpu/cpufreq/boost"), text("/sys/devices/system/cpu/intel_pstate/no_turbo")
    return {"1": "on", "0": "off"}.get(boost) or {"1": "off", "0": "on"}.get(none) or "not to be seen"


def virtual(info):
    """Under which hypervisor: `no` on bare metal."""
    if not re.search(r"^flags\s*:.*\bhypervisor\b", info, re.M):
        return "no"
    vendor = re.search(r"Hypervisor vendor:\s*(\S+)", said(["lscpu"]))
    return vendor.group(1) if vendor else "yes"


def said(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def ticks():
    """All CPU time so far, and what the hypervisor took of it."""
    with open("/proc/stat", encoding="utf-8") as file:
        v = [int(x) for x in file.readline().split()[1:9]]
    return sum(v), v[7]


def stolen(before, after):
    return round((after[1] - before[1]) / max(1, after[0] - before[0]), 4)


def allowed(pid):
    """The sets of CPUs on which the threads of a process may run."""
    sets = set()
    for path in glob.glob(f"/proc/{pid}/task/*"):
        try:
            sets.add(frozenset(os.sched_getaffinity(int(os.path.basename(path)))))
        except OSError:  # the thread is gone
            pass
    return sets


class Counter:
    """Counts the system calls of all processes that are started with it."""

    def __init__(self):
        self.tool, self.files = None, []
        self.folder = tempfile.mkdtemp(prefix="calls")
        for tool in ("perf", "strace"):
            if shutil.which(tool) and self.total_of(tool) is not None:
                self.tool = tool
                return

    def total_of(self, tool):
        """What a tool counts for a program that does nothing; `None` if it is not allowed to."""
        self.tool = tool
        try:
            subprocess.run(self.prefix() + ["true"], capture_output=True, timeout=10)
            return self.total() or None
        except (OSError, subprocess.TimeoutExpired):
            return None
        finally:
            self.tool = None

    def prefix(self):
        path = os.path.join(self.folder, str(len(self.files)))
        self.files.append(path)
        if self.tool == "perf":
            return ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-o", path, "--"]
        return ["strace", "-f", "-c", "-o", path]

    def total(self):
        """The calls of all processes since the last time. They have ended."""
        calls = 0
        for path in self.files:
            try:
                with open(path, encoding="utf-8") as file:
                    told = file.read()
            except OSError:
                continue
            perf = re.search(r"^(\d+),.*sys_enter", told, re.M)
            strace = re.search(r"^100\.00\s+\S+\s+(?:\S+\s+)?(\d+)(?:\s+\d+)?\s+total", told, re.M)
            found = perf or strace
            calls += int(found.group(1)) if found else 0
            if os.path.exists(path):
                os.remove(path)
        self.files = []
        return calls

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)
