"""Writes the console script of a health check that is a path, not a function of the service."""

from __future__ import annotations

from inseam.formats.python.entry_point import HttpCheck
from inseam.formats.python.venv import VENV

# Runs every few seconds as long as the container runs, so it imports almost nothing.
_PROBE = """\
#!/{venv}/bin/python
# -*- coding: utf-8 -*-
import os
import sys
{imports}
def connected(hosts, port):
    for host in hosts:
        try:
            asked = socket(AF_INET6 if ":" in host else AF_INET, SOCK_STREAM)
            asked.settimeout({timeout})
            asked.connect((host, port))
            return {secured}
        except OSError as error:
            failure = error
    raise failure
def main():
    path = sys.argv[2] if sys.argv[1:2] == ["--path"] else {path!r}
    host = os.environ.get("HOST") or "127.0.0.1"
    any_host = {{"0.0.0.0": ["127.0.0.1"], "::": ["::1", "127.0.0.1"]}}
    try:
        asked = connected(any_host.get(host, [host]), int(os.environ.get("PORT") or "8000"))
        asked.sendall(("{method} " + path + {head!r}).encode())
        answer = b""
        while b" " not in answer or len(answer.split(b" ", 1)[1]) < 3:
            part = asked.recv(64)
            if not part:
                break
            answer += part
    except (OSError, ValueError) as error:
        return path + ": " + str(error)
    status = answer[9:12].decode("ascii", "replace")
    if not answer.startswith(b"HTTP/1.") or not {right}:
        return path + ": bad answer " + repr(answer[:40])
    return 0
if __name__ == "__main__":
    sys.exit(main())
"""
_PLAIN = "from _socket import AF_INET, AF_INET6, SOCK_STREAM, socket"
_SECURE = """\
from socket import AF_INET, AF_INET6, SOCK_STREAM, socket
from ssl import CERT_NONE, PROTOCOL_TLS_CLIENT, SSLContext
secure = SSLContext(PROTOCOL_TLS_CLIENT)
secure.check_hostname = False
secure.verify_mode = CERT_NONE"""
_NO_ERROR = '"200" <= status < "400"'
# How much of its time a probe uses: an engine stops it at the end, and then it prints nothing.
_PATIENCE = 0.9


def probe_script(path: str, check: HttpCheck = HttpCheck()) -> bytes:
    """The text of a script that requests a path from the service in its container; its option
    `--path` names another one. It exits with 0 if `check` accepts the answer.

    A service with HOST `::` is also tried at 127.0.0.1, because a machine without an IPv6 address
    reaches it only there.
    """
    head = f" HTTP/1.1\r\nHost: {check.host}\r\nConnection: close\r\n"
    if check.method == "POST":
        head += "Content-Length: 0\r\n"
    is_secure = check.scheme == "https"
    host = check.host
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return _PROBE.format(
        venv=VENV,
        imports=_SECURE if is_secure else _PLAIN,
        secured=f"secure.wrap_socket(asked, server_hostname={name!r})" if is_secure else "asked",
        timeout=round(check.timeout * _PATIENCE, 3),
        path=path,
        method=check.method,
        head=head + "\r\n",
        right=f"status in {tuple(map(str, check.status))}" if check.status else _NO_ERROR,
    ).encode()
