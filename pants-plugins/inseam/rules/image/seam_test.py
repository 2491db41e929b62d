"""A backend adds a document and a check: they touch nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Iterable

import pytest
from pants.engine.fs import DigestContents
from pants.engine.rules import collect_rules
from pants.engine.unions import UnionRule
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.compat import rule
from inseam.formats.oci.descriptor import blob_path
from inseam.formats.oci.documents import ImageDocument, referrers_tag
from inseam.formats.oci.metadata import read_metadata
from inseam.formats.python.installed import PATHS, load_paths
from inseam.formats.python.wheel_testing import build_wheel
from inseam.plan.findings import Finding, FindingKind, Severity
from inseam.rules.image.build import Packaged, PackagedRequest
from inseam.rules.image.checks import ImageCheckRequest, ImageFindings
from inseam.rules.image.dist import Exported, ExportRequest
from inseam.rules.image.documents import ImageDocumentRequest, ImageDocuments
from inseam.rules.image_testing import OCI, add_base, base, client_env, service, write_repository
from inseam.rules.rule_testing import failure, lock_text, locked, rule_runner, set_options
from inseam.tools.prune import prune
from inseam.tools.registry_testing import Registry
from inseam.tools.store import blobs_of, missing

TYPE = "application/vnd.example.bill+json"
HEAVY = FindingKind("heavy-wheel", Severity.warning, "A wheel has more than no bytes.")
METADATA = (
    b"Metadata-Version: 2.4\nName: words\nVersion: 1.0\nLicense-Expression: MIT\n"
    b"Requires-Dist: other; extra == 'x'\n"
)


class BillOfMaterials(ImageDocumentRequest):
    """Asks for a list of what is in an image."""


@rule
async def bill_of_materials(request: BillOfMaterials) -> ImageDocuments:
    contents = request.contents
    bill = {
        "image": request.image.digest,
        "platform": contents.platform,
        "wheels": [
            [one.wheel.name, one.wheel.version, one.wheel.sha256, one.facts.licence.expression]
            for one in contents.wheels
        ],
        "first party": [str(address) for address in contents.first_party],
        "entry points": [str(one) for one in contents.entry_points],
        "user": contents.run.user,
        "base": str(contents.base.base.address),
        "layers": [layer.layer.descriptor.digest for layer in contents.layers],
    }
    content = json.dumps(bill, sort_keys=True).encode()
    return ImageDocuments((ImageDocument(TYPE, content, "bill.json", attached=True),))


class WeightCheck(ImageCheckRequest):
    """Asks for heavy wheels."""

    kinds = (HEAVY,)


@rule
async def check_weight(request: WeightCheck) -> ImageFindings:
    contents = request.contents
    return ImageFindings(
        tuple(
            Finding(HEAVY, str(contents.target), one.wheel.name, f"{one.facts.size} bytes.", "Cut.")
            for one in contents.wheels
        )
    )


def backend() -> list[object]:
    """What the `register.py` of such a backend returns."""
    return [
        *collect_rules(globals()),
        UnionRule(ImageDocumentRequest, BillOfMaterials),
        UnionRule(ImageCheckRequest, WeightCheck),
    ]


REQUEST = PackagedRequest(OCI, (), "shop.oci")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry(tmp_path_factory.mktemp("seam") / "registry")


def repository(registry: Registry, more: Iterable[object] = ()) -> RuleRunner:
    runner = rule_runner(
        QueryRule(Packaged, [PackagedRequest]),
        QueryRule(Exported, [ExportRequest]),
        more=more,
    )
    set_options(runner, env=client_env(registry))
    write_repository(runner, registry)
    wheels = Path(runner.build_root, "wheels")
    files = {"words/__init__.py": b"", "words-1.0.dist-info/METADATA": METADATA}
    words = build_wheel(wheels, "words", files=files, omit=("METADATA",))
    runner.write_files(
        {
            "services.lock": lock_text([locked(words)]),
            "3rdparty/BUILD": "python_requirement(name='words', requirements=['words==1.0'])",
            "BUILD": base("base", add_base(registry, "usr/lib/libc.so.6")),
            "src/shop/server.py": "import words\ndef main(): ...\n",
            "src/shop/BUILD": service(),
        }
    )
    return runner


@pytest.fixture(scope="module")
def runner(registry: Registry) -> RuleRunner:
    return repository(registry, backend())


def test_a_document_of_a_backend_is_written_attached_and_kept(
    runner: RuleRunner, registry: Registry
) -> None:
    plain = repository(registry).request(Packaged, [REQUEST]).metadata
    exported = runner.request(Exported, [ExportRequest(REQUEST)])
    image = exported.metadata
    assert image.digest == plain.digest
    layout = Path(exported.layout)
    bill = json.loads((layout / "bill.json").read_bytes())
    assert bill["image"] == image.digest
    assert [(name, version, licence) for name, version, _, licence in bill["wheels"]] == [
        ("words", "1.0", "MIT")
    ]
    assert "src/shop/server.py" in bill["first party"]
    assert bill["user"] == "65532:65532"
    assert bill["base"] == "//:base"
    assert len(bill["layers"]) == len(image.own_layers)
    (entry,) = (one for one in image.documents if one.path == "bill.json")
    assert entry.attachment is not None
    assert not missing(layout, blobs_of(image).items())
    manifest = json.loads(blob_path(layout, entry.attachment.digest).read_bytes())
    assert manifest["subject"]["digest"] == image.digest
    index = json.loads((layout / "index.json").read_bytes())
    assert [one["annotations"]["org.opencontainers.image.ref.name"] for one in index["manifests"]][
        1:
    ] == [referrers_tag(image.digest)]
    store = layout.parent / "oci"
    prune(store, after=0, now=9e9)
    prune(store, after=0, now=9e9 + 7200)
    assert not missing(layout, blobs_of(read_metadata(layout)).items())


def own_findings(runner: RuleRunner) -> list[Finding]:
    """Those about the service, without those about its base."""
    findings = runner.request(Packaged, [REQUEST]).findings
    return [one for one in findings if one.address == "src/shop:app"]


def test_a_finding_of_a_backend_is_shown_raised_or_allowed(
    runner: RuleRunner, registry: Registry
) -> None:
    (finding,) = own_findings(runner)
    assert finding.key == "heavy-wheel:words"
    severe = "--inseam-finding-severities={'heavy-wheel': 'error'}"
    set_options(runner, severe, env=client_env(registry))
    assert "[heavy-wheel:words]" in failure(runner, Packaged, REQUEST)
    allowed = {"heavy-wheel:wor*": "it is worth it"}
    runner.write_files({"src/shop/BUILD": service(allowed_findings=allowed)})
    assert own_findings(runner) == []


def test_what_wheels_are_is_known_with_the_owner_of_each_file(
    runner: RuleRunner, registry: Registry
) -> None:
    set_options(runner, env=client_env(registry))
    (image,) = runner.request(Packaged, [REQUEST]).images
    (words,) = image.contents.wheels
    assert words.facts.requires == ("other; extra == 'x'",)
    (layer,) = image.contents.wheel_layers
    texts = {file.path: file.content for file in runner.request(DigestContents, [layer.digest])}
    files = load_paths(texts[f"{layer.folder}/{PATHS}"])
    owned = [path for path, file in files.items() if file.owner == words.wheel.filename]
    assert len(owned) == words.facts.files
    assert {file.owner for file in files.values()} == {words.wheel.filename, "the venv"}
