"""The targets, a row each: what was measured, beside what, and whether that is enough."""

from dataclasses import dataclass

US = "stockade"


@dataclass
class Row:
    work: str
    ours: str
    peer: str
    ratio: float
    target: str
    is_met: bool


def rows(results):
    """Every row, also those that this run did not measure."""
    m = results.median
    size = max(results.sizes("lookup") + results.sizes("list"), default=None)

    def at(value, unit="", digits=0):
        return "–" if value is None else f"{value:,.{digits}f}{unit}"

    def least(work, ours, peer, name, ratio, unit="/s", scale=1.0):
        """Ours has to be at least so many times the peer's."""
        return compare(work, ours, peer, name, ratio, "≥", unit, scale)

    def compare(work, ours, peer, name, ratio, sign, unit, scale=1.0, digits=0):
        known = ours is not None and peer
        found = ours / peer if known else None
        met = None if not known else (found >= ratio if sign == "≥" else found <= ratio)
        ours, peer = (None if value is None else value * scale for value in (ours, peer))
        return Row(work, at(ours, unit, digits), f"{name}: {at(peer, unit, digits)}", found,
                   f"{sign} {ratio:g} × {name}", met)

    def bound(work, ours, limit, sign, unit, digits=1, note=""):
        """Ours has a limit of its own."""
        met = None if ours is None else (ours >= limit if sign == "≥" else ours <= limit)
        return Row(work, at(ours, unit, digits), note, None, f"{sign} {limit:,g}{unit}", met)

    for connections, wanted in ((64, (("etcd, gRPC", 3), ("PostgreSQL", 2.3), ("Redis + WAIT", 1.15), ("floor", 0.85))),
                                (256, (("etcd, gRPC", 3), ("Redis + WAIT", 1)))):
        for name, ratio in wanted:
            yield least(f"single adds, {connections} connections", m("writes", US, connections),
                        m("writes", name, connections), name, ratio)
    yield compare("single adds, 1 connection, median latency", m("writes", US, 1, "p50_ms"),
                  m("writes", "etcd, gRPC", 1, "p50_ms"), "etcd, gRPC", 0.6, "≤", " ms", digits=2)
    bulk = max(results.xs("bulk", US), default=None)
    yield bound(f"bulk adds, {at(bulk)} new entries, entries/s", m("bulk", US, bulk), 300_000, "≥", "/s", 0,
                f"floor: {at(m('bulk', 'floor', bulk))}/s; {at(m('bulk', US, bulk, 'errors'))} requests answered 202")
    yield least(f"lookups among {at(size)} and networks, 64 connections",
                m("lookup", US, 64, entries=size), m("nginx 200", "nginx", 64, entries=size), "nginx `return 200`", 0.75)
    for clients in (1, 4):
        yield least(f"the whole list, {at(size)}, {clients} client{'s' * (clients > 1)}",
                    m("list", US, clients, "bytes_a_second", size), m("list", "nginx", clients, "bytes_a_second", size),
                    "nginx, the same file", 1, " MB/s", 1e-6)
    for clients in (1, 4):
        yield least(f"the same while 1,000 adds/s arrive, {clients} client{'s' * (clients > 1)}",
                    m("list during adds", US, clients, "bytes_a_second", size),
                    m("list", US, clients, "bytes_a_second", size), "itself, quiet", 0.7, " MB/s", 1e-6)
        added = m("adds during list", US, clients, "rate", size)
        yield bound("those adds meanwhile, 99 % within", m("adds during list", US, clients, "p99_ms", size), 20, "≤",
                    " ms", note=f"{at(added)} adds/s came in")
    yield least("304 at 64 connections", m("unchanged", US, 64, entries=size), m("unchanged", "nginx", 64, entries=size),
                "nginx's 304", 1)
    sizes = results.xs("first export", US)
    for until, field in (("the answer begins", "begins_ms"), ("all of it is here", "ms")):
        first = {entries: m("first export", US, entries, field) for entries in sizes}
        listed = ", ".join(f"{entries:,}: {took:.1f} ms" for entries, took in first.items())
        large = [took for entries, took in first.items() if entries >= 100_000]
        growth = max(large) / min(large) if len(large) > 1 else None
        yield Row(f"first export after one change, until {until}, 100,000 entries to the most", listed or "–", "", growth,
                  "the same within 2 ×", None if growth is None else growth <= 2)
    most = max(results.xs("delta", US), default=None)
    decisions = max(results.xs("stream", "LAPI"), default=None)
    for work, ours, what in ((f"CrowdSec delta, {at(most)} entries, one change", m("delta", US, most, "ms"), "small delta"),
                             (f"CrowdSec full stream, {at(decisions)}", m("stream", US, decisions, "ms"), "stream")):
        yield compare(work, ours, m(what, "LAPI", decisions, "ms"), f"LAPI with {at(decisions)}", 0.1, "≤", " ms", digits=1)
    yield bound("add on one node → another node's export, quiet, 99 % within", m("delay", US, 0, "p99_ms"), 10, "≤", " ms")
    busy = m("adds during delay", US, 10_000)
    yield bound("the same under 10,000 adds/s", m("delay", US, 10_000, "p99_ms"), 50, "≤", " ms",
                note=f"{at(busy)} adds/s came in")
    expired = max(results.xs("expiry", US), default=None)
    took = m("expiry", US, expired, "seconds")
    yield bound(f"adds while {at(expired)} entries expire at once, 99 % within",
                m("adds during expiry", US, expired, "p99_ms"), 100, "≤", " ms",
                note=f"over in {at(took, ' s', 1)}; 1,000 adds/s asked, {at(m('adds during expiry', US, expired))} came in")
    beside = results.all("outage", "etcd", field="ms")
    outages = results.all("outage", US, field="ms")
    yield bound(f"leader killed → writes again, median of {len(outages)}", m("outage", US, field="ms"), 1000, "≤", " ms", 0,
                f"etcd: {at(m('outage', 'etcd', field='ms'))} ms")
    yield bound("the same, the worst", max(outages, default=None), 3000, "≤", " ms", 0,
                f"etcd: {at(max(beside, default=None))} ms")
    for entries, limit in ((100_000, 60), (1_000_000, 350)):
        yield bound(f"memory of a node, {entries:,} entries", m("memory", US, entries, "mib"), limit, "≤", " MiB", 0,
                    f"after a start: {at(m('memory after a start', US, entries, 'mib'))} MiB")
    yield bound("the binary", m("binary", US, field="mib"), 20, "≤", " MiB")
    yield bound("start with 1,000,000 entries until ready", m("start", US, 1_000_000, "seconds"), 3, "≤", " s")
    yield bound("idle CPU of a node, 1,000,000 entries", m("idle", US, 1_000_000, "percent"), 1, "≤", " %", 2)
