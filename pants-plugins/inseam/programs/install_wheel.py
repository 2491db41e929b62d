"""Installs a wheel under the venv, as a tar fragment with bytecode.

Usage: install_wheel WHEEL OUT [SOURCE]

Writes the wheel tree of WHEEL (`formats.python.wheel_tree`) to the folder OUT. The output depends
only on the wheel and the running interpreter. SOURCE is what the wheel was built from, if it was
built. Errors in its RECORD that can be corrected are reported on stderr.
"""

from __future__ import annotations

import sys
from pathlib import Path

from inseam.formats.python.wheel import install_wheel


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    wheel, out, *source = argv
    install_wheel(
        Path(wheel),
        Path(out),
        lambda text: print(text, file=sys.stderr),
        source="".join(source),
    )
