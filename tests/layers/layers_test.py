"""The layers of the repository's services, built for real in checkouts of their own."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from layers.conftest import SERVICES
from nested.checkout import Checkout, checkout

IMAGES = [f"src/python/{name}:app#oci" for name in SERVICES]
MTIME_OWNER = (0, 0, 0, "", "")


@pytest.fixture(scope="session")
def layers(plain: Checkout) -> dict[str, Path]:
    return plain.layers(*SERVICES)


def _described(folder: Path) -> list[dict[str, Any]]:
    described: list[dict[str, Any]] = json.loads((folder / "layers.json").read_text())
    return described


def _tars(folder: Path) -> list[Path]:
    return [folder / f"{layer['name']}.tar" for layer in _described(folder)]


def _hashes(folder: Path) -> dict[str, str]:
    return {path.name: _sha256(path) for path in [*_tars(folder), folder / "layers.json"]}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _what_runs_pants() -> str:
    """A CPython 3.9 of this machine."""
    folders = [
        *os.environ["PATH"].split(":"),
        *map(str, Path.home().glob(".pyenv/versions/3.9*/bin")),
    ]
    for program in (shutil.which("python3.9", path=folder) for folder in folders):
        # Some are shims of pyenv that run nothing.
        if program and subprocess.run([program, "-c", ""], check=False).returncode == 0:
            return program
    raise AssertionError("Pants runs, but there is no CPython 3.9")


def test_other_caches_path_umask_time_zone_hash_seed_and_locale_give_the_same_bytes(
    layers: dict[str, Path], tmp_path: Path
) -> None:
    # Nor does it take a CPython of the services' version: there is only what runs Pants.
    python = tmp_path / "bin/python3.9"
    python.parent.mkdir()
    python.symlink_to(_what_runs_pants())
    env = {
        **{"TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "4711", "LANG": "C", "LC_ALL": "C"},
        "PANTS_PYTHON_BOOTSTRAP_SEARCH_PATH": f"['{python.parent}']",
    }
    place = tmp_path / "elsewhere" / "below" / "another-name"
    other = checkout(place, env, umask=0o077, cold=True)
    try:
        for name, folder in other.layers(*SERVICES).items():
            own = layers[name]
            assert _hashes(folder) == _hashes(own)
        other.pants("package", *IMAGES)
        for name in SERVICES:
            layout = f"src.python.{name}/app.oci"
            made = json.loads((other.root / "dist" / layout / "image.json").read_text())
            # What the Pants around the tests has made.
            assert made == json.loads(Path(layout, "image.json").read_text())
    finally:
        other.remove()


def test_layers_json_tells_the_truth(layers: dict[str, Path]) -> None:
    for folder in layers.values():
        described = _described(folder)
        assert {path.name for path in folder.iterdir()} == {
            "layers.json",
            *(f"{layer['name']}.tar" for layer in described),
        }
        for layer in described:
            tar = folder / f"{layer['name']}.tar"
            assert layer["diff_id"] == f"sha256:{_sha256(tar)}"
            assert layer["size"] == tar.stat().st_size


def test_the_wheels_are_those_of_the_lock(layers: dict[str, Path], plain: Checkout) -> None:
    lock = (plain.root / "lockfiles/python-default.lock").read_text()
    wheels = [w for folder in layers.values() for x in _described(folder) for w in x["wheels"]]
    assert wheels
    for wheel in wheels:
        assert f'"hash": "{wheel["sha256"]}"' in lock


def test_every_tar_header_follows_the_rules(layers: dict[str, Path]) -> None:
    for folder in layers.values():
        for path in _tars(folder):
            seen: set[str] = set()
            previous: list[str] = []
            with tarfile.open(path) as tar:
                for member in tar:
                    parts = member.name.split("/")
                    assert previous < parts, f"{path.name}: {member.name} is out of order"
                    previous = parts
                    owner = (member.mtime, member.uid, member.gid, member.uname, member.gname)
                    assert owner == MTIME_OWNER
                    assert set(member.pax_headers) <= {"path", "linkpath", "size"}
                    assert len(parts) == 1 or "/".join(parts[:-1]) in seen
                    seen.add(member.name)
                    if member.isfile():
                        assert member.mode in (0o644, 0o755)
                    elif member.isdir():
                        assert member.mode == 0o755
                    else:
                        assert member.issym()


def test_no_layer_hides_a_file_of_another(layers: dict[str, Path]) -> None:
    for folder in layers.values():
        owner: dict[str, str] = {}
        for path in _tars(folder):
            with tarfile.open(path) as tar:
                for member in tar:
                    if not member.isdir():
                        assert owner.setdefault(member.name, path.name) == path.name


def _installed(root: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and content of each file of the distributions below `root`, by path."""
    files = {}
    for record in sorted(root.glob("lib/python3.11/site-packages/*.dist-info/RECORD")):
        site = record.parent.parent
        for line in record.read_text().splitlines():
            name = re.sub(r'^"(.*)"$', r"\1", line.rsplit(",", 2)[0])
            path = Path(os.path.normpath(site / name))
            relative = path.relative_to(root).as_posix()
            if "__pycache__/" in relative:
                continue
            files[relative] = (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
    return files


def _comparable(files: dict[str, tuple[int, bytes]], venv: str) -> dict[str, tuple[int, bytes]]:
    """Without what says who installed: INSTALLER, REQUESTED, uv's own notes, and their lines in
    RECORD; without the place of the venv in scripts and so without their hashes."""
    result = {}
    for path, (mode, content) in files.items():
        name = path.rsplit("/", 1)[-1]
        if name in ("INSTALLER", "REQUESTED", "uv_cache.json", "direct_url.json"):
            continue
        if path.startswith("bin/"):
            content = content.replace(venv.encode(), b"/opt/venv")
        if name == "RECORD":
            lines = content.decode().splitlines()
            kept = [
                line.split(",")[0] if "/bin/" in line else line
                for line in lines
                if "__pycache__/" not in line
                and not re.search(r"/(INSTALLER|REQUESTED|uv_cache\.json|direct_url\.json),", line)
            ]
            content = "\n".join(sorted(kept)).encode()
        result[path] = (mode, content)
    return result


@pytest.mark.parametrize("name", ["catalog", "reports"])
def test_what_is_installed_equals_what_uv_installs(
    layers: dict[str, Path], plain: Checkout, tmp_path: Path, name: str
) -> None:
    ours = tmp_path / "ours"
    for path in _tars(layers[name]):
        with tarfile.open(path) as tar:
            tar.extractall(ours)
    wheels = [wheel for layer in _described(layers[name]) for wheel in layer["wheels"]]
    pins = tmp_path / "requirements.txt"
    pins.write_text(
        "".join(f"{w['name']}=={w['version']} --hash=sha256:{w['sha256']}\n" for w in wheels)
    )
    venv = tmp_path / "theirs"
    env = {**os.environ, "UV_CACHE_DIR": str(tmp_path / "uv"), "UV_NO_CONFIG": "1"}
    if "PIP_INDEX_URL" in env:
        env["UV_DEFAULT_INDEX"] = env["PIP_INDEX_URL"]
    uv = [sys.executable, "-m", "uv"]
    python = getattr(sys, "_base_executable", sys.executable)
    subprocess.run([*uv, "venv", "-q", "-p", python, str(venv)], check=True, env=env, umask=0o022)
    subprocess.run(
        [*uv, "pip", "install", "-q", "--no-deps", "--require-hashes", "-r", str(pins)]
        + ["-p", str(venv / "bin/python"), "--no-build"],
        check=True,
        env=env,
        umask=0o022,
    )
    mine = _comparable(_installed(ours / "opt/venv"), "/opt/venv")
    theirs = _comparable(_installed(venv), str(venv))
    assert sorted(mine) == sorted(theirs)
    assert len(mine) > 300
    different = [path for path in theirs if mine[path] != theirs[path]]
    assert different == []


def test_an_edit_of_a_service_changes_its_app_layer_only(
    layers: dict[str, Path], plain: Checkout
) -> None:
    before = {name: _described(folder) for name, folder in layers.items()}
    source = plain.root / "src/python/reports/server.py"
    text = source.read_text()
    try:
        source.write_text(f"{text}\n# one more line\n")
        after = {name: _described(folder) for name, folder in plain.layers(*SERVICES).items()}
    finally:
        source.write_text(text)
        plain.layers(*SERVICES)
    changed = [
        (name, old["name"])
        for name in SERVICES
        for old, new in zip(before[name], after[name])
        if old != new
    ]
    assert changed == [("reports", "app")]
    assert {name: len(described) for name, described in before.items()} == {
        name: len(described) for name, described in after.items()
    }


def test_services_with_the_same_wheels_have_the_same_layers(layers: dict[str, Path]) -> None:
    by_wheels: dict[str, set[str]] = {}
    for folder in layers.values():
        for layer in _described(folder):
            if layer["name"] not in ("app", "libs", "data"):
                key = json.dumps([layer["name"], layer["wheels"]])
                by_wheels.setdefault(key, set()).add(layer["diff_id"])
    assert all(len(diff_ids) == 1 for diff_ids in by_wheels.values())
