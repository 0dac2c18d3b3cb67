"""How soon all know: an add on one node until it is in another node's export, and the time without a leader."""

import sys
import time
from contextlib import closing

from etcd import Gateway
from loads import AUTHORIZATION
from machine import ask, wait_until
from stockade import Cluster

ENTRIES = 10_000
BUSY_ADDS = 10_000
# Lines of a request that fills a list, and how many entries a second are taken for sure.
LINES, FILLED_A_SECOND = 50_000, 20_000


def delay(bench):
    with closing(Cluster(bench)) as cluster:
        bench.load.run("bulk", to=cluster.hosts, entries=ENTRIES, form="described", first=20)
        cluster.caught_up()
        ends = {"to": cluster.hosts[1], "from": cluster.hosts[2], "seconds": bench.seconds}
        for _ in bench.rounds("delay"):
            bench.record("delay", Cluster.name, 0, **bench.load.run("visible", **ends, first=bench.octet()))
        for _ in bench.rounds("delay under load"):
            adds = bench.load.begin("adds", to=cluster.hosts, rate=BUSY_ADDS, seconds=bench.seconds + 1,
                                    first=bench.octet())
            bench.record("delay", Cluster.name, BUSY_ADDS, **bench.load.run("visible", **ends, first=bench.octet()))
            bench.record("adds during delay", Cluster.name, BUSY_ADDS, **bench.load.end(adds))


def outage(bench):
    for system in (Cluster, Gateway):
        name = "etcd" if system is Gateway else system.name
        # etcd takes an account it does not know for a wrong one.
        target = {"kind": "etcd", "user": ""} if system is Gateway else {}
        if not bench.wants(name):
            continue
        with closing(system(bench)) as cluster:
            for number in range(bench.kills):
                print(f"outage, {name}: {number + 1} of {bench.kills}", flush=True)
                wait_until("all see a leader", lambda: cluster.leader() is not None)
                leader = cluster.leader()
                writers = bench.load.begin("outage", to=cluster.hosts, seconds=5, first=bench.octet(), **target)
                time.sleep(1)
                cluster.kill(leader)
                bench.record("outage", name, number, ms=bench.load.end(writers)["longest_ms"])
                cluster.restart(leader)


def pollers(bench):
    """Many firewalls and followers on one node while reports come in through the others."""
    pollers, followers = bench.pollers
    with closing(Cluster(bench)) as cluster:
        bench.load.run("bulk", to=cluster.hosts, entries=ENTRIES, form="described", first=20)
        cluster.caught_up()
        for _ in bench.rounds("pollers"):
            seconds = max(10, bench.seconds)
            adds = bench.load.begin("adds", to=[cluster.hosts[0], cluster.hosts[2]], rate=5000, seconds=seconds,
                                    first=bench.octet())
            seen = bench.load.run("pollers", **{"from": cluster.hosts[1]}, pollers=pollers, followers=followers,
                                  seconds=seconds)
            bench.record("polls", Cluster.name, pollers, **seen["polls"])
            bench.record("waits", Cluster.name, followers, **seen["waits"])
            bench.record("adds during polls", Cluster.name, pollers, **bench.load.end(adds))


def expiry(bench):
    """Hashes whose time is over all at once, while addresses are added."""
    count, headers = bench.expiring, {"Authorization": AUTHORIZATION, "Content-Type": "text/plain"}
    with closing(Cluster(bench)) as cluster:
        due = time.monotonic() + 10 + count / FILLED_A_SECOND
        for first in range(0, count, LINES):
            lines = "\n".join(f"{number:032x}" for number in range(first, min(first + LINES, count)))
            left = due - time.monotonic()
            if left < 1:
                sys.exit("scripts/bench: the list was due before it was filled")
            url = cluster.urls[first // LINES % len(cluster.urls)]
            answer = ask(f"{url}/hash/add?ttl={round(left)}", lines.encode(), headers)
            if answer is None or answer[0] != 200:
                sys.exit(f"scripts/bench: a bulk add was answered {answer}")
        cluster.caught_up()
        wait_until("the list is due", lambda: time.monotonic() > due - 3)
        adds = bench.load.begin("adds", to=cluster.hosts, rate=1000, seconds=max(10, count // FILLED_A_SECOND),
                                first=bench.octet())
        beyond_first = lambda: int(cluster.get(cluster.urls[0], "/hash/all?limit=1")[1].get("Stockade-Truncated", 0))
        wait_until("the first entry is gone", lambda: beyond_first() < count - 1)
        began = time.monotonic()
        wait_until("the list has expired", lambda: beyond_first() == 0)
        bench.record("expiry", Cluster.name, count, seconds=time.monotonic() - began)
        bench.record("adds during expiry", Cluster.name, count, **bench.load.end(adds))


def link(bench):
    """Three sites, 50 ms there and back between any two of them."""
    for system in (Cluster, Gateway):
        name = "etcd" if system is Gateway else system.name
        if not bench.wants(name):
            continue
        with bench.wires() as wires, closing(system(bench, wires=wires)) as cluster:
            for _ in bench.rounds(f"link, {name}"):
                for connections in (1, 64, 256):
                    bench.record("link", name, connections, **cluster.write(connections, bench.seconds))
