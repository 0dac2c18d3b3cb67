"""CrowdSec's local API of Debian (LAPI), with SQLite. Its package is unpacked and not installed: to install it would start
it, and asks the network for more."""

import glob
import os
import time

from machine import ask, run, wait_until

SETTINGS = """
common: {{daemonize: false, log_media: stdout, log_level: error, working_dir: .}}
config_paths: {{config_dir: {place}, data_dir: {place}/data, simulation_path: {shipped}/simulation.yaml,
  hub_dir: {place}/hub, index_path: {place}/hub/.index.json, notification_dir: {place}/notifications,
  plugin_dir: {place}/plugins}}
cscli: {{output: human}}
db_config: {{log_level: error, type: sqlite, db_path: {place}/data/crowdsec.db, use_wal: true}}
api:
  client: {{credentials_path: {place}/client.yaml}}
  server: {{log_level: error, listen_uri: {host}, profiles_path: {shipped}/profiles.yaml,
    console_path: {place}/console.yaml}}
prometheus: {{enabled: false}}
"""
KEY = "bench-key"


class Lapi:
    def __init__(self, bench, addresses):
        self.bench, self.place = bench, bench.machine.place("crowdsec")
        run(["apt-get", "download", "-qq", "crowdsec"], cwd=self.place)
        package = glob.glob(f"{self.place}/crowdsec_*.deb")[0]
        run(["dpkg", "-x", package, f"{self.place}/unpacked"])
        self.version = os.path.basename(package).split("_")[1].replace("%7e", "~")
        for folder in ("data", "hub", "notifications", "plugins"):
            os.mkdir(f"{self.place}/{folder}")
        for name, content in (("hub/.index.json", "{}"), ("client.yaml", "")):
            with open(f"{self.place}/{name}", "w") as file:
                file.write(content)
        host = bench.machine.host()
        self.url, self.settings = f"http://{host}", f"{self.place}/config.yaml"
        with open(self.settings, "w") as settings:
            shipped = f"{self.place}/unpacked/etc/crowdsec"
            settings.write(SETTINGS.format(place=self.place, shipped=shipped, host=host))
        self.cscli("machines", "add", "bench", "--password", "bench", "-f", f"{self.place}/client.yaml", "-u", self.url)
        self.cscli("bouncers", "add", "bench", "-k", KEY)
        self.process = bench.machine.start(
            [f"{self.place}/unpacked/usr/bin/crowdsec", "-c", self.settings, "-no-cs"], f"{self.place}/log"
        )
        wait_until("the LAPI answers", lambda: ask(self.url + "/health") is not None, [self.process])
        self.add(addresses)

    def cscli(self, *arguments):
        return run([f"{self.place}/unpacked/usr/bin/cscli", "-c", self.settings, *arguments])

    def add(self, addresses):
        lines = f"{self.place}/decisions.csv"
        with open(lines, "w") as file:
            file.write("duration,scope,value,reason\n")
            file.writelines(f"24h,ip,{address},ssh brute force\n" for address in addresses)
        self.cscli("decisions", "import", "-i", lines)

    def close(self):
        self.bench.machine.stop([self.process])


def pull(url, key, path):
    """(seconds, bytes) of one pull of a bouncer."""
    began = time.monotonic()
    status, _, body = ask(url + path, headers={"X-Api-Key": key, "User-Agent": "bench/1"})
    if status != 200:
        raise SystemExit(f"scripts/bench: {url}{path} was answered {status}: {body[:200]}")
    return time.monotonic() - began, len(body)
