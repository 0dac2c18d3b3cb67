"""etcd of Debian: three nodes with their defaults. Over gRPC, HTTP/2 with a framed message, and over its gateway."""

import base64
import json
import os
import signal

from loads import h2load, wrk
from machine import ask, wait_until

KEY, VALUE = b"110.1.2.3", b'{"comment":"bench"}'


def put_request():
    """A PutRequest in gRPC's frame: no compression, the length, then key (field 1) and value (field 2)."""
    message = b"\x0a" + bytes([len(KEY)]) + KEY + b"\x12" + bytes([len(VALUE)]) + VALUE
    return b"\x00" + len(message).to_bytes(4, "big") + message


class Etcd:
    name = "etcd, gRPC"

    def __init__(self, bench, wires=None):
        self.bench = bench
        self.place = bench.machine.place("etcd")
        self.hosts = [bench.machine.host() for _ in range(3)]
        self.peers = [bench.machine.host() for _ in range(3)]
        self.seen_as = wires(self.peers) if wires else self.peers
        self.nodes = [self.start(number) for number in range(3)]
        wait_until("etcd writes", self.writes, self.nodes)

    def start(self, number):
        cluster = ",".join(f"n{other}=http://{peer}" for other, peer in enumerate(self.seen_as))
        host, peer = f"http://{self.hosts[number]}", f"http://{self.peers[number]}"
        return self.bench.machine.start(
            ["etcd", "--name", f"n{number}", "--data-dir", f"{self.place}/{number}", "--log-level", "error",
             "--listen-client-urls", host, "--advertise-client-urls", host, "--listen-peer-urls", peer,
             "--initial-advertise-peer-urls", f"http://{self.seen_as[number]}", "--initial-cluster", cluster,
             "--quota-backend-bytes", str(8 << 30)],
            os.path.join(self.place, "log"), {"ETCD_UNSUPPORTED_ARCH": ""},
        )

    def writes(self, number=0):
        body = json.dumps({"key": base64.b64encode(b"ready").decode(), "value": "eWVz"}).encode()
        answer = ask(f"http://{self.hosts[number]}/v3/kv/put", body)
        return answer is not None and answer[0] == 200

    def leader(self):
        """The number of the node that leads."""
        for number, host in enumerate(self.hosts):
            answer = ask(f"http://{host}/v3/maintenance/status", b"{}")
            status = json.loads(answer[2]) if answer and answer[0] == 200 else {}
            if status.get("leader") and status["leader"] == status["header"]["member_id"]:
                return number
        return None

    def follower(self):
        """A node that does not lead: where ours are written to as well."""
        wait_until("etcd has a leader", lambda: self.leader() is not None)
        return self.hosts[(self.leader() + 1) % 3]

    def revision(self):
        """How many puts there were."""
        answer = ask(f"http://{self.hosts[0]}/v3/kv/range", json.dumps({"key": "AA=="}).encode())
        return int(json.loads(answer[2])["header"]["revision"])

    def write(self, connections, seconds):
        url = f"http://{self.follower()}/etcdserverpb.KV/Put"
        before = self.revision()
        figures = h2load(url, connections, seconds, put_request(), "application/grpc")
        # A refusal of gRPC is a 200 too: what counts is what etcd has put. Some may be put whose answer came too late.
        answered = figures["rate"] * seconds
        figures["errors"] += max(0, round(answered) - (self.revision() - before))
        return figures

    def kill(self, number):
        self.bench.machine.stop([self.nodes[number]], signal.SIGKILL)

    def restart(self, number):
        self.nodes[number] = self.start(number)
        wait_until("etcd is back", lambda: self.writes(number), [self.nodes[number]])

    def close(self):
        self.bench.machine.stop(self.nodes)


class Gateway(Etcd):
    name = "etcd, HTTP"

    def write(self, connections, seconds):
        return wrk(f"http://{self.follower()}", connections, seconds, "etcd")
