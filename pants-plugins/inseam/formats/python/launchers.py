"""Writes the console script of a probe that is a path, not a function of the service."""

from __future__ import annotations

from inseam.formats.python.venv import VENV

# Runs every few seconds for as long as the container does, so it imports next to nothing.
_PROBE = """\
#!/{venv}/bin/python
# -*- coding: utf-8 -*-
import os
import sys
from _socket import AF_INET, AF_INET6, SOCK_STREAM, socket
def main():
    host = os.environ.get("HOST") or "127.0.0.1"
    host = {{"0.0.0.0": "127.0.0.1", "::": "::1"}}.get(host, host)
    port = os.environ.get("PORT") or "8000"
    asked = socket(AF_INET6 if ":" in host else AF_INET, SOCK_STREAM)
    asked.settimeout(1)
    try:
        asked.connect((host, int(port)))
        asked.send({request!r})
        answer = b""
        while b" " not in answer or len(answer.split(b" ", 1)[1]) < 3:
            part = asked.recv(64)
            if not part:
                break
            answer += part
    except (OSError, ValueError) as error:
        return "{path}: " + str(error)
    status = answer[9:12].decode("ascii", "replace")
    if not answer.startswith(b"HTTP/1.") or not "200" <= status < "400":
        return "{path}: bad answer " + repr(answer[:40])
    return 0
if __name__ == "__main__":
    sys.exit(main())
"""


def probe_script(path: str) -> bytes:
    """The text of a script that asks the service in its container for a path. It exits with 0 if
    the answer is a status from 200 to 399, as Kubernetes' httpGet probes have it."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    return _PROBE.format(venv=VENV, path=path, request=request).encode()
