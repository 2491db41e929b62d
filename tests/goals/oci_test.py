"""What Pants' goals do with `oci_image` targets, in a checkout of its own."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import tarfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from goals.conftest import default, image
from nested.checkout import Checkout, launcher
from oci.registry import Registry, free_port

OCI = "src/python/catalog:app#oci"


def _store(repository: Checkout) -> Path:
    return repository.root / "dist/oci/blobs/sha256"


def _check_store(repository: Checkout) -> None:
    """Every blob is what its name says, and the layout's are all there."""
    for blob in _store(repository).iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    described = image(repository)
    for layer in described["layers"]:
        assert (_store(repository) / layer["blob"]["digest"].split(":")[1]).is_file()
    index = json.loads((repository.root / "dist/src.python.catalog/app.oci/index.json").read_text())
    assert [entry["digest"] for entry in index["manifests"]] == [described["digest"]]


def test_an_unchanged_image_is_not_written_again(repository: Checkout) -> None:
    repository.pants("package", OCI)
    _check_store(repository)
    before = {path: path.stat().st_mtime_ns for path in _store(repository).iterdir()}
    repository.pants("package", OCI)
    assert {path: path.stat().st_mtime_ns for path in _store(repository).iterdir()} == before


def test_images_share_the_blobs_of_the_layers_that_they_share(repository: Checkout) -> None:
    repository.pants("package", OCI, "src/python/service:app#oci")
    catalog, service = image(repository), image(repository, "service")
    assert catalog["layers"][0]["blob"]["digest"] == service["layers"][0]["blob"]["digest"]
    for name in ("catalog", "service"):
        blobs = repository.root / f"dist/src.python.{name}/app.oci/blobs/sha256"
        assert blobs.resolve() == _store(repository).resolve()


def test_blobs_that_somebody_removed_or_cut_come_back(repository: Checkout) -> None:
    repository.pants("package", OCI)
    layers = [layer["blob"]["digest"].split(":")[1] for layer in image(repository)["layers"]]
    (_store(repository) / layers[0]).unlink()
    cut = _store(repository) / layers[1]
    cut.write_bytes(cut.read_bytes()[:100])
    repository.pants("package", OCI)
    _check_store(repository)


def test_a_new_base_by_metadata_alone_equals_a_build_on_it(repository: Checkout) -> None:
    repository.pants("package", OCI)
    rebased = repository.root / "dist/rebased"
    build = repository.root / "docker/base/BUILD"
    text = build.read_text()
    try:
        build.write_text(text.replace('groups=["init"]', 'groups=["init", "debug"]'))
        before = image(repository)["digest"]
        said = repository.pants("rebase", "--dry-run", OCI).stdout
        assert "app.oci would become" in said
        assert image(repository)["digest"] == before
        repository.pants("rebase", "--output=dist/rebased", OCI)
        repository.pants("package", OCI)
        built = image(repository)["digest"]
    finally:
        build.write_text(text)
    assert json.loads((rebased / "image.json").read_text())["digest"] == built
    repository.pants("package", OCI)
    assert image(repository)["digest"] != built


def test_what_changed_since_a_commit_is_packaged_and_nothing_else(repository: Checkout) -> None:
    def git(*args: str) -> None:
        person = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
        subprocess.run(["git", *person, *args], cwd=repository.root, check=True)

    (repository.root / ".gitignore").write_text("dist\n.pants.d\n.pids\n")
    module = repository.root / "src/python/catalog/server.py"
    before = module.read_text()
    try:
        git("init", "-q")
        git("add", "-A")
        git("commit", "-q", "-m", "All")
        module.write_text(before + "# edited\n")
        changed = ("--changed-since=HEAD", "--changed-dependents=transitive")
        said = repository.pants(*changed, "--filter-target-type=oci_image", "package").stderr
    finally:
        module.write_text(before)
        shutil.rmtree(repository.root / ".git")
        (repository.root / ".gitignore").unlink()
    assert re.findall(r"Wrote (\S+)", said) == ["dist/src.python.catalog/app.oci/image.json"]


def test_publish_sends_what_the_registry_lacks_and_then_nothing(
    repository: Checkout, registry: Registry
) -> None:
    first = repository.pants(default(registry), "publish", OCI)
    digest = image(repository)["digest"]
    assert f"{registry.host}/catalog@{digest}" in first.stdout + first.stderr
    assert registry.digest("catalog", "latest") == digest
    again = repository.pants(default(registry), "publish", OCI)
    assert "the registry already has it" in again.stdout + again.stderr
    source = repository.root / "src/python/catalog/app.py"
    text = source.read_text()
    try:
        source.write_text(f"{text}\n# one more line\n")
        edited = repository.pants(default(registry), "publish", OCI)
    finally:
        source.write_text(text)
    said = edited.stdout + edited.stderr
    sent = int(said.split(": sent ")[1].split(" bytes")[0])
    assert 0 < sent < 200_000
    assert registry.digest("catalog", "latest") != digest


def test_a_registry_that_is_not_there_is_a_clear_error(
    repository: Checkout, tmp_path: Path
) -> None:
    registry = Registry(free_port(), tmp_path / "log")
    result = repository.pants(default(registry), "publish", OCI, check=False)
    assert result.returncode != 0
    assert "src/python/catalog:app" in result.stdout + result.stderr
    assert registry.host in result.stdout + result.stderr


def test_two_images_of_one_name_are_refused(repository: Checkout) -> None:
    build = repository.root / "src/python/service/BUILD"
    text = build.read_text()
    try:
        build.write_text(text.replace("    ports=[8000],", '    repository="catalog",'))
        result = repository.pants("package", OCI, check=False)
    finally:
        build.write_text(text)
    assert result.returncode != 0
    assert "src/python/catalog:app" in result.stderr
    assert "src/python/service:app" in result.stderr
    assert "repository" in result.stderr


@pytest.mark.parametrize("goal", ["package", "publish"])
def test_a_run_that_was_killed_leaves_nothing_that_hurts_the_next(
    repository: Checkout, registry: Registry, goal: str
) -> None:
    """INSEAM_KILLS says how many kills, at random moments; the seed is printed."""
    kills = int(os.environ.get("INSEAM_KILLS", "3"))
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    source = repository.root / "src/python/catalog/app.py"
    text = source.read_text()
    argv = [*launcher(), default(registry), goal, OCI]
    repository.pants(default(registry), goal, OCI)
    try:
        source.write_text(f"{text}\n# edit {seed}\n")
        started = time.monotonic()
        repository.pants(default(registry), goal, OCI)
        whole = time.monotonic() - started
        for number in range(kills):
            source.write_text(f"{text}\n# edit {seed} {number}\n")
            process = subprocess.Popen(
                argv,
                cwd=repository.root,
                env=repository.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            time.sleep(moments.uniform(0.3, 1.0) * whole)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            # Starting another daemon takes longest.
            if number % 3 == 1:
                repository.stop(signal.SIGKILL)
            tagged = registry.digest("catalog", "latest")
            repository.pants(default(registry), goal, OCI)
            _check_store(repository)
            if goal == "publish":
                assert tagged is not None
                assert registry.digest("catalog", "latest") == image(repository)["digest"]
    finally:
        source.write_text(text)


def test_an_image_for_two_platforms_runs_on_the_other_one(
    repository: Checkout, tmp_path: Path
) -> None:
    emulator = shutil.which("qemu-aarch64-static")
    if emulator is None or os.geteuid() != 0:
        pytest.skip("needs qemu-aarch64-static (Debian: qemu-user-static), and root for chroot")
    build = repository.root / "src/python/catalog/BUILD"
    text = build.read_text()
    both = '    ports=[8000],\n    platforms=["linux/amd64", "linux/arm64"],'
    try:
        build.write_text(text.replace("    ports=[8000],", both))
        repository.pants("package", OCI)
        index = image(repository)
    finally:
        build.write_text(text)
    platforms = {one["platform"]: one for one in index["images"]}
    assert sorted(platforms) == ["linux/amd64", "linux/arm64"]
    root = tmp_path / "root"
    for layer in platforms["linux/arm64"]["layers"]:
        with tarfile.open(_store(repository) / layer["blob"]["digest"].split(":")[1]) as tar:
            tar.extractall(root)
    shutil.copy(emulator, root / "qemu")
    machine = subprocess.run(
        ["chroot", str(root), "/qemu", "/usr/bin/python3.11", "-c"]
        + ["import platform, ssl, sqlite3; print(platform.machine())"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert machine.stdout.strip() == "aarch64"
    port = free_port()
    service = subprocess.Popen(
        ["chroot", str(root), "/qemu", "/opt/venv/bin/python", "/opt/venv/bin/entrypoint"],
        env={"PATH": os.environ["PATH"], "HOST": "127.0.0.1", "PORT": str(port)},
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            try:
                with urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                    assert answer.status == 200
                    break
            except (URLError, OSError):
                assert service.poll() is None, "the service ended"
                time.sleep(0.1)
        else:
            pytest.fail("the service did not answer")
        service.send_signal(signal.SIGTERM)
        assert service.wait(timeout=60) == 0
    finally:
        service.kill()
        service.wait()
