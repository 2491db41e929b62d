"""A base of Debian packages, from a mirror in a folder to its image, and what wheels lack on it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from pants.engine.addresses import Address
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.formats.debian.deb_testing import Entry, deb_bytes, elf_bytes, locked, publish
from inseam.formats.debian.lock import DebianLock, LockedPackage, dump_lock
from inseam.formats.debian.package import load_package
from inseam.formats.debian.request import parse_request
from inseam.formats.oci.layer import Layer
from inseam.formats.rootfs.rootfs_testing import MINOR, PYTHON, STDLIB, debs
from inseam.rules.base.base import Base, BaseRequest
from inseam.rules.image.base import BaseOci, BaseOciRequest
from inseam.rules.image.check_libraries import LibrariesRequest
from inseam.rules.image.checks import ImageFindings
from inseam.rules.layers.layer import StoredLayer
from inseam.rules.rule_testing import rule_runner, set_options

LIST = (
    f"[release]\nname = bookworm\narchitectures = amd64\n[base]\npython{MINOR}-minimal\nhello\n"
    "[omit]\nlibreadline8 = no terminal\ndebconf = asks\n"
)
# Takes an index that nobody signed for a signed one: `gpgv --output TEXT SIGNED`, both come last.
GPGV = '#!/bin/sh\nfor one; do text="$signed"; signed="$one"; done\ncp "$signed" "$text"\n'
BOOST = "boost-1.0-cp311-cp311-linux_x86_64.whl"


def write_mirror(folder: Path) -> str:
    """Writes a mirror to the folder, and returns the text of a lock of its packages."""
    readline = Entry(
        f"{STDLIB}/lib-dynload/readline.cpython-{MINOR.replace('.', '')}-x86_64-linux-gnu.so",
        elf_bytes(needed=["libreadline.so.8"]),
    )
    python = deb_bytes(
        f"python{MINOR}-minimal", [*PYTHON, readline], version=f"{MINOR}.2-6", fields="Depends: x\n"
    )
    paths = [Path(path) for path in debs(folder / "debs", python=python)]
    packages = [load_package(Path(f"{path}.json").read_text()) for path in paths]
    files: dict[str, bytes] = {}
    publish(files, [*packages, locked(b"", "libgomp1")], "bookworm")
    for path, package in zip(paths, packages):
        files[f"debian/{package.path}"] = path.read_bytes()
    for name, content in files.items():
        place = folder / "mirror" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    found = tuple(LockedPackage(package) for package in packages)
    return dump_lock(DebianLock(parse_request(LIST), {"amd64": found}))


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> RuleRunner:
    folder = tmp_path_factory.mktemp("debian")
    lock = write_mirror(folder)
    gpgv = folder / "bin/gpgv"
    gpgv.parent.mkdir()
    gpgv.write_text(GPGV)
    gpgv.chmod(0o755)
    (folder / "keyring").touch()
    made = rule_runner(
        QueryRule(Base, [BaseRequest]),
        QueryRule(BaseOci, [BaseOciRequest]),
        QueryRule(ImageFindings, [LibrariesRequest]),
    )
    set_options(
        made,
        env={
            "DEBIAN_MIRROR": folder.joinpath("mirror").as_uri(),
            "DEBIAN_KEYRING": str(folder / "keyring"),
            "PATH": f"{gpgv.parent}{os.pathsep}{os.environ['PATH']}",
        },
    )
    made.write_files(
        {
            "docker/BUILD": "debian_base(name='debian', lock='locks/debian.json',"
            " platform='linux/amd64')\n",
            "docker/packages.ini": LIST,
            "locks/debian.json": lock,
        }
    )
    return made


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
