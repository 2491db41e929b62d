"""A command that has ended."""

from __future__ import annotations

from dataclasses import dataclass


class EngineError(Exception):
    """The container engine refused a command; the message is its own."""


@dataclass(frozen=True)
class Completed:
    """Exit code and output of a command."""

    argv: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str

    def checked(self) -> Completed:
        """Itself; raises EngineError when the command failed."""
        if self.exit_code != 0:
            said = (self.stderr or self.stdout).strip()
            raise EngineError(f"{' '.join(self.argv)} failed with {self.exit_code}: {said}")
        return self
