"""Asks a server whatever its own document allows, and much that it forbids, as somebody of each role.

For each role a server is started on a fresh folder, with a project, two jobs and an account of that role. A failure is an answer of 5xx, or one
that the document does not tell: its status, its type of content, or its form.

usage: run.py PROGRAM [--examples N] [--role ROLE]... [--seed N]
"""

import argparse
import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).parent
ROLES = ["nobody", "viewer", "operator", "developer", "projectAdmin", "admin"]
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
PASSWORD = "correct horse battery staple"
# Streams end with their reader, not by themselves.
EXCLUDED = ["/api/v1/stream"]
# What stands in paths: mostly what is there.
KNOWN = {
    "project": ["billing", "nowhere"],
    "job": ["report", "nightly", "none"],
    "kind": ["user", "group"],
    "who": ["lina", "ops"],
    "ip": ["10.0.0.5"],
    "code": ["not-found", "nothing"],
    "n": ["1", "2", "0"],
    "m": ["1", "2"],
    "i": ["0", "7"],
    "item": ["0", "7"],
}
CONFIG = """
listen: 127.0.0.1:{port}
public_url: http://127.0.0.1:{port}
data: {data}
limits:
  reads: 100000
  reads_at_once: 100000
  changes: 100000
  changes_at_once: 100000
"""


class Server:
    """One server on a fresh folder."""

    def __init__(self, program, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        config = folder / "clockwright.yaml"
        config.write_text(CONFIG.format(port=port, data=folder / "data"))
        self.talk = folder / "talk.log"
        command = [program, "server", "--config", config]
        self.process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=self.talk.open("wb"))
        self.cookie = ""

    def __enter__(self):
        try:
            self.begin()
        except BaseException:
            self.process.kill()
            raise
        return self

    def begin(self):
        """Waits until it serves, and lets the first administrator in."""
        deadline = time.monotonic() + 60
        while "serving at" not in self.talk.read_text():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit(f"the server does not start:\n{self.talk.read_text()}")
            time.sleep(0.05)
        secret = re.search(r"/setup#(\S+)", self.talk.read_text())[1]
        self.ask("POST", f"/links/{secret}", {"login": "root", "password": PASSWORD})

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise SystemExit(f"the server does not end:\n{self.talk.read_text()}")

    def ask(self, method, path, body):
        request = urllib.request.Request(f"{self.url}/api/v1{path}", json.dumps(body).encode(), method=method)
        request.add_header("content-type", "application/json")
        request.add_header("sec-fetch-site", "same-origin")
        if self.cookie:
            request.add_header("cookie", self.cookie)
        with urllib.request.urlopen(request, timeout=60) as answer:
            if set_cookie := answer.headers.get("set-cookie"):
                self.cookie = set_cookie.split(";")[0]
            return json.load(answer)

    def furnish(self):
        """What paths may name."""
        self.ask("POST", "/users", {"login": "lina", "role": "viewer"})
        self.ask("POST", "/projects", {"name": "billing"})
        for name in ["report", "nightly"]:
            settings = {"elasticJobType": "SCRIPT", "cron": "0 0 3 * * ?", "props": {"script.command.line": "true"}}
            self.ask("POST", "/projects/billing/jobs", {"name": name, "settings": settings})

    def token(self, role, scopes):
        if role == "nobody":
            return None
        account = self.ask("POST", "/services", {"login": f"the-{role.lower()}", "role": role})
        made = self.ask("POST", f"/services/{account['id']}/tokens", {"name": "test", "scopes": scopes})
        return made["secret"]

    def document(self):
        with urllib.request.urlopen(f"{self.url}/openapi.json", timeout=60) as answer:
            return json.load(answer)


def operations(document):
    for path in document["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict):
                yield operation


def scopes(document):
    """All permissions that a route asks for, but those that no token has."""
    needed = set()
    for operation in operations(document):
        needed.update(re.findall(r"Needs `([a-z-]+\.[a-z-]+)`", operation.get("description", "")))
    return sorted(needed - {"token.own"}) + ["write"]


def narrowed(document):
    """The document, with what is there in the place of any text in paths."""
    for operation in operations(document):
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path" and (values := KNOWN.get(parameter["name"])):
                numbers = parameter["schema"].get("type") == "integer"
                parameter["schema"] = {**parameter["schema"], "enum": [int(v) if numbers else v for v in values]}
    return document


def run(role, arguments):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="clockwright-schemathesis-"))
    with Server(arguments.program, folder) as server:
        server.furnish()
        document = server.document()
        token = server.token(role, scopes(document))
        schema = folder / "openapi.json"
        schema.write_text(json.dumps(narrowed(document)))
        command = [HERE / "venv/bin/schemathesis", "run", schema, "--url", server.url, "--checks", CHECKS,
                   "--max-examples", str(arguments.examples), "--seed", str(arguments.seed), "--no-color",
                   "--suppress-health-check", "all", "--warnings", "off", "--continue-on-failure"]
        for path in EXCLUDED:
            command += ["--exclude-path", path]
        if token:
            command += ["--header", f"authorization: Bearer {token}"]
        failed = subprocess.run(command, cwd=folder).returncode != 0
        panicked = "panicked" in server.talk.read_text()
    if failed or panicked:
        print(f"as {role}: something is wrong; the server's log is in {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    return not (failed or panicked)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("--examples", type=int, default=50, help="how many requests for each route and phase")
    parser.add_argument("--role", action="append", choices=ROLES, help="only this one; may be given again")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    failed = [role for role in arguments.role or ROLES if not run(role, arguments)]
    if failed:
        sys.exit(f"not as the document says: {', '.join(failed)}")


if __name__ == "__main__":
    main()
