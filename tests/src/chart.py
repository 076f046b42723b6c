"""The environment of the server's container, as W&B's chart makes it of these values and Kubernetes fills it in.

Usage: chart.py HELM CHART VALUES SECRET; prints a JSON object.
"""

import base64
import json
import re
import subprocess
import sys

import yaml

helm, chart, values, secret = sys.argv[1:]


def read(text):
    return [document for document in yaml.safe_load_all(text) if document]


def data(document):
    """What a Secret or a ConfigMap holds, by key."""
    texts = document.get("data") or {}
    if document["kind"] == "Secret":
        texts = {key: base64.b64decode(text or "").decode() for key, text in texts.items()}
    return {**texts, **(document.get("stringData") or {})}


def held(documents, kind):
    return {document["metadata"]["name"]: data(document) for document in documents if document["kind"] == kind}


def given(variable, secrets, maps):
    """What a variable has before others are filled in."""
    if "valueFrom" not in variable:
        return variable.get("value") or ""
    source = variable["valueFrom"]
    for kind, places in (("secretKeyRef", secrets), ("configMapKeyRef", maps)):
        if kind in source:
            place, key = places.get(source[kind]["name"], {}), source[kind]["key"]
            if key not in place and not source[kind].get("optional"):
                raise SystemExit(f"{variable['name']}: there is no {key} in {source[kind]['name']}")
            return place.get(key)
    return None


def filled(text, known):
    """<https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/>"""
    replace = lambda found: "$" if found[0] == "$$" else known.get(found[1], found[0])
    return re.sub(r"\$\$|\$\(([^)]*)\)", replace, text)


command = [helm, "template", "wandb", chart, "--values", values]
rendered = subprocess.run(command, check=False, capture_output=True, text=True)
if rendered.returncode:
    raise SystemExit(rendered.stderr)
documents = read(rendered.stdout) + read(open(secret, encoding="utf-8", newline="").read())
secrets, maps = held(documents, "Secret"), held(documents, "ConfigMap")
servers = [document for document in documents if document["kind"] == "Deployment" and document["metadata"]["name"].startswith("wandb-app")]
containers = [container for server in servers for container in server["spec"]["template"]["spec"]["containers"]]
[container] = [container for container in containers if container["name"] == "app"]
environment = {}
for source in container.get("envFrom", []):
    for kind, places in (("secretRef", secrets), ("configMapRef", maps)):
        if kind in source:
            environment.update(places.get(source[kind]["name"], {}))
for variable in container.get("env", []):
    value = given(variable, secrets, maps)
    if value is not None:
        environment[variable["name"]] = value if "valueFrom" in variable else filled(value, environment)
print(json.dumps(environment))
