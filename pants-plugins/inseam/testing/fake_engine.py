"""A fake docker client without an engine: a program on PATH with predefined responses."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROGRAM = """\
#!{python} -S
import json, os, sys
folder = {folder!r}
arguments = sys.argv[1:]
with open(os.path.join(folder, "calls"), "a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
with open(os.path.join(folder, "answers")) as answers:
    for start, exit_code, stdout, stderr in json.load(answers):
        if arguments[: len(start)] == start:
            sys.stdout.write(stdout)
            sys.stderr.write(stderr)
            sys.exit(exit_code)
"""


@dataclass(frozen=True)
class FakeEngine:
    """A client that imitates that of an engine."""

    folder: Path
    """The folder with its client and the record of its calls."""
    name: str = "docker"

    def install(self, version: str = "Docker version 20.10.24, build 1") -> FakeEngine:
        """Writes the client to the folder, with responses that make it look like an engine."""
        self.folder.mkdir(parents=True, exist_ok=True)
        client = self.folder / self.name
        client.write_text(_PROGRAM.format(python=sys.executable, folder=str(self.folder)))
        client.chmod(0o755)
        self._write([])
        self.answer("--version", stdout=version)
        return self

    def answer(self, *start: str, exit_code: int = 0, stdout: str = "", stderr: str = "") -> None:
        """Sets the response to commands that start like this; others succeed and print nothing."""
        answers = json.loads((self.folder / "answers").read_text())
        self._write([[list(start), exit_code, stdout, stderr], *answers])

    def has_image(self, reference: str, **config: Any) -> None:
        self.answer("image", "inspect", reference, stdout=json.dumps([{"Config": config}]))

    def has_container(
        self, state: dict[str, Any] | None = None, ports: dict[int, int] | None = None
    ) -> None:
        """Whatever the name of the container is."""
        bindings = {
            f"{port}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(place)}]
            for port, place in (ports or {}).items()
        }
        found = {"State": state or {"Running": True}, "NetworkSettings": {"Ports": bindings}}
        self.answer("container", "inspect", stdout=json.dumps([found]))

    def calls(self, command: str) -> list[list[str]]:
        """The arguments of each call of a command so far, without its name."""
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [call[1:] for call in map(json.loads, lines) if call[0] == command]

    def environment(self) -> dict[str, str]:
        return {"PATH": str(self.folder)}

    def _write(self, answers: list[Any]) -> None:
        temporary = self.folder / f"answers.{os.getpid()}"
        temporary.write_text(json.dumps(answers))
        temporary.replace(self.folder / "answers")
