from __future__ import annotations

from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.formats.python.bytecode import minor_version
from inseam.formats.python.code_testing import write_sources
from inseam.formats.python.entry_point import EntryPoint, check_entry_point, parse_entry_point
from inseam.formats.python.sources import files_below


def check(folder: Path, files: dict[str, bytes], reference: str = "m:main") -> None:
    sources = write_sources(folder / "sources", files)
    check_entry_point(parse_entry_point(f"entrypoint={reference}"), dict(files_below(sources)))


def refused(folder: Path, why: str, files: dict[str, bytes], reference: str = "m:main") -> str:
    with pytest.raises(Failure, match=why) as failure:
        check(folder, files, reference)
    return str(failure.value)


@pytest.mark.parametrize(
    "text",
    [
        "entrypoint=m:main",
        "healthcheck=shop.web.server:App.run",
        "worker=shop.worker",
        "entrypoint=shop.api:app[uvicorn]",
        "entrypoint=shop.api:make.app()[gunicorn]",
        "healthcheck=/health?full=1",
    ],
)
def test_an_entry_point_is_read_as_it_is_written(text: str) -> None:
    assert str(parse_entry_point(text)) == text


def test_an_entry_point_says_where_its_module_and_its_console_script_are() -> None:
    entry_point = parse_entry_point("healthcheck=shop.web:App.run")
    assert entry_point == EntryPoint("healthcheck", "shop.web", "App.run")
    assert entry_point.reference == "shop.web:App.run"
    assert entry_point.files == ("shop/web/__init__.py", "shop/web.py")
    assert entry_point.console_script == "opt/venv/bin/healthcheck"


def test_of_a_module_that_is_not_first_party_nothing_is_known(tmp_path: Path) -> None:
    check(tmp_path, {"m.py": b""}, "gunicorn:main")


def test_an_unknown_function_is_answered_by_what_is_there(tmp_path: Path) -> None:
    files = {"m.py": b"import os\nX = 1\ndef run(): pass\nclass App: pass\n_hidden = 2\n"}
    why = refused(tmp_path, "names a function that", files)
    assert "`entry_point='m:main'`" in why
    assert "The module defines: App, X, os, run." in why


def test_an_empty_module_defines_nothing(tmp_path: Path) -> None:
    refused(tmp_path, "defines: nothing", {"m.py": b"# \n"})


@pytest.mark.parametrize("reference", ["m:main()", "m:a b", "m:1st", "m:a..b"])
def test_what_is_not_the_name_of_a_function_is_refused(tmp_path: Path, reference: str) -> None:
    files = {"m.py": b"def main(): pass\n"}
    refused(tmp_path, "`entry_point=.*` must name a function, such as m:main", files, reference)


@pytest.mark.parametrize(
    "source",
    [
        "def main(): pass",
        "class main: pass",
        "main = 1",
        "main: object = 1",
        "a, (b, *main) = 1, (2, 3)",
        "from x import main",
        "from x import y as main",
        "import main.sub",
        "import x as main",
        "from x import *",
        "if True:\n    def main(): pass",
        "try:\n    from a import main\nexcept ImportError:\n    main = None",
        "try:\n    pass\nexcept ImportError:\n    main = None",
        "try:\n    pass\nfinally:\n    main = None",
        "for main in (1, 2): pass",
        "while 0: pass\nelse:\n    main = 1",
        "with x() as main: pass",
        "with x():\n    main = 1",
        "print(main := 1)",
        "def setup():\n    global main\n    main = 1",
        "def __getattr__(name): return print",
    ],
)
def test_every_way_to_define_a_name_counts(tmp_path: Path, source: str) -> None:
    check(tmp_path, {"m.py": source.encode()})


@pytest.mark.parametrize(
    "source",
    [
        "class A:\n    def main(self): pass",
        "def f():\n    def main(): pass\n    main = 1",
        "f = lambda: (main := 1)",
        "x.main = 1",
        "main",
        "'def main(): pass'",
    ],
)
def test_names_inside_of_functions_and_classes_do_not_count(tmp_path: Path, source: str) -> None:
    refused(tmp_path, "does not define", {"m.py": source.encode()})


def test_the_attribute_of_a_class_may_be_the_entry_point(tmp_path: Path) -> None:
    check(tmp_path, {"m.py": b"class App:\n    run = print\n"}, "m:App.run")


def test_a_package_may_be_the_module(tmp_path: Path) -> None:
    check(tmp_path, {"m/__init__.py": b"def main(): pass\n"})


def test_a_package_wins_over_a_module_of_its_name_as_it_does_for_python(tmp_path: Path) -> None:
    files = {"m/__init__.py": b"", "m.py": b"def main(): pass\n"}
    refused(tmp_path, "does not define", files)


@pytest.mark.parametrize(
    "source, why", [(b"def main(:\n", "line 1"), (b"x = 1\0", "null byte"), (b"\xff", "code")]
)
def test_an_entry_point_that_does_not_compile_is_refused(
    tmp_path: Path, source: bytes, why: str
) -> None:
    text = refused(tmp_path, why, {"m.py": source})
    assert "does not compile with Python {}.{}:".format(*minor_version()) in text


@pytest.mark.parametrize(
    "source, why",
    [
        ("async def main(): pass", r"is `async def`.* calls asyncio.run\(main\(\)\)"),
        ("def main(argv): pass", r"main\(argv\) needs one"),
        ("def main(a, /, b, c=1): pass", r"main\(a, b\) needs 2"),
        ("def main(*args, name): pass", r"main\(name\) needs one"),
    ],
)
def test_a_function_that_a_plain_call_does_not_run_is_refused(
    tmp_path: Path, source: str, why: str
) -> None:
    refused(tmp_path, why, {"m.py": source.encode()})


@pytest.mark.parametrize(
    "source",
    [
        "def main(argv=None, *args, key=1, **kwargs): pass",
        "import click\n@click.command()\ndef main(name): pass",
        "import anyio\n@anyio.run\nasync def main(): pass",
        "def main(argv): pass\nmain = wrap(main)",
        "if x:\n    def main(): pass\nelse:\n    def main(): pass",
    ],
)
def test_a_function_that_may_be_called_without_arguments_is_accepted(
    tmp_path: Path, source: str
) -> None:
    check(tmp_path, {"m.py": source.encode()})


def test_an_application_of_a_server_may_be_async_and_have_parameters(tmp_path: Path) -> None:
    files = {"m.py": b"async def app(scope, receive, send): pass\n"}
    check(tmp_path, files, "m:app[uvicorn]")
    refused(tmp_path, "does not define", files, "m:api[uvicorn]")


def test_a_factory_is_called_without_arguments(tmp_path: Path) -> None:
    check(tmp_path, {"m.py": b"def make(level='info'): pass\n"}, "m:make()[gunicorn]")
    why = refused(tmp_path, "is called", {"m.py": b"def make(level): pass\n"}, "m:make()[gunicorn]")
    assert "make(level) needs one. Give it a default, and read the environment in" in why


def test_a_module_without_a_function_is_run_by_its_name(tmp_path: Path) -> None:
    assert parse_entry_point("entrypoint=shop").files == ("shop/__main__.py", "shop.py")
    check(tmp_path, {"m.py": b"print(1)\n"}, "m")
    refused(tmp_path, "does not compile", {"m/__main__.py": b"print(\n"}, "m")
