"""A service drains behind a proxy that obeys readiness: no request is lost."""

import asyncio
import math
from dataclasses import dataclass, field

import pytest

from servicekit import asgi
from servicekit.testing import Child, started

KIT = """
import sys, time
from servicekit import lifecycle

def start(life):
    from servicekit.response import Response
    from servicekit.routes import Routes
    from servicekit.server import Server
    from servicekit.settings import Settings
    from servicekit import logs

    def work(request):
        time.sleep(0.005)
        return Response.text("done")

    routes = Routes()
    routes.add("GET", "/work", work)
    settings = Settings.from_environment()
    logs.configure(settings.log_level)
    return Server(routes, settings, life).serve()

sys.exit(lifecycle.run(start))
"""
ASGI = f"""
import sys
from servicekit import lifecycle

def start(life):
    import asyncio
    from servicekit import logs
    from {asgi.__name__} import serve
    from servicekit.settings import Settings

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            raise NotImplementedError
        await asyncio.sleep(0.005)
        headers = [(b"content-length", b"4")]
        await send({{"type": "http.response.start", "status": 200, "headers": headers}})
        await send({{"type": "http.response.body", "body": b"done"}})

    settings = Settings.from_environment()
    logs.configure(settings.log_level)
    return serve(app, settings, life)

sys.exit(lifecycle.run(start))
"""

# As in container.yaml, which says every 5 seconds, but faster: a container gets no more requests
# after two failures, and listens for as long as they take, and an answer.
PERIOD, FAILURES, TIMEOUT = 0.2, 2, 3
DRAIN_DELAY = PERIOD * FAILURES + TIMEOUT
CLIENTS = 16
REQUESTS = 400  # before one of the two is stopped, and again after its end


class Lost(Exception):
    """A request has not been answered with 200."""


async def ask(port: int, path: str) -> int:
    """The status of a request on a connection of its own; raises Lost if there is none."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
        finally:
            writer.close()
    except OSError as error:
        raise Lost(f"{port}{path}: {error}") from error
    words = answer.split(b" ", 2)
    if len(words) < 3 or not answer.endswith(b"done") and path == "/work":
        raise Lost(f"{port}{path}: {answer!r}")
    return int(words[1])


@dataclass
class Proxy:
    """Hands requests out in turn to the backends that are ready."""

    backends: list[int]
    """Their ports."""
    obeys: bool = True
    """Whether it asks them if they are ready."""
    answered: int = 0
    lost: list[str] = field(default_factory=list)
    failures: dict[int, int] = field(default_factory=dict)

    async def forward(self) -> None:
        """Forwards one request, and counts what becomes of it."""
        ready = [port for port in self.backends if self.failures.get(port, 0) < FAILURES]
        number = self.answered + len(self.lost)
        try:
            status = await ask(ready[number % len(ready)], "/work")
            if status != 200:
                raise Lost(f"status {status}")
            self.answered += 1
        except Lost as error:
            self.lost.append(str(error))

    async def watch(self, port: int) -> None:
        """Asks a backend whether it is ready, as Kubernetes does."""
        while self.obeys:
            try:
                is_ready = await asyncio.wait_for(ask(port, "/ready"), TIMEOUT) == 200
            except (TimeoutError, Lost):
                is_ready = False
            self.failures[port] = 0 if is_ready else self.failures.get(port, 0) + 1
            await asyncio.sleep(PERIOD)


async def drained(proxy: Proxy, stopped: Child) -> None:
    """Keeps clients busy while a backend stops, and for a while before and after."""
    limit = math.inf

    async def client() -> None:
        while proxy.answered + len(proxy.lost) < limit:
            await proxy.forward()

    watchers = [asyncio.create_task(proxy.watch(port)) for port in proxy.backends]
    clients = [asyncio.create_task(client()) for _ in range(CLIENTS)]
    while proxy.answered < REQUESTS:
        await asyncio.sleep(0.01)
    await asyncio.to_thread(stopped.stop)
    limit = proxy.answered + len(proxy.lost) + REQUESTS
    await asyncio.gather(*clients)
    for watcher in watchers:
        watcher.cancel()


@pytest.mark.parametrize("program", [KIT, ASGI], ids=["servicekit", "uvicorn"])
def test_a_service_that_drains_loses_no_request(program: str) -> None:
    delay = str(DRAIN_DELAY)
    with started(program, DRAIN_DELAY=delay) as stopped, started(program) as other:
        proxy = Proxy([stopped.port, other.port])
        asyncio.run(drained(proxy, stopped))
        assert stopped.process.returncode == 0
    assert proxy.lost == []
    assert proxy.answered >= 2 * REQUESTS


@pytest.mark.parametrize("obeys, delay", [(False, DRAIN_DELAY), (True, 0)])
def test_readiness_and_the_delay_are_both_needed(obeys: bool, delay: float) -> None:
    """Without that, the test above would pass for a proxy that notices nothing."""
    with started(KIT, DRAIN_DELAY=str(delay)) as stopped, started(KIT) as other:
        proxy = Proxy([stopped.port, other.port], obeys)
        asyncio.run(drained(proxy, stopped))
    assert proxy.lost
