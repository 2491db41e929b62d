from __future__ import annotations

from dataclasses import replace
from typing import Any

from inseam.formats.python.shared_path import (
    EQUAL,
    NOT_READ,
    PREFERRED,
    SAME_MEANING,
    Preference,
    SharedPath,
)
from inseam.plan.findings import Finding
from inseam.rules.image.check_shared_paths import (
    REPLACED_FILE,
    SHARED_PATH,
    UNUSED_PREFERENCE,
    SharedPathCheck,
    check_shared_paths,
)
from inseam.rules.image.contents_testing import APP, contents, wheel
from inseam.rules.layers.shared_paths import SharedPaths, SharedPathsRequest, shared_paths
from inseam.rules.rule_testing import run_mocked

IMAGE = contents(wheel("one"), wheel("two"))
ONE, TWO = "one-1.0-py3-none-any.whl", "two-1.0-py3-none-any.whl"
SITE = "opt/venv/lib/python3.11/site-packages"


def found(*paths: SharedPath, prefer: tuple[Preference, ...] = ()) -> list[Finding]:
    asked = []

    def paths_of(request: SharedPathsRequest) -> SharedPaths:
        asked.append(request)
        return SharedPaths(paths)

    image = replace(IMAGE, prefer=prefer)
    mocks: dict[Any, Any] = {shared_paths: paths_of}
    findings = run_mocked(check_shared_paths, [SharedPathCheck(image)], mocks).findings
    assert asked == [SharedPathsRequest(image.wheel_layers, image.base.base.python, prefer)]
    return list(findings)


def path(name: str, why: str, key: str = "") -> SharedPath:
    return SharedPath(f"{SITE}/{name}", ONE, TWO, why, key)


def test_files_that_are_replaced_are_a_warning_for_each_pair() -> None:
    names = ("LICENSE", "README.md", "tests/a.py", "tests/b.py")
    (finding,) = found(*(path(name, NOT_READ) for name in reversed(names)))
    assert (finding.kind, finding.place) == (REPLACED_FILE, "LICENSE")
    assert finding.text == (
        "one 1.0 and two 1.0 both install LICENSE, README.md, tests/a.py and 1 more files, with"
        " different content. No running service reads them; the image has what one 1.0 has."
    )
    assert finding.address == str(APP)


def test_what_means_the_same_is_a_warning_and_what_is_equal_is_not_shown() -> None:
    same, equal = sorted(
        found(path("a/__init__.py", SAME_MEANING), path("b/__init__.py", EQUAL)),
        key=lambda one: one.place,
    )
    assert (same.kind, equal.kind) == (REPLACED_FILE, SHARED_PATH)
    assert "Both do the same; the image has what one 1.0 has." in same.text
    assert "both install b/__init__.py, with equal content." in equal.text


def test_a_preference_without_a_clash_is_told() -> None:
    prefer = (Preference("a.py", "one"), Preference("old.py", "one"))
    (finding,) = found(path("a.py", PREFERRED, "a.py"), prefer=prefer)
    assert (finding.kind, finding.place) == (UNUSED_PREFERENCE, "old.py")
    assert "`prefer` has 'old.py': 'one', but no two distributions clash there. Remove it." in str(
        finding
    )


def test_an_image_without_wheels_is_not_read() -> None:
    image = replace(IMAGE, layers=())
    assert run_mocked(check_shared_paths, [SharedPathCheck(image)], {}).findings == ()
