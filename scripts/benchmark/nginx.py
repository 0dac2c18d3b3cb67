"""nginx of Debian: an answer from memory, and a file with the very bytes that a node exports."""

import os

from machine import ask, listens, wait_until

SETTINGS = """
daemon off;
worker_processes auto;
pid {place}/pid;
error_log {place}/log error;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    server {{
        listen {host};
        root {place}/files;
        location /200 {{ return 200 "ok"; }}
    }}
}}
"""


class Nginx:
    def __init__(self, bench, listed):
        self.bench, place = bench, bench.machine.place("nginx")
        os.mkdir(f"{place}/files")
        with open(f"{place}/files/list", "wb") as file:
            file.write(listed)
        host = bench.machine.host()
        with open(f"{place}/nginx.conf", "w") as settings:
            settings.write(SETTINGS.format(place=place, host=host))
        self.url = f"http://{host}"
        self.process = bench.machine.start(["nginx", "-c", f"{place}/nginx.conf", "-p", place], f"{place}/output")
        wait_until("nginx listens", lambda: listens(host), [self.process])
        self.etag = ask(self.url + "/list")[1]["ETag"]

    def close(self):
        self.bench.machine.stop([self.process])
