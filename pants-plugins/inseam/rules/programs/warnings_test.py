from __future__ import annotations

import pytest
from pants.engine.rules import QueryRule
from pants.testutil.rule_runner import RuleRunner

from inseam.rules.programs import warnings
from inseam.rules.programs.warnings import Warned, WarningRequest


def test_a_warning_is_given_once_in_each_session(caplog: pytest.LogCaptureFixture) -> None:
    runner = RuleRunner(rules=[*warnings.rules(), QueryRule(Warned, [WarningRequest])])
    request = WarningRequest("the image is not the locked one")
    for session in range(3):
        runner.new_session(f"session-{session}")
        for _ in range(2):
            runner.request(Warned, [request])
        assert caplog.text.count("the image is not the locked one") == session + 1
