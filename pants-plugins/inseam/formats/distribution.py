"""Names a distribution in a lock."""

from __future__ import annotations

from typing import NamedTuple


class Wheel(NamedTuple):
    """A distribution as in the lock; sha256 is that of the wheel file, in hex."""

    name: str
    version: str
    sha256: str
    source: str = ""
    """What the wheel was built from, such as `docopt-0.6.2.tar.gz#sha256=...`; "" for a wheel that
    was fetched.
    """

    def value(self) -> dict[str, str]:
        """Its JSON value."""
        return {name: text for name, text in self._asdict().items() if name != "source" or text}
