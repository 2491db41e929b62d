from __future__ import annotations

import csv
from importlib import metadata
from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.formats.python.dist_info import DistInfo, dist_info, dist_info_of_wheel
from inseam.formats.python.entry_point import EntryPoint
from inseam.formats.python.wheel_testing import build_wheel

MODULES = ["plug/__init__.py", "plug/impl.py"]
ENTRY_POINTS = {
    "console_scripts": ["plugctl = plug.impl:hello", "extra = plug.impl:App.run [fast]"],
    "acme.plugins": ["hello = plug.impl:hello"],
}


def read(folder: Path, info: DistInfo) -> metadata.Distribution:
    """The distribution, as Python finds it."""
    (folder / info.folder).mkdir(parents=True)
    for name, content in info.files.items():
        (folder / info.folder / name).write_bytes(content)
    (found,) = metadata.distributions(path=[str(folder)])
    return found


def test_the_arguments_of_setup_become_the_metadata(tmp_path: Path) -> None:
    info = dist_info(
        {
            "name": "Acme.Plug-in",
            "version": "2.0",
            "description": "Plugs.",
            "author": "Ada",
            "license": "MIT\nwith a second line",
            "keywords": ["a", "b"],
            "classifiers": ["Topic :: Utilities"],
            "project_urls": {"Docs": "https://acme.invalid/docs"},
            "python_requires": ">=3.9",
            "install_requires": ["anyio>=3"],
            "extras_require": {"fast": ["uvloop", "httptools; sys_platform == 'linux'"]},
            "long_description": "All of it.\n",
            "long_description_content_type": "text/plain",
        },
        MODULES,
    )
    assert info.folder == "acme_plug_in-2.0.dist-info"
    found = read(tmp_path, info)
    assert found.metadata["Name"] == "Acme.Plug-in"
    assert found.version == "2.0"
    expected = {
        "Summary": ["Plugs."],
        "Author": ["Ada"],
        "Keywords": ["a,b"],
        "Classifier": ["Topic :: Utilities"],
        "Project-URL": ["Docs, https://acme.invalid/docs"],
        "Requires-Python": [">=3.9"],
        "Description-Content-Type": ["text/plain"],
        "Provides-Extra": ["fast"],
    }
    assert {name: found.metadata.get_all(name) for name in expected} == expected
    assert found.metadata["License"].splitlines()[0] == "MIT"
    assert found.requires == [
        "anyio>=3",
        'uvloop; extra == "fast"',
        "httptools; (sys_platform == 'linux') and extra == \"fast\"",
    ]
    assert info.files["METADATA"].decode().endswith("\n\nAll of it.\n")


def test_what_setup_is_not_told_has_its_default(tmp_path: Path) -> None:
    found = read(tmp_path, dist_info({"name": "plug"}, []))
    assert (found.version, found.requires, list(found.entry_points)) == ("0.0.0", None, [])


def test_entry_points_are_found_and_console_scripts_are_told(tmp_path: Path) -> None:
    info = dist_info({"name": "plug", "version": "1", "entry_points": ENTRY_POINTS}, MODULES)
    assert info.scripts == (
        EntryPoint("extra", "plug.impl", "App.run"),
        EntryPoint("plugctl", "plug.impl", "hello"),
    )
    found = {(one.group, one.name): one.value for one in read(tmp_path, info).entry_points}
    assert found["acme.plugins", "hello"] == "plug.impl:hello"
    assert len(found) == 3


def test_record_lists_every_file_but_says_nothing_of_what_edits_change() -> None:
    info = dist_info({"name": "plug", "version": "1"}, reversed(MODULES))
    rows = list(csv.reader(info.files["RECORD"].decode().splitlines()))
    assert [row[0] for row in rows] == sorted(
        [*MODULES, *(f"{info.folder}/{name}" for name in info.files)]
    )
    unhashed = [row[0] for row in rows if row[1:] == ["", ""]]
    assert unhashed == sorted([*MODULES, f"{info.folder}/RECORD"])
    assert info.files["top_level.txt"] == b"plug\n"


def test_the_metadata_of_a_wheel_is_taken_as_it_is(tmp_path: Path) -> None:
    wheel = build_wheel(
        tmp_path, "plug", files={"plug.py": b""}, entry_points="[console_scripts]\na = plug:b\n"
    )
    info, modules = dist_info_of_wheel(wheel.name, wheel.read_bytes())
    assert (info.folder, modules) == ("plug-1.0.dist-info", ("plug.py",))
    assert info.scripts == (EntryPoint("a", "plug", "b"),)
    assert b"plug.py,,\n" in info.files["RECORD"]


def test_a_wheel_with_more_than_modules_is_refused(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, "plug", files={"plug-1.0.data/scripts/x": b"#!python\n"})
    with pytest.raises(Failure, match="files other than modules"):
        dist_info_of_wheel(wheel.name, wheel.read_bytes())
    with pytest.raises(Failure, match="not a usable wheel"):
        dist_info_of_wheel(wheel.name, b"PK")
