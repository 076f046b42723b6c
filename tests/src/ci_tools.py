"""What a runner of CI has on its path, as far as the workflows in `ci/` use it: `gh`, `jq`, `unzip`, `curl`, and their files as JSON."""

import json
import os
import shutil
import sys
import zipfile

import jq
import yaml


def option(arguments, name, default=None):
    return arguments[arguments.index(name) + 1] if name in arguments else default


def state():
    try:
        with open(os.environ["GH_STATE"]) as file:
            return json.load(file)
    except FileNotFoundError:
        return {"comments": [], "issues": [], "pulls": [], "artifacts": [], "runs": {}}


def keep(kept):
    with open(os.environ["GH_STATE"], "w") as file:
        json.dump(kept, file)


def printed(value, query):
    for found in jq.compile(query).input_value(value).all() if query else [value]:
        print(found if isinstance(found, str) else json.dumps(found))


def gh_api(arguments, kept):
    path = next(one for one in arguments if one.startswith("repos/"))
    method, query = option(arguments, "--method", "GET"), option(arguments, "--jq")
    field = option(arguments, "--field", "")
    body = open(field.removeprefix("body=@")).read() if field else None
    if path.endswith("/pulls"):
        return printed(kept["pulls"], query)
    if path.endswith("/zip"):
        with open(kept["artifacts"][int(path.split("/")[-2])]["archive"], "rb") as archive:
            return sys.stdout.buffer.write(archive.read())
    if "/actions/artifacts?name=" in path:
        name = path.split("name=")[1].split("&")[0]
        found = [dict(one, id=number) for number, one in enumerate(kept["artifacts"]) if one["name"] == name]
        return printed({"artifacts": found}, query)
    if "/actions/runs/" in path:
        return printed(kept["runs"][path.split("/")[-1]], query)
    if method == "POST":
        kept["comments"].append({"id": len(kept["comments"]) + 1, "body": body})
    elif method == "PATCH":
        next(one for one in kept["comments"] if str(one["id"]) == path.split("/")[-1])["body"] = body
    else:
        return printed(kept["comments"], query)
    keep(kept)


def gh_issue(verb, arguments, kept):
    if verb == "list":
        return printed([one for one in kept["issues"] if one["state"] == "open"], option(arguments, "--jq"))
    file = option(arguments, "--body-file")
    body = open(file).read() if file else None
    if verb == "create":
        kept["issues"].append({"number": 1, "title": option(arguments, "--title"), "body": body, "state": "open"})
        kept["issues"][-1]["number"] = len(kept["issues"])
    else:
        issue = next(one for one in kept["issues"] if str(one["number"]) == arguments[0])
        issue.update({"state": "closed"} if verb == "close" else {"body": body})
    keep(kept)


def main(tool, arguments):
    if tool == "yaml":
        with open(arguments[0]) as file:
            print(json.dumps(list(yaml.safe_load_all(file))))
    elif tool == "gh" and arguments[0] == "api":
        gh_api(arguments[1:], state())
    elif tool == "gh":
        gh_issue(arguments[1], arguments[2:], state())
    elif tool == "jq":
        with open(arguments[-1]) as file:
            printed(json.load(file), arguments[-2])
    elif tool == "unzip":
        with zipfile.ZipFile(next(one for one in arguments if one.endswith(".zip"))) as archive:
            archive.extract(arguments[-1])
    elif tool == "zip":
        with zipfile.ZipFile(arguments[0], "w") as archive:
            for file in arguments[1:]:
                archive.write(file, os.path.basename(file))
    elif tool == "curl":
        shutil.copy(os.environ["ARCHIVE"], option(arguments, "--output"))


main(sys.argv[1], sys.argv[2:])
