"""A cluster with a list of a size, and what is measured on it: reads, exports, memory and start. Once for each size, so
that one sees how cost grows. The list has comments and sources as sensors write them, and a network for each ten hosts."""

import time
from contextlib import ExitStack, closing

import crowdsec
import machine
from loads import AUTHORIZATION, wrk
from nginx import Nginx
from stockade import LIST, Cluster

HOSTS, NETWORKS = 20, 150


def measure(bench, parts):
    """`parts` of reads, exports, scale."""
    for entries in bench.sizes:
        print(f"filled: {entries} entries", flush=True)
        with closing(Cluster(bench)) as cluster:
            fill(bench, cluster, entries, "scale" in parts)
            if "scale" in parts:
                memory(bench, cluster, entries)
            networks = max(1, entries // 10)
            bench.load.run("bulk", to=cluster.hosts, entries=networks, form="networks", first=NETWORKS)
            cluster.caught_up()
            if parts & {"reads", "exports"}:
                listed = cluster.get(cluster.urls[cluster.follower], LIST)[2]
                with closing(Nginx(bench, listed)) as nginx:
                    if "reads" in parts:
                        reads(bench, cluster, nginx, entries)
                    if "exports" in parts:
                        exports(bench, cluster, nginx, entries)
            if "exports" in parts:
                changes(bench, cluster, entries)
            if "scale" in parts:
                starts(bench, cluster, entries)


def fill(bench, cluster, entries, is_recorded):
    figures = bench.load.run("bulk", to=cluster.hosts, entries=entries, form="described", first=HOSTS)
    if is_recorded:
        bench.record("fill", Cluster.name, entries, **figures)
    cluster.caught_up()


def memory(bench, cluster, entries):
    cluster.stored()
    # A snapshot may be on its way still.
    time.sleep(bench.idle_seconds)
    for node in cluster.nodes:
        bench.record("memory", Cluster.name, entries, mib=machine.resident_mib(node))
    before, began = [machine.cpu_seconds(node) for node in cluster.nodes], time.monotonic()
    time.sleep(bench.idle_seconds)
    for node, used in zip(cluster.nodes, before):
        percent = (machine.cpu_seconds(node) - used) / (time.monotonic() - began) * 100
        bench.record("idle", Cluster.name, entries, percent=percent)


def reads(bench, cluster, nginx, entries):
    url = cluster.urls[cluster.follower]
    for _ in bench.rounds(f"reads, {entries}"):
        for connections in (1, 64):
            # The same requests, so that to make them costs the same; nginx looks at none of it.
            asked = {"FIRST": HOSTS, "COUNT": entries, "AUTHORIZATION": AUTHORIZATION}
            bench.record("nginx 200", "nginx", connections, entries=entries,
                         **wrk(nginx.url, connections, bench.seconds, "get", PATH_TO_GET="/200/", **asked))
            bench.record("lookup", Cluster.name, connections, entries=entries,
                         **wrk(url, connections, bench.seconds, "get", PATH_TO_GET="/ip/", **asked))


def exports(bench, cluster, nginx, entries):
    url = cluster.urls[cluster.follower]
    seconds = bench.seconds
    ours = {"PATH_TO_GET": LIST, "AUTHORIZATION": AUTHORIZATION}
    etag = cluster.get(url, LIST)[1]["ETag"]
    for _ in bench.rounds(f"exports, {entries}"):
        for clients in (1, 4):
            bench.record("list", "nginx", clients, entries=entries,
                         **wrk(nginx.url, clients, seconds, PATH_TO_GET="/list"))
            bench.record("list", Cluster.name, clients, entries=entries, **wrk(url, clients, seconds, **ours))
        bench.record("unchanged", "nginx", 64, entries=entries,
                     **wrk(nginx.url, 64, seconds, PATH_TO_GET="/list", IF_NONE_MATCH=nginx.etag))
        bench.record("unchanged", Cluster.name, 64, entries=entries,
                     **wrk(url, 64, seconds, IF_NONE_MATCH=etag, **ours))
    for _ in bench.rounds(f"exports during adds, {entries}"):
        for clients in (1, 4):
            adds = bench.load.begin("adds", to=cluster.hosts, rate=1000, seconds=seconds, first=bench.octet())
            bench.record("list during adds", Cluster.name, clients, entries=entries,
                         **wrk(url, clients, seconds, **ours))
            bench.record("adds during list", Cluster.name, clients, entries=entries, **bench.load.end(adds))


def changes(bench, cluster, entries):
    """The first export after one change, and what a bouncer is told of it."""
    url = cluster.urls[cluster.follower]
    key = cluster.token("bouncer")
    crowdsec.pull(url, key, "/v1/decisions/stream?startup=true")
    asking = {"Authorization": AUTHORIZATION}
    for number in range(bench.runs * 5):
        cluster.add(f"145.1.{number // 250}.{number % 250 + 1}", cluster.follower)
        bench.record("first export", Cluster.name, entries, **machine.timed(url + LIST, asking))
        # Beside it what the same bytes take when nothing has changed.
        bench.record("next export", Cluster.name, entries, **machine.timed(url + LIST, asking))
        seconds, _ = crowdsec.pull(url, key, "/v1/decisions/stream?startup=false")
        bench.record("delta", Cluster.name, entries, ms=seconds * 1000)


def starts(bench, cluster, entries):
    for _ in bench.rounds(f"start, {entries}"):
        number = cluster.follower
        bench.machine.stop([cluster.nodes[number]])
        bench.record("start", Cluster.name, entries, seconds=cluster.restart(number))
    bench.record("memory after a start", Cluster.name, entries,
                 mib=machine.resident_mib(cluster.nodes[cluster.follower]))


def bouncers(bench):
    """CrowdSec's bouncers at its own LAPI, and at a node with the same addresses."""
    count = bench.decisions
    # Those that wrk.lua asks for.
    scattered = [(number * 7919 + 1) % (1 << 24) for number in range(count)]
    addresses = [f"20.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in scattered]
    with ExitStack() as stack:
        lapi = stack.enter_context(closing(crowdsec.Lapi(bench, addresses)))
        bench.version("crowdsec", lapi.version)
        cluster = stack.enter_context(closing(Cluster(bench)))
        lines = "\n".join(addresses).encode()
        headers = {"Authorization": AUTHORIZATION, "Content-Type": "text/plain"}
        machine.ask(cluster.urls[0] + "/ip/add", lines, headers)
        cluster.caught_up()
        url, key = cluster.urls[cluster.follower], cluster.token("bouncer")
        for turn in bench.rounds("crowdsec"):
            for name, at, own_key in (("LAPI", lapi.url, crowdsec.KEY), (Cluster.name, url, key)):
                for _ in range(3):
                    seconds, size = crowdsec.pull(at, own_key, "/v1/decisions/stream?startup=true")
                    bench.record("stream", name, count, ms=seconds * 1000, bytes=size)
                changed = f"146.1.{turn}.1"
                lapi.add([changed]) if name == "LAPI" else cluster.add(changed, cluster.follower)
                seconds, size = crowdsec.pull(at, own_key, "/v1/decisions/stream?startup=false")
                bench.record("small delta", name, count, ms=seconds * 1000, bytes=size)
                for connections in (1, 16):
                    figures = wrk(at, connections, bench.seconds, "get", PATH_TO_GET="/v1/decisions?ip=",
                                  FIRST=20, COUNT=count, API_KEY=own_key)
                    bench.record("decision", name, connections, **figures)
