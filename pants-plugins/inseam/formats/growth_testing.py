"""Checks that a reader takes time, and memory, in proportion to what it reads."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any, Callable, TypeVar

_Input = TypeVar("_Input")

# How often the least shape is repeated, and how much longer ten times as much may take. A quadratic
# reader takes a hundred times as long.
_LEAST, _STEPS, _LONGEST = 20, 3, 30
# Seconds that say nothing: the garbage collector, other processes.
_NOISE = 0.1


def check_growth(
    read: Callable[[_Input], Any], shape: Callable[[int], _Input], *, least: int = _LEAST
) -> None:
    """Gives `read` the same shape 1, 10, 100 and 1,000 times as large, and compares the time that
    each takes with the one before. It ends as soon as a step takes seconds.

    shape: makes the input with so many repetitions. least: the first number of them.
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
    """Asserts that reading a value takes at most so many bytes of memory at once."""
    tracemalloc.start()
    try:
        read(value)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= most, (peak, most)


def _seconds(read: Callable[[_Input], Any], value: _Input) -> float:
    """Of the processor, the least of two tries: other processes can only add to it."""
    found = []
    for _ in range(2):
        start = time.process_time()
        read(value)
        found.append(time.process_time() - start)
        if found[0] > 1:
            break
    return min(found)
