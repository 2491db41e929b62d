from __future__ import annotations

from pathlib import Path

from inseam.formats.python.installed import (
    PATHS,
    Installed,
    InstalledFiles,
    first_name,
    load_names,
    read_paths,
    write_names,
    write_paths,
)

SITE = "opt/venv/lib/python3.11/site-packages"


def test_paths_are_read_as_they_were_written(tmp_path: Path) -> None:
    files = {
        "opt/venv/a b.py": Installed("ab" * 32, "a 1.whl"),
        "opt/venv/ü\u2028\x85\x0c\r.txt": Installed("cd" * 32, "b.whl"),
        "opt/venv/\udcff": Installed("ef" * 32, "a 1.whl"),
        "= odd": Installed("01" * 32, "the venv"),
    }
    write_paths(files, tmp_path / "paths.txt")
    assert read_paths(tmp_path / "paths.txt") == files


def test_the_order_of_paths_does_not_matter(tmp_path: Path) -> None:
    files = {
        name: Installed("ab" * 32, owner) for name, owner in (("b", "x"), ("a", "y"), ("c", "x"))
    }
    write_paths(files, tmp_path / "one")
    write_paths(dict(reversed(list(files.items()))), tmp_path / "other")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def layer(folder: Path, *paths: str) -> Path:
    files = {path: Installed("ab" * 32, f"{folder.name}.whl") for path in paths}
    write_paths(files, folder / PATHS)
    return folder


def installed(tmp_path: Path) -> InstalledFiles:
    layers = [
        layer(
            tmp_path / "one",
            "opt/venv/bin/tool",
            f"{SITE}/pkg/__init__.py",
            f"{SITE}/pkg/inner/fast.cpython-311-x86_64-linux-gnu.so",
            f"{SITE}/pkg-1.0.dist-info/METADATA",
        ),
        layer(
            tmp_path / "other",
            f"{SITE}/single.py",
            f"{SITE}/space/part.py",
            f"{SITE}/ünï.py",
            f"{SITE}/.hidden",
        ),
    ]
    return InstalledFiles(layers, SITE)


def test_a_file_is_found_in_any_layer_by_its_whole_path(tmp_path: Path) -> None:
    files = installed(tmp_path)
    assert files.find("opt/venv/bin/tool") == Installed("ab" * 32, "one.whl")
    assert files.find(f"{SITE}/space/part.py") == Installed("ab" * 32, "other.whl")
    assert files.find(f"{SITE}/ünï.py")
    for path in ("venv/bin/tool", "opt/venv/bin/too", "bin/tool", f"{SITE}/part.py", SITE):
        assert files.find(path) is None, path


def test_modules_are_those_of_site_packages(tmp_path: Path) -> None:
    assert installed(tmp_path).modules == {
        "pkg": f"{SITE}/pkg/__init__.py",
        "pkg/inner/fast": f"{SITE}/pkg/inner/fast.cpython-311-x86_64-linux-gnu.so",
        "single": f"{SITE}/single.py",
        "space/part": f"{SITE}/space/part.py",
        "ünï": f"{SITE}/ünï.py",
    }


def test_top_level_names_are_those_before_the_first_dot_or_slash(tmp_path: Path) -> None:
    names = {"pkg", "pkg-1", "single", "space", "ünï", ""}
    assert installed(tmp_path).top_level() == names


def test_the_venv_itself_gives_no_names(tmp_path: Path) -> None:
    folder = layer(tmp_path / "one", "opt/venv/pyvenv.cfg", "opt/venv/bin/python")
    assert InstalledFiles([folder], SITE).top_level() == frozenset()


def test_names_are_those_that_code_could_have_too(tmp_path: Path) -> None:
    files = (
        "opt/venv/bin/tool",
        "opt/venv/lib/other.py",
        f"{SITE}/pkg/__init__.py",
        f"{SITE}/pkg/inner.py",
        f"{SITE}/fast.cpython-311-x86_64-linux-gnu.so",
        f"{SITE}/\u00fc\udcff.py",
    )
    write_names(files, SITE, "opt/venv/bin", tmp_path / "names.txt")
    names = load_names((tmp_path / "names.txt").read_bytes())
    assert names == {"opt/venv/bin/tool", "pkg", "fast", "\u00fc\udcff"}


def test_a_layer_of_nothing_has_no_names(tmp_path: Path) -> None:
    write_names((), SITE, "opt/venv/bin", tmp_path / "names.txt")
    assert load_names((tmp_path / "names.txt").read_bytes()) == frozenset()


def test_the_first_name_of_a_path_is_what_import_looks_for() -> None:
    assert [first_name(path) for path in ("a/b.py", "a.py", "a.cpython-311.so", "a.b/c", "")] == [
        "a", "a", "a", "a", "",
    ]  # fmt: skip
