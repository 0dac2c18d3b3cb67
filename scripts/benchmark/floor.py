"""The floor: HTTP, JSON and one flushed file a process, three processes. The source is tests/src/bin/floor.rs."""

import os

from loads import wrk
from machine import listens, wait_until


class Floor:
    name = "floor"

    def __init__(self, bench):
        self.bench, self.processes = bench, []
        place = bench.machine.place("floor")
        followers = [bench.machine.host() for _ in range(2)]
        for number, host in enumerate(followers):
            self.start(place, number, ["--listen", host])
        # A follower takes one connection, the leader's: there is nothing to probe it with.
        listening = lambda: all(bound(host) for host in followers)
        wait_until("the followers listen", listening, self.processes)
        self.host = bench.machine.host()
        self.start(place, 2, ["--http", self.host, "--followers", *followers])
        wait_until("the floor listens", lambda: listens(self.host), self.processes)

    def start(self, place, number, arguments):
        program = [self.bench.floor, "--data", f"{place}/{number}", *arguments]
        self.processes.append(self.bench.machine.start(program, os.path.join(place, "log")))

    def write(self, connections, seconds):
        return wrk(f"http://{self.host}", connections, seconds, "add", FIRST=self.bench.octet())

    def close(self):
        self.bench.machine.stop(self.processes)


def bound(host):
    """Whether somebody listens on an address, from the kernel's table."""
    port = f":{int(host.split(':')[1]):04X}"
    with open("/proc/net/tcp") as table:
        return any(line.split()[1].endswith(port) and line.split()[3] == "0A" for line in list(table)[1:])
