"""Measures Stockade beside its peers; `scripts/bench` installs and builds what this needs, and says how to call it."""

import argparse
import itertools
import os
import signal
import sys
import time
from contextlib import contextmanager

import bulk
import filled
import freshness
import table
import writes
from loads import Load
from machine import Machine
from results import Results
from versions import versions

FILLED = ["reads", "exports", "scale"]
PARTS = {
    "writes": writes.measure,
    "bulk": bulk.measure,
    "delay": freshness.delay,
    "outage": freshness.outage,
    "pollers": freshness.pollers,
    "expiry": freshness.expiry,
    "link": freshness.link,
    "crowdsec": filled.bouncers,
}
# First octets that wrk and `load` add to: public, and neither listed before nor refused.
OCTETS = [octet for octet in range(30, 127) if octet != 100] + list(range(128, 140))
# What ends the bench early; everything is stopped first.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Bench:
    """What every part needs: how long and how often, the programs, the machine and the results."""

    def __init__(self, arguments):
        self.machine = Machine()
        self.results = Results(os.path.join(arguments.out, "results.jsonl"))
        self.binary, self.floor = arguments.binary, os.path.join(arguments.tools, "floor")
        self.load = Load(self.machine, os.path.join(arguments.tools, "load"))
        quick = arguments.quick
        self.runs = arguments.runs or (1 if quick else 3)
        self.seconds = arguments.seconds or (2 if quick else 4)
        self.sizes = arguments.sizes or ([10_000, 100_000] if quick else [10_000, 100_000, 1_000_000])
        self.bulk_entries = 200_000 if quick else 1_000_000
        self.expiring = 100_000 if quick else 1_000_000
        self.decisions = 30_000 if quick else 130_000
        self.kills = 3 if quick else 9
        self.pollers = (2000, 200)
        self.idle_seconds = 3 if quick else 10
        self.systems = arguments.systems
        self.versions = versions(self)
        self.octets = itertools.cycle(OCTETS[::2])

    def record(self, what, system, x, **figures):
        self.results.record(what, system, x, **figures)

    def version(self, name, version):
        self.versions[name] = version

    def wants(self, system):
        """Whether a system is to be measured; ours always is."""
        named = self.systems is None or any(word.lower() in system.lower() for word in self.systems)
        return named or system.startswith("stockade")

    def rounds(self, title):
        for number in range(self.runs):
            print(f"{title}: {number + 1} of {self.runs}", flush=True)
            yield number

    def octet(self):
        """The first of two octets whose addresses nobody has added for a long time."""
        return next(self.octets)

    @contextmanager
    def wires(self):
        """Gives a function that puts a delay of 25 ms each way in front of addresses, and says where that is."""
        running = []

        def wire(targets):
            log = os.path.join(self.machine.folder, "wires.log")
            process = self.machine.start([self.load.program, "wires", *targets], log, stdin=-1, stdout=-1)
            running.append(process)
            return [process.stdout.readline().decode().strip() for _ in targets]

        yield wire
        self.machine.stop(running)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.split(";")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join([*PARTS, *FILLED])}; else all")
    parser.add_argument("--quick", action="store_true", help="1 run of 2 s, at most 100,000 entries: minutes")
    parser.add_argument("--runs", type=int, metavar="N", help="of which the medians are taken [default: 3]")
    parser.add_argument("--seconds", type=int, metavar="N", help="of each run [default: 4]")
    parser.add_argument("--sizes", type=lambda text: [int(size) for size in text.split(",")], metavar="N,N",
                        help="entries of the lists that are read; 10000000 too [default: 10000,100000,1000000]")
    parser.add_argument("--systems", type=lambda text: text.split(","), metavar="NAME,NAME",
                        help="peers that are written to: etcd, postgresql, redis, floor; none")
    parser.add_argument("--out", default=time.strftime("figures/%F", time.gmtime()), metavar="DIR",
                        help="for results.jsonl, table.md and the plots [default: figures/DATE]")
    parser.add_argument("--binary", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--tools", required=True, help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    unknown = set(parsed.parts) - set(PARTS) - set(FILLED)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    return parsed


def main():
    chosen = arguments()
    parts = chosen.parts or [*PARTS, *FILLED]
    os.makedirs(chosen.out, exist_ok=True)
    path = os.path.join(chosen.out, "results.jsonl")
    if os.path.exists(path):
        os.remove(path)
    for how in SIGNALS:
        signal.signal(how, lambda number, _: sys.exit(128 + number))
    bench = Bench(chosen)
    began = time.monotonic()
    try:
        bench.record("binary", "stockade", 0, mib=os.stat(bench.binary).st_size / 2**20)
        for part, measure in PARTS.items():
            if part in parts:
                measure(bench)
        if set(FILLED) & set(parts):
            filled.measure(bench, set(FILLED) & set(parts))
    finally:
        for how in SIGNALS:
            signal.signal(how, signal.SIG_IGN)
        bench.machine.close()
    bench.version("took", f"{(time.monotonic() - began) / 60:.1f} minutes")
    table.write(os.path.join(chosen.out, "table.md"), bench.results, bench.versions)
    # Slow to load, and not there before it is installed: `--help` works without.
    import plots

    plots.draw(chosen.out, bench.results)
    with open(os.path.join(chosen.out, "table.md")) as text:
        print(text.read())


main()
