from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Iterator

import pytest

from inseam.formats import download
from inseam.formats.debian.deb_testing import Mirror, serving
from inseam.formats.failure import Failure
from inseam.formats.python.index_page import IndexFile, index_files, read_page
from inseam.programs import fetch_indexed, find_files

NAME = "tiny-1.0-py3-none-any.whl"
CONTENT = b"a wheel"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PAGE = f"""\
<!DOCTYPE html><html><head><title>Links for tiny</title></head><body>
<a href="../../files/{NAME}#sha256={SHA256}" data-requires-python="&gt;=3.8">{NAME}</a><br/>
<a href="https://files.invalid/tiny-1.0%2Blocal.tar.gz">tiny-1.0+local.tar.gz</a>
<a name="no link">x</a><a href="https://files.invalid/x#sha256=short">x</a><a href="..">up</a>
</body></html>
"""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "FIRST_DELAY", 0.0)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with serving() as running:
        running.files[f"files/{NAME}"] = CONTENT
        running.files["simple/tiny/"] = PAGE.encode()
        yield running


def test_the_links_of_a_page_are_files() -> None:
    assert read_page(PAGE.encode(), "https://index.invalid/simple/tiny/")[:3] == (
        IndexFile(NAME, f"https://index.invalid/files/{NAME}", SHA256),
        IndexFile("tiny-1.0+local.tar.gz", "https://files.invalid/tiny-1.0%2Blocal.tar.gz", ""),
        IndexFile("x", "https://files.invalid/x", ""),
    )


def test_a_page_may_say_what_its_links_are_relative_to() -> None:
    page = b'<base href="https://other.invalid/a/"><a href="b-1.0.zip">b</a>'
    assert read_page(page, "https://index.invalid/simple/b/") == (
        IndexFile("b-1.0.zip", "https://other.invalid/a/b-1.0.zip", ""),
    )


def test_a_page_may_be_json() -> None:
    files = [
        {"filename": NAME, "url": f"/files/{NAME}", "hashes": {"sha256": SHA256}},
        {"filename": "b-1.0.zip", "url": "https://files.invalid/b-1.0.zip", "hashes": {}},
    ]
    page = json.dumps({"meta": {"api-version": "1.0"}, "files": files}).encode()
    assert read_page(page, "https://index.invalid/simple/tiny/") == (
        IndexFile(NAME, f"https://index.invalid/files/{NAME}", SHA256),
        IndexFile("b-1.0.zip", "https://files.invalid/b-1.0.zip", ""),
    )


@pytest.mark.parametrize(
    "page", [b"{", b"{}", b'{"files": 1}', b'{"files": [1]}', b'{"files": [{"url": "x"}]}',
             b'<a href="http://[">x</a>'],
)  # fmt: skip
def test_what_is_not_a_page_is_refused(page: bytes) -> None:
    with pytest.raises(Failure, match="what the package index says at https://h.invalid/a/ cannot"):
        read_page(page, "https://h.invalid/a/")


def test_all_indexes_are_asked_in_their_order(mirror: Mirror) -> None:
    mirror.files["other/tiny/"] = b'<a href="/tiny-0.9.zip">x</a>'
    indexes = [f"{mirror.url}/none", f"{mirror.url}/other/", f"{mirror.url}/simple"]
    assert [file.name for file in index_files("tiny", indexes)][:2] == ["tiny-0.9.zip", NAME]
    assert mirror.asked == ["none/tiny/", "other/tiny/", "simple/tiny/"]


def test_an_index_may_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "index.html").write_text(f'<a href="../files/{NAME}">x</a>')
    (file,) = index_files("tiny", [tmp_path.as_uri()])
    assert file == IndexFile(NAME, f"{tmp_path.as_uri()}/files/{NAME}", "")


def test_a_project_that_nobody_has_is_named_with_who_was_asked(mirror: Mirror) -> None:
    with pytest.raises(
        Failure, match="no configured package index has gone:\n.*/simple/gone/: not"
    ):
        index_files("gone", [f"{mirror.url}/simple"])
    with pytest.raises(Failure, match=r"there is none in \[python-repos\].indexes"):
        index_files("gone", [])
    with pytest.raises(Failure, match="could not be asked for tiny:(.|\n)*Check the network"):
        index_files("tiny", ["http://127.0.0.1:9/simple"])


def test_a_file_is_fetched_from_where_an_index_has_it(mirror: Mirror, tmp_path: Path) -> None:
    out = tmp_path / "wheels" / NAME
    fetch_indexed.main(["tiny", SHA256, str(out), f"--index={mirror.url}/simple"])
    assert out.read_bytes() == CONTENT
    # An index without hashes is asked by name.
    mirror.files["simple/tiny/"] = f'<a href="/files/{NAME}">x</a>'.encode()
    fetch_indexed.main(["tiny", SHA256, str(tmp_path / NAME), f"--index={mirror.url}/simple"])
    mirror.files[f"files/{NAME}"] = b"another wheel"
    with pytest.raises(Failure, match="is not the locked file: (.|\n)*broken mirror"):
        fetch_indexed.main(["tiny", SHA256, str(out), f"--index={mirror.url}/simple"])
    del mirror.files[f"files/{NAME}"]
    with pytest.raises(Failure, match="could not be fetched:\n(.|\n)*Check the network"):
        fetch_indexed.main(["tiny", SHA256, str(out), f"--index={mirror.url}/simple"])
    assert out.read_bytes() == CONTENT


def test_a_file_that_no_index_has_is_named(mirror: Mirror, tmp_path: Path) -> None:
    index = f"--index={mirror.url}/simple"
    with pytest.raises(Failure, match=f"the locked {NAME}. They have another file of that name."):
        fetch_indexed.main(["tiny", "0" * 64, str(tmp_path / NAME), index])
    with pytest.raises(Failure, match=r"the locked tiny-2.zip. If the lock was made from another"):
        fetch_indexed.main(["tiny", "0" * 64, str(tmp_path / "tiny-2.zip"), index])
    assert list(tmp_path.iterdir()) == []


def test_hashes_say_which_files_are_locked(mirror: Mirror, tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    index = f"--index={mirror.url}/simple"
    find_files.main(["tiny", str(out), index, "0" * 64, SHA256])
    assert json.loads(out.read_bytes()) == {SHA256: NAME}
    with pytest.raises(Failure, match="None of their files has one of the hashes in the lock"):
        find_files.main(["tiny", str(out), index, "0" * 64])
    mirror.files["simple/tiny/"] = f'<a href="/files/{NAME}">x</a>'.encode()
    with pytest.raises(Failure, match="They say no hashes of files(.|\n)*use a uv.lock or a pyl"):
        find_files.main(["tiny", str(out), index, SHA256])
