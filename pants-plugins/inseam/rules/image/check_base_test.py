from __future__ import annotations

from inseam.formats.oci.layer import Layer
from inseam.rules.base.interpreter import FoundPython, found_python
from inseam.rules.image.check_base import BaseCheck, check_base
from inseam.rules.image.contents import ImageContents
from inseam.rules.image.contents_testing import contents, digest
from inseam.rules.layers.layer import StoredLayer
from inseam.rules.layers.rootfs import RootfsLayer
from inseam.rules.rule_testing import run_mocked


def found(of: ImageContents, python: FoundPython = FoundPython(None)) -> list[str]:
    result = run_mocked(check_base, [BaseCheck(of)], {found_python: lambda *_: python})
    return [str(finding) for finding in result.findings]


def test_an_ordinary_base_is_not_mentioned() -> None:
    assert found(contents()) == []


def test_a_machine_that_cannot_run_the_base_s_python_is() -> None:
    (text,) = found(contents(), FoundPython(None, cannot_run=True))
    assert text.startswith("docker:base: this machine cannot run the CPython of docker:base. An")
    assert "CPython 3.11 makes its layers" in text
    assert text.endswith("[installed-python:3.11]")


def test_packages_that_are_newer_than_the_lock_are() -> None:
    layer = StoredLayer(Layer("rootfs", f"sha256:{'3' * 64}", 7), digest("3"))
    messages = ("tzdata 2026b was taken, the lock has 2026a",)
    rootfs = RootfsLayer(layer, frozenset(), (), (), "bookworm", "", (), (), messages=messages)
    (text,) = found(contents(rootfs=rootfs))
    assert text.startswith(f"docker:base: {messages[0]} [newer-package:")


def test_what_a_registry_s_image_does_not_say_is() -> None:
    (text,) = found(contents(messages=("it declares no CPython",)))
    assert text == "docker:base: it declares no CPython [registry-base]"
