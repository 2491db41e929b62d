"""Services start from the bytecode in the image: nothing is compiled at start."""

from __future__ import annotations

import re

import pytest

from images.services import SERVICES, run_python
from inseam.testing import Engine, Image

_CODE = re.compile(r"# code object from '?([^'\n]+)'?")
MODULES = {"service": "service.greeting", "catalog": "catalog.app", "reports": "reports.app"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_module_comes_from_bytecode(
    container_engine: Engine, images: dict[str, Image], name: str
) -> None:
    program = f"import {MODULES[name]}, {name}.server, {name}.healthcheck"
    _, messages = run_python(container_engine, images[name], "-v", "-c", program)
    loaded = _CODE.findall(messages)
    assert [path for path in loaded if not path.endswith(".pyc")] == []
    assert any(path.startswith("/app/") for path in loaded)
    assert name == "service" or any(path.startswith("/opt/venv/lib/") for path in loaded)
