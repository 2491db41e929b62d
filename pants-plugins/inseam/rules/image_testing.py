"""A repository for tests of images: a service, wheels, and bases from a local registry."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Mapping

from pants.engine.addresses import Address
from pants.testutil.rule_runner import RuleRunner

from inseam.formats.python.wheel_testing import build_wheel
from inseam.rules.rule_testing import (
    MINOR,
    PYTHON_VERSION,
    declared,
    lock_text,
    locked,
    set_options,
)
from inseam.tools.registry_testing import DOCKER, Registry, docker_image

INTERPRETER = f"/usr/local/bin/python{MINOR}"
OCI = Address("src/shop", target_name="app", generated_name="oci")
PLATFORMS = ("amd64", "arm64")


def service(**fields: Any) -> str:
    """The BUILD file of the service, with more fields."""
    given = {"entry_point": "shop.server:main", "healthcheck": "shop.probe:main", **fields}
    return declared("python_sources") + declared("python_service", name="app", **given)


def base(
    name: str, image: str, glibc: str = "2.36", python: str = PYTHON_VERSION, **fields: Any
) -> str:
    """The declaration of a base, with more fields."""
    return declared(
        "registry_base",
        name=name,
        image=image,
        interpreter=INTERPRETER,
        python_version=python,
        glibc_version=glibc,
        **fields,
    )


def add_base(registry: Registry, *files: str) -> str:
    """Pushes a base for all PLATFORMS with its interpreter and the files; returns its reference."""
    entries = [
        {
            "digest": docker_image(registry, name, files=(INTERPRETER[1:], *files)),
            "platform": {"os": "linux", "architecture": name},
        }
        for name in PLATFORMS
    ]
    digest = registry.add({"mediaType": f"{DOCKER}.list.v2+json", "manifests": entries})
    return f"registry.invalid/python:{PYTHON_VERSION}@{digest}"


def client_env(registry: Registry) -> dict[str, str]:
    """The environment in which `skopeo` is a fake that serves the test's registry."""
    return {"PATH": f"{registry.bin}{os.pathsep}{os.environ['PATH']}"}


def write_repository(runner: RuleRunner, registry: Registry) -> None:
    """Writes a service that needs the wheel `greet`, which needs `words`, and sets the options of
    the repository. The base `//:other` has the same Python as `//:base`; `//:old` has not.
    """
    image = add_base(registry, "etc/passwd")
    wheels = Path(runner.build_root, "wheels")
    requires = {"greet": ["words>=1"]}
    files = {
        "greet": {"greet.py": b"import words\nhello = str\n"},
        "words": {"words/__init__.py": b"x = 1\n"},
        "one": {"both.txt": b"1"},
        "two": {"both.txt": b"2"},
        "mask": {"shop/server.py": b"hidden = True\n"},
    }
    items = [
        locked(build_wheel(wheels, name, files=content), *requires.get(name, ()))
        for name, content in files.items()
    ]
    set_options(runner, env=client_env(registry))
    runner.write_files(
        {
            "BUILD": base("base", image)
            + base("other", add_base(registry, "etc/passwd", "etc/fixed"))
            + base("old", image, glibc="2.28"),
            "services.lock": lock_text(items),
            "3rdparty/BUILD": "\n".join(
                f"python_requirement(name={name!r}, requirements=['{name}==1.0'])" for name in files
            ),
            "src/shop/BUILD": service(),
            "src/shop/__init__.py": "",
            "src/shop/server.py": "import greet\ndef main(): ...\n",
            "src/shop/probe.py": "def main(): ...\n",
        }
    )


def configuration(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The OCI configuration of the image that a layout's files describe."""
    digest = json.loads(files["image.json"])["config_digest"]
    value: dict[str, Any] = json.loads(files[f"blobs/sha256/{digest.split(':')[1]}"])
    return value
