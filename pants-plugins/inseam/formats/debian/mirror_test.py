from __future__ import annotations

from pathlib import Path

import pytest

from inseam.formats.debian.control import DebianError
from inseam.formats.debian.mirror import find_mirrors


@pytest.mark.parametrize(
    "named, main, security",
    [
        ("http://m/debian", "http://m/debian", "http://m/debian-security"),
        ("http://m/debian/", "http://m/debian", "http://m/debian-security"),
        ("http://m", "http://m/debian", "http://m/debian-security"),
        ("http://debian/", "http://debian/debian", "http://debian/debian-security"),
        (
            "https://m/archive/debian/20250520T000000Z",
            "https://m/archive/debian/20250520T000000Z",
            "https://m/archive/debian-security/20250520T000000Z",
        ),
        ("file:///srv/mirror", "file:///srv/mirror/debian", "file:///srv/mirror/debian-security"),
    ],
)
def test_one_url_names_both_archives(named: str, main: str, security: str) -> None:
    mirrors = find_mirrors({"DEBIAN_MIRROR": named})
    assert (mirrors.of("debian"), mirrors.of("debian-security")) == ((main,), (security,))


def test_several_mirrors_are_tried_in_the_order_given() -> None:
    mirrors = find_mirrors({"DEBIAN_MIRROR": " http://b/debian  http://a/debian "})
    assert mirrors.of("debian") == ("http://b/debian", "http://a/debian")


DEB822 = """\
Types: deb
# A comment.
URIs: http://one/debian http://two/mirror/
Suites: trixie trixie-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://one/debian-security
Suites: trixie-security
Components: main

Types: deb-src
URIs: http://source/debian
Suites: trixie
Components: main

Types: deb
Enabled: no
URIs: http://disabled/debian
Suites: trixie
Components: main

Types: deb
URIs: http://others/debian
Suites: stable
Components: main
Signed-By: /usr/share/keyrings/others.gpg
"""

ONE_LINE = """\
# deb http://comment/debian bookworm main
deb http://one/debian bookworm main contrib  # trailing
deb-src http://source/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://two/debian \
bookworm-updates main
deb [ signed-by=/etc/others.gpg arch=amd64 ] http://others/debian stable main
deb http://node/deb nodistro main
deb http://ubuntu/ubuntu noble main
deb http://extra/debian bookworm contrib
deb http://one/debian-security bookworm-security main
deb cdrom:[Debian]/ bookworm main
nonsense
"""


@pytest.mark.parametrize(
    "name, text, main",
    [
        ("x.sources", DEB822, ("http://one/debian", "http://two/mirror")),
        ("x.list", ONE_LINE, ("http://one/debian", "http://two/debian")),
    ],
)
def test_apts_sources_name_the_mirrors(
    tmp_path: Path, name: str, text: str, main: tuple[str, ...]
) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / name).write_text(text)
    (tmp_path / "sources.list.d" / "x.save").write_text("deb http://save/debian sid main")
    mirrors = find_mirrors({}, str(tmp_path))
    assert mirrors.of("debian") == main
    assert mirrors.of("debian-security") == ("http://one/debian-security",)


def test_without_a_security_entry_its_mirror_is_beside_the_main_one(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://one/debian sid main\n")
    assert find_mirrors({}, str(tmp_path)).of("debian-security") == ("http://one/debian-security",)


def test_a_mirror_file_names_mirrors(tmp_path: Path) -> None:
    (tmp_path / "mirrors").write_text("http://one/debian\tpriority:1\n# no\nhttp://two/debian\n")
    (tmp_path / "sources.list").write_text(f"deb mirror+file:{tmp_path}/mirrors stable main\n")
    assert find_mirrors({}, str(tmp_path)).of("debian") == (
        "http://one/debian",
        "http://two/debian",
    )


def test_a_machine_without_debian_mirrors_is_told_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(DebianError, match="set DEBIAN_MIRROR"):
        find_mirrors({}, str(tmp_path)).of("debian")
