"""What `docker run --env-file FILE` gives a container: the client reads the file, and a daemon that only listens hears of it.

Usage: docker.py FILE; prints a JSON object.
"""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

heard = []


class Daemon(BaseHTTPRequestHandler):
    """As much of <https://docs.docker.com/reference/api/engine/> as making a container takes."""

    protocol_version = "HTTP/1.1"

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Api-Version", "1.44")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        self.answer(200, {})

    do_HEAD = do_GET

    def do_POST(self):
        length = self.headers.get("Content-Length")
        if length is None:
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(length))
        heard.append(json.loads(body))
        self.answer(201, {"Id": "0123456789ab", "Warnings": []})

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Daemon)
threading.Thread(target=server.serve_forever, daemon=True).start()
environment = {"PATH": os.environ["PATH"], "HOME": os.getcwd(), "DOCKER_HOST": f"tcp://127.0.0.1:{server.server_port}"}
command = ["docker", "create", "--env-file", sys.argv[1], "image"]
ran = subprocess.run(command, env=environment, capture_output=True, text=True)
if ran.returncode:
    raise SystemExit(ran.stderr)
print(json.dumps(dict(entry.split("=", 1) for entry in heard[0]["Env"])))
