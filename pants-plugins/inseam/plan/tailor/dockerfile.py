"""Reads what a Dockerfile's container starts, from its last stage and the stages below it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Iterator, Mapping, Optional, Tuple

from inseam.plan.tailor.commands import Command, expand, read_line, read_words

_LARGEST = 100_000  # longest Dockerfile in characters
_MOST_STAGES = 100
_MOST_PORTS = 50
_MOST_VARIABLES = 1000
_INSTRUCTION = re.compile(r"\s*([A-Za-z]+)\s+(.*)", re.DOTALL)
_FROM = re.compile(r"(?:--\S+\s+)*(\S+)(?:\s+[Aa][Ss]\s+(\S+))?")
_PAIR = re.compile(r"""([A-Za-z_]\w*)=("(?:[^"\\]|\\.)*"|'[^']*'|\S*)""")


@dataclass
class _Stage:
    """The instructions of a stage, and of those that it starts from."""

    environment: dict[str, str] = field(default_factory=dict)
    ports: Tuple[int, ...] = ()
    entrypoint: str = ""
    command: str = ""


@dataclass(frozen=True)
class Container:
    """What the image of a Dockerfile runs."""

    command: Optional[Command]
    """None if it does not start Python, or if that is unknown."""
    words: str
    """The command as written; "" if there is none."""
    environment: Mapping[str, str]
    ports: Tuple[int, ...]
    copied: Mapping[str, str]
    """The sources of COPY and ADD in all stages, by their destination paths."""


def read_dockerfile(text: str) -> Container:
    """What the container of a Dockerfile starts."""
    arguments: dict[str, str] = {}
    stages: dict[str, _Stage] = {}
    stage = _Stage()
    number = 0
    copied: dict[str, str] = {}
    for name, rest in _instructions(text[:_LARGEST]):
        if name == "FROM":
            if len(stages) >= _MOST_STAGES:
                break
            stage = _from(expand(rest, arguments), stages, str(number))
            number += 1
            continue
        if name in ("ARG", "ENV") and len(stage.environment) > _MOST_VARIABLES:
            continue
        if name == "ARG":
            key, _, value = rest.partition("=")
            if key.strip() not in stage.environment:
                stage.environment[key.strip()] = value.strip().strip("\"'")
                arguments.setdefault(key.strip(), value.strip().strip("\"'"))
        elif name == "ENV":
            stage.environment.update(_pairs(rest, stage.environment))
        elif name == "EXPOSE":
            numbers = re.findall(r"\b([0-9]{1,5})\b(?!/udp)", expand(rest, stage.environment))
            found = (int(one) for one in numbers[:_MOST_PORTS] if 0 < int(one) < 65536)
            stage.ports = (*stage.ports, *found)[:_MOST_PORTS]
        elif name == "ENTRYPOINT":
            stage.entrypoint, stage.command = rest, ""
        elif name == "CMD":
            stage.command = rest
        elif name in ("COPY", "ADD"):
            words = [expand(one, stage.environment) for one in _words(rest)]
            copied.update(_copies([one for one in words if not one.startswith("--")]))
    return Container(
        _command(stage),
        f"{stage.entrypoint} {stage.command}".strip(),
        stage.environment,
        tuple(dict.fromkeys(stage.ports)),
        copied,
    )


def _from(text: str, stages: dict[str, _Stage], number: str) -> _Stage:
    match = _FROM.match(text)
    below = stages.get(match[1].lower()) if match else None
    stage = _Stage()
    if below is not None:
        stage = _Stage(dict(below.environment), below.ports, below.entrypoint, below.command)
    if match and match[2]:
        stages[match[2].lower()] = stage
    stages[number] = stage
    return stage


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    """The instructions with their arguments, on one line each."""
    logical: list[str] = []
    for line in [*text.splitlines(), ""]:
        stripped = line.strip()
        if stripped.startswith("#"):
            continue
        if stripped.endswith("\\"):
            logical.append(stripped[:-1])
            continue
        logical.append(stripped)
        match = _INSTRUCTION.fullmatch(" ".join(logical))
        if match:
            yield match[1].upper(), match[2].strip()
        logical = []


def _copies(words: list[str]) -> Iterator[tuple[str, str]]:
    """The destination path of each source of a COPY, and the source."""
    *sources, target = words or [""]
    for source in sources:
        is_folder = target.endswith(("/", ".")) or len(sources) > 1
        # A folder may be named without a slash.
        is_folder = is_folder or "." not in target.rpartition("/")[2]
        name = source.rpartition("/")[2]
        yield (f"{target.rstrip('/')}/{name}" if is_folder else target), source


def _pairs(rest: str, known: Mapping[str, str]) -> dict[str, str]:
    if "=" not in rest.split(maxsplit=1)[0]:
        name, _, value = rest.partition(" ")
        return {name: expand(value.strip(), known)}
    return {match[1]: expand(match[2].strip("\"'"), known) for match in _PAIR.finditer(rest)}


def _words(text: str) -> list[str]:
    found = _json(text)
    return text.split() if found is None else found


def _json(text: str) -> list[str] | None:
    """The words of the exec form; None for the shell form."""
    if not text.startswith("["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_words = isinstance(found, list) and all(isinstance(one, str) for one in found)
    return found if is_words else None


def _command(stage: _Stage) -> Command | None:
    environment = stage.environment
    entrypoint, command = _json(stage.entrypoint), _json(stage.command)
    if entrypoint is None and stage.entrypoint:
        return read_line(stage.entrypoint, environment)
    if command is None and stage.command:
        # Most images intend the command to be an argument of the entry point.
        line = read_line(stage.command, environment)
        return line if not entrypoint else read_words(entrypoint, environment) or line
    words = [*(entrypoint or ()), *(command or ())]
    return read_words(words, environment) if words else None
