from __future__ import annotations

import pytest

from inseam.formats.failure import Failure
from inseam.plan.findings import (
    UNUSED_ALLOWANCE,
    Finding,
    FindingKind,
    Judged,
    Severity,
    check_severities,
    judge,
)

LIBRARY = FindingKind("missing-library", Severity.warning, "A library is missing.")
MODULE = FindingKind("missing-module", Severity.error, "A module is missing.")


def finding(kind: FindingKind = LIBRARY, place: str = "libx.so.1") -> Finding:
    return Finding(kind, "src/shop:app", place, f"{place} is missing.", "Add it.")


def judged(
    *findings: Finding,
    allowances: dict[str, str] | None = None,
    severities: dict[str, Severity] | None = None,
) -> Judged:
    return judge(findings, allowances or {}, severities or {}, "src/shop:app")


def test_a_finding_is_shown_with_target_fix_and_id() -> None:
    assert (
        str(finding()) == "src/shop:app: libx.so.1 is missing. Add it. [missing-library:libx.so.1]"
    )


def test_the_kind_decides_unless_an_option_does() -> None:
    module = finding(MODULE, "imp")
    assert judged(finding(), module).errors == (module,)
    assert judged(finding(), module).warnings == (finding(),)
    raised = judged(finding(), severities={"missing-library": Severity.error})
    assert raised.errors == (finding(),)
    assert judged(module, severities={"missing-module": Severity.ignore}) == Judged((), (), ())


@pytest.mark.parametrize(
    "key", ["missing-library", "missing-library:libx.so.1", "missing-library:lib*"]
)
def test_one_kind_or_one_place_is_allowed(key: str) -> None:
    result = judged(finding(), allowances={key: "not needed"})
    assert result.allowed == (finding(),)
    assert result.shown == ()


def test_an_allowance_also_holds_for_errors() -> None:
    result = judged(finding(MODULE, "imp"), allowances={"missing-module:imp": "guarded"})
    assert result.errors == ()


def test_an_allowance_that_matches_nothing_is_reported() -> None:
    result = judged(finding(), allowances={"missing-library:liby*": "old", "missing-module": "x"})
    assert [one.place for one in result.warnings] == [
        "libx.so.1",
        "missing-library:liby*",
        "missing-module",
    ]
    assert result.warnings[1].kind is UNUSED_ALLOWANCE
    assert "(old)" in str(result.warnings[1])
    raised = judged(
        allowances={"missing-module": "x"}, severities={"unused-allowance": Severity.error}
    )
    assert len(raised.errors) == 1
    ignored = judged(
        allowances={"missing-module": "x"}, severities={"unused-allowance": Severity.ignore}
    )
    assert ignored.shown == ()


def test_findings_are_sorted_and_said_once() -> None:
    result = judged(finding(place="b"), finding(place="a"), finding(place="b"))
    assert [one.place for one in result.warnings] == ["a", "b"]


def test_severities_are_checked() -> None:
    known = {"missing-library"}
    assert check_severities({"missing-library": "error"}, known) == {
        "missing-library": Severity.error
    }
    with pytest.raises(Failure, match="'missing-lib', which is not the ID of a finding"):
        check_severities({"missing-lib": "error"}, known)
    with pytest.raises(Failure, match="Write one of ignore, warning, error"):
        check_severities({"missing-library": "fatal"}, known)
