"""When blobs go from a store, and when they stay."""

from __future__ import annotations

import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.tools import own
from inseam.tools import prune as pruning
from inseam.tools.own import claim
from inseam.tools.prune import Pruned, prune, remember, using

DAY = 24 * 3600.0
NOW = 1_800_000_000.0
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


class Dist:
    """A folder of artifacts, with a store and layouts of made-up images."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = root / "oci"
        self.blobs = self.store / "blobs/sha256"
        claim(self.store)
        self.blobs.mkdir(parents=True)

    def blob(self, content: str) -> dict[str, str]:
        name = sha256(content.encode()).hexdigest()
        (self.blobs / name).write_text(content)
        return {"mediaType": "application/octet-stream", "digest": f"sha256:{name}"}

    def manifest(self, *layers: str) -> dict[str, str]:
        text = json.dumps(
            {"config": self.blob(f"config of {layers}"), "layers": [self.blob(x) for x in layers]}
        )
        return {**self.blob(text), "mediaType": MANIFEST}

    def index(self, *manifests: dict[str, str]) -> dict[str, str]:
        return {**self.blob(json.dumps({"manifests": manifests})), "mediaType": INDEX}

    def layout(self, path: str, *manifests: dict[str, str]) -> Path:
        folder = self.root / path
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "blobs").is_symlink():
            (folder / "blobs").symlink_to(os.path.relpath(self.store / "blobs", folder))
        (folder / "index.json").write_text(json.dumps({"manifests": manifests}))
        return folder

    def contents(self) -> set[str]:
        return {path.read_text() for path in self.blobs.iterdir()}


@pytest.fixture
def dist(tmp_path: Path) -> Dist:
    return Dist(tmp_path / "dist")


def test_a_blob_goes_when_no_layout_has_referred_to_it_for_so_long(dist: Dist) -> None:
    dist.layout("a.b/app.oci", dist.manifest("shared", "old"))
    assert prune(dist.store, 14 * DAY, NOW) == Pruned(0, 0)
    dist.layout("a.b/app.oci", dist.manifest("shared", "new"))
    # Since when nothing refers to it counts, and not how old it is.
    for days in (1, 8, 14.9):
        assert prune(dist.store, 14 * DAY, NOW + days * DAY) == Pruned(0, 0)
    result = prune(dist.store, 14 * DAY, NOW + 15.1 * DAY)
    assert result.blobs == 3  # the manifest, the configuration and the layer
    assert result.size > 0
    assert {"shared", "new"} <= dist.contents()
    assert "old" not in dist.contents()


def test_a_blob_that_is_referred_to_again_counts_anew(dist: Dist) -> None:
    first, second = dist.manifest("one"), dist.manifest("two")
    dist.layout("app.oci", first)
    prune(dist.store, DAY, NOW)
    dist.layout("app.oci", second)
    prune(dist.store, DAY, NOW + 0.9 * DAY)
    dist.layout("app.oci", first)
    prune(dist.store, DAY, NOW + 1.8 * DAY)
    dist.layout("app.oci", second)
    prune(dist.store, DAY, NOW + 2.7 * DAY)
    assert "one" in dist.contents()


def test_all_that_an_index_of_several_platforms_leads_to_stays(dist: Dist) -> None:
    dist.layout("app.oci", dist.index(dist.manifest("amd64"), dist.manifest("arm64")))
    before = dist.contents()
    for day in range(3):
        assert prune(dist.store, DAY, NOW + day * DAY).blobs == 0
    assert dist.contents() == before


def test_a_layout_elsewhere_keeps_its_blobs_while_it_is_there(dist: Dist) -> None:
    elsewhere = dist.layout("../rebased.oci", dist.manifest("mine"))
    remember(dist.store, elsewhere.resolve())
    remember(dist.store, elsewhere.resolve())
    for day in range(4):
        assert prune(dist.store, DAY, NOW + day * DAY).blobs == 0
    shutil.rmtree(elsewhere)
    prune(dist.store, DAY, NOW + 5 * DAY)
    assert prune(dist.store, DAY, NOW + 7 * DAY).blobs == 3


def test_nothing_goes_while_somebody_uses_the_store(dist: Dist) -> None:
    dist.blob("unused")
    prune(dist.store, DAY, NOW)
    with using(dist.store), using(dist.store):
        assert prune(dist.store, DAY, NOW + 2 * DAY).blobs == 0
    assert prune(dist.store, DAY, NOW + 2 * DAY).blobs == 1


def test_nothing_goes_if_a_layout_cannot_be_read(dist: Dist) -> None:
    layout = dist.layout("app.oci", dist.manifest("one"))
    dist.blob("unused")
    prune(dist.store, DAY, NOW)
    good = (layout / "index.json").read_text()
    for bad in ("{", "[]", '{"manifests": [1]}', good.replace("sha256:", "sha256:0")):
        (layout / "index.json").write_text(bad)
        assert prune(dist.store, DAY, NOW + 2 * DAY).blobs == 0, bad
    (layout / "index.json").write_text(good)
    assert prune(dist.store, DAY, NOW + 2 * DAY).blobs == 1


def test_layouts_are_looked_for_once_an_hour_and_in_bounds(
    dist: Dist, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        dist.blob(f"unused {number}")
    prune(dist.store, 0.1, NOW)
    assert prune(dist.store, 0.1, NOW + 3500).blobs == 0
    monkeypatch.setattr(pruning, "_MOST_REMOVED", 2)
    assert prune(dist.store, 0.1, NOW + 3700).blobs == 2
    monkeypatch.setattr(pruning, "_MOST_FOLDERS", 0)
    assert prune(dist.store, 0.1, NOW + 2 * 3700).blobs == 0
    monkeypatch.undo()
    assert prune(dist.store, 0.1, NOW + 2 * 3700).blobs == 3


def test_a_store_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    assert prune(tmp_path / "oci", 0, NOW) == Pruned(0, 0)


@pytest.mark.parametrize("text", ["{}", "[1]", "null", "[", '["a", null]'])
def test_a_damaged_list_of_other_layouts_is_replaced(dist: Dist, text: str) -> None:
    dist.layout("app.oci", dist.manifest("old"))
    (dist.store / "elsewhere.json").write_text(text)
    assert prune(dist.store, 0, NOW) == Pruned(0, 0)
    remember(dist.store, Path("/srv/app.oci"))
    assert json.loads((dist.store / "elsewhere.json").read_text()) == ["/srv/app.oci"]


# --- What anyone may have put there -------------------------------------------------------------

HEX = "a" * 64
DIGEST = f"sha256:{HEX}"


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder that is not ours, with files that must stay."""
    folder = tmp_path / "foreign"
    (folder / "sha256").mkdir(parents=True)
    for name in ("thesis.txt", HEX, f"sha256/{HEX}", "sha256/thesis.txt"):
        (folder / name).write_text("mine")
    return folder


def unchanged(folder: Path) -> bool:
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return files == {"thesis.txt", HEX, f"sha256/{HEX}", "sha256/thesis.txt"}


@pytest.mark.parametrize("link", ["oci", "oci/blobs", "oci/blobs/sha256"])
def test_nothing_is_removed_through_a_link(tmp_path: Path, foreign: Path, link: str) -> None:
    path = tmp_path / "dist" / link
    if link == "oci":
        (foreign / "blobs").symlink_to(".")
    path.parent.mkdir(parents=True)
    path.symlink_to(foreign / "sha256" if link.endswith("sha256") else foreign)
    store = tmp_path / "dist/oci"
    (store / ".inseam").write_bytes(own._OURS)
    (store / "unused.json").write_text(json.dumps({"thesis.txt": 0, HEX: 0}))
    os.utime(store / "unused.json", (0, 0))
    assert prune(store, 0, NOW) == Pruned(0, 0)
    with pytest.raises(Failure, match="is a link to .* nothing is written through links"):
        with using(store):
            pass
    for name in (".inseam", "unused.json", "blobs"):
        if (foreign / name).is_symlink() or (foreign / name).is_file():
            (foreign / name).unlink()
    assert unchanged(foreign)


def test_only_files_with_the_names_of_digests_are_removed(dist: Dist, foreign: Path) -> None:
    names = ("thesis.txt", "A" * 64, "a" * 63, f"{'a' * 64}.txt", "..a", "b" * 64)
    for name in names[:-1]:
        (dist.blobs / name).write_text("x")
    (dist.blobs / names[-1]).symlink_to(foreign / "thesis.txt")
    (dist.blobs / ("c" * 64)).mkdir()
    os.mkfifo(dist.blobs / ("d" * 64))
    (dist.blobs / ("e" * 64)).write_text("x")
    before = {path.name for path in dist.blobs.iterdir()}
    (dist.store / "unused.json").write_text(json.dumps(dict.fromkeys([*before, "../x"], 0)))
    os.utime(dist.store / "unused.json", (0, 0))
    assert prune(dist.store, 0, NOW) == Pruned(1, 1)
    assert before - {path.name for path in dist.blobs.iterdir()} == {"e" * 64}


def test_a_store_of_somebody_else_is_not_pruned(tmp_path: Path) -> None:
    store = tmp_path / "dist/oci"
    (store / "blobs/sha256").mkdir(parents=True)
    (store / "blobs/sha256" / HEX).write_text("mine")
    for _ in range(2):
        with using(store):
            pass
        assert prune(store, -1, NOW) == Pruned(0, 0)
    # One that an older version made has a lock, and gets its marker.
    (store / ".inseam").unlink()
    with using(store):
        pass
    assert prune(store, -1, NOW) == Pruned(1, 4)


@pytest.mark.parametrize(
    "text", ["[]", "null", "3", '{"x": null}', f'{{"{HEX}": []}}', "{", "\xff"]
)
def test_a_damaged_list_of_unused_blobs_is_written_again(dist: Dist, text: str) -> None:
    (dist.blobs / HEX).write_text("x")
    (dist.store / "unused.json").write_text(text)
    os.utime(dist.store / "unused.json", (0, 0))
    assert prune(dist.store, DAY, NOW) == Pruned(0, 0)
    assert json.loads((dist.store / "unused.json").read_text()) == {HEX: NOW}


@pytest.mark.parametrize("name", ["unused.json", "elsewhere.json", ".lock", ".inseam"])
@pytest.mark.parametrize("kind", ["pipe", "link", "device"])
def test_what_is_not_a_file_holds_nothing_up(
    dist: Dist, foreign: Path, name: str, kind: str
) -> None:
    path = dist.store / name
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(foreign / "thesis.txt" if kind == "link" else "/dev/zero")
    prune(dist.store, 0, NOW)
    with using(dist.store):
        remember(dist.store, Path("/srv/app.oci"))
    assert (foreign / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "index",
    [
        '{"manifests": null}',
        '{"manifests": {}}',
        '{"manifests": [null]}',
        '{"manifests": [{"digest": "sha256:../../x", "mediaType": "manifest"}]}',
        '{"manifests": [{"digest": 1}]}',
        '{"layers": 1, "config": 1}',
        "[]",
        "null",
        "[" * 100_000,
    ],
)
def test_nothing_goes_if_an_index_is_damaged(dist: Dist, index: str) -> None:
    (dist.blobs / HEX).write_text("x")
    (dist.layout("app.oci") / "index.json").write_text(index)
    if index == '{"manifests": null}':
        assert prune(dist.store, -1, NOW).blobs == 1  # it refers to nothing
        return
    assert prune(dist.store, -1, NOW) == Pruned(0, 0)


def test_an_index_that_refers_to_itself_ends(dist: Dist) -> None:
    entry = {"digest": DIGEST, "mediaType": INDEX}
    (dist.blobs / HEX).write_text(json.dumps({"manifests": [entry, entry]}))
    dist.layout("app.oci", entry)
    assert prune(dist.store, -1, NOW) == Pruned(0, 0)


def test_an_index_that_is_a_pipe_is_not_waited_for(dist: Dist) -> None:
    (dist.blobs / HEX).write_text("x")
    folder = dist.layout("app.oci")
    (folder / "index.json").unlink()
    os.mkfifo(folder / "index.json")
    assert prune(dist.store, -1, NOW) == Pruned(0, 0)
