"""Services under test: in a child process, or in a thread of the test."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from threading import Thread
from types import ModuleType
from typing import IO, Any

from servicekit.lifecycle import Lifecycle
from servicekit.routes import Routes
from servicekit.server import Server
from servicekit.settings import Settings


class Client:
    """Talks to 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self.port = port

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def exchange(self, data: bytes) -> bytes:
        """Sends bytes, ends the sending side, and returns everything until the server closes."""
        with self.connect() as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            return read_all(connection)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in lower case) and body of one request's response."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            fields = {name.lower(): value for name, value in response.getheaders()}
            return response.status, fields, response.read()
        finally:
            connection.close()


class Child(Client):
    """A service in a process of its own."""

    def __init__(self, process: "subprocess.Popen[bytes]", output: IO[bytes]) -> None:
        super().__init__(0)
        self.process = process
        self._output = output

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged so far: fails when a line is not JSON."""
        self._output.seek(0)
        return [json.loads(line) for line in self._output.read().splitlines()]

    def messages(self) -> list[str]:
        return [line["message"] for line in self.lines()]

    def wait_for(self, message: str) -> dict[str, Any]:
        """The first log line with this message; fails after 20 seconds or when the child ends."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            ended = self.process.poll() is not None
            for line in self.lines():
                if line["message"] == message:
                    return line
            assert not ended, f"ended with {self.process.returncode}: {self.messages()}"
            time.sleep(0.01)
        raise AssertionError(f"no {message!r} in {self.messages()}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Sends the signal and returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(20)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def child(program: ModuleType | str, **settings: str) -> Iterator[Child]:
    """A process that runs a module's `main`, or the text of a program."""
    text = program
    if isinstance(program, ModuleType):
        text = f"import sys; from {program.__name__} import main; sys.exit(main())"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
        **settings,
    }
    with tempfile.TemporaryFile() as output:
        command = [sys.executable, "-c", str(text)]
        process = subprocess.Popen(command, env=environment, stdout=output)
        try:
            yield Child(process, output)
        finally:
            process.kill()
            process.wait()


@contextmanager
def started(program: ModuleType | str, **settings: str) -> Iterator[Child]:
    """The same, once it listens."""
    with child(program, **settings) as service:
        service.port = service.wait_for("listening")["port"]
        yield service


class _InTest(Lifecycle):
    """Ends the server's thread where a service would end its process, which is the test's here."""

    def abort(self, message: str, exit_code: int) -> None:
        raise RuntimeError(f"{message} (exit code {exit_code})")


def until(holds: Callable[[], bool], timeout: float = 20) -> None:
    """Returns once `holds`, or after so many seconds: a machine that is busy takes its time."""
    end = time.monotonic() + timeout
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)


@contextmanager
def serving(routes: Routes, **settings: Any) -> Iterator[Client]:
    """A server in a thread; it is stopped gracefully at the end."""
    lifecycle = _InTest()
    server = Server(routes, Settings(**{"host": "127.0.0.1", "port": 0, **settings}), lifecycle)
    codes: list[int] = []
    thread = Thread(target=lambda: codes.append(server.serve()), daemon=True)
    thread.start()
    try:
        yield Client(server.port)
    finally:
        lifecycle.stop("end of test")
        thread.join(20)
    assert codes == [0]


def read_all(connection: socket.socket) -> bytes:
    """Everything until the end of stream, or until a reset."""
    data = b""
    try:
        while more := connection.recv(65536):
            data += more
    except ConnectionResetError:
        pass
    return data


def read_response(connection: socket.socket) -> tuple[int, bytes, bytes]:
    """Status, head and body of one response that has a Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(1)
        assert more, f"closed within a head: {data!r}"
        data += more
    fields = dict(line.split(b": ", 1) for line in data.split(b"\r\n")[1:-2])
    left, body = int(fields[b"content-length"]), b""
    while left > len(body):
        more = connection.recv(left - len(body))
        assert more, "closed within a body"
        body += more
    return int(data.split()[1]), data, body
