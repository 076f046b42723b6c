"""The variables of the server's container, by Helm's own engine: `chart.py CHART VALUES SECRET`.

Prints them as JSON. What Kubernetes does with them is done here: references are followed and `$(NAME)` expanded,
https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/.
"""

import base64
import json
import re
import sys

import helm_python as helm
import yaml


def rendered(folder, values):
    with helm.Chart.load(folder) as chart:
        files = chart.render(values=values, name="wandb", namespace="default")
    texts = (text for path, text in files.items() if not path.endswith("NOTES.txt"))
    return [document for text in texts for document in yaml.safe_load_all(text) if document]


def entries(document):
    plain = dict(document.get("data") or {})
    if document["kind"] == "Secret":
        plain = {key: base64.b64decode(value or "").decode() for key, value in plain.items()}
    return {**plain, **(document.get("stringData") or {})}


def value(entry, known, variables):
    if "value" in entry:
        expand = lambda found: "$" if found[0] == "$$" else variables.get(found[1], found[0])
        return re.sub(r"\$\$|\$\(([^)]*)\)", expand, entry["value"])
    for kind, source in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
        if place := (entry.get("valueFrom") or {}).get(source):
            return known.get((kind, place["name"]), {}).get(place["key"])
    return None


def environment(container, known):
    variables = {}
    for source in container.get("envFrom") or []:
        kind, place = ("Secret", source["secretRef"]) if "secretRef" in source else ("ConfigMap", source["configMapRef"])
        variables.update(known.get((kind, place["name"]), {}))
    for entry in container.get("env") or []:
        found = value(entry, known, variables)
        if found is not None:
            variables[entry["name"]] = found
    return variables


chart, values, secret = sys.argv[1:]
read = lambda path: yaml.safe_load(open(path, encoding="utf-8", newline=""))
documents = rendered(chart, read(values)) + [read(secret)]
known = {(document["kind"], document["metadata"]["name"]): entries(document) for document in documents}
containers = [
    container
    for document in documents
    if document["kind"] == "Deployment"
    for container in document["spec"]["template"]["spec"]["containers"]
    if container["name"] == "app"
]
json.dump(environment(containers[0], known), sys.stdout)
