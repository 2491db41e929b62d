"""A probe: asks a service over HTTP how it is, and says so with its exit code.

A probe runs every few seconds for as long as the container does, so most of its cost is importing.
This one needs no module that the interpreter has not loaded or built in: `_socket` and `time`.
"""

import sys
from time import monotonic

from servicekit.address import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    is_ipv6,
    parse_host,
    parse_port,
    reachable,
)

try:
    import _socket as socket  # what the socket module wraps, without its imports
except ImportError:  # an interpreter other than CPython
    import socket  # type: ignore[no-redef]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    _T = TypeVar("_T")

USAGE = """\
usage: healthcheck [--url URL | --port PORT] [--path PATH] [--timeout SECONDS]
                   [--expect-status STATUS]

Sends one GET; exits with 0 when the status is right, 1 when not, 2 for wrong usage.

  --url URL                http://HOST[:PORT][/PATH]; instead of --port and --path
  --port PORT              where the variable HOST says (default: the variable PORT, else 8000)
  --path PATH              default: /health
  --timeout SECONDS        for everything together (default: 1)
  --expect-status STATUS   default: any from 200 to 299
"""
_OPTIONS = ("--url", "--port", "--path", "--timeout", "--expect-status")
_MAX_STATUS_LINE = 8192


class Unhealthy(Exception):
    """The service did not answer as it should; the message says how."""


class UsageError(Exception):
    """The command line cannot be understood."""


def probe(host: str, port: int, path: str, timeout: float, expected: "int | None" = None) -> int:
    """The status of GET `path`; raises Unhealthy.

    `timeout` is in seconds and covers connecting, sending and receiving together. Any status from
    200 to 299 is right unless one is `expected`.
    """
    deadline = monotonic() + timeout
    place = f"{host}:{port}"
    try:
        line = _status_line(host, port, path, deadline)
    except ConnectionRefusedError:
        raise Unhealthy(f"refused: nothing listens on {place}") from None
    except (TimeoutError, socket.timeout):  # noqa: UP041 - not the same before 3.10
        raise Unhealthy(f"timeout: no answer from {place} within {timeout:g} s") from None
    except OSError as error:
        raise Unhealthy(f"failed: {place}: {error.strerror or error}") from None
    words = line.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise Unhealthy(f"bad answer: {place} does not speak HTTP: {line[:60]!r}")
    status = int(words[1])
    if status != expected if expected is not None else not 200 <= status <= 299:
        wanted = "200 to 299" if expected is None else expected
        raise Unhealthy(f"bad status: {status} from {place}{path}, expected {wanted}")
    return status


def _status_line(host: str, port: int, path: str, deadline: float) -> bytes:
    def left() -> float:
        seconds = deadline - monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds

    # As bytes, or the name would be encoded by encodings.idna, which imports a lot.
    wanted = socket.AF_INET6 if is_ipv6(host) else socket.AF_INET
    found = socket.getaddrinfo(host.encode(), port, wanted, socket.SOCK_STREAM)
    family, kind, protocol, _, address = found[0]
    connection = socket.socket(family, kind, protocol)
    try:
        connection.settimeout(left())
        connection.connect(address)
        name = f"[{host}]" if ":" in host else host
        request = f"GET {path} HTTP/1.1\r\nHost: {name}:{port}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        answer = b""
        while b"\n" not in answer and len(answer) < _MAX_STATUS_LINE:
            connection.settimeout(left())
            data = connection.recv(_MAX_STATUS_LINE)
            if not data:
                break
            answer += data
        return answer.partition(b"\n")[0].rstrip(b"\r")
    finally:
        connection.close()


def main(arguments: "Sequence[str] | None" = None) -> int:
    """Probes as the command line says and returns the exit code."""
    try:
        options = _parse(sys.argv[1:] if arguments is None else arguments)
        if options is None:
            sys.stdout.write(USAGE)
            return 0
        host, port, path = _target(options)
        timeout = _number("--timeout", options.get("--timeout", "1"), 0.001, 3600)
        text = options.get("--expect-status")
        expected = None if text is None else _whole("--expect-status", text, 100, 599)
    except UsageError as error:
        sys.stderr.write(f"{USAGE}\nhealthcheck: {error}\n")
        return 2
    try:
        status = probe(host, port, path, timeout, expected)
    except Unhealthy as unhealthy:
        sys.stdout.write(f"{unhealthy}\n")
        return 1
    sys.stdout.write(f"healthy: {status}\n")
    return 0


def _parse(arguments: "Sequence[str]") -> "dict[str, str] | None":
    """The values of the options that were given; None when help was asked for."""
    options: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        if argument in ("-h", "--help"):
            return None
        name, equals, value = argument.partition("=")
        if name not in _OPTIONS:
            raise UsageError(f"unknown argument {argument!r}")
        if not equals:
            following = next(rest, None)
            if following is None:
                raise UsageError(f"{name} needs a value")
            value = following
        options[name] = value
    return options


def _target(options: "dict[str, str]") -> "tuple[str, int, str]":
    url = options.get("--url")
    if url is None:
        import os  # loaded by the interpreter already

        host = reachable(_read("HOST", parse_host, os.environ.get("HOST", DEFAULT_HOST)))
        if "--port" in options:
            port = _read("--port", parse_port, options["--port"])
        else:
            port = _read("PORT", parse_port, os.environ.get("PORT", DEFAULT_PORT))
        path = options.get("--path", "/health")
    else:
        if "--port" in options or "--path" in options:
            raise UsageError("--url goes with neither --port nor --path")
        scheme, separator, rest = url.partition("://")
        if scheme.lower() != "http" or not separator:
            raise UsageError(f"--url must begin with http://, not {url!r}")
        authority, slash, tail = rest.partition("/")
        path = slash + tail or "/"
        host, colon, text = authority.rpartition(":")
        if not colon or text.endswith("]"):
            host, text = authority, "80"
        if not host or not host.isascii():
            raise UsageError(f"--url has no host in ASCII: {url!r}")
        host, port = host.strip("[]"), _read("the port of --url", parse_port, text)
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path:
        raise UsageError(f"the path must begin with / and hold no space: {path!r}")
    return host, port, path


def _read(name: str, parse: "Callable[[str], _T]", text: str) -> "_T":
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"{name} {error}") from None


def _whole(name: str, text: str, low: int, high: int) -> int:
    if text.isascii() and text.isdigit() and low <= int(text[:9]) <= high:
        return int(text[:9])
    raise UsageError(f"{name} must be a whole number from {low} to {high}, not {text!r}")


def _number(name: str, text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if low <= value <= high:
        return value
    raise UsageError(f"{name} must be a number from {low:g} to {high:g}, not {text!r}")


if __name__ == "__main__":
    sys.exit(main())
