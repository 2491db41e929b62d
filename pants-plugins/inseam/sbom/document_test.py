"""The bill of an image is written by the library that knows the format, and attached to it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.formats.oci.descriptor import blob_path
from inseam.formats.python.wheel_testing import build_wheel
from inseam.rules.image.build import PackagedRequest
from inseam.rules.image.dist import Exported, ExportRequest
from inseam.rules.image_testing import OCI, add_base, base, client_env, service, write_repository
from inseam.rules.rule_testing import lock_text, locked, rule_runner, set_options
from inseam.sbom import register
from inseam.sbom.document import CYCLONEDX_TYPE
from inseam.tools.registry_testing import Registry

REQUEST = PackagedRequest(OCI, (), "shop.oci")
METADATA = (
    b"Metadata-Version: 2.4\nName: %s\nVersion: 1.0\nLicense-Expression: MIT\n"
    b"Requires-Dist: words; python_version > '3'\n"
)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> RuleRunner:
    registry = Registry(tmp_path_factory.mktemp("sbom") / "registry")
    runner = rule_runner(QueryRule(Exported, [ExportRequest]), more=register.rules())
    set_options(runner, env=client_env(registry))
    write_repository(runner, registry)
    wheels = Path(runner.build_root, "wheels")
    made = [
        build_wheel(
            wheels,
            name,
            files={f"{name}.py": b"", f"{name}-1.0.dist-info/METADATA": METADATA % name.encode()},
            omit=("METADATA",),
        )
        for name in ("greet", "words")
    ]
    runner.write_files(
        {
            "services.lock": lock_text([locked(made[0], "words"), locked(made[1])]),
            "3rdparty/BUILD": "python_requirement(name='greet', requirements=['greet==1.0'])",
            "BUILD": base("base", add_base(registry, "usr/lib/libc.so.6")),
            "src/shop/server.py": "import greet\ndef main(): ...\n",
            "src/shop/BUILD": service(),
        }
    )
    return runner


def exported(runner: RuleRunner) -> tuple[Exported, dict[str, Any]]:
    found = runner.request(Exported, [ExportRequest(REQUEST)])
    return found, json.loads(Path(found.layout, "sbom.cdx.json").read_bytes())


def test_the_bill_lists_what_is_in_the_image_and_nothing_twice(runner: RuleRunner) -> None:
    _, bill = exported(runner)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    components = {one["bom-ref"]: one for one in bill["components"]}
    assert len(components) == len(bill["components"])
    assert {"base", "cpython", "pypi:greet", "pypi:words", "src/shop/server.py"} <= {*components}
    words = components["pypi:words"]
    assert words["purl"] == "pkg:pypi/words@1.0"
    wheel = Path(runner.build_root, "wheels/words-1.0-py3-none-any.whl").read_bytes()
    assert words["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(wheel).hexdigest()}]
    assert words["licenses"] == [{"acknowledgement": "declared", "expression": "MIT"}]
    needed = {one["ref"]: one.get("dependsOn", []) for one in bill["dependencies"]}
    assert needed["pypi:greet"] == ["pypi:words"]
    assert "pypi:greet" in needed["image:src/shop:app"]
    assert "pypi:words" not in needed["image:src/shop:app"]


def test_the_bill_is_attached_to_the_image(runner: RuleRunner) -> None:
    found, _ = exported(runner)
    (entry,) = (one for one in found.metadata.documents if one.path == "sbom.cdx.json")
    assert entry.attachment is not None
    manifest = json.loads(blob_path(Path(found.layout), entry.attachment.digest).read_bytes())
    assert manifest["artifactType"] == manifest["layers"][0]["mediaType"] == CYCLONEDX_TYPE
    assert manifest["subject"]["digest"] == found.metadata.digest


def test_an_edit_changes_the_image_and_not_its_bill(runner: RuleRunner) -> None:
    before, bill = exported(runner)
    runner.write_files({"src/shop/server.py": "import greet\ndef main(): return 7\n"})
    after, same = exported(runner)
    assert after.metadata.digest != before.metadata.digest
    assert same == bill
