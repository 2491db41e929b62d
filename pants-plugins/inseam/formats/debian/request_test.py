from __future__ import annotations

import pytest

from inseam.formats.debian.control import DebianError
from inseam.formats.debian.request import Request, parse_request

LIST = """\
# Packages.
[release]
name = bookworm
architectures = arm64 amd64

[base]
hello
[debug]
tini
[init]
tini
[omit]
debconf = asks questions
"""


def test_a_list_of_packages_is_read() -> None:
    assert parse_request(LIST) == Request(
        release="bookworm",
        architectures=("amd64", "arm64"),
        groups={"base": ("hello",), "debug": ("tini",), "init": ("tini",)},
        omit={"debconf": "asks questions"},
    )


@pytest.mark.parametrize(
    "text, why",
    [
        ("", "release"),
        ("[release]\nname = bookworm\n[base]\nhello\n", "architectures"),
        ("[release]\nname = bookworm\narchitectures = amd64\n", r"\[base\] must name packages"),
        (LIST.replace("arm64 amd64", ""), "at least one architecture"),
        (LIST.replace("arm64", "../x"), "'../x' is not the name of an architecture"),
        (LIST.replace("bookworm", "../x"), "must be a code name such as `bookworm`, but is '../x'"),
        (LIST.replace("hello", "hello  # says hello"), "'hello  # says hello' is not the name"),
        (
            LIST.replace("[debug]\n", "[debug]\ntini = 1\n", 1).replace("tini\n[init]", "[init]"),
            r"\[debug\] has the line `tini = 1`",
        ),
        (LIST + "dash\n", "say why dash is left out"),
        ("hello\n", "packages.ini"),
        ("[base]\nhello\nhello\n", "packages.ini"),
    ],
)
def test_a_bad_list_is_named(text: str, why: str) -> None:
    with pytest.raises(DebianError, match=why) as caught:
        parse_request(text, "packages.ini")
    assert "packages.ini" in str(caught.value)
