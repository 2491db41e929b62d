"""Waits for what becomes true by itself: in a container, nothing happens at the time of a look."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

WITHIN = 60  # seconds; on an idle machine it is milliseconds


def eventually(value: Callable[[], Any], wanted: Any) -> None:
    """Returns when a value is the wanted one; fails if it has not been for a minute.

    Asserting it at one instant would see what is about to end: the engine's own health probe, a
    connection that a client has just closed.
    """
    end = time.monotonic() + WITHIN
    while (found := value()) != wanted and time.monotonic() < end:
        time.sleep(0.05)
    assert found == wanted
