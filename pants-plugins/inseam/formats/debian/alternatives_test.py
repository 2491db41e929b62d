from __future__ import annotations

import pytest

from inseam.formats.debian.alternatives import Alternative, alternatives_of

RMT = Alternative("rmt", "/usr/sbin/rmt", "/usr/sbin/rmt-tar", 50)
PLAIN = "update-alternatives --install /usr/sbin/rmt rmt /usr/sbin/rmt-tar 50\n"


@pytest.mark.parametrize(
    "script",
    [
        PLAIN,
        f"if true; then\n\t{PLAIN}fi\n",
        PLAIN.replace("rmt /usr", "\\\n   rmt \\\n\t/usr"),
        PLAIN.replace("--install", "--quiet --install"),
        PLAIN.replace("50", "50 || true"),
        PLAIN.replace("50", "50 >/dev/null 2>&1"),
        'name=rmt\nwhere="/usr/sbin"\n' + PLAIN.replace("/usr/sbin/rmt-", '"$where/${name}"-'),
        "priority=50\n" + PLAIN.replace("50", "$priority"),
        PLAIN.replace("50", "50 --slave /usr/share/man/rmt.1 $x /usr/share/man/tar.1 $unset"),
    ],
)
def test_calls_with_plain_words_are_found(script: str) -> None:
    assert alternatives_of(f"#!/bin/sh\nset -e\n{script}exit 0\n") == [RMT]


def test_followers_go_with_it() -> None:
    slave = "--slave /usr/share/x x /usr/lib/x --slave /usr/share/y y /usr/lib/y"
    (found,) = alternatives_of(PLAIN.replace("50", f"50 {slave}"))
    assert found.followers == (
        ("/usr/share/x", "x", "/usr/lib/x"),
        ("/usr/share/y", "y", "/usr/lib/y"),
    )


def test_loops_are_followed() -> None:
    script = """
tools='java keytool'
base=/usr/lib/jvm/java-17
for tool in $tools jar; do
    update-alternatives --install /usr/bin/$tool $tool $base/bin/$tool 17
done
update-alternatives --install /usr/bin/jexec jexec $base/lib/jexec 17
"""
    assert [(found.name, found.target) for found in alternatives_of(script)] == [
        ("java", "/usr/lib/jvm/java-17/bin/java"),
        ("keytool", "/usr/lib/jvm/java-17/bin/keytool"),
        ("jar", "/usr/lib/jvm/java-17/bin/jar"),
        ("jexec", "/usr/lib/jvm/java-17/lib/jexec"),
    ]


@pytest.mark.parametrize(
    "script",
    [
        "",
        "update-alternatives --remove rmt /usr/sbin/rmt-tar\n",
        PLAIN.replace("/usr/sbin/rmt-tar", "$1"),
        PLAIN.replace("/usr/sbin/rmt-tar", "$(echo x)"),
        PLAIN.replace("50", ""),
        PLAIN.replace("50", "high"),
        PLAIN.replace("50", "'50"),
        PLAIN.replace("/usr/sbin/rmt-tar", "rmt-tar"),
        PLAIN.replace(" rmt ", " ../../rmt "),
        "where=$(pwd)\n" + PLAIN.replace("/usr/sbin/rmt-tar", "$where/rmt"),
    ],
)
def test_what_depends_on_more_is_not_found(script: str) -> None:
    assert alternatives_of(script) == []
