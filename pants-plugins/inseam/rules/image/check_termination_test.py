from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from inseam.formats.oci.config import ImageConfig
from inseam.formats.python.termination import Endless
from inseam.plan.container import command
from inseam.plan.findings import Finding
from inseam.rules.image.check_termination import TerminationCheck, check_termination
from inseam.rules.image.contents import frozen_config
from inseam.rules.image.contents_testing import APP, contents
from inseam.rules.rule_testing import run_mocked

ENDLESS = (Endless("entrypoint", "job/main.py", 5), Endless("other", "job/other.py", 1))


def found(**config: Any) -> list[Finding]:
    given = {"entrypoint": command("entrypoint", init=False), **config}
    image = replace(contents(), endless=ENDLESS, config=frozen_config(ImageConfig(**given)))
    return list(run_mocked(check_termination, [TerminationCheck(image)], {}).findings)


@pytest.mark.parametrize("config", [{}, {"stop_signal": "SIGTERM"}])
def test_the_program_that_an_image_starts_is_told(config: dict[str, str]) -> None:
    (finding,) = found(**config)
    assert (finding.id, finding.place) == ("ignored-sigterm", "job/main.py")
    text = str(finding)
    assert text.startswith(f"{APP}: job/main.py runs for ever from line 5,")
    assert "signal.signal(signal.SIGTERM" in text
    assert "or set `init=True`." in text


@pytest.mark.parametrize(
    "config",
    [
        {"entrypoint": command("entrypoint", init=True)},
        {"stop_signal": "SIGINT"},
        {"entrypoint": command("third", init=False)},
        {"entrypoint": ()},
    ],
)
def test_an_image_with_an_init_or_another_signal_or_program_is_not(config: dict[str, Any]) -> None:
    assert found(**config) == []
