from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Iterator

import pytest

from inseam.formats import download
from inseam.formats.debian.deb_testing import Mirror, serving
from inseam.formats.failure import Failure
from inseam.programs import fetch_wheel

NAME = "tiny-1.0-py3-none-any.whl"
CONTENT = b"a wheel"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "FIRST_DELAY", 0.0)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with serving() as running:
        running.files[f"packages/{NAME}"] = CONTENT
        yield running


def test_a_locked_wheel_is_fetched(mirror: Mirror, tmp_path: Path) -> None:
    out = tmp_path / "wheels" / NAME
    fetch_wheel.main([f"{mirror.url}/packages/{NAME}", SHA256, str(out)])
    assert out.read_bytes() == CONTENT


def test_another_file_than_the_locked_one_is_refused(mirror: Mirror, tmp_path: Path) -> None:
    out = tmp_path / NAME
    with pytest.raises(Failure, match="is not the locked file(.|\n)*generate-lockfiles"):
        fetch_wheel.main([f"{mirror.url}/packages/{NAME}", "0" * 64, str(out)])
    assert list(tmp_path.iterdir()) == []


def test_a_wheel_that_has_gone_says_how_to_lock_again(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(Failure, match="no longer at the URL in the lock(.|\n)*generate-lockfiles"):
        fetch_wheel.main([f"{mirror.url}/packages/other.whl", SHA256, str(tmp_path / NAME)])
    assert list(tmp_path.iterdir()) == []


def test_without_network_the_error_says_what_to_check(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="could not be fetched(.|\n)*network"):
        fetch_wheel.main([f"http://127.0.0.1:9/{NAME}", SHA256, str(tmp_path / NAME)])
    assert list(tmp_path.iterdir()) == []


def test_a_wheel_that_is_larger_than_allowed_is_not_kept(mirror: Mirror, tmp_path: Path) -> None:
    url = f"{mirror.url}/packages/{NAME}"
    with pytest.raises(Failure, match=r"larger than allowed(.|\n)*max_download_size"):
        fetch_wheel.main([url, SHA256, str(tmp_path / NAME), "5"])
    assert list(tmp_path.iterdir()) == []
    fetch_wheel.main([url, SHA256, str(tmp_path / NAME), "1000000"])
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
