"""Installs a wheel under the venv, as a tar fragment with bytecode.

Usage: install_wheel WHEEL OUT [SOURCE]

Writes the wheel tree of WHEEL (`formats.python.wheel_tree`) to the folder OUT. What it writes
depends on the wheel and on the running interpreter alone. SOURCE is what the wheel was built from,
if it was. What is wrong with its RECORD, but can be put right, is said on stderr.
"""

from __future__ import annotations

import sys
from pathlib import Path

from inseam.formats.python.wheel import install_wheel


def main(argv: list[str]) -> None:
    """See the module's text."""
    wheel, out, *source = argv
    install_wheel(
        Path(wheel),
        Path(out),
        lambda text: print(text, file=sys.stderr),
        source="".join(source),
    )
