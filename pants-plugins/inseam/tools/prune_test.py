"""When blobs go from a store, and when they stay."""

from __future__ import annotations

import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.tools import prune as pruning
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


def test_a_damaged_list_of_other_layouts_is_named(dist: Dist) -> None:
    (dist.store / "elsewhere.json").write_text("{}")
    with pytest.raises(Failure, match="elsewhere.json is damaged"):
        remember(dist.store, Path("/x"))
