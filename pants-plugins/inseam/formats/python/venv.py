"""Describes the virtual environment at /opt/venv in every service image (PEP 405)."""

from __future__ import annotations

import keyword
import posixpath

from inseam.formats.cpython import is_free_threaded
from inseam.formats.tar import EXECUTABLE_MODE, Member

VENV = "opt/venv"
SCRIPTS = f"{VENV}/bin"
APP = "app"

_SCRIPT = """\
#!/{venv}/bin/python
# -*- coding: utf-8 -*-
import sys
from {module} import {name}
if __name__ == "__main__":
    if sys.argv[0].endswith("-script.pyw"):
        sys.argv[0] = sys.argv[0][:-11]
    elif sys.argv[0].endswith(".exe"):
        sys.argv[0] = sys.argv[0][:-4]
    sys.exit({attribute}())
"""

# For modules that no import statement can name, such as those in a folder `my-service`.
_SCRIPT_BY_NAME = """\
#!/{venv}/bin/python
# -*- coding: utf-8 -*-
import sys
from importlib import import_module
if __name__ == "__main__":
    sys.exit(import_module({module!r}).{attribute}())
"""

_MODULE_SCRIPT = """\
#!/{venv}/bin/python
# -*- coding: utf-8 -*-
import runpy
if __name__ == "__main__":
    runpy.run_module({module!r}, run_name="__main__", alter_sys=True)
"""


def site_packages(minor: tuple[int, int]) -> str:
    """The image path of site-packages for CPython `minor`, relative to the root."""
    return f"{VENV}/lib/python{minor[0]}.{minor[1]}/site-packages"


def console_script(module: str, attribute: str) -> bytes:
    """The text of a console script, as other installers write it for a POSIX venv. There are other
    forms for a module that no import statement can name, and, without an attribute, for running the
    module.
    """
    if not attribute:
        return _MODULE_SCRIPT.format(venv=VENV, module=module).encode()
    name = attribute.split(".")[0]
    parts = module.split(".")
    importable = all(part.isidentifier() and not keyword.iskeyword(part) for part in parts)
    text = _SCRIPT if importable else _SCRIPT_BY_NAME
    return text.format(venv=VENV, module=module, name=name, attribute=attribute).encode()


def skeleton(interpreter: str, version: str) -> list[Member]:
    """The files that make a venv from installed wheels: configuration, interpreter links, and the
    path to /app.

    interpreter: absolute path in the image. version: its version without the patch release, such as
    "3.11", so that the layer does not change with each patch release of a base.
    """
    owner = "the venv"
    minor = (int(version.split(".")[0]), int(version.split(".")[1]))
    config = (
        f"home = {posixpath.dirname(interpreter)}\n"
        "implementation = CPython\n"
        f"version = {version}\n"
        "include-system-site-packages = false\n"
    )
    links = {
        f"{VENV}/bin/python": interpreter,
        f"{VENV}/bin/python3": "python",
        f"{VENV}/bin/python{minor[0]}.{minor[1]}": "python",
        f"{VENV}/lib64": "lib",
    }
    if is_free_threaded(interpreter):
        # It searches folders with its own name; wheels need not be installed again for that.
        name = posixpath.basename(site_packages(minor).rpartition("/")[0])
        links[f"{VENV}/lib/{name}t"] = name
    return [
        Member(f"{VENV}/pyvenv.cfg", config.encode(), owner=owner),
        Member(f"{site_packages(minor)}/app.pth", f"/{APP}\n".encode(), owner=owner),
        *(Member(path, link=target, owner=owner) for path, target in links.items()),
    ]


def script_member(path: str, content: bytes) -> Member:
    """An executable file as the member `path`."""
    return Member(path, content, EXECUTABLE_MODE)
