"""Knows what the running version of Pants supports."""

from __future__ import annotations

from packaging.version import Version
from pants.version import PANTS_SEMVER

CALL_BY_NAME = Version("2.30.0.dev0") <= PANTS_SEMVER
# Whether the goal `publish` asks what is skipped before it packages anything.
PUBLISH_ASKS_FIRST = Version("2.32.0.dev0") <= PANTS_SEMVER
