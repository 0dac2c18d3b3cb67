"""Our own nodes: a cluster on loopback, with the account that all loads use."""

import json
import os
import signal
import time

from loads import AUTHORIZATION, wrk
from machine import answers, ask, wait_until

TOKEN = {"x-authentication": "bench", "Content-Type": "application/json"}
LIST = "/ip/all?fields=value&format=txt"


class Cluster:
    """Three voters unless said otherwise. Writes go through a follower, as a segment writes to its nearest node."""

    name = "stockade"
    # First octets of the addresses that wrk adds: each run takes its own, so that every add is new.
    octets = iter([])

    def __init__(self, bench, nodes=3, wires=None):
        self.bench, self.nodes = bench, []
        place = bench.machine.place("stockade")
        hosts = [bench.machine.host() for _ in range(nodes)]
        peers = [bench.machine.host() for _ in range(nodes)]
        seen_as = wires(peers) if wires else peers
        self.hosts, self.urls = hosts, [f"http://{host}" for host in hosts]
        self.arguments = [
            [bench.binary, "serve", "--data", f"{place}/{number}", "--http", hosts[number], "--peers",
             peers[number], "--advertise-peers", seen_as[number], "--log", "warn"]
            for number in range(nodes)
        ]
        for number in range(nodes):
            joins = ["--join", self.urls[0]] if number else []
            self.nodes.append(self.start(number, joins))
            self.wait_ready(number)
        wait_until("all vote", lambda: self.voters() == nodes, self.nodes)
        account = json.dumps({"username": "bench", "password": "bench-password"}).encode()
        ask(self.urls[0] + "/user/register", account, TOKEN)
        # The first node has made the cluster, and leads it.
        self.follower = min(1, nodes - 1)
        for url in self.urls:
            wait_until("the account is known", lambda: self.get(url, "/ip/all?limit=1")[0] == 200)

    def start(self, number, more=()):
        log = os.path.join(self.bench.machine.folder, "stockade.log")
        return self.bench.machine.start([*self.arguments[number], *more], log, {"REGISTRATION_TOKEN": "bench"})

    def wait_ready(self, number):
        wait_until("a node is ready", lambda: answers(self.urls[number] + "/readyz"), [self.nodes[number]])

    def members(self, number=0):
        answer = ask(self.urls[number] + "/admin/members", headers=TOKEN)
        return json.loads(answer[2]) if answer and answer[0] == 200 else []

    def voters(self):
        return sum(member["role"] == "voter" for member in self.members())

    def leader(self):
        """The number of the node that leads, as all see it; None while they do not agree."""
        seen = []
        for number in range(len(self.nodes)):
            seen.append([m["address"]["http"] for m in self.members(number) if m["leader"]])
        if any(leaders != seen[0] for leaders in seen) or len(seen[0]) != 1:
            return None
        return self.urls.index(seen[0][0])

    def get(self, url, path, headers=None):
        return ask(url + path, headers={"Authorization": AUTHORIZATION, **(headers or {})}) or (0, {}, b"")

    def add(self, address, number=0):
        body = json.dumps({"ip": address, "comment": "bench"}).encode()
        headers = {"Authorization": AUTHORIZATION, "Content-Type": "application/json"}
        return ask(self.urls[number] + "/ip/add", body, headers)

    def token(self, name):
        body = json.dumps({"name": name}).encode()
        headers = {"Authorization": AUTHORIZATION, "Content-Type": "application/json"}
        token = json.loads(ask(self.urls[0] + "/user/bench/tokens", body, headers)[2])["token"]
        # It is used at other nodes at once.
        self.caught_up()
        return token

    def caught_up(self):
        """Waits until every node has what the leader has."""
        def same():
            heads = [self.get(url, "/ip/all?limit=1")[1].get("Stockade-Index") for url in self.urls]
            return heads[0] is not None and len(set(heads)) == 1
        wait_until("all nodes have the same list", same)

    def stored(self):
        """Waits until every node's list on disk is that in its memory: what follows a fill is over then."""
        def same():
            answers = [ask(url + "/admin/status", headers=TOKEN) for url in self.urls]
            states = [json.loads(answer[2]) for answer in answers if answer and answer[0] == 200]
            return len(states) == len(self.urls) and all(s["stored_index"] == s["applied_index"] for s in states)
        wait_until("all lists are on disk", same)

    def write(self, connections, seconds):
        return self.write_to(self.follower, connections, seconds)

    def write_to(self, number, connections, seconds):
        return wrk(self.urls[number], connections, seconds, "add",
                   FIRST=self.bench.octet(), AUTHORIZATION=AUTHORIZATION)

    def kill(self, number):
        self.bench.machine.stop([self.nodes[number]], signal.SIGKILL)

    def restart(self, number):
        """Starts a node that has ended; seconds until it is ready."""
        began = time.monotonic()
        self.nodes[number] = self.start(number)
        self.wait_ready(number)
        return time.monotonic() - began

    def close(self):
        self.bench.machine.stop(self.nodes, signal.SIGTERM)


class ThroughTheLeader(Cluster):
    """The same, written to at the leader."""

    name = "stockade, leader"

    def write(self, connections, seconds):
        return self.write_to(0, connections, seconds)
