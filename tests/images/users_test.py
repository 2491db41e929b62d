"""What code finds that asks who it is and where it may write, as any user, on a read-only root."""

from __future__ import annotations

import json
from typing import Any

import pytest

from images.services import PYTHON
from inseam.testing import Engine, Image

LOCKED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none")
# As OpenShift chooses one: no account has its number, its group is root's.
ANYBODY = "1000680000:0"

WHO = """
import getpass, json, os, pathlib, tempfile
def found(function):
    try:
        return str(function())
    except Exception as error:
        return type(error).__name__
print(json.dumps({
    "user": found(getpass.getuser),
    "home": found(pathlib.Path.home),
    "writable": os.access(os.path.expanduser("~"), os.W_OK),
    "temporary": found(tempfile.gettempdir),
}))
"""
# Both start processes, and talk to them through sockets in the temporary directory.
PROCESSES = """
import multiprocessing
def double(number):
    return 2 * number
if __name__ == "__main__":
    with multiprocessing.Manager() as manager:
        shared = manager.list([1])
        shared.append(2)
        print(list(shared))
    with multiprocessing.get_context("forkserver").Pool(2) as pool:
        print(pool.map(abs, [-1, -2]))
"""


def run(engine: Engine, image: Image, code: str, *options: str) -> str:
    argv = ("run", "--rm", *LOCKED, *options, f"--entrypoint={PYTHON}", image.reference, "-c", code)
    return engine.run(*argv).checked().stdout


def who(engine: Engine, image: Image, *options: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(run(engine, image, WHO, *options))
    return value


@pytest.fixture
def service(images: dict[str, Image]) -> Image:
    return images["service"]


def test_the_user_of_an_image_has_a_name_and_a_home(
    container_engine: Engine, service: Image
) -> None:
    found = who(container_engine, service, "--tmpfs=/tmp")
    assert found["user"] == "nonroot"
    assert (found["home"], found["temporary"]) == ("/home/nonroot", "/tmp")


def test_any_user_has_what_two_variables_say(container_engine: Engine, service: Image) -> None:
    """As docs/programs.md has it."""
    options = (f"--user={ANYBODY}", "--tmpfs=/tmp", "--env=HOME=/tmp", "--env=USER=app")
    assert who(container_engine, service, *options) == {
        "user": "app",
        "home": "/tmp",
        "writable": True,
        "temporary": "/tmp",
    }


def test_without_these_variables_any_user_has_no_name(
    container_engine: Engine, service: Image
) -> None:
    found = who(container_engine, service, f"--user={ANYBODY}", "--tmpfs=/tmp")
    assert (found["user"], found["home"], found["writable"]) == ("KeyError", "/", False)


@pytest.mark.parametrize("user", ["65532:65532", ANYBODY])
def test_managers_and_fork_servers_work_with_a_temporary_directory(
    container_engine: Engine, service: Image, user: str
) -> None:
    options = (f"--user={user}", "--tmpfs=/tmp")
    assert run(container_engine, service, PROCESSES, *options) == "[1, 2]\n[1, 2]\n"


def test_without_a_temporary_directory_there_is_none(
    container_engine: Engine, service: Image
) -> None:
    assert who(container_engine, service)["temporary"] == "FileNotFoundError"
