"""Redis of Debian: every write flushed, two replicas, and each `SET` followed by `WAIT 1`. The replica that is waited for
has received the write and has not flushed it: a weaker promise than that of the others."""

from machine import listens, run, wait_until


class Redis:
    name = "Redis + WAIT"

    def __init__(self, bench):
        self.bench, self.processes = bench, []
        place = bench.machine.place("redis")
        self.ports = [bench.machine.port() for _ in range(3)]
        for number, port in enumerate(self.ports):
            folder = bench.machine.place("redis")
            replica = ["--replicaof", "127.0.0.1", str(self.ports[0])] if number else []
            self.processes.append(bench.machine.start(
                ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", folder, "--save", "",
                 "--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0", *replica],
                f"{place}/log",
            ))
            wait_until("Redis listens", lambda: listens(f"127.0.0.1:{port}"), self.processes)
        wait_until("two replicas", lambda: self.info().count("state=online") == 2, self.processes)

    def info(self):
        return run(["redis-cli", "-p", str(self.ports[0]), "info", "replication"])

    def write(self, connections, seconds):
        to = f"127.0.0.1:{self.ports[0]}"
        return self.bench.load.run("redis", to=to, connections=connections, seconds=seconds)

    def close(self):
        self.bench.machine.stop(self.processes)
