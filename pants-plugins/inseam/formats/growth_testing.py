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


def check_growth(
    read: Callable[[_Input], Any], shape: Callable[[int], _Input], *, least: int = _LEAST
) -> None:
    """Calls `read` with the same shape 1, 10, 100 and 1,000 times as large, and compares each time
    with the previous one. It stops as soon as a step takes seconds.

    shape: makes the input with a number of repetitions. least: the first such number.
    """
    before = _seconds(read, shape(least))
    for step in range(1, _STEPS + 1):
        size = least * 10**step
        value = shape(size)
        taken = _seconds(read, value)
        assert taken <= _LONGEST * before + _NOISE, (size, before, taken)
        if taken > 2:
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
    """Processor time, the minimum of two runs, because other processes can only add to it."""
    found = []
    for _ in range(2):
        start = time.process_time()
        read(value)
        found.append(time.process_time() - start)
        if found[0] > 1:
            break
    return min(found)
