"""/opt/venv is an ordinary virtual environment, with all that pip or importlib would read."""

from __future__ import annotations

import json

from images.services import python
from inseam.testing import Container

DISTRIBUTIONS = """
import base64, hashlib, importlib.metadata, json, os
found = {}
for each in importlib.metadata.distributions():
    files, wrong = each.files, []
    if not files:
        wrong.append("no RECORD")
    for file in files or ():
        path = each.locate_file(file)
        if not os.path.isfile(path):
            wrong.append(f"{file} is missing")
            continue
        data = open(path, "rb").read()
        if file.size is not None and file.size != len(data):
            wrong.append(f"{file} has another size")
        if file.hash is not None:
            digest = hashlib.new(file.hash.mode, data).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
                wrong.append(f"{file} has another hash")
    found[each.name] = [each.version, each.read_text("INSTALLER"), wrong]
print(json.dumps(found))
"""


def test_its_interpreter_is_that_of_a_venv(container: Container) -> None:
    code = """
import json, os, sys, sysconfig
print(json.dumps([sys.prefix, sys.base_prefix, sys.executable, os.readlink("/opt/venv/bin/python"),
                  sysconfig.get_path("purelib"), [path for path in sys.path if path]]))
"""
    prefix, base, executable, link, packages, path = json.loads(python(container, code))
    assert (prefix, base, executable) == ("/opt/venv", "/usr", "/opt/venv/bin/python")
    assert link == "/usr/bin/python3.11"
    assert packages == "/opt/venv/lib/python3.11/site-packages"
    assert path[-2:] == [packages, "/app"]


def test_its_configuration_names_the_interpreter(container: Container) -> None:
    text = python(container, "print(open('/opt/venv/pyvenv.cfg').read())")
    config = dict(line.split(" = ", 1) for line in text.split("\n") if line)
    assert config["home"] == "/usr/bin"
    assert config["include-system-site-packages"] == "false"
    version = python(container, "import platform; print(platform.python_version())").strip()
    assert f"{version}.".startswith(f"{config['version']}.")


def test_console_scripts_start_its_interpreter(container: Container) -> None:
    code = """
import glob
for path in glob.glob("/opt/venv/bin/*"):
    start = open(path, "rb").read(100)
    if not start.startswith(b"\\x7fELF"):
        print(path.rpartition("/")[2], start.split(b"\\n")[0].decode())
"""
    scripts = dict(line.split(" ", 1) for line in python(container, code).splitlines())
    assert {"entrypoint", "healthcheck"} <= set(scripts)
    assert set(scripts.values()) == {"#!/opt/venv/bin/python"}


def test_every_entry_point_of_a_distribution_is_a_script(container: Container) -> None:
    code = """
import importlib.metadata, os
for each in importlib.metadata.entry_points(group="console_scripts"):
    if not os.access("/opt/venv/bin/" + each.name, os.X_OK):
        print(each.name)
"""
    assert python(container, code) == ""


def test_importlib_metadata_sees_distributions_whose_record_is_right(
    containers: dict[str, Container]
) -> None:
    found = {
        name: json.loads(python(container, DISTRIBUTIONS)) for name, container in containers.items()
    }
    assert found["service"] == {}
    assert {"fastapi", "uvicorn", "pydantic", "starlette"} <= set(found["catalog"])
    assert {"numpy", "pandas", "pyarrow"} <= set(found["reports"])
    wrong = {
        name: files
        for distributions in found.values()
        for name, (_, installer, files) in distributions.items()
        if files or not installer
    }
    assert wrong == {}
