from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pants.engine.fs import EMPTY_DIGEST, FileContent, FileDigest, FileEntry
from pants.testutil.rule_runner import QueryRule, RuleRunner
from pants.util.frozendict import FrozenDict

from inseam.compat import (
    add_prefix,
    create_digest,
    get_digest_contents,
    get_digest_entries,
    merge_digests,
)
from inseam.formats.oci.descriptor import blob_path
from inseam.formats.oci.metadata import METADATA, ImageMetadata, dump_metadata
from inseam.rules.image import dist
from inseam.rules.image.base import base_oci
from inseam.rules.image.build import Packaged, PackagedRequest, packaged_image
from inseam.rules.image.contents_testing import APP, BASE, digest
from inseam.rules.image.dist import (
    Exported,
    ExportRequest,
    PruneRequest,
    exported_image,
    pruned,
    rebase_layout,
)
from inseam.rules.image_testing import OCI, client_env, write_repository
from inseam.rules.programs.host import HostProgramRequest, ProgramResult, executed_on_host
from inseam.rules.rule_testing import rule_runner, run_mocked, set_options
from inseam.tools.prune import Pruned
from inseam.tools.registry_testing import Registry
from inseam.tools.store import blobs_of, missing

REQUEST = ExportRequest(PackagedRequest(OCI, (), "shop.oci"))
EDITED = "import greet\ndef main(): return 7\n"


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> RuleRunner:
    registry = Registry(tmp_path_factory.mktemp("dist") / "registry")
    runner = rule_runner(QueryRule(Exported, [ExportRequest]))
    write_repository(runner, registry)
    set_options(runner, env=client_env(registry))
    return runner


def export(runner: RuleRunner) -> Exported:
    """The image, as a new command writes it."""
    runner.set_session_values(runner.extra_session_values)
    return runner.request(Exported, [REQUEST])


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_an_image_that_is_there_is_not_written_again(runner: RuleRunner) -> None:
    exported = export(runner)
    dist = Path(runner.build_root, "dist")
    assert Path(exported.layout) == dist / "shop.oci"
    assert not missing(Path(exported.layout), blobs_of(exported.metadata).items())
    before = times(dist)
    export(runner)
    after = times(dist)
    assert {path: after.get(path) for path in before} == before


def test_what_was_removed_or_damaged_is_written_again(runner: RuleRunner) -> None:
    layout = Path(export(runner).layout)
    blob = blob_path(layout, export(runner).metadata.layers[-1].descriptor.digest)
    for path in (layout / "index.json", layout / "container.yaml", blob):
        content = path.read_bytes()
        path.unlink()
        export(runner)
        assert path.read_bytes() == content, path
        path.write_bytes(b"damaged")
        export(runner)
        assert path.read_bytes() == content, path


def test_an_edit_replaces_the_layout_and_keeps_the_blobs_of_before(runner: RuleRunner) -> None:
    before = export(runner)
    runner.write_files({"src/shop/server.py": EDITED})
    after = export(runner)
    layout = Path(after.layout)
    assert after.metadata.digest != before.metadata.digest
    (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    assert entry["digest"] == after.metadata.digest
    # A push of the image before may be reading them.
    assert not missing(layout.parent / "oci", blobs_of(before.metadata).items())


SHOP_REQUEST = ExportRequest(PackagedRequest(APP.create_generated("oci"), (), "shop/app.oci"))
DIST: Any = SimpleNamespace(relpath=Path("dist"))
INDEX, CODE = b'{"manifests": []}', b"code"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def image(digest_of_code: Any = digest("3")) -> Packaged:
    """An image whose only blob is its manifest, besides which it has a document."""
    metadata = ImageMetadata(str(APP), (), f"sha256:{sha256(CODE)}", "m", len(CODE))
    files = {"index.json": INDEX, METADATA: dump_metadata(metadata), "container.yaml": b"a: b\n"}
    one: Any = SimpleNamespace(code=digest_of_code, blobs=())
    return Packaged(metadata, FrozenDict(files), (one,), ())


class Dist:
    """A folder of artifacts, and how it is written."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, ...]] = []
        self.written = 0
        self.size = len(CODE)

    def _run(self, request: HostProgramRequest) -> ProgramResult:
        self.ran.append(request.program.argv)
        assert not request.program.cacheable
        return ProgramResult(EMPTY_DIGEST, "Layers: 2\n")

    def _contents(self, _: Any) -> Any:
        self.written += 1
        return [FileContent(f"blobs/sha256/{sha256(CODE)}", CODE)]

    def mocks(self) -> dict[Any, Any]:
        entry = FileEntry(f"blobs/sha256/{sha256(CODE)}", FileDigest(sha256(CODE), self.size))
        return {
            packaged_image: lambda _: image(),
            pruned: lambda _: Pruned(0, 0),
            merge_digests: lambda _: digest("4"),
            get_digest_entries: lambda _: [entry],
            get_digest_contents: self._contents,
            create_digest: lambda _: digest("5"),
            add_prefix: lambda _: digest("6"),
            executed_on_host: self._run,
            base_oci: lambda _: SimpleNamespace(files={}, blobs=digest("7")),
        }

    def export(self) -> Exported:
        found: Exported = run_mocked(exported_image, [SHOP_REQUEST, DIST, 0], self.mocks())
        return found


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(dist, "get_buildroot", lambda: str(tmp_path))
    return tmp_path


def test_a_large_image_is_written_by_a_program(root: Path) -> None:
    folder = Dist()
    folder.size = 32_000_000
    folder.export()
    dist_folder = root / "dist"
    options = (f"--store={dist_folder}/oci", f"--layout={dist_folder}/shop/app.oci")
    assert folder.ran == [("export", *options, "image")]
    assert not folder.written


@pytest.mark.parametrize(("days", "asked"), [(3, [3 * 24 * 3600]), (0, []), (-1, [])])
def test_unused_blobs_are_removed_after_days_unless_that_is_off(
    root: Path,
    days: int,
    asked: list[int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ages = []

    def prune(store: Path, age: int) -> Pruned:
        assert store == root / "dist/oci"
        ages.append(age)
        return Pruned(2, 5_000_000)

    monkeypatch.setattr(dist, "prune", prune)
    with caplog.at_level(logging.INFO):
        run_mocked(pruned, [PruneRequest(), SimpleNamespace(prune_after=days), DIST, 0], {})
    assert ages == asked
    assert ("Removed 2 blobs (5 MB) from dist/oci" in caplog.text) == bool(asked)


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_layout_is_rebased_by_a_program_that_writes_it(root: Path, dry_run: bool) -> None:
    folder = Dist()
    report = run_mocked(rebase_layout, ["dist/a.oci", BASE, "dist/b.oci", dry_run], folder.mocks())
    assert report == "Layers: 2"
    options = ["--dry-run"] if dry_run else []
    paths = (f"{root}/dist/a.oci", f"{root}/dist/b.oci")
    assert folder.ran == [("rebase", "--base=base", *options, *paths)]
