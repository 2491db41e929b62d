"""Writes the console scripts that serve an application with uvicorn or gunicorn.

They use servicekit's variables for the address and the deadline, and make both servers stop without
losing requests. By themselves, both servers close their listener immediately after SIGTERM, which
resets the connections in its backlog, and uvicorn closes keep-alive connections, which resets those
on which a request is on its way.
"""

from __future__ import annotations

from inseam.formats.python.venv import VENV

# Closing a listener resets the connections in its backlog. So new handshakes are stopped first: a
# filter (classic BPF, linux/filter.h) drops SYN without ACK. Then the backlog empties for good.
_HEAD = """\
#!/{venv}/bin/python
# -*- coding: utf-8 -*-
import os
import socket
import struct
import sys
import time
from array import array
get = os.environ.get
grace = get("SHUTDOWN_TIMEOUT") or "10"
delay = float(get("DRAIN_DELAY") or 0)
def refuse_new(listener):
    rules = ((48, 0, 0, 13), (84, 0, 0, 18), (21, 0, 1, 2), (6, 0, 0, 0), (6, 0, 0, 0xFFFFFFFF))
    code = array("B", b"".join(struct.pack("HBBI", *rule) for rule in rules))
    try:
        listener.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HP", 5, code.buffer_info()[0]))
    except OSError:
        pass
def waiting(listener):
    try:
        return struct.unpack("I", listener.getsockopt(socket.IPPROTO_TCP, 11, 28)[24:])[0]
    except (OSError, struct.error):
        return 0
"""

_SCRIPTS = {
    "uvicorn": """\
import asyncio
import uvicorn
from uvicorn.main import main
shutdown = uvicorn.Server.shutdown
async def drain(self, sockets=None):
    await asyncio.sleep(delay)
    state = self.server_state
    state.default_headers = [*state.default_headers, (b"connection", b"close")]
    listeners = [one for server in self.servers for one in server.sockets]
    own = [socket.socket(fileno=os.dup(one.fileno())) for one in listeners if one.family != 1]
    for each in own:
        refuse_new(each)
    await asyncio.sleep(0.1)
    end = time.monotonic() + float(grace)
    while any(map(waiting, own)) and time.monotonic() < end and not self.force_exit:
        await asyncio.sleep(0.02)
    for each in own:
        each.close()
    await asyncio.sleep(0.05)
    for server in self.servers:
        server.close()
    end = min(end, time.monotonic() + 1)
    while state.connections and time.monotonic() < end and not self.force_exit:
        await asyncio.sleep(0.02)
    await shutdown(self, sockets)
    getattr(self, "_captured_signals", []).clear()
uvicorn.Server.shutdown = drain
if __name__ == "__main__":
    sys.argv[1:1] = [
        "--host", get("HOST") or "0.0.0.0", "--port", get("PORT") or "8000",
        "--timeout-graceful-shutdown", grace, {app},
    ]
    sys.exit(main())
""",
    "gunicorn": """\
import threading
from gunicorn.app.wsgiapp import run
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker
stop = Arbiter.stop
def drain(self, graceful=True):
    if graceful and self.WORKERS:
        time.sleep(delay)
        own = [one.sock for one in self.LISTENERS if one.sock.family != socket.AF_UNIX]
        for each in own:
            refuse_new(each)
        time.sleep(0.1)
        end = time.monotonic() + float(grace)
        while self.WORKERS and any(map(waiting, own)) and time.monotonic() < end:
            time.sleep(0.02)
    return stop(self, graceful)
Arbiter.stop = drain
def end(self, number, frame):
    def wait():
        limit = time.monotonic() + 1
        while self.nr_conns and time.monotonic() < limit:
            time.sleep(0.02)
        self.alive = False
    self.max_keepalived = 0
    threading.Thread(target=wait, daemon=True).start()
if "handle_exit" not in vars(ThreadWorker):
    ThreadWorker.handle_exit = end
if __name__ == "__main__":
    host = get("HOST") or "0.0.0.0"
    host = "[" + host + "]" if ":" in host else host
    sys.argv[1:1] = [
        "--bind", host + ":" + (get("PORT") or "8000"), "--worker-tmp-dir", "/dev/shm",
        "--graceful-timeout", grace, {app},
    ]
    sys.exit(run())
""",
}
SERVERS = tuple(_SCRIPTS)


def application(server: str, reference: str, is_factory: bool) -> tuple[str, ...]:
    """The arguments that name an application to one of SERVERS: an object reference,
    `module:attribute`, or that of a function that the server calls to get it."""
    if not is_factory:
        return (reference,)
    return ("--factory", reference) if server == "uvicorn" else (f"{reference}()",)


def server_script(server: str, reference: str, is_factory: bool = False) -> bytes:
    """The text of a script that serves an application with one of SERVERS, at the HOST and PORT of
    its environment."""
    app = ", ".join(map(repr, application(server, reference, is_factory)))
    return (_HEAD + _SCRIPTS[server]).format(venv=VENV, app=app).encode()
