from __future__ import annotations

import json
from pathlib import Path

from inseam.formats.rootfs.metadata import dump_rootfs, parse_rootfs
from inseam.formats.rootfs.rootfs_testing import built, debs


def test_the_description_survives_writing_and_reading(tmp_path: Path) -> None:
    rootfs = built(tmp_path, debs(tmp_path))
    text = (tmp_path / "out" / "rootfs.json").read_text()
    assert parse_rootfs(text) == rootfs
    assert dump_rootfs(parse_rootfs(text)) == text
    assert json.loads(text)["diff_id"].startswith("sha256:")
