from __future__ import annotations

from pathlib import Path

from inseam.formats.debian.deb_testing import Entry, deb_bytes
from inseam.formats.rootfs.rootfs_testing import built, debs, infos


def blas(name: str, priority: int, *more: Entry) -> bytes:
    """A package that offers /usr/lib/libblas.so.3."""
    call = "update-alternatives --install /lib/libblas.so.3 libblas.so.3"
    slave = f"--slave /usr/bin/blas blas /usr/bin/{name}-blas"
    gone = f"--slave /usr/share/man/man1/blas.1 blas.1 /usr/share/man/man1/{name}.1"
    return deb_bytes(
        name,
        [
            Entry(f"./usr/lib/{name}/libblas.so.3", name.encode()),
            Entry(f"./usr/bin/{name}-blas", name.encode()),
            Entry(f"./usr/share/man/man1/{name}.1", b"page"),
            *more,
        ],
        postinst=f"{call} /usr/lib/{name}/libblas.so.3 {priority} {slave} {gone}\n",
    )


def links(folder: Path) -> dict[str, str]:
    found = {name: info.linkname for name, info in infos(folder).items() if info.issym()}
    return {name: link for name, link in found.items() if "blas" in name}


def test_the_best_alternative_is_linked_with_what_goes_with_it(tmp_path: Path) -> None:
    built(tmp_path, debs(tmp_path, a=blas("aa", 10), b=blas("bb", 100), c=blas("cc", 50)))
    assert links(tmp_path) == {
        "etc/alternatives/blas": "/usr/bin/bb-blas",
        "etc/alternatives/libblas.so.3": "/usr/lib/bb/libblas.so.3",
        "usr/bin/blas": "/etc/alternatives/blas",
        "usr/lib/libblas.so.3": "/etc/alternatives/libblas.so.3",
    }


def test_a_file_of_a_package_stays(tmp_path: Path) -> None:
    built(tmp_path, debs(tmp_path, a=blas("aa", 10, Entry("./usr/bin/blas", b"own"))))
    assert "usr/bin/blas" not in links(tmp_path)
    assert "usr/lib/libblas.so.3" in links(tmp_path)
