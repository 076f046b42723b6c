"""A front for the Pub/Sub emulator of Google's Cloud SDK, which does what the emulator does not.

Arguments: the emulator's address. Prints the port where it listens; when its standard input ends, which gaps were met.
Every request reaches the emulator first, so that a gap that was closed is not met any more.
"""

import http.server
import json
import os
import re
import sys
import threading
import urllib.error
import urllib.request

GAPS = {
    # There are no policies of topics and subscriptions.
    "policies": {"method": "GET|POST", "path": r":(get|set)IamPolicy$", "status": 501},
    # Labels stay as they were at creation.
    "labels": {"method": "PATCH", "path": r"/(topics|subscriptions)/[^/:]+$", "status": 400},
}

upstream, lock = f"http://{sys.argv[1]}", threading.Lock()
met, policies, labels = set(), {}, {}


def gap(method, path, status):
    for name, described in GAPS.items():
        known = re.fullmatch(described["method"], method) and re.search(described["path"], path)
        if known and status == described["status"]:
            met.add(name)
            return name
    return None


def ask(method, target, body):
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(upstream + target, method=method, data=body or None, headers=headers)
    try:
        answer = urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        answer = error
    text = answer.read()
    try:
        return answer.status, json.loads(text or b"{}")
    except ValueError:
        return answer.status, {"error": {"code": answer.status, "message": text.decode()}}


def policy(path, body):
    name, verb = path.rsplit(":", 1)
    if verb == "setIamPolicy":
        etag = policies.get(name, {}).get("etag", "AAAA")
        if body["policy"].get("etag", etag) != etag:
            return 409, {"error": {"code": 409, "status": "ABORTED", "message": "The etag is stale."}}
        policies[name] = {**body["policy"], "etag": etag + "AAAA"}
    return 200, policies.get(name, {"etag": "AAAA"})


def relabel(path, body):
    if body.get("updateMask") != "labels":
        return None
    resource = body["topic" if "/topics/" in path else "subscription"]
    labels[path] = resource.get("labels", {})
    return ask("GET", path, b"")


def labelled(answer):
    # The subscriptions of a topic are listed by their names.
    if isinstance(answer, str):
        return answer
    kept = labels.get("/v1/" + answer.get("name", ""))
    answer = answer if kept is None else {**answer, "labels": kept}
    lists = {kind: answer[kind] for kind in ("topics", "subscriptions") if isinstance(answer.get(kind), list)}
    return {**answer, **{kind: [labelled(item) for item in items] for kind, items in lists.items()}}


def served(method, target, body):
    path = target.split("?")[0]
    status, answer = ask(method, target, body)
    found = gap(method, path, status)
    if found == "policies":
        status, answer = policy(path, json.loads(body or b"{}"))
    elif found == "labels":
        status, answer = relabel(path, json.loads(body)) or (status, answer)
    elif status == 200 and method in ("PUT", "DELETE"):
        labels.pop(path, None)
        policies.pop(path, None)
    return status, labelled(answer)


class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def serve(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        with lock:
            status, answer = served(self.command, self.path, body)
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = serve


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    print(json.dumps(sorted(met)), flush=True)
    os._exit(0)


main()
