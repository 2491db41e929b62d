from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.formats.python.requires import requires
from inseam.formats.python.wheel_testing import build_wheel
from inseam.programs import wheel_requires

METADATA = b"""\
Metadata-Version: 2.1
Name: demo
Version: 1.0
Requires-Dist: first>=1
Requires-Dist: second[fast];
    extra == "some"
Provides-Extra: some

Requires-Dist: the description is none
"""


def test_the_requirements_of_a_wheel(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, files={"demo-1.0.dist-info/METADATA": METADATA})
    assert requires(wheel) == ("first>=1", 'second[fast]; extra == "some"')
    wheel_requires.main([str(wheel), str(tmp_path / "found.json")])
    assert json.loads((tmp_path / "found.json").read_bytes()) == list(requires(wheel))
    assert requires(build_wheel(tmp_path, "plain")) == ()


def test_what_is_not_a_wheel_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(Failure, match="demo-1.0-py3-none-any.whl is not a usable wheel: "):
        requires(path)
    with pytest.raises(Failure, match="is not a usable wheel: "):
        requires(tmp_path / "gone.whl")


@pytest.mark.parametrize("count", [0, 2])
def test_a_wheel_has_one_metadata(tmp_path: Path, count: int) -> None:
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(count):
            archive.writestr(f"x{number}.dist-info/METADATA", METADATA)
        archive.writestr("deep/x.dist-info/METADATA", METADATA)
    with pytest.raises(Failure, match=f"has {count} files named METADATA"):
        requires(path)
