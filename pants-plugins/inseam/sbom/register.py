"""Registers software bills of materials with Pants: an optional backend, `inseam.sbom`."""

from __future__ import annotations

from typing import Any

from inseam.sbom import document


def rules() -> list[Any]:
    return document.rules()
