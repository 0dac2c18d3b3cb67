"""One page of plots, as SVG and PNG."""

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

from table import growing
from targets import US

WIDTH, HEIGHT = 20, 9.5


def draw(folder, results):
    figure, places = pyplot.subplots(2, 4, figsize=(WIDTH, HEIGHT))
    parts = (writes, latency, nodes, link, beside, growth_of_exports, growth_of_nodes, outages)
    for part, place in zip(parts, places.flat):
        part(place, results)
        if not place.lines and not place.patches:
            place.text(0.5, 0.5, "not measured", ha="center", va="center", transform=place.transAxes)
    figure.tight_layout()
    for kind in ("svg", "png"):
        figure.savefig(f"{folder}/plots.{kind}", dpi=90)


def by_connections(place, results, field, title, what="writes"):
    place.set_title(title)
    for system in results.systems(what):
        xs = results.xs(what, system)
        style = {"linewidth": 3} if system == US else {"linestyle": "--"} if system == "floor" else {}
        place.plot(xs, [results.median(what, system, x, field) for x in xs], marker="o", label=system, **style)
    if place.lines:
        xs = sorted({x for system in results.systems(what) for x in results.xs(what, system)})
        place.set_xscale("log", base=2)
        place.set_yscale("log")
        place.set_xticks(xs, [str(x) for x in xs])
        place.legend(fontsize=8)
    place.set_xlabel("connections")
    place.grid(True, which="both", alpha=0.3)


def writes(place, results):
    by_connections(place, results, "rate", "durable replicated writes a second")


def latency(place, results):
    by_connections(place, results, "p99_ms", "99 % of writes within, ms")


def nodes(place, results):
    place.set_title("our writes a second, 64 connections, by nodes")
    figures = {count: results.median("nodes", US, count) for count in (1, 5)}
    figures[3] = results.median("writes", US, 64)
    known = {str(count): rate for count, rate in sorted(figures.items()) if rate is not None}
    place.bar(list(known), list(known.values()), width=0.5)
    place.grid(True, axis="y", alpha=0.3)


def link(place, results):
    by_connections(place, results, "rate", "three sites, 50 ms there and back: writes a second", "link")


def beside(place, results):
    """Reads, each as a part of what nginx does in the same run."""
    place.set_title("reads: ours / nginx, by entries")
    for title, (ours, peer, x, field) in {
        "lookup / return 200": ("lookup", "nginx 200", 64, "rate"),
        "list, 1 client": ("list", "list", 1, "bytes_a_second"),
        "list, 4 clients": ("list", "list", 4, "bytes_a_second"),
        "304": ("unchanged", "unchanged", 64, "rate"),
    }.items():
        points = [
            (size, results.median(ours, US, x, field, size) / results.median(peer, "nginx", x, field, size))
            for size in results.sizes(ours)
        ]
        if points:
            place.plot(*zip(*points), marker="o", label=title)
    if place.lines:
        place.axhline(1, color="black", linewidth=0.8)
        place.set_ylim(bottom=0)
        entries(place)


def growth_of_exports(place, results):
    place.set_title("after one change, ms")
    for title, what in (("first export", "first export"), ("next export", "next export"), ("CrowdSec delta", "delta")):
        sizes = results.xs(what, US)
        if sizes:
            place.plot(sizes, [growing(results, what, None, "ms", size) for size in sizes], marker="o", label=title)
    if place.lines:
        place.set_yscale("log")
        entries(place)


def growth_of_nodes(place, results):
    place.set_title("a node: memory (MiB), start (ms)")
    for title, what, field, factor in (("memory after filling", "memory", "mib", 1),
                                       ("memory after a start", "memory after a start", "mib", 1),
                                       ("start until ready, ms", "start", "seconds", 1000)):
        sizes = results.xs(what, US)
        if sizes:
            place.plot(sizes, [growing(results, what, None, field, size) * factor for size in sizes], marker="o", label=title)
    if place.lines:
        place.set_yscale("log")
        entries(place)


def entries(place):
    place.set_xscale("log")
    place.set_xlabel("entries")
    place.grid(True, which="both", alpha=0.3)
    place.legend(fontsize=8)


def outages(place, results):
    place.set_title("leader killed → writes again, ms, each kill")
    for number, system in enumerate(results.systems("outage")):
        values = sorted(results.all("outage", system, field="ms"))
        place.bar([index + number * 0.4 for index in range(len(values))], values, width=0.4, label=system)
    if place.patches:
        place.set_xticks([])
        place.legend(fontsize=8)
        place.grid(True, axis="y", alpha=0.3)
