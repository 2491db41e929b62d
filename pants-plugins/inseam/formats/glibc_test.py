from __future__ import annotations

import pytest

from inseam.formats.failure import Failure
from inseam.formats.glibc import GlibcVersion, parse_glibc


def test_a_version_is_written_as_it_is_read() -> None:
    assert str(parse_glibc("2.36")) == "2.36"


def test_versions_are_ordered_by_number() -> None:
    assert parse_glibc("2.9") < parse_glibc("2.36") < GlibcVersion(2, 100)


@pytest.mark.parametrize("text", ["", "2", "2.36.1", "2.x", "glibc 2.36", "2.36\n", "9" * 99])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(Failure, match="is not a version of glibc"):
        parse_glibc(text)
