"""Reads the command of a container or a Procfile: which module, application or script it starts."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from enum import Enum
from typing import Iterable, Mapping, Optional, Sequence, Tuple

from inseam.plan.tailor.frameworks import started_by

_MOST_WORDS = 500
_LONGEST = 4000  # longest word in characters, after variables are expanded
_MOST_NESTED = 4  # nesting of commands, such as `sh -c "exec tini -- ..."`
_PYTHON = re.compile(r"(pypy|python)[0-9.]*")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))")
_REFERENCE = re.compile(r"[A-Za-z_][\w.]*(:[A-Za-z_][\w.]*(\(\))?)?")
_SHELLS = {"ash", "bash", "sh"}
# Programs that start the command that follows, and how many arguments precede it.
_WRAPPERS = {
    "catatonit": 0,
    "ddtrace-run": 0,
    "dumb-init": 0,
    "exec": 0,
    "env": 0,
    "newrelic-admin": 1,
    "nohup": 0,
    "opentelemetry-instrument": 0,
    "pdm": 1,
    "pipenv": 1,
    "poetry": 1,
    "rye": 1,
    "tini": 0,
    "time": 0,
    "uv": 1,
}
_ASGI_SERVERS = {"daphne", "granian", "hypercorn", "uvicorn"}
_WSGI_SERVERS = {"gunicorn", "uwsgi", "waitress-serve"}
# Server options to drop: the image determines the address, and does not reload code.
_ADDRESSES = {"--bind", "--host", "-b", "-h", "--http", "--listen", "--interface"}
_PORTS = {"--port", "-p"}
_WORKERS = {"--workers", "-w", "--processes"}
_CLASSES = {"--worker-class", "-k"}
_DROPPED = {"--reload", "--debug", "--factory", "--worker-tmp-dir", "--app-dir", "--interface"}
_FLAGS = {
    *("--access-log", "--debug", "--factory", "--no-access-log", "--no-server-header"),
    *("--preload", "--proxy-headers", "--reload", "--use-colors", "--no-use-colors"),
}
# `manage.py` and similar programs, with the arguments that start a server.
_DJANGO_SERVES = {"runserver", "runserver_plus"}


class Kind(Enum):
    """What the name of a command means."""

    APPLICATION = "application"
    DJANGO = "a Django project"
    FILE = "file"
    MODULE = "module"
    PEX = "PEX"
    SCRIPT = "script"


@dataclass(frozen=True)
class Command:
    """What a command starts."""

    kind: Kind
    name: str
    """`shop.api:app`, `server.py`, `shop.server`, `/bin/app.pex` or `celery`."""
    args: Tuple[str, ...] = ()
    server: Optional[str] = None
    workers: Optional[int] = None
    port: Optional[int] = None


def read_line(line: str, variables: Mapping[str, str] = {}) -> Command | None:
    """The command in a line of shell; of several, the last one that is recognised."""
    return _read_line(line, variables, _MOST_NESTED)


def read_words(words: Sequence[str], variables: Mapping[str, str] = {}) -> Command | None:
    """What a command in exec form starts; None if that is unknown.

    variables: those of the environment that the image sets.
    """
    return _read_words(words, variables, _MOST_NESTED)


def _read_line(line: str, variables: Mapping[str, str], depth: int) -> Command | None:
    try:
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|<>")
        lexer.whitespace_split = True
        lexer.commenters = "#"
        words = [word for word, _ in zip(lexer, range(_MOST_WORDS))]
    except ValueError:
        return None
    found = None
    each: list[str] = []
    for word in [*words, ";"]:
        if set(word) <= set(";&|"):
            found = _read_words(each, variables, depth) or found
            each = []
        else:
            each.append(word)
    return found


def expand(text: str, variables: Mapping[str, str]) -> str:
    """A text with variables replaced with their values; unknown variables stay."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[3]
        default = match[2]
        return variables.get(name, match[0] if default is None else default)[:_LONGEST]

    # Values can contain variables: without a limit, a few lines could expand to any length.
    return _VARIABLE.sub(value, text)[:_LONGEST]


def _read_words(given: Sequence[str], variables: Mapping[str, str], depth: int) -> Command | None:
    words = [expand(word, variables) for word in given[:_MOST_WORDS]]
    while words and depth:
        first, name = words[0], words[0].rpartition("/")[2]
        if _ASSIGNMENT.match(first):
            key, _, value = first.partition("=")
            variables = {**variables, key: value}
            words = words[1:]
        elif name in _WRAPPERS:
            words = words[1 + _WRAPPERS[name] :]
            while words and words[0].startswith("-"):
                words = words[1:]
        elif name in _SHELLS:
            return _in_shell(words[1:], variables, depth)
        else:
            return _started(name, words, variables)
    return None


def _in_shell(words: Sequence[str], variables: Mapping[str, str], depth: int) -> Command | None:
    for number, word in enumerate(words):
        if re.fullmatch(r"-\w*c", word):
            return (
                _read_line(words[number + 1], variables, depth - 1) if words[number + 1 :] else None
            )
        if not word.startswith("-"):
            return Command(Kind.FILE, word)
    return None


def _started(name: str, words: Sequence[str], variables: Mapping[str, str]) -> Command | None:
    rest = list(words[1:])
    if _PYTHON.fullmatch(name):
        return _python(rest, variables)
    if _is_pex(words[0]):
        return Command(Kind.PEX, words[0], tuple(rest))
    if name.endswith((".py", ".sh")):
        return _file(words[0], rest)
    if name in _ASGI_SERVERS or name in _WSGI_SERVERS:
        return _server(name, rest)
    if name in ("fastapi", "flask", "django-admin"):
        return _development(name, rest, variables)
    return Command(Kind.SCRIPT, name, tuple(rest))


def _is_pex(path: str) -> bool:
    """Whether it is the path of a PEX, or of a folder with an unpacked one."""
    return path.endswith(".pex") or path.rstrip("/").endswith("/pex")


def _python(words: list[str], variables: Mapping[str, str]) -> Command | None:
    while words and words[0].startswith("-") and words[0] != "-m":
        words = words[2:] if words[0] in ("-X", "-W") else words[1:]
    if not words:
        return None
    if words[0] != "-m":
        if _is_pex(words[0]):
            return Command(Kind.PEX, words[0], tuple(words[1:]))
        return _file(words[0], words[1:])
    if len(words) < 2:
        return None
    package = words[1].partition(".")[0]
    known = package in _ASGI_SERVERS | _WSGI_SERVERS | {"fastapi", "flask"}
    if known or started_by(package):
        return _started(package, words[1:], variables)
    return Command(Kind.MODULE, words[1], tuple(words[2:]))


def _file(path: str, rest: Sequence[str]) -> Command | None:
    if path.rpartition("/")[2] == "manage.py":
        served = bool(rest) and rest[0] in _DJANGO_SERVES
        return Command(Kind.DJANGO, path, server="gunicorn") if served else None
    return Command(Kind.FILE, path, tuple(rest))


def _options(words: Iterable[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """The positional arguments of a server's command, and its options with their values."""
    plain: list[str] = []
    options: list[tuple[str, str]] = []
    waiting = ""
    for word in words:
        if waiting:
            options.append((waiting, word))
            waiting = ""
        elif word.startswith("--") and "=" in word:
            name, _, value = word.partition("=")
            options.append((name, value))
        elif word.startswith("-") and len(word) > 2 and not word.startswith("--"):
            options.append((word[:2], word[2:].lstrip("=")))
        elif word in _FLAGS:
            options.append((word, ""))
        elif word.startswith("-"):
            waiting = word
        else:
            plain.append(word)
    return plain, options + ([(waiting, "")] if waiting else [])


def _server(name: str, words: Sequence[str]) -> Command | None:
    plain, options = _options(words)
    found = Command(Kind.APPLICATION, "", server="gunicorn" if name in _WSGI_SERVERS else "uvicorn")
    is_own = name in ("gunicorn", "uvicorn")
    for option, value in options:
        if option in _PORTS or option in _ADDRESSES:
            found = replace(found, port=_port(value) or found.port)
        elif option in _WORKERS:
            found = replace(found, workers=int(value) if value.isdecimal() else None)
        elif option in _CLASSES and "uvicorn" in value.lower():
            found = replace(found, server="uvicorn", args=())
            is_own = False
        elif option == "--factory":
            plain = [f"{one}()" if ":" in one and "(" not in one else one for one in plain]
        elif is_own and option not in _DROPPED and "$" not in value:
            found = replace(found, args=(*found.args, f"{option}={value}" if value else option))
    application = next((one for one in plain if _REFERENCE.fullmatch(one)), "")
    if not application:
        return None
    # Short options have their values as separate words.
    args = tuple(
        part
        for one in found.args
        for part in (one.split("=", 1) if not one.startswith("--") else [one])
    )
    return replace(found, name=application, args=args)


def _port(address: str) -> int | None:
    """The port in `8000`, `:8000` or `0.0.0.0:8000`."""
    last = address.rpartition(":")[2]
    return int(last) if last.isascii() and last.isdecimal() and 0 < int(last[:6]) < 65536 else None


def _development(name: str, words: Sequence[str], variables: Mapping[str, str]) -> Command | None:
    """A command for a framework's development server, which a production server replaces."""
    plain, options = _options(words)
    values = dict(options)
    number = _port(values.get("--port", values.get("-p", "")))
    if name == "fastapi":
        file = next((one for one in plain[1:]), "")
        if plain[:1] in (["run"], ["dev"]) and file:
            return Command(Kind.FILE, file, server="uvicorn", port=number)
        return None
    application = values.get("--app", values.get("-A", variables.get("FLASK_APP", "")))
    if name != "flask" or "run" not in plain or not application:
        return None
    if application.endswith(".py"):
        return Command(Kind.FILE, application, server="gunicorn", port=number)
    return Command(Kind.APPLICATION, application, server="gunicorn", port=number)
