"""Durable replicated single adds: us, the peers and the floor, each alone, one after the other in each round."""

from contextlib import closing

from etcd import Etcd, Gateway
from floor import Floor
from postgresql import PostgreSQL
from redis import Redis
from stockade import Cluster, ThroughTheLeader

SYSTEMS = [Cluster, ThroughTheLeader, Etcd, Gateway, PostgreSQL, Redis, Floor]
CONNECTIONS = [1, 16, 64, 256]


def measure(bench):
    for _ in bench.rounds("writes"):
        for system in SYSTEMS:
            if not bench.wants(system.name):
                continue
            with closing(system(bench)) as running:
                for connections in CONNECTIONS:
                    figures = running.write(connections, bench.seconds)
                    bench.record("writes", system.name, connections, **figures)
        for nodes in (1, 5):
            with closing(Cluster(bench, nodes)) as cluster:
                bench.record("nodes", Cluster.name, nodes, **cluster.write(64, bench.seconds))
