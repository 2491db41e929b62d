from __future__ import annotations

import importlib
import importlib.util
import marshal
import os
import subprocess
import sys
from pathlib import Path
from types import CodeType

import pytest

from inseam.formats.python.bytecode import (
    cache_path,
    compile_module,
    compile_source,
    minor_version,
)

# All that is known to make `marshal` write the same source in other ways.
TRICKY = '''\
"""Docs."""
x = "-"; y = ""; z = b"a"; w = "é"; long = 1 << 100
def f(a, *, b=" "): return a in {1, None, "x", "yy", b"q", (1, 2), 0.5, -0.0, True}
def g(a): return a in {"yy", "x", None, 1, (1, 2), b"q", 0.5, -0.0, True}
class C:
    def method(self): return [i for i in "é" if i in {"a", "b", "("}]
    def h(self): return lambda: (yield "\\x00", {...: 1}, 1j)
'''
TRICKY += f"def many(n): return n in {set(range(0, 300 * 7919, 7919))}\n"


def compiled(source: str, path: str = "/app/x.py") -> bytes:
    data = compile_source(source.encode(), path)
    assert data is not None
    return data


def code_of(data: bytes) -> CodeType:
    code = marshal.loads(data[16:])
    assert isinstance(code, CodeType)
    return code


def nested(code: CodeType) -> list[CodeType]:
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    return [code, *(found for const in inner for found in nested(const))]


def test_the_file_is_an_unchecked_hash_pyc_of_this_interpreter() -> None:
    data = compiled("x = 1\n")
    assert data[:4] == importlib.util.MAGIC_NUMBER
    assert data[4:8] == b"\x01\0\0\0"
    assert data[8:16] == importlib.util.source_hash(b"x = 1\n")


def test_tracebacks_show_the_path_in_the_image() -> None:
    codes = nested(code_of(compiled(TRICKY, "/opt/venv/lib/x.py")))
    assert len(codes) > 5
    assert {code.co_filename for code in codes} == {"/opt/venv/lib/x.py"}


def test_the_code_does_what_the_source_says() -> None:
    namespace: dict[str, object] = {}
    exec(code_of(compiled(TRICKY)), namespace)
    f, g, many = namespace["f"], namespace["g"], namespace["many"]
    assert callable(f)
    assert callable(g)
    assert callable(many)
    for value in (1, None, "x", "yy", b"q", (1, 2), 0.5, 0.0):
        assert f(value)
        assert g(value)
    assert not f("nope")
    assert not f("inseam")
    assert many(7919 * 299)
    assert not many(3)
    assert namespace["__doc__"] == "Docs."


def test_constants_are_those_of_the_compiler() -> None:
    def constants(code: CodeType) -> list[object]:
        return [
            const
            for inner in nested(code)
            for const in inner.co_consts
            if not isinstance(const, CodeType)
        ]

    expected = compile(TRICKY, "/app/x.py", "exec", dont_inherit=True)
    found = constants(code_of(compiled(TRICKY)))
    assert found == constants(expected)
    assert [type(const) for const in found] == [type(const) for const in constants(expected)]


@pytest.mark.parametrize("size", [1, 2, 254, 255, 256, 257, 300])
def test_sets_of_every_size_survive(size: int) -> None:
    items = ", ".join(repr(f"({number})") for number in range(size))
    # A string that ends like the header of a large tuple comes right before.
    namespace: dict[str, object] = {}
    exec(code_of(compiled(f"a = '(((', 1\ndef f(x): return ('((', x in {{{items}}})\n")), namespace)
    f = namespace["f"]
    assert callable(f)
    assert f("(0)") == ("((", True)
    assert f(f"({size - 1})") == ("((", True)
    assert f(f"({size})") == ("((", False)


PROGRAM = """
import sys
from inseam.formats.python.bytecode import compile_source
for name in sys.argv[2:]:
    __import__(name)
sys.stdout.buffer.write(compile_source(open(sys.argv[1], "rb").read(), "/app/x.py"))
"""


def in_process(source: Path, *modules: str, seed: str = "random", **env: str) -> bytes:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(source), *modules],
        env={
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "PYTHONHASHSEED": seed,
            **env,
        },
        check=True,
        capture_output=True,
    ).stdout


def test_neither_hash_seed_nor_memory_addresses_nor_locale_matter(tmp_path: Path) -> None:
    source = tmp_path / "x.py"
    source.write_text(TRICKY, encoding="utf-8")
    results = {in_process(source, seed=seed) for seed in ("0", "1", "2", "random", "random")}
    results.add(in_process(source, TZ="Asia/Kathmandu", LANG="C", LC_ALL="C"))
    results.add(in_process(source, PYTHONOPTIMIZE="2", PYTHONMALLOC="malloc"))
    assert results == {compiled(TRICKY)}


def test_what_else_the_process_has_loaded_does_not_matter(tmp_path: Path) -> None:
    source = tmp_path / "x.py"
    source.write_text(TRICKY, encoding="utf-8")
    modules = ["asyncio", "http.server", "sqlite3", "unittest.mock", "xml.dom.minidom"]
    assert in_process(source, *modules) == in_process(source)


def test_what_else_the_process_holds_does_not_matter() -> None:
    before = compiled(TRICKY)
    # The process interns every short string, and holds what the code holds.
    interned = [sys.intern(chr(number)) for number in range(256)]
    held = [const for code in nested(code_of(before)) for const in code.co_consts] * 3
    assert compiled(TRICKY) == before
    del interned, held


def test_compiling_twice_gives_the_same_bytes_for_the_standard_library() -> None:
    folder = Path(os.__file__).parent
    sources = sorted(path for path in folder.glob("*.py") if path.stat().st_size < 60_000)[::3]
    before = [compile_source(path.read_bytes(), f"/x/{path.name}") for path in sources]
    for name in ("decimal", "email.message", "json", "pydoc", "turtledemo", "unittest.mock"):
        if importlib.util.find_spec(name):
            importlib.import_module(name)
    after = [compile_source(path.read_bytes(), f"/x/{path.name}") for path in sources]
    assert [path.name for path, one, two in zip(sources, before, after) if one != two] == []


@pytest.mark.parametrize(
    "source",
    [
        b"print 'Python 2'\n",
        b"def f(:\n",
        b"{{ a template }}\nx =\n",
        b"\0",
        b"# coding: nonsense\nx = 1\n",
        b"x = '\xff'\n",
        b"x = " + b"(" * 500 + b")" * 500,
        b"  x = 1\n",
    ],
)
def test_source_that_does_not_compile_has_no_bytecode(source: bytes) -> None:
    assert compile_source(source, "/app/x.py") is None


def test_warnings_of_the_compiler_are_kept_quiet(recwarn: pytest.WarningsRecorder) -> None:
    compiled("x = 1 is 1\ny = '\\d'\n")
    assert not recwarn.list


def test_asserts_and_docstrings_are_kept() -> None:
    names = nested(code_of(compiled("def f(x):\n 'docs'\n assert x\n")))
    assert "docs" in names[1].co_consts


@pytest.mark.parametrize(
    "path, expected",
    [
        ("x.py", "__pycache__/x.cpython-311.pyc"),
        ("a/b/__init__.py", "a/b/__pycache__/__init__.cpython-311.pyc"),
        ("a/b.c.py", "a/__pycache__/b.c.cpython-311.pyc"),
    ],
)
def test_where_cpython_looks_for_bytecode(path: str, expected: str) -> None:
    assert cache_path(path, (3, 11)) == expected


def test_bytecode_is_where_this_interpreter_looks() -> None:
    assert cache_path("a/b.py", minor_version()) == importlib.util.cache_from_source("a/b.py")


def test_an_interpreter_uses_it_though_the_source_is_newer_and_different(tmp_path: Path) -> None:
    source = tmp_path / "example.py"
    source.write_text("print('compiled')\n")
    cached = tmp_path / cache_path("example.py", minor_version())
    cached.parent.mkdir()
    cached.write_bytes(compiled("print('bytecode')\n", str(source)))
    os.utime(source, (2_000_000_000, 2_000_000_000))
    result = subprocess.run(
        [sys.executable, "-v", "-c", "import example"],
        cwd=tmp_path,
        env={},
        check=True,
        capture_output=True,
        text=True,
    )
    assert result.stdout == "bytecode\n"
    assert f"code object from '{cached}'" in result.stderr
    assert "# wrote" not in result.stderr
    assert os.listdir(cached.parent) == [cached.name]


@pytest.mark.parametrize("depth", [90, 499, 900, 3000])
def test_code_nested_deeply_is_compiled_as_far_as_cpython_does(depth: int) -> None:
    """Functions by the hundred, one in the other; the compiler itself gives up at some depth."""
    source = "lambda: " * depth + "frozenset"
    try:
        expected = marshal.dumps(compile(source, "/x.py", "exec"))
    except (RecursionError, MemoryError, ValueError, SyntaxError):
        assert compile_source(source.encode(), "/x.py") is None
        return
    found = compile_source(source.encode(), "/x.py")
    assert found is not None
    assert len(found) == 16 + len(expected)


def test_sets_in_code_nested_deeply_are_settled() -> None:
    source = "lambda: " * 200 + "x in {'a', 'b', None}"
    data = compile_source(source.encode(), "/x.py")
    assert data is not None
    exec(marshal.loads(data[16:]), {})


@pytest.mark.parametrize("length", [200, 239, 240, 251, 252])
def test_a_module_whose_bytecode_no_file_system_holds_has_none(length: int) -> None:
    """`.py` is shorter than `.cpython-311.pyc`."""
    found = compile_module(b"x = 1\n", f"a/{'m' * length}.py", "app", (3, 11))
    assert (found is not None) == (length + len(".cpython-311.pyc") <= 255)


def test_bytecode_of_a_module_names_its_path_in_the_image() -> None:
    found = compile_module(b"x = 1\n", "a/b.py", "app", (3, 11))
    assert found == ("a/__pycache__/b.cpython-311.pyc", compile_source(b"x = 1\n", "/app/a/b.py"))
