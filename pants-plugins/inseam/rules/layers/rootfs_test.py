from __future__ import annotations

import hashlib

import pytest
from pants.engine.addresses import Address
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.formats.python.installed import PATHS, load_paths
from inseam.formats.rootfs.rootfs_testing import MINOR
from inseam.rules.base.base import DebianRootRequest
from inseam.rules.debian_testing import debian_runner
from inseam.rules.layers.rootfs import RootfsLayer
from inseam.rules.rule_testing import files_of

ROOTFS = Address("docker", target_name="debian", generated_name="rootfs")


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> RuleRunner:
    folder = tmp_path_factory.mktemp("debian")
    return debian_runner(folder, QueryRule(RootfsLayer, [DebianRootRequest]))


def test_the_layer_of_a_base_says_what_was_unpacked(runner: RuleRunner) -> None:
    made = runner.request(RootfsLayer, [DebianRootRequest(ROOTFS)])
    names = [package.name for package in made.packages]
    assert {"hello", f"python{MINOR}-minimal"} <= {*names}
    assert names == sorted(names) == [one.name for one in made.facts]
    assert made.release == "bookworm"
    assert made.left_out_modules == ("readline",)
    assert made.left_out_packages == ("debconf", "libreadline8")
    files = files_of(runner, made.layer.digest)
    tar = files[made.layer.tar]
    assert made.layer.layer.diff_id == f"sha256:{hashlib.sha256(tar).hexdigest()}"
    assert made.layer.layer.size == len(tar)


def test_each_file_of_the_layer_has_the_package_that_brought_it(runner: RuleRunner) -> None:
    made = runner.request(RootfsLayer, [DebianRootRequest(ROOTFS)])
    paths = load_paths(files_of(runner, made.layer.digest)[f"{made.layer.folder}/{PATHS}"])
    owned = {one.name: 0 for one in made.facts}
    for path, file in paths.items():
        if file.owner in owned:
            owned[file.owner] += 1
        if path.endswith(".pyc"):
            assert file.owner.startswith(("python", "libpython")), path
    assert owned["hello"] >= 1
    assert owned[f"python{MINOR}-minimal"] > 1
