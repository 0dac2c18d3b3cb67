#!/usr/bin/env python3
"""Wazuh active response, for Wazuh 4.2 and later and for Wazuh 5: reports the source address of an alert.

Lies in /var/ossec/active-response/bin. Wazuh 4 writes one line of JSON, wants to know the keys of the response, and
says whether to go on; Wazuh 5 writes one object and no more.
"""

import json
import os
import socket
import subprocess
import sys

REPORT = os.environ.get("STOCKADE_REPORT", "/usr/local/bin/stockade-report")
ACTIONS = {"add": "add", "enable": "add", "delete": "delete", "disable": "delete"}


def member(value, *path):
    """A text or number deep in an object, as text; empty when it is not there."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return str(value) if isinstance(value, (str, int)) else ""


def goes_on(name, address):
    """The handshake of Wazuh 4: it knows which responses are pending, and aborts one that is there already."""
    keys = {
        "version": 1,
        "origin": {"name": name, "module": "active-response"},
        "command": "check_keys",
        "parameters": {"keys": [address]},
    }
    print(json.dumps(keys), flush=True)
    # The pipe stays open: only a line can be read, never to the end.
    return member(json.loads(sys.stdin.readline() or "{}"), "command") == "continue"


def main():
    event = json.loads(sys.stdin.readline())
    action = ACTIONS.get(member(event, "command"))
    if action is None:
        return 1
    if "parameters" in event:
        alert = event["parameters"].get("alert", {})
        address = member(alert, "data", "srcip")
        identity = member(alert, "id")
        agent = member(alert, "agent", "name")
        rule = member(alert, "rule", "id")
        if address and action == "add" and not goes_on(os.path.basename(sys.argv[0]), address):
            return 0
    else:
        address = member(event, "source", "ip")
        identity = member(event, "event", "id")
        agent = member(event, "wazuh", "agent", "name")
        rule = member(event, "rule", "id")
    if not address:
        return 0
    host = socket.gethostname()
    comment = " ".join(word for word in ["Wazuh", rule and f"rule {rule}", agent and f"on {agent}"] if word)
    words = [REPORT, "-s", f"wazuh/{host}", "-c", comment]
    if identity:
        words += ["-i", f"wazuh-{host}-{identity}-{address}"]
    # Addresses come from logs: `--` keeps one that looks like an option from being read as one.
    return subprocess.run([*words, "--", action, address], stdin=subprocess.DEVNULL, stdout=2, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
