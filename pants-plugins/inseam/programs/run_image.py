"""Loads an image from its layout into Docker or podman, and runs it.

Usage: run_image IMAGE [ARGUMENT...]

IMAGE is a layout that `export` wrote. ARGUMENT... are options of `docker run`, such as
-p 8000:8000, and after `--` the arguments of the service. See `tools.run`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from inseam.tools.load import load
from inseam.tools.run import is_detached, run, run_options, tmpfs_options


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    image, *options = argv
    arguments: list[str] = []
    if "--" in options:
        behind = options.index("--")
        options, arguments = options[:behind], options[behind + 1 :]
    loaded = load(Path(image))
    print(f"{', '.join(loaded.references)} is in {loaded.client}.", file=sys.stderr, flush=True)
    tmpfs = tmpfs_options(loaded.client, loaded.user, loaded.writable)
    if is_detached(options) and "--rm" not in options:
        text = f"The container is kept when it ends, for `{loaded.client} logs`."
        print(f"{text} `{loaded.client} rm` removes it.", file=sys.stderr, flush=True)
    options = run_options(options, loaded.entrypoint, tmpfs)
    code = run(loaded.client, [*options, loaded.references[0], *arguments])
    if code:
        sys.exit(code)
