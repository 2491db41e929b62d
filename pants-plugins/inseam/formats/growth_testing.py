"""Checks that a reader's time and memory are proportional to its input."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any, Callable, TypeVar

_Input = TypeVar("_Input")

# How often the smallest shape is repeated, and how much longer ten times as much may take. A
# quadratic reader would take a hundred times as long.
_LEAST, _STEPS, _LONGEST = 20, 3, 30
# Seconds to ignore, because of the garbage collector and other processes.
_NOISE = 0.1
# Seconds after which no larger input is needed: a quadratic reader fails at a third of that.
_ENOUGH = 0.45
_TRIES = 3


def check_growth(
    read: Callable[[_Input], Any], shape: Callable[[int], _Input], *, least: int = _LEAST
) -> None:
    """Calls `read` with the same shape 1, 10, 100 and 1,000 times as large, and compares each time
    with the previous one. It stops as soon as a step takes long enough to judge.

    shape: makes the input with a number of repetitions. least: the first such number.
    """
    before = _seconds(read, shape(least))
    for step in range(1, _STEPS + 1):
        size = least * 10**step
        value = shape(size)
        most = _LONGEST * before + _NOISE
        # Other processes can only add to it.
        tries: list[float] = []
        while not tries or (min(tries) > most and len(tries) < _TRIES):
            tries.append(_seconds(read, value))
        taken = min(tries)
        assert taken <= most, (size, before, tries)
        if taken > _ENOUGH:
            return
        before = taken


def check_memory(read: Callable[[_Input], Any], value: _Input, most: int) -> None:
    """Asserts that reading a value takes at most `most` bytes of memory at once."""
    tracemalloc.start()
    try:
        read(value)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= most, (peak, most)


def _seconds(read: Callable[[_Input], Any], value: _Input) -> float:
    """Processor time of one run."""
    start = time.process_time()
    read(value)
    return time.process_time() - start
