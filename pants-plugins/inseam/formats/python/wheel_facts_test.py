from __future__ import annotations

from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.formats.python.wheel import install_wheel
from inseam.formats.python.wheel_facts import (
    WHEEL_FACTS,
    Licence,
    WheelFacts,
    dump_facts,
    facts_of,
    load_facts,
)
from inseam.formats.python.wheel_testing import build_wheel
from inseam.formats.python.wheel_tree import read_tree

METADATA = b"""\
Metadata-Version: 2.4
Name: demo
Version: 1.0
License-Expression: MIT OR
 Apache-2.0
License: see LICENSE
License-File: LICENSE
License-File: licenses/x.txt
Classifier: Programming Language :: Python
Classifier: License :: OSI Approved :: MIT License
Requires-Dist: one>=1
Requires-Dist: two; extra == "x"

License: not a header
"""


def test_licence_and_requirements_are_those_of_metadata() -> None:
    site = "opt/venv/lib/python3.11/site-packages"
    bill = f"{site}/demo-1.0.dist-info/sboms/bom.json"
    facts = facts_of(METADATA, [(f"{site}/demo.py", 10), (bill, 5)])
    assert facts == WheelFacts(
        15,
        2,
        Licence(
            "MIT OR Apache-2.0",
            "see LICENSE",
            ("License :: OSI Approved :: MIT License",),
            ("LICENSE", "licenses/x.txt"),
        ),
        ("one>=1", 'two; extra == "x"'),
        (bill,),
    )
    assert load_facts(dump_facts(facts)) == facts


def test_an_installed_wheel_says_what_it_is(tmp_path: Path) -> None:
    files = {
        "demo.py": b"x = 1\n",
        "data.bin": b"12345",
        "demo-1.0.dist-info/METADATA": METADATA,
        "demo-1.0.dist-info/sboms/bom.json": b"{}",
    }
    wheel = build_wheel(tmp_path, files=files, omit=("METADATA",))
    install_wheel(wheel, tmp_path / "out")
    facts = load_facts((tmp_path / "out" / WHEEL_FACTS).read_bytes())
    tree = read_tree(tmp_path / "out")
    assert facts.files == len(tree.files)
    assert facts.licence.expression == "MIT OR Apache-2.0"
    assert [path.rpartition("/")[2] for path in facts.sboms] == ["bom.json"]
    padded = sum(file.end - file.start for file in tree.files)
    assert 0 < facts.size < padded


def test_a_wheel_without_metadata_has_a_size() -> None:
    assert facts_of(b"", [("a", 3)]) == WheelFacts(3, 1)


def test_what_is_endless_is_cut() -> None:
    facts = facts_of(b"License: " + b"x" * 100_000 + b"\n" + b"Requires-Dist: a\n" * 5000, [])
    assert len(facts.licence.text) == 2000
    assert len(facts.requires) == 2000


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"size": "x"}'])
def test_other_text_is_refused(text: bytes) -> None:
    with pytest.raises(Failure):
        load_facts(text)
