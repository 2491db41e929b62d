"""Runs skopeo, the tool that talks to registries.

It finds credentials by itself: in REGISTRY_AUTH_FILE, in its own auth.json, and in Docker's
config.json with the credential helpers that are named there. This code never sees any.
"""

from __future__ import annotations

import os
import queue
import re
import shutil
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Sequence

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import plain
from inseam.formats.oci.reference import Reference

STALL = 60.0  # seconds within which a registry must answer a request
SLOWEST = 50_000  # bytes per second; a slower upload counts as stalled

_REQUEST = re.compile(r"(GET|HEAD|POST|PATCH|PUT) (\w+://[^?\s]+)")
_WAITS = re.compile(r"Too many requests to .*: sleeping for")  # for as long as the server asks
LONGEST_WAIT = 60.0  # seconds that skopeo waits at most when a registry asks it to
_TRANSFER = re.compile(r"PATCH |GET [^?\s]+/blobs/sha256:")  # after which it is silent for long
_QUERY = re.compile(r"\?[^\s\"]*")  # which may contain tokens
_MESSAGE = re.compile(r'level=(\w+) msg="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Result:
    """The output of skopeo, and the messages in its log, oldest first."""

    output: bytes
    log: tuple[str, ...]


class Unanswered(Failure):
    """The registry cannot be reached or does not answer in time."""


@dataclass(frozen=True)
class Repository:
    """A repository in a registry that skopeo reaches. Plain HTTP is only used for this machine."""

    reference: Reference
    stall: float = STALL
    """Seconds within which the registry must answer a request."""

    @property
    def name(self) -> str:
        return self.reference.name

    def tls(self, side: str = "") -> list[str]:
        """skopeo's option for plain HTTP; side: "src-" or "dest-" if there are two."""
        return [f"--{side}tls-verify=false"] if self.reference.loopback else []

    def manifest(self, name: str) -> bytes:
        """The manifest or index with the name `name`.

        Raises Failure as `run` does, and if there is none.
        """
        arguments = ["inspect", "--raw", *self.tls(), *authentication(), f"docker://{name}"]
        return self.run(arguments).output

    def run(
        self, arguments: Sequence[str], *, largest: int = 0, folder: Path | None = None
    ) -> Result:
        """Runs skopeo in the folder.

        largest: size in bytes of the largest blob that it may have to send in one piece.

        Raises Unanswered, or Failure with skopeo's error and what to do.
        """
        program = shutil.which("skopeo")
        if program is None:
            raise Failure(
                "skopeo, which copies images to and from registries, is not on PATH. Install it"
                " (Debian, Ubuntu: apt-get install skopeo; Fedora: dnf install skopeo; macOS: brew"
                " install skopeo)."
            )
        process = subprocess.Popen(
            [program, "--debug", *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        output: list[bytes] = []
        lines: queue.Queue[str | None] = queue.Queue()
        readers = (
            threading.Thread(target=_read_all, args=(process.stdout, output), daemon=True),
            threading.Thread(target=_read_lines, args=(process.stderr, lines), daemon=True),
        )
        for reader in readers:
            reader.start()
        try:
            log = self._follow(lines, largest)
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()
            for reader in readers:
                reader.join()
        if process.returncode != 0:
            raise self._failure(log)
        return Result(b"".join(output), tuple(message for _, message in log))

    def _follow(self, lines: queue.Queue[str | None], largest: int) -> list[tuple[str, str]]:
        """The log, as pairs of level and message."""
        log: list[tuple[str, str]] = []
        limit = self.stall
        while True:
            try:
                line = lines.get(timeout=limit)
            except queue.Empty:
                if log and _WAITS.match(log[-1][1]):
                    raise Unanswered(
                        f"the registry of {self.name} asked to wait, and did not answer within"
                        f" {limit:.0f} s. {_LIMITED.format(registry=self._registry)}"
                    ) from None
                raise Unanswered(
                    f"the registry of {self.name} has not answered for"
                    f" {limit:.0f} s ({_last_request(log)}). Try again later: what it already has"
                    " is not sent again."
                ) from None
            if line is None:
                return log
            match = _MESSAGE.search(line)
            if match is None:
                continue
            message = match[2].replace('\\"', '"').replace("\\n", "\n")
            log.append((match[1], message))
            if _TRANSFER.match(message):
                limit = self.stall + largest / SLOWEST
            elif _WAITS.match(message):
                limit = self.stall + LONGEST_WAIT
            elif _REQUEST.match(message):
                limit = self.stall

    def _failure(self, log: list[tuple[str, str]]) -> Failure:
        words = [message for level, message in log if level in ("fatal", "error")]
        text = _QUERY.sub("", words[-1]) if words else "skopeo failed without a message"
        advice = "Run the command again: what the registry already has is not sent again."
        for pattern, found in _ADVICE:
            if re.search(pattern, text, re.IGNORECASE):
                advice = found
                break
        kind = Unanswered if re.search(_UNREACHABLE, text, re.IGNORECASE) else Failure
        return kind(
            f"{self.name}: {plain(text, width=1000)}\n{advice.format(registry=self._registry)}"
        )

    @property
    def _registry(self) -> str:
        return self.reference.registry or "Docker's default registry"


def _read_all(stream: BinaryIO, output: list[bytes]) -> None:
    output.append(stream.read())


def _read_lines(stream: BinaryIO, lines: queue.Queue[str | None]) -> None:
    for line in stream:
        lines.put(line.decode(errors="replace"))
    lines.put(None)


def _last_request(log: list[tuple[str, str]]) -> str:
    for _, message in reversed(log):
        match = _REQUEST.match(message)
        if match:
            return f"its last request: {match[1]} {match[2]}"
    return "no request was sent"


_UNREACHABLE = "connection refused|no such host|i/o timeout|no route to host|network is unreachable"
_LIMITED = (
    "The registry limits the number of requests. Log in with `docker login {registry}` if it"
    " allows more to those who do, or try again later: what it already has is not sent again."
)
_ADVICE = (
    (_UNREACHABLE, "Is {registry} the right registry, and does it run?"),
    (
        "unauthorized|authentication required|denied|invalid username|forbidden",
        "Log in with `docker login {registry}` or `skopeo login {registry}` with an account that"
        " has access.",
    ),
    (
        "HTTP response to HTTPS client",
        "The registry {registry} speaks plain HTTP, which is accepted on this machine only."
        " Give it a certificate, or reach it through a tunnel on 127.0.0.1.",
    ),
    (
        "certificate",
        "Put the certificate of {registry}'s authority where the system has such certificates.",
    ),
    ("manifest unknown|name unknown|not found", "Check the image's name and its digest."),
    ("too ?many ?requests|rate limit|StatusCode: 429", _LIMITED),
    ("no space left", "Free some space, then run the command again."),
)


def authentication() -> list[str]:
    """The option that makes skopeo use DOCKER_CONFIG, which it does not do by itself."""
    folder = os.environ.get("DOCKER_CONFIG")
    if not folder or os.environ.get("REGISTRY_AUTH_FILE"):
        return []
    path = Path(folder, "config.json")
    return [f"--authfile={path}"] if path.is_file() else []
