from __future__ import annotations

import errno
import itertools
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Iterator

import pytest

from inseam.formats.failure import Failure
from inseam.formats.oci.descriptor import BLOBS
from inseam.formats.oci.metadata import read_metadata
from inseam.formats.oci.oci_testing import make_base, make_image, make_layer, make_service
from inseam.programs.__main__ import run
from inseam.programs.program_testing import tree
from inseam.tools.store import blobs_of, export, export_contents, missing


def blobs(folder: Path) -> set[str]:
    return {path.name for path in (folder / BLOBS).iterdir()}


def test_every_blob_of_an_image_is_in_the_store(tmp_path: Path) -> None:
    image = make_service(tmp_path / "image")
    copied = export(image, [], tmp_path / "store", tmp_path / "app")
    wanted = blobs_of(read_metadata(image))
    assert sorted(copied) == sorted(wanted)
    assert blobs(tmp_path / "store") == {digest[7:] for digest in wanted}


def test_the_layout_is_complete_through_its_link(tmp_path: Path) -> None:
    image = make_service(tmp_path / "image")
    export(image, [], tmp_path / "dist/oci", tmp_path / "dist/src/app")
    layout = tmp_path / "dist/src/app"
    assert os.readlink(layout / "blobs") == "../../oci/blobs"
    assert sorted(path.name for path in layout.iterdir()) == [
        "blobs",
        "container.yaml",
        "image.json",
        "index.json",
        "oci-layout",
    ]
    assert json.loads((layout / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert not missing(layout, blobs_of(read_metadata(layout)).items())


def test_images_that_share_layers_write_each_blob_once(tmp_path: Path) -> None:
    make_base(tmp_path / "base")
    shared = make_layer(tmp_path / "deps", "deps", {"opt/x": b"x" * 1000})
    store = tmp_path / "store"
    written = []
    for number in range(20):
        app = make_layer(tmp_path / f"app{number}", "app", {"app/n.py": b"%d" % number})
        make_image(tmp_path / f"image{number}", base=tmp_path / "base", layers=[shared, app])
        folders = [tmp_path / name for name in ("base", "deps", f"app{number}")]
        layout = tmp_path / f"dist/{number}"
        written += export(tmp_path / f"image{number}", folders, store, layout)
    assert len(written) == len(set(written)) == len(blobs(store)) == 2 + 20 * 3


def test_an_unchanged_image_rewrites_nothing(tmp_path: Path) -> None:
    image = make_service(tmp_path / "image")
    export(image, [], tmp_path / "store", tmp_path / "app")
    paths = [path for path in tmp_path.rglob("*") if path.is_file()]
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}
    assert export(image, [], tmp_path / "store", tmp_path / "app") == []
    assert {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths} == before


def test_no_blob_is_a_link_to_its_source(tmp_path: Path) -> None:
    image = make_service(tmp_path / "image")
    export(image, [], tmp_path / "store", tmp_path / "app")
    for path in (tmp_path / "store" / BLOBS).iterdir():
        assert not path.is_symlink()
        assert path.stat().st_nlink == 1


def test_a_damaged_blob_is_refused_and_the_next_run_succeeds(tmp_path: Path) -> None:
    image = make_service(tmp_path / "image")
    layer = read_metadata(image).layers[1]
    blob = image / BLOBS / layer.descriptor.digest[7:]
    content = blob.read_bytes()
    blob.write_bytes(content[:-1] + b"?")
    with pytest.raises(Failure, match=r"src/python/service:app: the blob .* is damaged"):
        export(image, [], tmp_path / "store", tmp_path / "app")
    assert layer.descriptor.digest[7:] not in blobs(tmp_path / "store")
    assert not (tmp_path / "app/index.json").exists()
    blob.write_bytes(content)
    export(image, [], tmp_path / "store", tmp_path / "app")
    assert (tmp_path / "app/index.json").exists()


def test_an_edit_is_exported_from_memory(tmp_path: Path) -> None:
    make_base(tmp_path / "base")
    app = make_layer(tmp_path / "app", "app", {"app/x.py": b"1"})
    make_image(tmp_path / "image", base=tmp_path / "base", layers=[app])
    files = {**tree(tmp_path / "app"), **tree(tmp_path / "image")}
    with pytest.raises(Failure, match="the layer 'rootfs'"):
        export_contents(files, tmp_path / "other", tmp_path / "edit")
    export(tmp_path / "base", [], tmp_path / "store", tmp_path / "dist/base")
    assert len(export_contents(files, tmp_path / "store", tmp_path / "edit")) == 3
    export(tmp_path / "image", [], tmp_path / "store", tmp_path / "same")
    assert tree(tmp_path / "edit") == tree(tmp_path / "same")


def test_a_truncated_blob_of_the_store_is_replaced(tmp_path: Path) -> None:
    image = make_service(tmp_path / "image")
    export(image, [], tmp_path / "store", tmp_path / "app")
    digest = read_metadata(image).layers[0].descriptor.digest
    blob = tmp_path / "store" / BLOBS / digest[7:]
    blob.write_bytes(blob.read_bytes()[:-1])
    assert export(image, [], tmp_path / "store", tmp_path / "app") == [digest]


def test_a_damaged_blob_of_the_right_size_is_replaced(tmp_path: Path) -> None:
    image = make_service(tmp_path / "image")
    export(image, [], tmp_path / "store", tmp_path / "app")
    metadata = read_metadata(image)
    for digest in (metadata.layers[0].descriptor.digest, metadata.config_digest):
        blob = tmp_path / "store" / BLOBS / digest[7:]
        content = blob.read_bytes()
        blob.write_bytes(content[:-1] + b"?")
        assert missing(tmp_path / "store", blobs_of(metadata).items()) == [digest]
        assert export(image, [], tmp_path / "store", tmp_path / "app") == [digest]
        assert blob.read_bytes() == content


def test_a_blob_is_read_only_if_somebody_else_wrote_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = make_service(tmp_path / "image")
    export(image, [], tmp_path / "store", tmp_path / "app")
    wanted = blobs_of(read_metadata(image))
    read: list[Path] = []
    opened = Path.open

    def counting(self: Path, *arguments: Any, **options: Any) -> Any:
        read.append(self)
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", counting)
    assert missing(tmp_path / "store", wanted.items()) == []
    assert read == []
    touched = tmp_path / "store" / BLOBS / min(wanted)[7:]
    os.utime(touched, ns=(1, 1))
    for _ in range(2):  # the first time it is found right, and marked again
        assert missing(tmp_path / "store", wanted.items()) == []
    assert read == [touched]


def test_a_link_in_the_place_of_a_blob_is_replaced(tmp_path: Path) -> None:
    image = make_service(tmp_path / "image")
    export(image, [], tmp_path / "store", tmp_path / "app")
    digest = read_metadata(image).config_digest
    blob = tmp_path / "store" / BLOBS / digest[7:]
    blob.rename(tmp_path / "elsewhere")
    blob.symlink_to(tmp_path / "elsewhere")
    assert export(image, [], tmp_path / "store", tmp_path / "app") == [digest]
    assert not blob.is_symlink()


@pytest.mark.parametrize("link", ["dist/src/app.oci", "dist/src", "dist/oci", "dist/oci/blobs"])
def test_nothing_is_written_through_a_link(tmp_path: Path, link: str) -> None:
    image = make_service(tmp_path / "image")
    (tmp_path / "elsewhere/blobs").mkdir(parents=True)
    (tmp_path / link).parent.mkdir(parents=True)
    (tmp_path / link).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Failure, match=f"{link} is a link to .* Remove "):
        export(image, [], tmp_path / "dist/oci", tmp_path / "dist/src/app.oci")
    assert tree(tmp_path / "elsewhere") == {}


def test_the_folder_of_artifacts_may_be_a_link(tmp_path: Path) -> None:
    image = make_service(tmp_path / "image")
    (tmp_path / "large-disk").mkdir()
    (tmp_path / "dist").symlink_to(tmp_path / "large-disk")
    export(image, [], tmp_path / "dist/oci", tmp_path / "dist/src/app.oci")
    assert (tmp_path / "large-disk/src/app.oci/index.json").is_file()


def test_files_of_a_layout_that_are_links_are_replaced(tmp_path: Path) -> None:
    image = make_service(tmp_path / "image")
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "app").mkdir()
    (tmp_path / "app/index.json").symlink_to(tmp_path / "target")
    export(image, [], tmp_path / "store", tmp_path / "app")
    assert (tmp_path / "target").read_bytes() == b"precious"
    assert not (tmp_path / "app/index.json").is_symlink()


@pytest.mark.parametrize("layout", ["file/app", "file"])
def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, layout: str) -> None:
    image = make_service(tmp_path / "image")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Failure, match=r"service:app: the image cannot be written: .*file"):
        export(image, [], tmp_path / "store", tmp_path / layout)


def test_what_the_disk_refuses_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "store"))

    image = make_service(tmp_path / "image")
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(Failure, match="cannot be written: .*store: Permission denied. Check that"):
        export(image, [], tmp_path / "store", tmp_path / "app")


def test_a_blob_that_is_nowhere_is_named_with_its_role(tmp_path: Path) -> None:
    image = make_service(tmp_path / "image")
    (image / BLOBS / read_metadata(image).layers[1].descriptor.digest[7:]).unlink()
    with pytest.raises(Failure, match=r"\(the layer 'deps'\) is neither in .* nor among"):
        export(image, [], tmp_path / "store", tmp_path / "app")


def test_a_layer_of_the_base_that_is_nowhere_is_named_too(tmp_path: Path) -> None:
    image = make_service(tmp_path / "image")
    (image / BLOBS / read_metadata(image).layers[0].descriptor.digest[7:]).unlink()
    with pytest.raises(Failure, match="the layer 'rootfs'"):
        export(image, [], tmp_path / "store", tmp_path / "app")


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    image = make_service(tmp_path / "image")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    folder = tmp_path / "store" / BLOBS
    folder.mkdir(parents=True)
    left = folder / f".{'a' * 64}.{dead.pid}.{'0' * 16}"
    running = folder / f".{'b' * 64}.{os.getppid()}.{'0' * 16}"
    left.write_bytes(b"half")
    running.write_bytes(b"half")
    export(image, [], tmp_path / "store", tmp_path / "app")
    assert not left.exists()
    assert running.exists()


def test_an_end_at_any_step_leaves_nothing_after_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends, as when it is killed, right before each renaming in turn."""
    image = make_service(tmp_path / "image")
    renamed = os.replace

    def replace(steps: Iterator[int], source: Path, target: Path) -> None:
        if next(steps) == 0:
            os._exit(9)
        renamed(source, target)

    for step in range(100):
        child = os.fork()
        if child == 0:
            steps = itertools.count(step, -1)
            monkeypatch.setattr(os, "replace", partial(replace, steps))
            with suppress(BaseException):
                export(image, [], tmp_path / f"{step}/store", tmp_path / f"{step}/app")
                os._exit(0)
            os._exit(1)
        status = os.waitpid(child, 0)[1]
        export(image, [], tmp_path / f"{step}/store", tmp_path / f"{step}/app")
        left = {path.name for path in (tmp_path / str(step)).rglob(".*")}
        assert left == {".inseam", ".lock"}
        if status == 0:
            break
    assert step > 5


def test_a_full_disk_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit on the size of files stands for the disk."""
    make_base(tmp_path / "base")
    large = make_layer(tmp_path / "large", "deps", {"opt/x": os.urandom(200_000)})
    make_image(tmp_path / "image", base=tmp_path / "base", layers=[large])
    code = (
        "import resource, signal, sys; from inseam.programs.__main__ import run;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "sys.exit(run(sys.argv[1:]))"
    )
    arguments = ["--store=store", "--layout=app", "image", "base", "large"]
    result = subprocess.run(
        [sys.executable, "-sBc", code, "export", *arguments],
        cwd=tmp_path,
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "src/python/service:app: not enough space for the image" in result.stderr
    assert large.descriptor.digest[7:] not in blobs(tmp_path / "store")
    assert not any(name.startswith(".") for name in blobs(tmp_path / "store"))
    assert not (tmp_path / "app/index.json").exists()
    monkeypatch.chdir(tmp_path)
    assert run(["export", *arguments]) == 0


def test_two_runs_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    make_base(tmp_path / "base")
    large = make_layer(tmp_path / "large", "deps", {"opt/x": os.urandom(3_000_000)})
    make_image(tmp_path / "image", base=tmp_path / "base", layers=[large])
    code = "import sys; from inseam.programs.__main__ import run; sys.exit(run(sys.argv[1:]))"
    processes = [
        subprocess.Popen(
            [
                *(sys.executable, "-sBc", code, "export", "--store=store"),
                *(f"--layout=app{number % 2}", "image", "base", "large"),
            ],
            cwd=tmp_path,
            env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        for number in range(6)
    ]
    assert [process.wait() for process in processes] == [0] * 6
    assert tree(tmp_path / "store/blobs") == tree(tmp_path / "app0/blobs")
    assert len(blobs(tmp_path / "store")) == 4


def test_threads_that_export_one_image_do_not_meet(tmp_path: Path) -> None:
    """A rule may be run again, in another thread, before it has ended."""
    images = []
    for number in range(2):
        layer = make_layer(tmp_path / f"app-{number}", "app", {"app/x.py": b"%d" % number})
        make_image(tmp_path / f"image-{number}", layers=[layer])
        images.append({**tree(tmp_path / f"app-{number}"), **tree(tmp_path / f"image-{number}")})

    def write(number: int) -> None:
        for _ in range(50):
            export_contents(images[number % 2], tmp_path / "store", tmp_path / "layout")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    image = read_metadata(tmp_path / "layout")
    index = json.loads((tmp_path / "layout/index.json").read_bytes())
    assert [entry["digest"] for entry in index["manifests"]] == [image.digest]
    assert not missing(tmp_path / "layout", blobs_of(image).items())
    assert not [path for path in (tmp_path / "layout").iterdir() if path.name.startswith(".")]
