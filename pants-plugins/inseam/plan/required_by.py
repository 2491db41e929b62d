"""Says why a distribution is needed: the shortest way to it from what a service requires."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

# What nothing in a lock requires.
START = "the service"
_LONGEST = 12  # steps that are told


class RequiredBy(Mapping[str, tuple[str, ...]]):
    """For each name what requires it, from the start on: ("the service", "app 1.0").

    Of a long way, the middle is left out. Only the last step to each name is kept, so that a chain
    of any length costs no more than its length.
    """

    def __init__(self) -> None:
        self._steps: dict[str, tuple[str, str]] = {}

    def add(self, name: str, by: str = "", label: str = START) -> None:
        """Notes the first thing that requires `name`: the distribution `by`, shown as `label`, or
        the start."""
        self._steps.setdefault(name, (by, label))

    def __getitem__(self, name: str) -> tuple[str, ...]:
        by, label = self._steps[name]
        found = [label]
        while by:
            if len(found) == _LONGEST:
                return (START, "...", *reversed(found))
            by, label = self._steps[by]
            found.append(label)
        return tuple(reversed(found))

    def __iter__(self) -> Iterator[str]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)
