"""Bulk adds: new plain addresses, a thousand lines a request, eight connections, through all three nodes."""

from contextlib import closing

from floor import Floor
from stockade import Cluster


def measure(bench):
    for _ in bench.rounds("bulk"):
        with closing(Cluster(bench)) as cluster:
            figures = bench.load.run("bulk", to=cluster.hosts, entries=bench.bulk_entries, first=20)
            bench.record("bulk", Cluster.name, bench.bulk_entries, **figures)
        with closing(Floor(bench)) as floor:
            figures = bench.load.run("bulk", to=floor.host, entries=bench.bulk_entries, first=20)
            bench.record("bulk", Floor.name, bench.bulk_entries, **figures)
