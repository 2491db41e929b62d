from __future__ import annotations

from typing import Any

import pytest

from inseam.plan.findings import Finding, FindingKind, Severity
from inseam.rules.image.checks import say

KIND = FindingKind("odd", Severity.warning, "Something is odd.")


def test_a_finding_is_shown_once_in_each_session(caplog: pytest.LogCaptureFixture) -> None:
    finding = Finding(KIND, "src/shop:app", "x", "x is odd.", "Fix it.")
    for session in (1, 2):
        run: Any = session
        for _ in range(2):
            say([finding, finding], run)
        assert caplog.text.count("src/shop:app: x is odd.") == session
