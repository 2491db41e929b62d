"""Each module of the rules has its tests next to it."""

from __future__ import annotations

from pathlib import Path

# They only list what other modules have.
LISTS = ("__init__.py", "register.py")


def test_each_module_has_tests_beside_it() -> None:
    found = {
        path for path in Path("pants-plugins/inseam/rules").rglob("*.py") if path.name not in LISTS
    }
    modules = {path for path in found if not path.stem.endswith(("_test", "_testing"))}
    assert len(modules) > 40
    untested = {path for path in modules if path.with_name(f"{path.stem}_test.py") not in found}
    assert sorted(map(str, untested)) == []
