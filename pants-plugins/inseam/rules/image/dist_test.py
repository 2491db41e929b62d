from __future__ import annotations

import json
from pathlib import Path

import pytest
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.formats.oci.descriptor import blob_path
from inseam.rules.image.build import PackagedRequest
from inseam.rules.image.dist import Exported, ExportRequest
from inseam.rules.image_testing import OCI, client_env, write_repository
from inseam.rules.rule_testing import rule_runner, set_options
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
