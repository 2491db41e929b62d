"""Adopts Inseam in the repository of another team, from the built distribution alone."""

from __future__ import annotations

import email
import json
import re
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adoption.repository import SDIST, VERSION, WHEEL, Repository
from oci.registry import running

EXAMPLE = Path("examples/minimal")
# What `tailor` adds to the example, where they are still missing.
BUILD_FILES = {path.relative_to(EXAMPLE).as_posix() for path in EXAMPLE.rglob("BUILD")}


@pytest.fixture(scope="module")
def monorepo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """The example as its team had it before: without BUILD files."""
    files = {
        path.relative_to(EXAMPLE).as_posix(): path.read_text()
        for path in EXAMPLE.rglob("*")
        if path.is_file() and path.name not in ("BUILD", "README.md")
    }
    made = Repository(tmp_path_factory.mktemp("adoption"), files)
    yield made
    made.remove()


def image(monorepo: Repository, service: str) -> dict[str, Any]:
    path = monorepo.root / f"dist/src.{service}/app.oci/image.json"
    metadata: dict[str, Any] = json.loads(path.read_text())
    return metadata


def configuration(monorepo: Repository, service: str) -> dict[str, Any]:
    layout = monorepo.root / f"dist/src.{service}/app.oci"
    blobs = layout / "blobs/sha256"
    (descriptor,) = json.loads((layout / "index.json").read_text())["manifests"]
    manifest = json.loads((blobs / descriptor["digest"].partition(":")[2]).read_text())
    content = (blobs / manifest["config"]["digest"].partition(":")[2]).read_text()
    found: dict[str, Any] = json.loads(content)
    return found


def test_two_lines_and_two_commands_give_images_of_the_example(monorepo: Repository) -> None:
    before = monorepo.files()
    said = monorepo.pants("tailor", "::").stdout
    assert "python_service" in said
    for path in BUILD_FILES:
        assert (monorepo.root / path).read_text() == (EXAMPLE / path).read_text()
    result = monorepo.pants("tailor", "--check", "package", "::")
    after = monorepo.files()
    # No file of the repository has changed; only BUILD files and `dist` are new.
    assert {path: after[path] for path in before} == before
    new = {path for path in after if path not in before and not path.startswith("dist/")}
    assert new == BUILD_FILES
    made = {path.name for path in (monorepo.root / "dist").glob("*/*")}
    assert made == {"app.oci", "blobs", ".inseam", ".lock"} | {"unused.json"} & made
    assert "Wrote dist/src.shop/app.oci/image.json" in result.stderr
    for noise in ("[WARN]", "Canceled", "skip_push", "Start:"):
        assert noise not in result.stderr
    shop, stock = image(monorepo, "shop"), image(monorepo, "stock")
    # The base and the layers that both images use are in `dist` once.
    shared = {layer["diff_id"] for layer in shop["layers"]}
    assert shared & {layer["diff_id"] for layer in stock["layers"]}
    assert (shop["references"], stock["references"]) == (["shop:latest"], ["stock:latest"])
    config = configuration(monorepo, "shop")["config"]
    assert config["Healthcheck"]["Test"] == ["CMD", "/opt/venv/bin/healthcheck"]
    assert config["ExposedPorts"] == {"8000/tcp": {}}
    assert configuration(monorepo, "stock")["config"]["ExposedPorts"] == {"8080/tcp": {}}


def test_an_image_is_published(monorepo: Repository, tmp_path: Path) -> None:
    program = shutil.which("docker-registry")
    if program is None or shutil.which("skopeo") is None:
        pytest.skip("docker-registry or skopeo is not on PATH")
    with running(program, tmp_path) as registry:
        ours = {"ours": {"address": registry.host, "default": True}}
        said = monorepo.pants(f"--docker-registries={ours}", "publish", "src/shop:app#oci")
        digest = registry.digest("shop", "latest")
        assert digest == image(monorepo, "shop")["digest"]
        assert registry.is_complete("shop", "latest")
    assert f"{registry.host}/shop@{digest}" in said.stdout + said.stderr


def test_the_wheel_holds_the_rule_set_and_no_tests() -> None:
    with zipfile.ZipFile(WHEEL) as archive:
        names = set(archive.namelist())
        stamps = {info.date_time for info in archive.infolist()}
        metadata = email.message_from_bytes(archive.read(f"inseam-{VERSION}.dist-info/METADATA"))
        entry_points = archive.read(f"inseam-{VERSION}.dist-info/entry_points.txt").decode()
    assert names >= {
        "inseam/py.typed",
        "inseam/register.py",
        "inseam/build.lock",
        "inseam/compressors.lock",
        *(
            f"inseam/default_base/{name}.{kind}"
            for name in ("bookworm", "forky", "libc", "trixie")
            for kind in ("ini", "json")
        ),
        "inseam/programs/rootfs.py",
        "inseam/sbom/cyclonedx.lock",
        "inseam/sbom/programs/cyclonedx.py",
        "inseam/testing/fixtures.py",
    }
    assert not [name for name in names if "_test" in name or name.endswith("BUILD")]
    # The same bytes whenever it is built.
    assert stamps == {(2025, 1, 1, 0, 0, 0)}
    assert metadata["Requires-Python"] == ">=3.9"
    assert metadata["Version"] == VERSION
    assert not [one for one in metadata.get_all("Requires-Dist", []) if "pants" in one]
    assert "[pantsbuild.plugin]" in entry_points
    assert "[pytest11]" in entry_points


def test_the_pages_name_this_version_and_these_commands() -> None:
    with zipfile.ZipFile(WHEEL) as archive:
        described = archive.read(f"inseam-{VERSION}.dist-info/METADATA").decode()
    paths = [*Path().glob("*.md"), *Path("docs").glob("*.md"), EXAMPLE / "pants.toml"]
    pages = [path.read_text() for path in paths]
    found = [
        version
        for text in (described, *pages)
        for version in re.findall(r"inseam(?:\[testing\])?==([\w.]+)", text)
    ]
    assert len(found) >= 5
    assert set(found) == {VERSION}
    adopting = Path("docs/adopting.md").read_text()
    for command in ("pants tailor ::\n", "pants package ::\n"):
        assert f"\n{command}" in adopting


def test_the_sdist_makes_the_same_modules() -> None:
    with tarfile.open(SDIST) as archive:
        members = archive.getmembers()
    # What flit makes itself has no time.
    assert {member.mtime for member in members} == {0, 1735689600}
    inside = {member.name.partition("/")[2] for member in members}
    assert {"pyproject.toml", "README.md", "LICENSE", "inseam/register.py"} <= inside
