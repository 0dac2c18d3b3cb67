"""table.md: the targets and how they were met, then all figures, and what is fair and what is not."""

from targets import US, rows

FAIRNESS = """
## What helps us, what hurts us

Everything, the load too, shares the cores of one machine: a system that leaves the load generator less of it looks slower.

Helps us: etcd, PostgreSQL and Redis are databases and do more than a block list. CrowdSec's LAPI is one node, with SQLite.
h2load and pgbench write a log of each answer. An add of ours may be answered 202 after two seconds without a majority, and wrk
counts it as done; with 99 % well within two seconds there are none to speak of.

Hurts us: our adds go through a follower, check a password, parse JSON, and list an address with its history; no peer does.
wrk makes each address in Lua, as it does for etcd's gateway and the floor; pgbench and the load of Redis are compiled, and
speak no HTTP. etcd's load over gRPC is one key put again and again, because h2load sends one body: that spares etcd a tree
that grows. PostgreSQL has 256 MB of buffers, and 4 GB of log between two checkpoints; all else is durable as Debian has it,
or made so. Redis's `WAIT 1` is weaker: the replica has received the write and has not flushed it. The floor is written to
at its leader, has no list, no accounts, no terms and no elections, and would lose data when its leader changed. nginx reads
its file from the page cache. A delta of the LAPI is from its smaller list.

The talk's API is not measured: its program is not published as a package. A difference of less than 1.25 × is a tie.
"""


def write(path, results, versions):
    with open(path, "w") as file:
        file.write("# Figures of " + versions.pop("date") + "\n\n")
        file.writelines(f"- {name}: {version}\n" for name, version in versions.items())
        file.write("\n## Targets\n\n| work | here | beside it | ratio | target | met |\n|---|---|---|---|---|---|\n")
        for row in rows(results):
            ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
            met = {None: "not measured", True: "yes", False: "**no**"}[row.is_met]
            file.write(f"| {row.work} | {row.ours} | {row.peer} | {ratio} | {row.target} | {met} |\n")
        for section in (writes, sizes, others, errors):
            file.write(section(results))
        file.write(FAIRNESS)


def cell(value, digits=0):
    return "–" if value is None else f"{value:,.{digits}f}"


def writes(results):
    systems = results.systems("writes")
    if not systems:
        return ""
    connections = results.xs("writes", systems[0])
    text = "\n## Durable replicated writes a second (median, 99 % within, ms; errors)\n\n| what |"
    text += "".join(f" {count} |" for count in connections) + "\n|---|" + "---|" * len(connections) + "\n"
    for system in systems:
        text += f"| {system} |"
        for count in connections:
            figures = [results.median("writes", system, count, field) for field in ("rate", "p50_ms", "p99_ms", "errors")]
            rate, p50, p99, errors = figures
            text += f" {cell(rate)} ({cell(p50, 2)}, {cell(p99, 1)}; {cell(errors)}) |"
        text += "\n"
    nodes = [(1, results.median("nodes", US, 1)), (3, results.median("writes", US, 64)), (5, results.median("nodes", US, 5))]
    return text + "\nOurs at 64 connections, by nodes: " + ", ".join(f"{n}: {cell(rate)}" for n, rate in nodes) + ".\n"


# What grows with the list: title, figure, x (None: it is the size), field, factor, digits.
GROWING = [
    ("lookups a second, 1 connection", "lookup", 1, "rate", 1, 0),
    ("lookups a second, 64 connections", "lookup", 64, "rate", 1, 0),
    ("the whole list, 1 client, MB/s", "list", 1, "bytes_a_second", 1e-6, 0),
    ("the whole list, 4 clients, MB/s", "list", 4, "bytes_a_second", 1e-6, 0),
    ("the same while 1,000 adds/s arrive, 4 clients, MB/s", "list during adds", 4, "bytes_a_second", 1e-6, 0),
    ("304 a second, 64 connections", "unchanged", 64, "rate", 1, 0),
    ("first export after one change, until it begins, ms", "first export", None, "begins_ms", 1, 1),
    ("the same, all of it, ms", "first export", None, "ms", 1, 1),
    ("export when nothing changed, ms", "next export", None, "ms", 1, 1),
    ("CrowdSec delta after one change, ms", "delta", None, "ms", 1, 1),
    ("described entries a second, filling the list", "fill", None, "rate", 1, 0),
    ("memory of a node after filling, MiB", "memory", None, "mib", 1, 0),
    ("memory of a node after a start, MiB", "memory after a start", None, "mib", 1, 0),
    ("start until ready, s", "start", None, "seconds", 1, 2),
    ("idle CPU, %", "idle", None, "percent", 1, 2),
]


def growing(results, what, x, field, size):
    if x is None:
        return results.median(what, US, size, field)
    return results.median(what, US, x, field, size)


def sizes(results):
    known = sorted(set(results.sizes("lookup") + results.sizes("list") + results.xs("memory", US)))
    if not known:
        return ""
    text = "\n## How cost grows with the list\n\n| what |" + "".join(f" {size:,} |" for size in known)
    text += "\n|---|" + "---|" * len(known) + "\n"
    for title, what, x, field, factor, digits in GROWING:
        values = [growing(results, what, x, field, size) for size in known]
        values = [None if value is None else value * factor for value in values]
        if any(value is not None for value in values):
            text += f"| {title} |" + "".join(f" {cell(value, digits)} |" for value in values) + "\n"
    return text


OTHERS = [
    ("CrowdSec `/v1/decisions?ip=`, a second", "decision", "rate", 0),
    ("CrowdSec full stream, ms", "stream", "ms", 1),
    ("CrowdSec delta after one change, ms", "small delta", "ms", 1),
    ("three sites, 50 ms there and back: adds a second", "link", "rate", 0),
    ("the same, median ms", "link", "p50_ms", 1),
    ("the same, 99 % within, ms", "link", "p99_ms", 1),
    ("firewalls polling one node under 5,000 adds/s: polls a second", "polls", "rate", 0),
    ("the same, median ms", "polls", "p50_ms", 1),
    ("the same, 99 % within, ms", "polls", "p99_ms", 1),
    ("the same, polls that failed", "polls", "errors", 0),
    ("followers waiting on that node: answers a second", "waits", "rate", 0),
    ("the same, 99 % within, ms", "waits", "p99_ms", 1),
    ("adds a second that came in meanwhile", "adds during polls", "rate", 0),
    ("the same, 99 % within, ms", "adds during polls", "p99_ms", 1),
    ("add → another node's export at so many adds/s, median ms", "delay", "p50_ms", 1),
]


def others(results):
    text = ""
    for title, what, field, digits in OTHERS:
        for system in results.systems(what):
            figures = (f"{x:,}: {cell(results.median(what, system, x, field), digits)}" for x in results.xs(what, system))
            text += f"| {title} | {system} | {'; '.join(figures)} |\n"
    return text and "\n## The rest (by connections, entries, clients or adds/s)\n\n| what | who | |\n|---|---|---|\n" + text


def errors(results):
    """A rate counts every answer: what was answered with an error is told here."""
    text = ""
    for row in results.rows:
        if row.get("errors"):
            size = f", {row['entries']:,} entries" if row.get("entries") else ""
            text += f"- {row['what']}, {row['system']}, {row['x']:,}{size}: {row['errors']:,}\n"
    return "\n## Errors\n\n" + (text or "None.\n")
