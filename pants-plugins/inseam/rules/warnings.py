"""Warns in each session, also of what an earlier session has found out."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from pants.engine.internals.session import RunId
from pants.engine.rules import collect_rules, rule
from pants.util.logging import LogLevel

from inseam.compat import by_name

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WarningRequest:
    """What the person at the terminal has to know, as long as it is so."""

    text: str


@dataclass(frozen=True)
class Warned:
    """It is said."""


@rule(desc="Warn", level=LogLevel.DEBUG)
async def warn_in_each_session(request: WarningRequest, run_id: RunId) -> Warned:
    # A rule is not run again while its inputs stay the same; `run_id` differs in each session.
    logger.warning(request.text)
    return Warned()


warn = by_name(warn_in_each_session)


def rules() -> list[Any]:
    return [*collect_rules()]
