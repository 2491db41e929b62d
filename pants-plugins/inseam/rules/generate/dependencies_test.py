from __future__ import annotations

from typing import Any

import pytest
from pants.backend.project_info import dependents
from pants.backend.project_info.dependents import Dependents, DependentsRequest
from pants.engine import target
from pants.engine.addresses import Address, Addresses
from pants.engine.internals.graph import Owners, OwnersRequest
from pants.engine.target import TransitiveTargets, TransitiveTargetsRequest
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.compat import CALL_BY_NAME
from inseam.rules.rule_testing import declared, lock_text, rule_runner, set_options


def locked_source(name: str, *requires: str) -> dict[str, Any]:
    """A locked requirement that has no wheel."""
    url = f"https:/${{INDEX}}/packages/{name}-1.0.tar.gz"
    return {
        "artifacts": [{"algorithm": "sha256", "hash": "0" * 64, "url": url}],
        "project_name": name,
        "requires_dists": list(requires),
        "requires_python": None,
        "version": "1.0",
    }


LOCK = "lockfiles/debian-bookworm.json"
DEBIAN = declared("debian_base", name="debian", lock=LOCK)
FILES = {
    "docker/base/BUILD": DEBIAN,
    "docker/base/packages.ini": "",
    "lockfiles/debian-bookworm.json": "",
    "docker/builder/BUILD": (
        "debian_builder(name='debian', lock='lockfiles/debian-bookworm-builder.json')\n"
    ),
    "docker/builder/packages.ini": "",
    "lockfiles/debian-bookworm-builder.json": "",
    "services.lock": lock_text(
        [locked_source("numpy", "speed"), locked_source("speed"), locked_source("words")]
    ),
    "other.lock": lock_text([]),
    "3rdparty/BUILD": (
        "python_requirement(name='numpy', requirements=['numpy==1.0'])\n"
        "python_requirement(name='words', requirements=['words==1.0'])\n"
        "venv_layer(name='numbers', requirements=[':numpy'])\n"
    ),
    # How the wheels of what numpy requires, and of what nothing does, are built.
    "speed/BUILD": (
        "wheel_from_source(name='wheel', distribution='Speed', builder='docker/builder:debian',\n"
        "    patches=['speed.patch'], dependencies=[':files'])\n"
        "files(name='files', sources=['*.c'])\n"
    ),
    "speed/speed.patch": "",
    "speed/speed.c": "",
    "slow/BUILD": "wheel_from_source(name='wheel', distribution='slow', patches=['slow.patch'])\n",
    "slow/slow.patch": "",
    "src/kit/BUILD": "python_sources()\n",
    "src/kit/http.py": "x = 1\n",
    # Uses the library, and a shared layer.
    "src/shop/BUILD": (
        "python_sources()\n"
        "python_service(name='app', entry_point='shop.server:main', layers=['3rdparty:numbers'])\n"
        "docker_image(name='own', instructions=['FROM scratch'])\n"
    ),
    "src/shop/server.py": "import kit.http\nimport numpy\ndef main(): ...\n",
    # Uses a wheel only.
    "src/text/BUILD": (
        "python_sources()\npython_service(name='app', entry_point='text.server:main')\n"
    ),
    "src/text/server.py": "import words\ndef main(): ...\n",
    # Uses nothing of others.
    "src/plain/BUILD": (
        "python_sources()\npython_service(name='app', entry_point='plain.server:main')\n"
    ),
    "src/plain/server.py": "def main(): ...\n",
    # Tests of images.
    "tests/BUILD": (
        "python_tests(name='shop', sources=['shop_test.py'],\n"
        "    runtime_package_dependencies=['src/shop:app#oci'])\n"
        "python_tests(name='plain', sources=['plain_test.py'],\n"
        "    runtime_package_dependencies=['src/plain:app#image'])\n"
        "image_structure(name='structure', image='src/shop:app#image')\n"
    ),
    "tests/shop_test.py": "",
    "tests/plain_test.py": "",
    "tests/structure.yaml": "",
}
TEXT = {"src/text:app#oci", "src/text:app#image"}
IMAGES = {
    *TEXT,
    "src/shop:app#oci",
    "src/shop:app#image",
    "src/plain:app#oci",
    "src/plain:app#image",
    "tests/shop_test.py:shop",
    "tests/plain_test.py:plain",
    "tests:structure",
}
SHOP = {
    "src/shop:app#oci",
    "src/shop:app#image",
    "tests/shop_test.py:shop",
    "tests:structure",
}
PLAIN = IMAGES - SHOP - TEXT


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    made = rule_runner(
        QueryRule(Owners, [OwnersRequest]),
        QueryRule(Dependents, [DependentsRequest]),
        QueryRule(TransitiveTargets, [TransitiveTargetsRequest]),
        more=dependents.rules(),  # type: ignore[no-untyped-call]
    )
    set_options(made, "--python-infer-use-rust-parser", base="//docker/base:debian")
    made.write_files(FILES)
    return made


def affected(runner: RuleRunner, *changed: str) -> set[str]:
    """The images, and the tests of images, that `--changed-since` finds for changed files, with
    `--changed-dependents=transitive`."""
    owners = runner.request(
        Owners,
        [
            OwnersRequest(
                changed,
                filter_by_global_options=False,
                match_if_owning_build_file_included_in_sources=True,
            )
        ],
    )
    request = DependentsRequest(Addresses(owners), transitive=True, include_roots=True)
    found = {address.spec for address in runner.request(Dependents, [request])}
    return found & IMAGES


@pytest.mark.parametrize(
    "changed, expected",
    [
        ("src/shop/server.py", SHOP),
        ("src/plain/server.py", PLAIN),
        ("src/kit/http.py", SHOP),
        ("src/shop/BUILD", SHOP),
        ("docker/base/packages.ini", IMAGES),
        ("lockfiles/debian-bookworm.json", IMAGES),
        ("docker/base/BUILD", IMAGES),
        ("3rdparty/BUILD", SHOP | TEXT),
        ("services.lock", SHOP | TEXT),
        ("speed/BUILD", SHOP),
        ("speed/speed.patch", SHOP),
        ("speed/speed.c", SHOP),
        ("slow/slow.patch", set()),
        ("docker/builder/BUILD", SHOP),
        ("docker/builder/packages.ini", SHOP),
        ("lockfiles/debian-bookworm-builder.json", SHOP),
        ("other.lock", set()),
        ("tests/shop_test.py", {"tests/shop_test.py:shop"}),
        ("tests/structure.yaml", {"tests:structure"}),
    ],
)
def test_a_change_affects_the_images_that_are_made_of_it_and_their_tests(
    runner: RuleRunner, changed: str, expected: set[str]
) -> None:
    assert affected(runner, changed) == expected


def test_the_lock_that_images_are_made_from_affects_them(runner: RuleRunner) -> None:
    options = "--python-infer-use-rust-parser", "--inseam-locks={'services': 'app/uv.lock'}"
    runner.write_files({"app/uv.lock": "version = 1\n"})
    set_options(runner, *options, base="//docker/base:debian")
    try:
        assert affected(runner, "app/uv.lock") == SHOP | TEXT
        assert affected(runner, "services.lock") == set()
    finally:
        set_options(runner, options[0], base="//docker/base:debian")


def test_an_archive_of_cpython_in_the_folder_of_the_base_affects_the_images(
    runner: RuleRunner,
) -> None:
    archives = {"linux/amd64": "docker/base/python.tar.gz#sha256=" + "0" * 64}
    base = declared(
        "debian_base",
        name="debian",
        lock=LOCK,
        python_version="3.12.8",
        python_archives=archives,
    )
    runner.write_files({"docker/base/BUILD": base, "docker/base/python.tar.gz": "new"})
    try:
        assert affected(runner, "docker/base/python.tar.gz") == IMAGES
        assert affected(runner, "docker/base/packages.ini") == IMAGES
    finally:
        runner.write_files({"docker/base/BUILD": DEBIAN})


def test_the_lock_of_what_builds_require_affects_what_is_built(runner: RuleRunner) -> None:
    options = "--python-infer-use-rust-parser", "--inseam-build-resolve=other"
    set_options(runner, *options, base="//docker/base:debian")
    try:
        assert affected(runner, "other.lock") == SHOP | TEXT
    finally:
        set_options(runner, options[0], base="//docker/base:debian")


DAMAGED = lock_text([locked_source(name, "no requirement") for name in ("numpy", "words")])


@pytest.mark.parametrize("lock", ["", DAMAGED], ids=["empty", "damaged"])
def test_a_lock_that_cannot_be_read_needs_every_wheel(runner: RuleRunner, lock: str) -> None:
    runner.write_files({"services.lock": lock})
    try:
        assert affected(runner, "slow/slow.patch") == SHOP | TEXT
    finally:
        runner.write_files({"services.lock": FILES["services.lock"]})


def every_dependency() -> dict[str, Any]:
    """What makes a request follow fields with addresses as it follows `dependencies`."""
    if not CALL_BY_NAME:
        return {"include_special_cased_deps": True}
    return {"should_traverse_deps_predicate": target.AlwaysTraverseDeps()}  # type: ignore[attr-defined]


def closure(runner: RuleRunner, spec: str, *, special_cased: bool) -> set[str]:
    path, _, name = spec.partition(":")
    name, _, generated = name.partition("#")
    address = Address(path, target_name=name, generated_name=generated)
    request = TransitiveTargetsRequest([address], **(every_dependency() if special_cased else {}))
    found = runner.request(TransitiveTargets, [request])
    return {one.address.spec for one in found.closure}


@pytest.mark.parametrize("image", ["src/shop:app#oci", "src/shop:app#image"])
def test_every_input_of_an_image_is_among_its_transitive_dependencies(
    runner: RuleRunner, image: str
) -> None:
    assert {
        "src/shop/server.py",
        "src/kit/http.py",
        "3rdparty:numbers",
        "3rdparty:numpy",
        "docker/base:debian#rootfs",
        "docker/base:debian#packages",
        "lockfiles:_debian-bookworm_lock",
        "//services.lock:_services_lockfile",
        "speed:wheel",
        "docker/builder:debian#rootfs",
        "lockfiles:_debian-bookworm-builder_lock",
    } <= closure(runner, image, special_cased=True)


def test_what_an_image_is_made_of_does_not_go_into_its_build_context(runner: RuleRunner) -> None:
    assert closure(runner, "src/shop:app#image", special_cased=False) <= {
        "src/shop:app#image",
        "src/shop:app#app",
        "src/shop:app#deps",
    }
