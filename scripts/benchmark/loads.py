"""The generators of load: wrk and h2load from Debian, and `load` of the tests, each as one call that returns figures."""

import base64
import json
import os
import re
import statistics
import sys
import tempfile

from machine import run

CREDENTIALS = "bench:bench-password"
AUTHORIZATION = "Basic " + base64.b64encode(CREDENTIALS.encode()).decode()
SCRIPT = os.path.join(os.path.dirname(__file__), "wrk.lua")


def wrk(url, connections, seconds, mode="path", **environment):
    """What wrk sees; the environment is for wrk.lua."""
    threads = min(2, connections)
    printed = run(
        ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", SCRIPT, url],
        env={**os.environ, "MODE": mode, **{name: str(value) for name, value in environment.items()}},
    )
    result = re.search(r"^RESULT (.*)$", printed, re.M)
    if not result:
        sys.exit(f"scripts/bench: wrk said nothing of {url}: {printed}")
    return json.loads(result[1])


def h2load(url, connections, seconds, body, content_type):
    """POST of the same body over HTTP/2, one stream a connection, and the latency of each from h2load's log."""
    with tempfile.NamedTemporaryFile() as data, tempfile.NamedTemporaryFile("r") as log:
        data.write(body)
        data.flush()
        printed = run(
            ["h2load", f"-t{min(2, connections)}", f"-c{connections}", "-m1", f"-D{seconds}", "-d", data.name,
             "-H", f"content-type: {content_type}", "-H", "te: trailers", f"--log-file={log.name}", url]
        )
        rows = [line.split("\t") for line in log]
    times = sorted(int(row[2]) / 1000 for row in rows if row[1] == "200")
    if not times:
        sys.exit(f"scripts/bench: h2load had no answer of {url}: {printed}")
    return {
        "rate": len(times) / seconds,
        "p50_ms": statistics.median(times),
        "p99_ms": times[int((len(times) - 1) * 0.99)],
        "errors": len(rows) - len(times),
    }


class Load:
    """`load` of the tests."""

    def __init__(self, machine, program):
        self.machine, self.program = machine, program

    def run(self, command, **flags):
        return json.loads(run(self.arguments(command, flags)))

    def begin(self, command, **flags):
        """The same in the background."""
        log = os.path.join(self.machine.folder, "load.log")
        return self.machine.start(self.arguments(command, flags), log, stdin=-1, stdout=-1)

    def end(self, process):
        """The figures of what was begun."""
        printed, _ = process.communicate()
        self.machine.stop([process])
        if process.returncode != 0:
            with open(process.log) as log:
                sys.exit(f"scripts/bench: {process.args}: {log.read()[-2000:]}")
        return json.loads(printed)

    def arguments(self, command, flags):
        arguments = [self.program, command]
        for name, value in flags.items():
            values = value if isinstance(value, list) else [value]
            arguments += ["--" + name.replace("_", "-"), *map(str, values)]
        return arguments
