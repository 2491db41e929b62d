"""A checkout of this repository that the tests of its layers share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nested.checkout import Checkout, checkout

SERVICES = ("service", "catalog", "reports")


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout as anybody has it."""
    made = checkout(tmp_path_factory.mktemp("plain") / "repository")
    yield made
    made.remove()
