"""Warns in each session, also of what an earlier session has found out."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Iterable

from pants.engine.internals.session import RunId
from pants.engine.rules import collect_rules
from pants.util.logging import LogLevel

from inseam.compat import rule

logger = logging.getLogger(__name__)


# What was said in the session that is running; a session before has ended.
_said: dict[RunId, set[str]] = {}


def say(warnings: Iterable[str], run_id: RunId) -> None:
    """Warns, of each thing once in a session.

    For a rule that is asked by what the person at the terminal named, such as the address of an
    image, and that finds the warnings in the result of what makes it. Before Pants runs a rule
    again, it runs all that the rule asked for before: a rule that is asked by the text of a warning
    would say once more what has been mended.
    """
    if run_id not in _said:
        _said.clear()
    said = _said.setdefault(run_id, set())
    for text in warnings:
        if text not in said:
            said.add(text)
            logger.warning(text)


@dataclass(frozen=True)
class WarningRequest:
    """What the person at the terminal has to know about this machine or its mirrors, and no result
    of a rule brings to who could `say` it."""

    text: str


@dataclass(frozen=True)
class Warned:
    """It is said."""


@rule(desc="Warn", level=LogLevel.DEBUG)
async def warn(request: WarningRequest, run_id: RunId) -> Warned:
    # A rule is not run again while its inputs stay the same; `run_id` differs in each session.
    say([request.text], run_id)
    return Warned()


def rules() -> list[Any]:
    return [*collect_rules()]
