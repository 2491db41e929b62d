from __future__ import annotations

import gzip
import io
import json
import os
import stat
import tarfile
from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.formats.oci.metadata import read_metadata
from inseam.formats.oci.oci_testing import digest, make_service
from inseam.tools.docker import archive
from inseam.tools.load import load


def contents(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]


def test_docker_s_archive_holds_the_image(tmp_path: Path) -> None:
    layout = make_service(tmp_path)
    image = read_metadata(layout)
    files = contents(b"".join(archive(layout, image, ["host:5000/app:1", "app"])))
    (entry,) = json.loads(files["manifest.json"])
    assert entry["RepoTags"] == ["host:5000/app:1", "app:latest"]
    assert digest(files[entry["Config"]]) == image.config_digest
    found = [digest(gzip.decompress(files[name])) for name in entry["Layers"]]
    assert found == [layer.diff_id for layer in image.layers]
    assert json.loads(files[entry["Config"]])["rootfs"]["diff_ids"] == found


def test_known_layers_are_named_but_left_out(tmp_path: Path) -> None:
    layout = make_service(tmp_path)
    image = read_metadata(layout)
    files = contents(b"".join(archive(layout, image, ["app:1"], 2)))
    (entry,) = json.loads(files["manifest.json"])
    assert len(entry["Layers"]) == 3
    assert set(files) == {"manifest.json", entry["Config"], entry["Layers"][2]}


def fake_docker(folder: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    path = folder / "bin/docker"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n" + "\n".join(lines) + "\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")


def test_docker_s_refusal_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = make_service(tmp_path / "image")
    fake_docker(
        tmp_path,
        monkeypatch,
        'case "$1 $2" in',
        '"load --quiet") echo "no space left on device" >&2; exit 1;;',
        '"image inspect") exit 1;;',
        "esac",
    )
    with pytest.raises(
        Failure, match=r"service:app: `docker load` rejected the image:\n.* no space"
    ):
        load(layout, client="docker")


def test_a_daemon_that_does_not_run_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = make_service(tmp_path / "image")
    fake_docker(tmp_path, monkeypatch, "echo Cannot connect >&2; exit 1")
    with pytest.raises(Failure, match="Cannot connect\nCheck that its daemon is running"):
        load(layout, client="docker")


def test_without_a_client_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = make_service(tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Failure, match="Neither docker nor podman is on PATH"):
        load(layout)
    with pytest.raises(Failure, match="podman is not on PATH"):
        load(layout, client="podman")


def test_an_image_that_is_not_complete_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = make_service(tmp_path / "image")
    layer = read_metadata(layout).layers[1]
    (layout / "blobs/sha256" / layer.descriptor.digest[7:]).unlink()
    fake_docker(tmp_path, monkeypatch, "true")
    with pytest.raises(Failure, match=f"is incomplete: {layer.descriptor.digest} is missing"):
        load(layout, client="docker")


def test_an_image_needs_a_name(tmp_path: Path) -> None:
    layout = make_service(tmp_path, references=[])
    with pytest.raises(Failure, match="has no name"):
        load(layout)
