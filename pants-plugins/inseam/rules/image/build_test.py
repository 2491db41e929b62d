from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Iterator
from urllib.request import Request, urlopen

import pytest
from pants.backend.adhoc.adhoc_tool import GenerateFilesFromAdhocToolRequest
from pants.backend.experimental.adhoc import register as adhoc
from pants.backend.shell import register as shell
from pants.backend.shell.util_rules.shell_command import GenerateFilesFromShellCommandRequest
from pants.core.goals.package import BuiltPackage
from pants.core.goals.publish import PublishProcesses
from pants.core.goals.test import (
    BuildPackageDependenciesRequest,
    BuiltPackageDependencies,
    RuntimePackageDependenciesField,
)
from pants.core.target_types import ArchiveFieldSet
from pants.engine.addresses import Address
from pants.engine.target import GeneratedSources, Target
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.formats.oci.descriptor import BLOBS, GZIP_LAYER, ZSTD_LAYER, blob_path
from inseam.formats.oci.metadata import read_metadata as read_layout
from inseam.rules.goals.package import LayoutFieldSet, OciFieldSet
from inseam.rules.goals.publish import PublishOciFieldSet, PublishOciImage
from inseam.rules.image.build import OciImage, OciImageRequest, Packaged, PackagedRequest
from inseam.rules.image_testing import (
    INTERPRETER,
    OCI,
    add_base,
    base,
    client_env,
    configuration,
    service,
    write_repository,
)
from inseam.rules.rule_testing import (
    MINOR,
    PYTHON_VERSION,
    failure,
    files_of,
    rule_runner,
    set_options,
    tar_files,
)
from inseam.tools.registry_testing import DOCKER, Registry, docker_image
from inseam.tools.store import blobs_of, missing

IMAGE = Address("src/shop", target_name="image")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry(tmp_path_factory.mktemp("images") / "registry")


@pytest.fixture(scope="module")
def module_runner() -> RuleRunner:
    return rule_runner(
        QueryRule(OciImage, [OciImageRequest]),
        QueryRule(Packaged, [PackagedRequest]),
        QueryRule(BuiltPackage, [OciFieldSet]),
        QueryRule(PublishProcesses, [PublishOciImage]),
        QueryRule(BuiltPackage, [ArchiveFieldSet]),
        QueryRule(BuiltPackageDependencies, [BuildPackageDependenciesRequest]),
        QueryRule(GeneratedSources, [GenerateFilesFromShellCommandRequest]),
        QueryRule(GeneratedSources, [GenerateFilesFromAdhocToolRequest]),
        packages=[LayoutFieldSet],
        others=(adhoc, shell),
    )


@pytest.fixture
def runner(module_runner: RuleRunner, registry: Registry) -> RuleRunner:
    write_repository(module_runner, registry)
    return module_runner


def made(runner: RuleRunner, address: Address = OCI, platform: str = "") -> OciImage:
    return runner.request(OciImage, [OciImageRequest(address, platform)])


def packaged(runner: RuleRunner, *platforms: str, address: Address = OCI) -> Packaged:
    return runner.request(Packaged, [PackagedRequest(address, platforms, "app.oci")])


def names(image: OciImage) -> list[str]:
    """The names of the layers on the base, lowest first."""
    return [layer.name for layer in image.metadata.layers[image.metadata.base_layers :]]


def write_image(runner: RuleRunner, layers: list[str], *venv_layers: str, **fields: Any) -> None:
    """Writes the image `src/shop:image` of the layers, and the `venv_layer`s that it may name."""
    more = "".join(f", {name}={value!r}" for name, value in fields.items())
    image = f"oci_image(name='image', layers={layers!r}{more})\n"
    runner.write_files(
        {
            "src/shop/BUILD": service() + image,
            "3rdparty/layers/BUILD": "\n".join(venv_layers),
        }
    )


def venv_layer(name: str, *requirements: str, **fields: str) -> str:
    more = "".join(f", {field}={value!r}" for field, value in fields.items())
    return f"venv_layer(name={name!r}, requirements={list(requirements)!r}{more})"


# --- What is built ----------------------------------------------------------------------------


def test_a_base_without_bytecode_gets_it_in_a_layer(runner: RuleRunner, registry: Registry) -> None:
    stdlib = f"usr/local/lib/python{MINOR}"
    cached = f"{stdlib}/__pycache__/os.cpython-{MINOR.replace('.', '')}.pyc"
    without = add_base(registry, f"{stdlib}/os.py", f"{stdlib}/json/__init__.py")
    runner.write_files(
        {
            "BUILD": base("base", without)
            + base("with", add_base(registry, f"{stdlib}/os.py", cached))
            + base("plain", without, stdlib_bytecode=False),
        }
    )
    image = made(runner)
    assert image.metadata.base_layers == 4
    layer = image.metadata.layers[3]
    assert layer.name == "stdlib-bytecode"
    whole = configuration(image.files)
    assert whole["rootfs"]["diff_ids"] == [layer.diff_id for layer in image.metadata.layers]
    assert whole["history"][3]["created_by"] == "inseam stdlib-bytecode"
    # The base is still known by its digest in its registry.
    assert image.metadata.base is not None
    blob = files_of(runner, image.blobs[0])[blob_path(Path(), layer.descriptor.digest).as_posix()]
    assert set(tar_files(gzip.decompress(blob))) == {
        cached,
        f"{stdlib}/json/__pycache__/__init__.cpython-{MINOR.replace('.', '')}.pyc",
    }
    for other in ("with", "plain"):
        runner.write_files({"src/shop/BUILD": service(base=f"//:{other}")})
        assert made(runner).metadata.base_layers == 3


def test_every_field_of_a_service_arrives_in_its_image(runner: RuleRunner) -> None:
    build = service(
        args=["--verbose", "two words"],
        env={"MODE": "fast"},
        user="1234:5678",
        ports=[8000, 9000],
        init=True,
        labels={"team": "a", "org.opencontainers.image.title": "Shop"},
        repository="shops/{name}",
        registries=["one.example", "two.example:5000"],
        image_tags=["1", "latest"],
    )
    runner.write_files({"src/shop/BUILD": build})
    image = made(runner)
    assert image.metadata.target == "src/shop:app"
    assert image.metadata.references == tuple(
        f"{registry}/shops/app:{tag}"
        for registry in ("one.example", "two.example:5000")
        for tag in ("1", "latest")
    )
    whole = configuration(image.files)
    assert (whole["os"], whole["architecture"]) == ("linux", "amd64")
    assert whole["rootfs"]["diff_ids"] == [layer.diff_id for layer in image.metadata.layers]
    config = whole["config"]
    assert config["User"] == "1234:5678"
    assert config["WorkingDir"] == "/app"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Entrypoint"][-1] == "/opt/venv/bin/entrypoint"
    assert "tini" in config["Entrypoint"][0]
    assert config["Cmd"] == ["--verbose", "two words"]
    assert config["Healthcheck"]["Test"] == ["CMD", "/opt/venv/bin/healthcheck"]
    assert sorted(config["ExposedPorts"]) == ["8000/tcp", "9000/tcp"]
    env = dict(variable.split("=", 1) for variable in config["Env"])
    assert env["MODE"] == "fast"
    assert env["PATH"].startswith("/opt/venv/bin:")
    assert config["Labels"]["team"] == "a"
    manifest = json.loads(image.files[f"blobs/sha256/{image.metadata.digest.split(':')[1]}"])
    assert manifest["annotations"]["org.opencontainers.image.title"] == "Shop"
    assert manifest["config"]["digest"] == image.metadata.config_digest


def test_a_service_without_a_probe_has_none(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/BUILD": service(healthcheck=None)})
    image = made(runner)
    assert "Healthcheck" not in configuration(image.files)["config"]
    assert b"Probe" not in image.files["container.yaml"]


def test_probes_are_beside_the_image_and_do_not_change_it(runner: RuleRunner) -> None:
    before = made(runner)
    runner.write_files({"src/shop/BUILD": service(probes={"readiness": "/ready"})})
    image = made(runner)
    assert image.metadata.digest == before.metadata.digest
    text = image.files["container.yaml"]
    assert b'httpGet:\n    path: "/ready"\n    port: 8000\n' in text
    assert text.count(b"exec:") == 2
    assert b"httpGet:" not in before.files["container.yaml"]


def test_the_time_of_the_source_revision_is_in_the_configuration_alone(
    runner: RuleRunner, registry: Registry
) -> None:
    before = made(runner)
    assert configuration(before.files)["created"] == "1970-01-01T00:00:00Z"
    set_options(runner, "--inseam-created=1764547200", env=client_env(registry))
    image = made(runner)
    value = configuration(image.files)
    assert value["created"] == "2025-12-01T00:00:00Z"
    assert value["history"][-1]["created"] == "2025-12-01T00:00:00Z"
    assert image.metadata.layers == before.metadata.layers
    assert image.metadata.digest != before.metadata.digest


def test_times_of_the_health_check_are_in_the_image(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/BUILD": service(healthcheck_options={"start_period": 90})})
    image = made(runner)
    assert configuration(image.files)["config"]["Healthcheck"]["StartPeriod"] == 90_000_000_000
    assert b"failureThreshold: 90\n" in image.files["container.yaml"]


def test_an_image_is_its_base_the_wheels_and_the_code(runner: RuleRunner) -> None:
    image = made(runner)
    assert image.metadata.base_layers == 2
    assert names(image) == ["deps", "app"]
    assert image.metadata.runtime.python == PYTHON_VERSION
    assert image.metadata.runtime.interpreter == INTERPRETER
    blobs = {
        path: content
        for digest in (image.code, *image.blobs)
        for path, content in files_of(runner, digest).items()
        if path.startswith("blobs/sha256/")
    }
    for layer in image.metadata.layers:
        assert layer.descriptor.media_type == GZIP_LAYER
        content = blobs[f"blobs/sha256/{layer.descriptor.digest.split(':')[1]}"]
        assert f"sha256:{hashlib.sha256(content).hexdigest()}" == layer.descriptor.digest
        assert len(content) == layer.descriptor.size


def test_layers_are_compressed_as_zstd_where_the_service_says_so(runner: RuleRunner) -> None:
    gzip = made(runner)
    runner.write_files({"src/shop/BUILD": service(compression="zstd")})
    zstd = made(runner)
    own = zstd.metadata.layers[zstd.metadata.base_layers :]
    assert [layer.descriptor.media_type for layer in own] == [ZSTD_LAYER, ZSTD_LAYER]
    assert [layer.diff_id for layer in zstd.metadata.layers] == [
        layer.diff_id for layer in gzip.metadata.layers
    ]


def test_an_image_for_two_platforms_is_an_index(runner: RuleRunner) -> None:
    image = packaged(runner, "linux/amd64", "linux/arm64")
    assert [one.platform for one in image.metadata.images] == ["linux/amd64", "linux/arm64"]
    index = json.loads(image.files[f"blobs/sha256/{image.metadata.digest.split(':')[1]}"])
    for entry, one in zip(index["manifests"], image.images):
        assert entry["digest"] == one.metadata.digest
        assert entry["platform"]["architecture"] == one.metadata.platform.split("/")[1]
        assert f"blobs/sha256/{entry['digest'].split(':')[1]}" in image.files
    amd64, arm64 = (configuration(one.files) for one in image.images)
    assert (amd64["architecture"], arm64["architecture"]) == ("amd64", "arm64")
    # Wheels and code are the same; only what is below them differs.
    own = [one.metadata.layers[one.metadata.base_layers :] for one in image.images]
    assert own[0] == own[1]


def test_an_image_may_have_shared_layers_below_those_of_a_service(runner: RuleRunner) -> None:
    write_image(
        runner,
        ["3rdparty/layers:extra", ":app#layers"],
        venv_layer("extra", "3rdparty:one"),
        entrypoint=["/bin/true"],
    )
    image = made(runner, IMAGE)
    assert names(image) == ["extra", "deps", "app"]
    assert configuration(image.files)["config"]["Entrypoint"] == ["/bin/true"]


def test_an_image_may_have_shared_layers_alone(runner: RuleRunner) -> None:
    layers = ["3rdparty/layers:a", "3rdparty/layers:b"]
    write_image(runner, layers, venv_layer("a", "3rdparty:one"), venv_layer("b", "3rdparty:words"))
    assert names(made(runner, IMAGE)) == ["a", "b"]


def test_package_writes_the_layout_with_all_its_blobs(runner: RuleRunner) -> None:
    target = runner.get_target(OCI)
    built = runner.request(BuiltPackage, [OciFieldSet.create(target)])
    assert [artifact.relpath for artifact in built.artifacts] == ["src.shop/app.oci/image.json"]
    layout = Path(runner.build_root, "dist/src.shop/app.oci")
    image = made(runner)
    assert (layout / "image.json").read_bytes() == image.files["image.json"]
    digests = [image.metadata.digest, image.metadata.config_digest]
    digests += [layer.descriptor.digest for layer in image.metadata.layers]
    for digest in digests:
        content = (layout / "blobs/sha256" / digest.split(":")[1]).read_bytes()
        assert f"sha256:{hashlib.sha256(content).hexdigest()}" == digest


# --- Names and pushes -------------------------------------------------------------------------


LAYOUTS = """
oci_layout(name="layout", image=":app#oci")
archive(name="archive", format="tar", packages=[":layout"])
shell_command(
    name="shell",
    command="cd src.shop/layout.oci-layout/blobs/sha256 && sha256sum * > ../../../../sums",
    tools=["sha256sum"],
    execution_dependencies=[":layout"],
    output_files=["sums"],
    workdir="/",
)
system_binary(name="find", binary_name="find")
adhoc_tool(
    name="tool",
    runnable=":find",
    args=["src.shop/layout.oci-layout", "-type", "f"],
    execution_dependencies=[":layout"],
    stdout="found",
    workdir="/",
)
python_tests(name="tests", sources=["x_test.py"], runtime_package_dependencies=[":layout"])
"""


def test_a_whole_layout_is_a_package_for_archives_commands_tools_and_tests(
    runner: RuleRunner, tmp_path: Path
) -> None:
    runner.write_files({"src/shop/BUILD": service() + LAYOUTS, "src/shop/x_test.py": ""})
    made(runner)

    def target(name: str) -> Target:
        return runner.get_target(Address("src/shop", target_name=name))

    built = runner.request(BuiltPackage, [ArchiveFieldSet.create(target("archive"))])
    ((_, content),) = files_of(runner, built.digest).items()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(tmp_path)
    layout = tmp_path / "src.shop/layout.oci-layout"
    wanted = blobs_of(read_layout(layout))
    assert not missing(layout, wanted.items())
    files = {path.relative_to(tmp_path).as_posix() for path in layout.rglob("*") if path.is_file()}

    sources = runner.make_snapshot({})
    shelled = runner.request(
        GeneratedSources, [GenerateFilesFromShellCommandRequest(sources, target("shell"))]
    )
    (sums,) = files_of(runner, shelled.snapshot.digest).values()
    pairs = [line.split() for line in sums.decode().splitlines()]
    assert {f"sha256:{found}" for found, _ in pairs} == set(wanted)
    assert all(found == name for found, name in pairs)

    tooled = runner.request(
        GeneratedSources, [GenerateFilesFromAdhocToolRequest(sources, target("tool"))]
    )
    (found,) = files_of(runner, tooled.snapshot.digest).values()
    assert set(found.decode().split()) == files

    test = runner.get_target(
        Address("src/shop", target_name="tests", relative_file_path="x_test.py")
    )
    field = test.get(RuntimePackageDependenciesField)
    packages = runner.request(BuiltPackageDependencies, [BuildPackageDependenciesRequest(field)])
    (package,) = packages
    assert set(files_of(runner, package.digest)) == files


def test_two_images_of_one_name_are_refused_with_both_targets(runner: RuleRunner) -> None:
    write_image(runner, [":app#layers"])
    text = failure(runner, Packaged, PackagedRequest(OCI, (), "app.oci"))
    for name in ("src/shop:app", "src/shop:image", "shop:latest"):
        assert name in text
    assert "`repository`" in text
    write_image(runner, [":app#layers"], image_tags=["other"])
    assert packaged(runner).metadata.references == ("shop:latest",)


def test_a_name_that_no_registry_accepts_is_refused(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/BUILD": service(repository="a shop")})
    text = failure(runner, OciImage, OciImageRequest(OCI, ""))
    assert text.startswith("src/shop:app: ")
    assert "the repository 'a shop'" in text


def publish(runner: RuleRunner) -> PublishProcesses:
    target = runner.get_target(OCI)
    package = runner.request(BuiltPackage, [OciFieldSet.create(target)])
    request = PublishOciImage(PublishOciFieldSet.create(target), (package,))
    return runner.request(PublishProcesses, [request])


def test_an_image_is_pushed_from_its_layout(runner: RuleRunner) -> None:
    (one,) = publish(runner)
    assert one.names == ("shop:latest",)
    assert one.process is not None
    argv = one.process.process.argv
    assert "push" in argv
    assert argv[-1] == str(Path(runner.build_root, "dist/src.shop/app.oci"))


@pytest.mark.parametrize("way", ["field", "option"])
def test_an_image_that_is_not_to_be_pushed_is_not(
    runner: RuleRunner, registry: Registry, way: str
) -> None:
    if way == "field":
        runner.write_files({"src/shop/BUILD": service(skip_push=True)})
    else:
        set_options(runner, "--inseam-publish=image", env=client_env(registry))
    (one,) = publish(runner)
    assert one.process is None
    # What the user has set is named, and nothing else.
    said = {
        "field": "(by `skip_push` on src/shop:app)",
        "option": "(by [inseam].publish = 'image')",
    }
    assert one.description == said[way]


# --- What lies in dist -------------------------------------------------------------------------


@pytest.mark.parametrize("days", [14, 0])
def test_a_blob_that_no_image_needs_any_more_goes_if_that_is_wanted(
    runner: RuleRunner, registry: Registry, days: int
) -> None:
    def package() -> None:
        set_options(runner, f"--inseam-prune-after={days}", env=client_env(registry))
        runner.request(BuiltPackage, [OciFieldSet.create(runner.get_target(OCI))])

    package()
    store = Path(runner.build_root, "dist/oci")
    needed = set((store / BLOBS).iterdir())
    unused = store / BLOBS / hashlib.sha256(b"old").hexdigest()
    unused.write_bytes(b"old")
    # It was without an image as long ago as that was last looked at.
    (store / "unused.json").write_text(json.dumps({unused.name: time.time() - 15 * 24 * 3600}))
    os.utime(store / "unused.json", (0, 0))
    package()
    assert set((store / BLOBS).iterdir()) == needed | ({unused} if days == 0 else set())
    unused.unlink(missing_ok=True)


# --- What does not go together ----------------------------------------------------------------


@pytest.mark.parametrize(
    "layers, declared, texts",
    [
        pytest.param(
            ["3rdparty/layers:a", ":app#layers"],
            [venv_layer("a", "3rdparty:one", base="//:old")],
            ["3rdparty/layers:a", "glibc 2.28", "//:base", "glibc 2.36", "`base`"],
            id="a shared layer for another base",
        ),
        pytest.param(
            ["3rdparty/layers:a"],
            [venv_layer("a", "3rdparty:one", base="//:old")],
            ["3rdparty/layers:a", "//:base"],
            id="a shared layer alone for another base",
        ),
        pytest.param(
            ["3rdparty/layers:a", ":app#layers"],
            [venv_layer("a", "3rdparty:words")],
            ["'a'", "'deps'", "words"],
            id="a distribution that the service has too",
        ),
        pytest.param(
            ["3rdparty/layers:a", "3rdparty/layers:b"],
            [venv_layer("a", "3rdparty:words"), venv_layer("b", "3rdparty:greet")],
            ["'a'", "'b'", "words"],
            id="a distribution in two shared layers",
        ),
        pytest.param(
            ["3rdparty/layers:deps", ":app#layers"],
            [venv_layer("deps", "3rdparty:one")],
            ["'deps'"],
            id="the name of a layer of the service",
        ),
        pytest.param(
            ["3rdparty/layers:app", ":app#layers"],
            [venv_layer("app", "3rdparty:one")],
            ["'app'"],
            id="the name of the layer of code",
        ),
        pytest.param(
            ["3rdparty/layers:a", "3rdparty/layers:b"],
            [venv_layer("a", "3rdparty:one"), venv_layer("b", "3rdparty:two")],
            ["one 1.0 and two 1.0 both install both.txt", "layers:b -> two 1.0"],
            id="a file that another layer hides",
        ),
        pytest.param(
            ["3rdparty/layers:a", ":app#layers"],
            [venv_layer("a", "3rdparty:mask")],
            ["shop/server.py", "mask-1.0-py3-none-any.whl"],
            id="code that a shared layer hides",
        ),
        pytest.param(
            [":app#layers", "3rdparty/layers:a"],
            [venv_layer("a", "3rdparty:one")],
            ["`layers`", "`python_service`", "last"],
            id="code below wheels",
        ),
        pytest.param(
            ["3rdparty:words"],
            [],
            ["3rdparty:words, a `python_requirement`"],
            id="what is not a layer",
        ),
    ],
)
def test_layers_that_do_not_go_together_are_refused(
    runner: RuleRunner, layers: list[str], declared: list[str], texts: list[str]
) -> None:
    write_image(runner, layers, *declared)
    error = failure(runner, OciImage, OciImageRequest(IMAGE, ""))
    for text in ("src/shop:image: ", *texts):
        assert text in error


def test_a_service_is_no_requirement_of_a_shared_layer(runner: RuleRunner) -> None:
    write_image(runner, ["3rdparty/layers:a"], venv_layer("a", "src/shop:app"))
    error = failure(runner, OciImage, OciImageRequest(IMAGE, ""))
    assert "3rdparty/layers:a: `requirements` has src/shop:app, a `python_service`" in error


def test_the_code_of_another_base_is_refused(runner: RuleRunner) -> None:
    write_image(runner, [":app#layers"], base="//:old")
    error = failure(runner, OciImage, OciImageRequest(IMAGE, ""))
    for text in ("src/shop:image: ", "code", "//:base (linux/amd64, ", "//:old ("):
        assert text in error


def test_the_code_of_another_base_with_the_same_python_fits(runner: RuleRunner) -> None:
    write_image(runner, [":app#layers"], base="//:other")
    image = made(runner, IMAGE)
    assert image.metadata.layers[-2:] == made(runner).metadata.layers[-2:]
    assert image.metadata.base != made(runner).metadata.base


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The address of an empty registry on this machine."""
    program = shutil.which("docker-registry")
    if program is None or shutil.which("skopeo") is None:
        pytest.skip("needs docker-registry and skopeo (Debian: apt-get install)")
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        found = f"127.0.0.1:{free.getsockname()[1]}"
    config = tmp_path / "registry.yml"
    config.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path / 'blobs'}}}}}\n"
        f"http: {{addr: '{found}'}}\n"
    )
    output = subprocess.DEVNULL
    server = subprocess.Popen([program, "serve", str(config)], stdout=output, stderr=output)
    try:
        for _ in range(100):
            with closing(socket.socket()) as asked:
                if asked.connect_ex(("127.0.0.1", int(found.split(":")[1]))) == 0:
                    break
            time.sleep(0.1)
        yield found
    finally:
        server.kill()
        server.wait()


def send(method: str, url: str, content: bytes = b"", kind: str = "") -> str:
    """Sends a request of the OCI distribution-spec; returns the header `Location` of the answer."""
    headers = {"Content-Type": kind or "application/octet-stream"}
    with urlopen(Request(url, content, headers, method=method), timeout=10) as answer:
        return str(answer.headers["Location"])


def test_a_base_comes_from_a_real_registry(
    runner: RuleRunner, registry: Registry, address: str
) -> None:
    digest = docker_image(registry, files=(INTERPRETER[1:],))
    blobs = [path.read_bytes() for path in (registry.layers(digest) / BLOBS).iterdir()]
    for blob in [*blobs, registry.document(f"{digest}.config")]:
        place = send("POST", f"http://{address}/v2/python/blobs/uploads/")
        send("PUT", f"{place}&digest=sha256:{hashlib.sha256(blob).hexdigest()}", blob)
    manifest = registry.document(digest)
    send("PUT", f"http://{address}/v2/python/manifests/3", manifest, f"{DOCKER}.v2+json")
    set_options(runner, env={"PATH": os.environ["PATH"]})
    runner.write_files({"BUILD": base("base", f"{address}/python:3@{digest}")})
    image = made(runner)
    assert image.metadata.base is not None
    assert image.metadata.base.name == f"{address}/python:3"
    assert image.metadata.base.digest == digest
    held = {path for digest in image.blobs for path in files_of(runner, digest)}
    for layer in image.metadata.layers[: image.metadata.base_layers]:
        assert f"{BLOBS}/{layer.descriptor.digest.split(':')[1]}" in held


def test_a_base_that_the_registry_does_not_have_is_refused_by_its_address(
    runner: RuleRunner,
) -> None:
    text = Path(runner.build_root, "BUILD").read_text()
    digest = text.split("@sha256:")[1][:64]
    runner.write_files({"BUILD": text.replace(digest, "0" * 64)})
    error = failure(runner, OciImage, OciImageRequest(OCI, ""))
    assert error.startswith("//:base: ")
    assert "manifest unknown" in error
