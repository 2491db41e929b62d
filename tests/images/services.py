"""What the tests know of the services, and how they talk to them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from inseam.testing import Container, Engine, Image

SERVICES = ("service", "catalog", "reports")
PYTHON = "/opt/venv/bin/python"


@dataclass(frozen=True)
class Answer:
    status: int
    content_type: str
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    container: Container, path: str, body: bytes | None = None, content_type: str = "text/plain"
) -> Answer:
    """The answer to a GET, or to a POST if there is a body."""
    headers = {} if body is None else {"Content-Type": content_type}
    request = urllib.request.Request(container.base_url + path, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return Answer(answer.status, answer.headers.get_content_type(), answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers.get_content_type(), error.read())


def python(container: Container, code: str, *arguments: str) -> str:
    """What a program prints in a running service."""
    return container.exec(PYTHON, "-c", code, *arguments).checked().stdout


def run_python(
    engine: Engine, image: Image, *arguments: str, interpreter: str = PYTHON
) -> tuple[str, str]:
    """stdout and stderr of the interpreter, run hardened instead of the service."""
    hardened = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
    run = ("run", "--rm", *hardened, "--network=none", f"--entrypoint={interpreter}")
    done = engine.run(*run, image.reference, *arguments).checked()
    return done.stdout, done.stderr
