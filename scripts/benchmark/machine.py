"""What a measurement starts and leaves: processes, ports, a folder. Whatever was started is stopped, by its id."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

# Below the range that the kernel gives to outgoing connections.
FIRST_PORT, LAST_PORT = 12_000, 19_999
# A list of ten million is read for a while at a start.
WAIT_SECONDS = 180


class Machine:
    """All that runs and all that lies on disk for one run of the bench."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="stockade-bench-")
        # PostgreSQL runs under an account of its own, and has to pass.
        os.chmod(self.folder, 0o755)
        self.running = []
        # Far from that of another run, whose servers may not listen yet.
        self.next_port = FIRST_PORT + os.getpid() * 97 % (LAST_PORT - FIRST_PORT)

    def place(self, name):
        """A new empty folder."""
        path = tempfile.mkdtemp(prefix=name + "-", dir=self.folder)
        os.chmod(path, 0o755)
        return path

    def port(self):
        while True:
            self.next_port = self.next_port + 1 if self.next_port < LAST_PORT else FIRST_PORT
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", self.next_port))
                    return self.next_port
                except OSError:
                    continue

    def host(self):
        return f"127.0.0.1:{self.port()}"

    def start(self, arguments, log, environment=None, account=None, **pipes):
        """A process that runs until it is stopped; its output is kept in a file as long as the bench runs."""
        with open(log, "ab") as output:
            pipes.setdefault("stdout", output)
            process = subprocess.Popen(
                arguments, stderr=output, env={**os.environ, **(environment or {})}, user=account, **pipes
            )
        process.log = log
        self.running.append(process)
        return process

    def stop(self, processes, how=signal.SIGTERM):
        for process in processes:
            if process.poll() is None:
                process.send_signal(how)
        for process in processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process in self.running:
                self.running.remove(process)

    def close(self):
        self.stop(list(self.running), signal.SIGINT)
        shutil.rmtree(self.folder, ignore_errors=True)


def account(name):
    """The account to run a server under that refuses to be root; None when we are not."""
    return name if os.geteuid() == 0 else None


def run(arguments, **options):
    """Runs a program to its end and returns what it printed; its failure ends the bench."""
    ended = subprocess.run(arguments, capture_output=True, text=True, **options)
    if ended.returncode != 0:
        sys.exit(f"scripts/bench: {' '.join(map(str, arguments))}: {ended.stdout[-2000:]}{ended.stderr[-2000:]}")
    return ended.stdout


def wait_until(reason, condition, processes=()):
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        for process in processes:
            if process.poll() is not None:
                with open(process.log, errors="replace") as log:
                    sys.exit(f"scripts/bench: {process.args[0]} has ended: {log.read()[-2000:]}")
        if condition():
            return
        time.sleep(0.05)
    sys.exit(f"scripts/bench: waited in vain: {reason}")


def ask(url, body=None, headers=None, method=None):
    """(status, headers, body) of an answer, or None when there is none."""
    request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()
    except OSError:
        return None


def timed(url, headers):
    """Milliseconds until an answer begins, when all of it is known, and until all of it is here."""
    began = time.monotonic()
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
        begins = time.monotonic()
        answer.read()
    return {"begins_ms": (begins - began) * 1000, "ms": (time.monotonic() - began) * 1000}


def answers(url, status=200):
    answer = ask(url)
    return answer is not None and answer[0] == status


def listens(host):
    name, port = host.split(":")
    with socket.socket() as probe:
        return probe.connect_ex((name, int(port))) == 0


def resident_mib(process):
    with open(f"/proc/{process.pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
