"""What was measured, and on what."""

import os
import re
import subprocess
import time

from postgresql import programs

PROGRAMS = {
    "etcd": ["etcd", "--version"],
    "PostgreSQL": ["postgres", "--version"],
    "Redis": ["redis-server", "--version"],
    "nginx": ["nginx", "-v"],
    "wrk": ["wrk", "-v"],
    "h2load": ["h2load", "--version"],
}
PROBE_SECONDS = 1.0
BLOCK = b"\0" * 4096


def versions(bench):
    found = {"date": time.strftime("%F %H:%M UTC", time.gmtime())}
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    found["stockade"] = f"{first_line([bench.binary, '--version'])}, commit {commit.stdout.strip() or 'unknown'}"
    for name, arguments in PROGRAMS.items():
        if name == "PostgreSQL":
            arguments = [f"{programs()}/postgres", *arguments[1:]]
        found[name] = first_line(arguments)
    found["machine"] = machine()
    found["disk"] = f"{probe(bench.machine.folder):,.0f} times a second 4 KiB appended and flushed, before all"
    found["runs"] = f"medians of {bench.runs}, {bench.seconds} s each; loads and servers share the machine"
    return found


def first_line(arguments):
    ended = subprocess.run(arguments, capture_output=True, text=True)
    return (ended.stdout + ended.stderr).strip().splitlines()[0]


def machine():
    with open("/proc/cpuinfo") as text:
        model = re.search(r"model name\s*: (.*)", text.read())
    with open("/proc/meminfo") as text:
        memory = int(text.readline().split()[1]) / 2**20
    kernel = os.uname()
    return f"{os.cpu_count()} cores ({model[1] if model else kernel.machine}), {memory:.0f} GiB, Linux {kernel.release}"


def probe(folder):
    """How often a block can be appended and flushed here in a second."""
    path, count, began = os.path.join(folder, "probe"), 0, time.monotonic()
    with open(path, "wb", buffering=0) as file:
        while time.monotonic() - began < PROBE_SECONDS:
            file.write(BLOCK)
            os.fdatasync(file.fileno())
            count += 1
    os.remove(path)
    return count / PROBE_SECONDS
