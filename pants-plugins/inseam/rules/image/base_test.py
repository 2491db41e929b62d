"""A base of Debian packages, from a mirror in a folder to its image, and what wheels lack on it."""

from __future__ import annotations

import json

import pytest
from pants.engine.addresses import Address
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.formats.oci.layer import Layer
from inseam.rules.base.base import Base, BaseRequest
from inseam.rules.debian_testing import debian_runner
from inseam.rules.image.base import BaseOci, BaseOciRequest
from inseam.rules.image.check_libraries import LibrariesRequest
from inseam.rules.image.checks import ImageFindings
from inseam.rules.layers.layer import StoredLayer

BOOST = "boost-1.0-cp311-cp311-linux_x86_64.whl"


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> RuleRunner:
    return debian_runner(
        tmp_path_factory.mktemp("debian"),
        QueryRule(Base, [BaseRequest]),
        QueryRule(BaseOci, [BaseOciRequest]),
        QueryRule(ImageFindings, [LibrariesRequest]),
    )


def base_of(runner: RuleRunner) -> tuple[Base, BaseOci]:
    base = runner.request(Base, [BaseRequest("docker:debian", None)])
    return base, runner.request(BaseOci, [BaseOciRequest(base, "gzip")])


def test_an_image_says_what_its_base_has_and_leaves_out(runner: RuleRunner) -> None:
    _, made = base_of(runner)
    assert made.libraries == frozenset(["ld-linux-x86-64.so.2", "libc.so.6"])
    described = json.loads(made.files["image.json"])
    assert described["left_out_modules"] == ["readline"]
    assert described["left_out_packages"] == ["debconf", "libreadline8"]


def test_a_missing_library_names_the_package_that_the_index_has(runner: RuleRunner) -> None:
    base, made = base_of(runner)
    assert made.libraries is not None
    needed = [["libc.so.6", BOOST, "opt/_boost.so"], ["libgomp.so.1", BOOST, "opt/_boost.so"],
              ["libnobody.so.1", BOOST, "opt/_boost.so"]]  # fmt: skip
    text = json.dumps({"names": [], "needed": needed})
    digest = runner.make_snapshot({"layers/deps/libraries.json": text}).digest
    layer = StoredLayer(Layer("deps", "sha256:" + "0" * 64, 1), digest)
    of = Address("src/shop", target_name="app")
    asked = LibrariesRequest(of, (layer,), base, made.libraries)
    findings = runner.request(ImageFindings, [asked]).findings
    shown = {one.place: str(one) for one in findings}
    assert "have: add the Debian package libgomp1. " in shown["libgomp.so.1"]
    # The index is asked, not only Debian's rules for names.
    assert "nor the base docker:debian have. " in shown["libnobody.so.1"]
    for text in shown.values():
        assert "docker/packages.ini, then run: ./pants generate-lockfiles --resolve=debian" in text
