"""PostgreSQL of Debian: a primary whose commits wait for its own disk and that of any one of two standbys."""

import glob
import os
import re
import signal
import statistics

from machine import account, run, wait_until

UPSERT = r"""\set number random(1, 2000000000)
INSERT INTO list (ip, comment) VALUES ('address-' || :number, 'bench')
ON CONFLICT (ip) DO UPDATE SET sighting = list.sighting + 1, updated = now();
"""
TABLE = """CREATE TABLE list (ip text PRIMARY KEY, comment text, sighting int DEFAULT 0,
    added timestamptz DEFAULT now(), updated timestamptz DEFAULT now())"""


def programs():
    """The newest version's folder of programs."""
    return sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]


class PostgreSQL:
    name = "PostgreSQL"

    def __init__(self, bench):
        self.bench, self.bin, self.account = bench, programs(), account("postgres")
        self.place = bench.machine.place("postgresql")
        os.chmod(self.place, 0o777)
        self.ports = [bench.machine.port() for _ in range(3)]
        self.run("initdb", "-A", "trust", "-U", "bench", "-D", f"{self.place}/0", "--no-locale", "-E", "UTF8")
        with open(f"{self.place}/0/postgresql.conf", "a") as settings:
            settings.write(
                f"listen_addresses='127.0.0.1'\nunix_socket_directories=''\nmax_connections=300\n"
                "synchronous_commit=on\nfsync=on\nfull_page_writes=on\nshared_buffers='256MB'\nmax_wal_size='4GB'\n"
            )
        self.processes = [self.start(0)]
        for number in (1, 2):
            self.run("pg_basebackup", "-R", "-D", f"{self.place}/{number}", "-d",
                     f"{self.address()} application_name=s{number}", "-c", "fast", "-X", "stream")
            self.processes.append(self.start(number))
        self.sql(TABLE)
        self.sql("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (s1, s2)'")
        self.sql("SELECT pg_reload_conf()")
        quorum = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'"
        wait_until("two standbys", lambda: self.sql(quorum).strip() == "2", self.processes)
        self.script = os.path.join(self.place, "upsert.sql")
        with open(self.script, "w") as script:
            script.write(UPSERT)

    def address(self):
        return f"host=127.0.0.1 port={self.ports[0]} user=bench dbname=postgres"

    def run(self, program, *arguments, **options):
        return run([f"{self.bin}/{program}", *arguments], user=self.account, cwd=self.place, **options)

    def start(self, number):
        # A standby takes the primary's settings along; only the port is its own.
        process = self.bench.machine.start(
            [f"{self.bin}/postgres", "-D", f"{self.place}/{number}", "-p", str(self.ports[number])],
            os.path.join(self.place, "log"), account=self.account, cwd=self.place,
        )
        ready = ["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.ports[number])]
        wait_until("PostgreSQL is ready", lambda: os.spawnvp(os.P_WAIT, ready[0], ready) == 0, [process])
        return process

    def sql(self, statement):
        return self.run("psql", "-qAtX", "-d", self.address(), "-c", statement)

    def write(self, connections, seconds):
        for log in glob.glob(f"{self.place}/latency*"):
            os.remove(log)
        # It counts from before the first connection, and calls its rate from when the last one is there.
        seconds += connections // 32
        printed = self.run("pgbench", "-n", "-M", "prepared", "-c", str(connections), "-j", str(min(2, connections)),
                           "-T", str(seconds), "-f", self.script, "-l", f"--log-prefix={self.place}/latency",
                           "-h", "127.0.0.1", "-p", str(self.ports[0]), "-U", "bench", "postgres")
        times = []
        for log in glob.glob(f"{self.place}/latency*"):
            with open(log) as lines:
                times += [int(line.split()[2]) / 1000 for line in lines]
        times.sort()
        rate = re.search(r"tps = ([\d.]+)", printed)
        if not rate or not times:
            raise SystemExit(f"scripts/bench: pgbench has no figures: {printed}")
        return {
            "rate": float(rate[1]),
            "p50_ms": statistics.median(times),
            "p99_ms": times[int((len(times) - 1) * 0.99)],
            "errors": 0,
        }

    def close(self):
        self.bench.machine.stop(self.processes, signal.SIGINT)
