"""An execution service on loopback ports: BuildGrid, with PostgreSQL for its scheduler."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from remote_cache.buildgrid import Unavailable, free_port, listens, running, wait_for

_CONFIG = """\
description: Executes processes for one test.
server:
  - !channel
    address: "127.0.0.1:{port}"
    insecure-mode: true
authorization:
  method: none
connections:
  - !sql-connection &sql
    connection-string: "{database}"
    pool-size: 20
    max-overflow: 20
storages:
  - !disk-storage &storage
    path: {storage}
caches:
  - !lru-action-cache &actions
    storage: *storage
    max-cached-refs: 4096
    allow-updates: true
    cache-failed-actions: false
schedulers:
  - !sql-scheduler &scheduler
    sql: *sql
    storage: *storage
    action-cache: *actions
    # How long a killed worker delays the processes that it ran.
    bot-session-keepalive-timeout: 10
    session-expiry-timer-interval: 1
    poll-interval: 0.2
    bot-poll-interval: 0.2
    assigners:
      - !priority-age-assigner
        count: 1
        interval: 0.2
instances:
  - name: ""
    description: The only instance.
    services:
      - !action-cache {{cache: *actions}}
      - !execution {{scheduler: *scheduler}}
      - !cas {{storage: *storage}}
      - !bytestream {{storage: *storage}}
thread-pool-size: 60
"""

_TRANSLATOR = Path(__file__).with_name("output_paths.py")
_NOBODY = 65534
_Command = list[Union[str, Path]]


def postgres() -> Path:
    """The folder of PostgreSQL's programs. Raises Unavailable."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = str(found[-1]) if found else shutil.which("initdb")
    if initdb is None:
        raise Unavailable("BuildGrid's scheduler needs PostgreSQL (Debian: postgresql)")
    return Path(os.path.realpath(initdb)).parent


@contextmanager
def _database(log: Path) -> Iterator[str]:
    """A PostgreSQL without a port, in its own folder; yields its connection string."""
    programs = postgres()
    # Socket paths must be short. PostgreSQL refuses to run as root.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    user: list[str] = []
    if os.geteuid() == 0:
        os.chown(folder, _NOBODY, _NOBODY)
        user = [f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
    data = folder / "data"
    # fmt: off
    initdb: _Command = [
        programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8",
        "--locale=C",
    ]
    serve: _Command = [programs / "postgres", "-D", data, "-k", folder, "-h", "", "-F"]
    # fmt: on
    try:
        subprocess.run(["setpriv", *user, *initdb], check=True, capture_output=True, cwd="/")
        # It ends immediately, even with open connections.
        with running(["setpriv", *user, *serve], log, signal.SIGINT) as process:
            wait_for(lambda: (folder / ".s.PGSQL.5432").exists(), process, log)
            yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Service:
    """A running service.

    port: that of the storage and of the workers' queue. executes: the port to which clients send
    executions. storage: the folder of its blobs.
    """

    port: int
    executes: int
    storage: Path

    @property
    def options(self) -> list[str]:
        """The options with which Pants runs only the programs that make layers on it."""
        return [
            "--remote-execution",
            f"--remote-execution-address=grpc://127.0.0.1:{self.executes}",
            f"--remote-store-address=grpc://127.0.0.1:{self.port}",
        ]

    def lose_blobs(self) -> None:
        """Deletes everything in its storage."""
        for path in (self.storage / "cas/objects").rglob("*"):
            if path.is_file():
                path.unlink()


@contextmanager
def executing(venv: Path, folder: Path) -> Iterator[Service]:
    """Runs a service without workers.

    venv: one with BuildGrid. folder: for its blobs and logs."""
    folder.mkdir(parents=True, exist_ok=True)
    port, executes = free_port(), free_port()
    config, log = folder / "buildgrid.yml", folder / "service.log"
    with ExitStack() as stack:
        database = stack.enter_context(_database(folder / "postgres.log"))
        config.write_text(_CONFIG.format(port=port, database=database, storage=folder / "storage"))
        bgd = venv / "bin/bgd"
        _migrate([bgd, "migrate", "apply", database])
        process = stack.enter_context(running([bgd, "server", "start", config], log))
        wait_for(lambda: listens(port), process, log)
        python = venv / "bin/python"
        translator: _Command = [python, _TRANSLATOR, str(executes), f"127.0.0.1:{port}"]
        process = stack.enter_context(running(translator, log))
        wait_for(lambda: listens(executes), process, log)
        yield Service(port, executes, folder / "storage")


def _migrate(command: Sequence[str | Path]) -> None:
    # The socket may exist before the database responds.
    for _ in range(20):
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return
        time.sleep(0.5)
    raise AssertionError(result.stdout[-2000:] + result.stderr[-2000:])
