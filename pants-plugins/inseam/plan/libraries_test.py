from __future__ import annotations

from typing import Any

import pytest

from inseam.formats.python.libraries import NeededLibrary, WheelLibraries
from inseam.plan.libraries import MissingLibrary, describe_missing, missing_libraries
from inseam.plan.runtime_libraries import RUNTIME_LIBRARIES

BOOST = "boost-1.0-cp311-cp311-linux_x86_64.whl"
NEEDS = WheelLibraries(
    ("_boost.so",),
    (
        NeededLibrary("libc.so.6", BOOST, "opt/_boost.so"),
        NeededLibrary("libgomp.so.1", BOOST, "opt/_boost.so"),
    ),
)


def missing(*layers: WheelLibraries, **more: Any) -> list[MissingLibrary]:
    options = {"runtime": {}, "ignored": (), **more}
    distributions = options.pop("distributions", ())
    there = options.pop("there", {"libc.so.6"})
    return list(missing_libraries(layers, distributions, there, **options))


def test_a_library_that_nothing_has_is_missing() -> None:
    assert missing(NEEDS) == [MissingLibrary(("libgomp.so.1",), BOOST, "opt/_boost.so")]


@pytest.mark.parametrize(
    "served",
    [
        missing(NEEDS, there={"libc.so.6", "libgomp.so.1"}),
        missing(NEEDS, WheelLibraries(("libgomp.so.1",), ())),
        missing(NEEDS, ignored=["libgomp.so.*"]),
    ],
)
def test_base_wheels_of_other_layers_and_options_serve(served: list[MissingLibrary]) -> None:
    assert served == []


def test_what_is_loaded_at_run_time_is_known_by_the_distribution() -> None:
    runtime = {"psycopg": ["libpq.so.5"], "wand": ["liba.so.6|liba.so.7"]}
    assert missing(distributions=["psycopg", "other", "wand"], runtime=runtime) == [
        MissingLibrary(("libpq.so.5",), "psycopg", ""),
        MissingLibrary(("liba.so.6", "liba.so.7"), "wand", ""),
    ]
    there = {"libpq.so.5", "liba.so.7"}
    assert not missing(distributions=["psycopg", "wand"], runtime=runtime, there=there)


@pytest.mark.parametrize("name", ["libpq-9f38e395.so.5.16", "libpq.so.5", "libpq_x86_64.so"])
def test_a_wheel_may_bring_what_is_loaded_at_run_time(name: str) -> None:
    runtime = {"psycopg": ["libpq.so.5"]}
    bundled = WheelLibraries((name,), ())
    assert not missing(bundled, distributions=["psycopg"], runtime=runtime)
    other = WheelLibraries(("libpqxx.so.5", "libpq.so-5"), ())
    assert missing(other, distributions=["psycopg"], runtime=runtime)


def test_the_text_names_wheel_library_file_and_package() -> None:
    packages = {"libgomp.so.1": "libgomp1", "liba.so.7": "liba7"}
    (gomp,) = (one for one in missing(NEEDS) if one.names == ("libgomp.so.1",))
    assert describe_missing(gomp, "docker/base:debian", packages) == (
        f"{BOOST} needs libgomp.so.1 (for /opt/_boost.so), which neither the wheels nor the base"
        " docker/base:debian have: add the Debian package libgomp1."
    )
    (wand,) = missing(distributions=["wand"], runtime={"wand": ["liba.so.6|liba.so.7"]})
    text = describe_missing(wand, "base", packages)
    assert text.startswith("wand loads liba.so.6 or liba.so.7 at run time, which neither")
    assert text.endswith("have: add the Debian package liba7.")
    assert describe_missing(gomp, "base", {}).endswith("nor the base base have.")


def test_the_table_has_normalized_names_and_sonames() -> None:
    for distribution, libraries in RUNTIME_LIBRARIES.items():
        assert distribution == distribution.lower().replace("_", "-")
        for library in libraries:
            assert all(name.startswith("lib") and ".so." in name for name in library.split("|"))
