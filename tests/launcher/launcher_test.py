"""What ./pants does on its first call, on later ones, and when something is in its way."""

from __future__ import annotations

import os
import signal
import time

from launcher.conftest import PANTS_LOCK, Machine, executable, fake_pants_wheel


def entry_of(machine: Machine) -> str:
    """The name of the one published installation."""
    (entry,) = (path for path in machine.cache.glob("pants/2*") if path.is_symlink())
    return entry.name


def wait_for_installation_to_begin(machine: Machine) -> None:
    deadline = time.monotonic() + 30
    while not list(machine.cache.glob("pants/*-cp3.9*/bin")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_first_call_installs_pants_and_runs_its_native_client(machine: Machine) -> None:
    first = machine.pants("list", "::", "--flag=a b")
    entry = machine.cache / "pants" / entry_of(machine)
    assert first.returncode == 0
    assert first.stdout == f"native client: list :: --flag=a b\nserver: {entry}/bin/pants\n"
    assert "installing Pants" in first.stderr
    assert os.access(entry / "bin/pants", os.X_OK)


def test_later_calls_start_no_python_and_say_nothing(installed: Machine) -> None:
    before = installed.python_calls()
    later = installed.pants("list", "::")
    assert later.returncode == 0
    assert later.stderr == ""
    assert installed.python_calls() == before


def test_pants_does_not_see_the_users_python_path(installed: Machine) -> None:
    result = installed.pants("roots", PYTHONPATH="src/python:tests")
    assert result.stdout.startswith("native client: roots"), result.stderr
    assert "path:" not in result.stdout


def test_runs_from_a_subdirectory_from_elsewhere_and_through_a_link(installed: Machine) -> None:
    subdirectory = installed.checkout / "lockfiles"
    assert installed.run("../pants", "roots", cwd=subdirectory).returncode == 0
    assert installed.pants("roots", cwd=installed.folder / "home").returncode == 0
    link = installed.bin / "linked-pants"
    link.symlink_to("../checkout/pants")
    assert installed.run("linked-pants", "roots").stdout.startswith("native client: roots")


def test_python_client_runs_where_the_native_one_does_not(machine: Machine) -> None:
    lock = fake_pants_wheel(machine.folder / "wheels", "#!/usr/bin/env bash\nexit 1\n")
    (machine.checkout / PANTS_LOCK).write_text(lock)
    assert machine.pants("list", "::").stdout == "Python client: list ::\n"


def test_without_python39_it_says_what_to_install(machine: Machine) -> None:
    (machine.bin / "python3.9").unlink()
    result = machine.pants("--version")
    assert result.returncode == 1
    assert "no working CPython 3.9 was found" in result.stderr
    assert "pyenv install 3.9" in result.stderr
    assert not machine.cache.exists()


def test_a_shim_that_exits_127_is_not_a_python(machine: Machine) -> None:
    versions = machine.folder / "pyenv/versions/3.9.1/bin"
    versions.mkdir(parents=True)
    (machine.bin / "python3.9").rename(versions / "python3.9")
    executable(machine.bin / "python3.9", "#!/usr/bin/env bash\nexit 127\n")
    result = machine.pants("roots", PYENV_ROOT=str(machine.folder / "pyenv"))
    assert result.returncode == 0, result.stderr
    assert "native client: roots" in result.stdout


def test_a_killed_installation_is_made_anew(machine: Machine) -> None:
    process = machine.popen("./pants", "--version")
    wait_for_installation_to_begin(machine)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not [path for path in machine.cache.glob("pants/*") if path.is_symlink()]
    (left,) = machine.cache.glob("pants/*-cp3.9*")
    left.rename(f"{left}-of-another-python")

    assert machine.pants("roots").stdout.startswith("native client: roots")
    entry = entry_of(machine)
    folder = os.readlink(machine.cache / "pants" / entry)
    assert machine.left_in_cache() == {entry, folder}


def test_concurrent_first_calls_make_one_installation(machine: Machine) -> None:
    calls = [machine.popen("./pants", "roots") for _ in range(3)]
    results = [call.communicate(timeout=120) for call in calls]
    assert [call.returncode for call in calls] == [0, 0, 0]
    assert all(out.startswith("native client: roots") for out, _ in results)
    assert "".join(err for _, err in results).count("installing Pants") == 1
    assert len(machine.left_in_cache()) == 2


def test_an_installation_whose_python_is_gone_is_made_anew(machine: Machine) -> None:
    machine.pants("--version")
    (machine.cache / "pants" / entry_of(machine) / "bin/python").unlink()
    again = machine.pants("roots")
    assert "installing Pants" in again.stderr
    assert again.stdout.startswith("native client: roots")


def test_an_unreachable_index_is_told_and_leaves_nothing(machine: Machine) -> None:
    del machine.env["PIP_NO_INDEX"], machine.env["PIP_FIND_LINKS"]
    result = machine.pants("roots", PIP_INDEX_URL="http://127.0.0.1:9/", PIP_RETRIES="0")
    assert result.returncode == 1
    assert result.stdout == ""
    assert "the Python package index can't be reached" in result.stderr
    assert "PIP_INDEX_URL" in result.stderr
    assert machine.left_in_cache() == set()


def test_a_wrong_hash_is_told_and_leaves_nothing(machine: Machine) -> None:
    lock = machine.checkout / PANTS_LOCK
    name, _, digest = lock.read_text().rpartition("sha256:")
    lock.write_text(f"{name}sha256:{'0' * len(digest.strip())}\n")
    result = machine.pants("roots")
    assert result.returncode == 1
    assert f"is not the one that {lock} locks" in result.stderr
    assert machine.left_in_cache() == set()


def test_without_home_the_users_own_is_known(installed: Machine) -> None:
    cache = str(installed.cache.parent)
    result = installed.run("env", "-u", "HOME", "../checkout/pants", "roots", XDG_CACHE_HOME=cache)
    assert result.stdout.startswith("native client: roots"), result.stderr


def test_a_cache_path_that_pants_cannot_read_is_refused(machine: Machine) -> None:
    result = machine.pants("roots", XDG_CACHE_HOME=str(machine.folder / "a cache"))
    assert result.returncode == 1
    assert "Set XDG_CACHE_HOME to a path without" in result.stderr
