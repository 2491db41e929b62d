from __future__ import annotations

import pytest

from inseam.formats.failure import Failure
from inseam.plan.lock_file import parse_lock, project_name
from inseam.plan.lock_place import LockPlace, index_url
from inseam.plan.lock_test import TEXT as PEX
from inseam.plan.pylock_test import TEXT as PYLOCK
from inseam.plan.toml import read_toml
from inseam.plan.uv_lock_test import TEXT as UV

PLACE = LockPlace("locks/x.lock", "x")
REQUIREMENTS = f"a==1.0 --hash=sha256:{'a' * 64}\n"


@pytest.mark.parametrize(
    "text, refresh",
    [
        (PEX.decode(), "Run: ./pants generate-lockfiles --resolve=x"),
        (f"// Made by Pants.\n{PEX.decode()}", "Run: ./pants generate-lockfiles --resolve=x"),
        (UV, "Run: uv lock --directory=locks"),
        (f"# A comment.\n\n{UV}", "Run: uv lock --directory=locks"),
        (PYLOCK, "Run: uv export --format=pylock.toml --output-file=locks/x.lock"),
        (REQUIREMENTS, "Run: uv pip compile"),
        (f"# Made by pip-compile.\n-i https://index.invalid\n{REQUIREMENTS}", "Run: uv pip"),
        (f"-e ./lib\n{REQUIREMENTS}", "Run: uv pip compile"),
        (f"./lib\n{REQUIREMENTS}", "Run: uv pip compile"),
        (f"b @ https://h.invalid/b-1.tar.gz --hash=sha256:{'a' * 64}\n", "Run: uv pip compile"),
    ],
)
def test_the_content_says_which_reader_is_right(text: str, refresh: str) -> None:
    lock = parse_lock(text.encode(), PLACE)
    assert lock.refresh.startswith(refresh)
    assert lock.name == "the lock of resolve 'x'"


@pytest.mark.parametrize(
    "text, problem",
    [
        ("[metadata]\ncontent-hash = 'x'\n", "is a lock of Poetry, which is not supported. Run: "),
        ("[metadata]\ngroups = ['x']\n", "is a lock of PDM, which is not supported. Run: pdm exp"),
        ("[project]\nname = 'x'\n", "it has neither `lock-version` nor `version`. Generate it"),
        ("version = 1\nversion = 2\n", "it is not TOML ("),
        ("<<<<<<< HEAD\n{}", "it begins with b'<<<<<<< HEAD'"),
        ("", "nothing in it"),
        ('{"_meta": {}, "default": {}}', "locks/x.lock is not a PEX lock file: "),
    ],
)
def test_files_of_other_formats_are_refused_by_their_names(text: str, problem: str) -> None:
    with pytest.raises(Failure) as caught:
        parse_lock(text.encode(), PLACE)
    assert str(caught.value).startswith("locks/x.lock is ")
    assert problem in str(caught.value)


@pytest.mark.parametrize("text", [b"a = 1\xff", b"a = " + b"[" * 100_000, b"a = {" * 2000, b"["])
def test_text_that_is_not_toml_is_refused(text: bytes) -> None:
    with pytest.raises(Failure, match="x.lock is not a lock of a known format"):
        parse_lock(text, PLACE)


def test_toml_is_read_with_the_standard_library_or_tomli() -> None:
    assert read_toml(b"a = [{ b = 'c,d' }, 1]\n") == {"a": [{"b": "c,d"}, 1]}
    assert read_toml(b"a.'b.c'.\"d\".e = 1\n") == {"a": {"b.c": {"d": {"e": 1}}}}


@pytest.mark.parametrize(
    "text",
    [
        b"a" + b".a" * 20_000 + b" = 1",
        b"[a" + b" . a" * 20_000 + b"]",
        b"x = { 'a'" + b".'a'" * 20_000 + b" = 1 }",
        b'[[a."a"' + b'."a"' * 20_000 + b"]]",
    ],
)
def test_keys_of_toml_have_few_parts(text: bytes) -> None:
    with pytest.raises(ValueError, match="a key of more than 32 parts"):
        read_toml(text)


def test_texts_with_many_dots_are_not_keys() -> None:
    text = "." * 100 + " 1.2.3 a.b.c " * 40
    assert read_toml(f'a = "{text}"\nb = """\n{text}\n"""\n'.encode())["b"].strip() == text.strip()


@pytest.mark.parametrize(
    "text, name",
    [
        (b"[project]\nname = 'x'\n", "x"),
        (b"[project]\nname = '../x'\n", ""),
        (b"[project]\n", ""),
        (b"project = 1\n", ""),
        (b"[tool.x]\n", ""),
        (b"[", ""),
    ],
)
def test_the_name_of_a_project(text: bytes, name: str) -> None:
    assert project_name(text) == name


@pytest.mark.parametrize(
    "index, url",
    [
        ("https://h.invalid/simple", "https://h.invalid/simple"),
        ("ours=https://h.invalid/simple", "https://h.invalid/simple"),
        ("https://h.invalid/simple?a=b", "https://h.invalid/simple?a=b"),
    ],
)
def test_indexes_may_have_names(index: str, url: str) -> None:
    assert index_url(index) == url
