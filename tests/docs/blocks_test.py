"""Checks the code blocks of the documentation: what each holds, and that commands work."""

from __future__ import annotations

import ast
import configparser
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomllib

from docs.blocks import Block, blocks, blocks_of, pages
from nested.checkout import Checkout, checkout

BLOCKS = blocks()
RUN = [block for block in BLOCKS if not block.language and not block.reason]


def _place(block: Block) -> str:
    return block.place


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout with the new files that the pages show, where they also show commands to run."""
    copied = checkout(tmp_path_factory.mktemp("docs") / "repository")
    with_commands = {block.page for block in RUN}
    for block in BLOCKS:
        path = copied.root / block.file
        if block.page in with_commands and block.file and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
    copied.pants("roots")  # starts the daemon, for which a busy machine needs more than one try
    yield copied
    copied.remove()


def test_each_page_is_there() -> None:
    found = {str(page) for page in pages()}
    assert found >= {
        "README.md",
        "docs/images.md",
        "docs/decisions/README.md",
        "examples/README.md",
    }
    assert RUN, "no block is run"


@pytest.mark.parametrize("block", BLOCKS, ids=_place)
def test_a_block_holds_what_its_language_says(block: Block) -> None:
    if block.language == "python":
        ast.parse(block.text)
    elif block.language == "toml":
        tomllib.loads(block.text)
    elif block.language == "json":
        json.loads(block.text)
    elif block.language == "ini":
        configparser.ConfigParser(allow_no_value=True).read_string(block.text)
    elif block.language in ("", "bash"):
        subprocess.run(["bash", "-n", "-c", block.text], check=True)
    else:
        assert block.language in ("text", "yaml"), "an unknown language"


def _lines(page: str) -> set[str]:
    """The lines of a page's blocks of commands and code, without comments."""
    shown = [block for block in BLOCKS if block.page == page and block.language != "text"]
    lines = (line for block in shown for line in block.text.splitlines())
    return {re.split(r"\s+# ", line)[0] for line in lines if line.strip()}


def test_the_first_page_shows_the_same_in_russian() -> None:
    english, russian = _lines("README.md"), _lines("README.ru.md")
    assert english - russian == set()
    headings = [
        [line for line in Path(page).read_text().splitlines() if line.startswith("## ")]
        for page in ("README.md", "README.ru.md")
    ]
    assert len(headings[0]) == len(headings[1])


@pytest.mark.parametrize("block", RUN, ids=_place)
def test_the_commands_of_a_block_work(repository: Checkout, block: Block) -> None:
    program = block.text.split()[0]
    if "/" not in program and shutil.which(program) is None:
        pytest.skip(f"needs {program}")
    result = subprocess.run(
        ["bash", "-euc", block.text],
        cwd=repository.root,
        env=repository.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-8000:]


def test_a_reason_belongs_to_the_block_below_it() -> None:
    text = "a\n\n<!-- not run: slow -->\n```\none\n```\n\n```\ntwo\n```\n```toml\n# a/b\n```\n"
    one, two, three = blocks_of("x.md", text)
    assert (one.place, one.text, one.reason) == ("x.md:5", "one\n", "slow")
    assert (two.text, two.reason) == ("two\n", "")
    assert (three.language, three.file) == ("toml", "a/b")


def test_a_page_has_no_block_that_is_not_found() -> None:
    for page in pages():
        fences = sum(line.startswith("```") for line in page.read_text().splitlines())
        assert fences == 2 * len([block for block in BLOCKS if block.page == str(page)]), page


def test_files_of_pages_are_below_the_root() -> None:
    assert not [block.place for block in BLOCKS if ".." in Path(block.file).parts]
