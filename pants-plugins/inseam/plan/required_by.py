"""Says why a distribution is needed: the shortest chain of requirements that leads to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

# The label of the start of each chain.
START = "the service"
_LONGEST = 12  # the number of steps to show


class RequiredBy(Mapping[str, tuple[str, ...]]):
    """For each name, the chain of requirements that leads to it: ("the service", "app 1.0").

    The middle of a long chain is left out. Only the last step to each name is stored, so memory
    is proportional to the number of names.
    """

    def __init__(self) -> None:
        self._steps: dict[str, tuple[str, str]] = {}

    def add(self, name: str, by: str = "", label: str = START) -> None:
        """Records what first required `name`: the distribution `by`, shown as `label`, or the
        start.
        """
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
