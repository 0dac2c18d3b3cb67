#!/usr/bin/env python3
"""Cortex responder for TheHive: puts an observable on the list, or takes it off, and says how that went.

Cortex hands the job over on standard input, or in input/input.json of the folder that is its first argument, and
keeps the credentials. Python's standard library is all it needs.
"""

import json
import os
import sys
import urllib.error
import urllib.request

KINDS = {"ip": "ip", "domain": "domain", "fqdn": "domain", "url": "url", "hash": "hash", "mail": "email"}


def ask(url, token, path, body):
    """The message of a node, and whether it did what it was asked; None when it did not answer, or cannot now."""
    request = urllib.request.Request(
        url.rstrip("/") + path,
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": "Bearer " + token},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer).get("message", ""), True
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            return None
        try:
            return json.load(error).get("message", str(error)), False
        except ValueError:
            return str(error), False
    except (OSError, ValueError):
        return None


def respond(job):
    config = job.get("config", {})
    data = job.get("data", {})
    kind = KINDS.get(data.get("dataType"))
    if kind is None:
        return f"the list holds no {data.get('dataType')}", False
    action = "delete" if config.get("service") == "unblock" else "add"
    body = {"value": data.get("data"), "source": "thehive"}
    if action == "add":
        case = data.get("case") or {}
        title = case.get("title", "")
        body["comment"] = f"TheHive case {case.get('caseId', '')} {title}".strip()
        body["tags"] = [str(tag) for tag in data.get("tags", [])][:16]
    for url in config.get("urls", []):
        answer = ask(url, config.get("token", ""), f"/{kind}/{action}", body)
        if answer is not None:
            return answer
    return "no node answers", False


def main():
    if len(sys.argv) > 1:
        with open(os.path.join(sys.argv[1], "input", "input.json"), encoding="utf-8") as file:
            job = json.load(file)
    else:
        job = json.load(sys.stdin)
    message, done = respond(job)
    if done:
        tag = "stockade:" + job["config"].get("service", "block") + "ed"
        report = {
            "success": True,
            "full": {"message": message},
            "operations": [{"type": "AddTagToArtifact", "tag": tag}],
        }
    else:
        report = {"success": False, "errorMessage": message}
    text = json.dumps(report)
    if len(sys.argv) > 1:
        folder = os.path.join(sys.argv[1], "output")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "output.json"), "w", encoding="utf-8") as file:
            file.write(text)
    else:
        print(text)
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
