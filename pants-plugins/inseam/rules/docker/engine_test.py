from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.engine.env_vars import EnvironmentVars
from pants.engine.fs import AddPrefix, CreateDigest, Digest
from pants.engine.process import Process
from pants.engine.unions import UnionMembership, UnionRule

from inseam.compat import (
    add_prefix,
    create_digest,
    digest_subset_to_digest,
    environment_vars_subset,
    execute_process,
    merge_digests,
    resolve_target,
    resolve_unparsed_address_inputs,
)
from inseam.formats.failure import Failure
from inseam.formats.glibc import GlibcVersion
from inseam.formats.oci.layer import Layer
from inseam.plan.findings import Finding
from inseam.plan.platform import PythonPlatform
from inseam.rules.base.base import Base
from inseam.rules.docker.engine import (
    DepsImageRequest,
    EngineImageRequest,
    StartImage,
    deps_image,
    engine_base,
    engine_image,
)
from inseam.rules.generate.base import service_of
from inseam.rules.image.check_libraries import MISSING_LIBRARY, LibraryCheck
from inseam.rules.image.checks import ImageCheckRequest, ImageFindings, check_image
from inseam.rules.image.contents import ImageContents
from inseam.rules.layers.layer import StoredLayer
from inseam.rules.layers.rootfs import RootfsLayer, rootfs_layer
from inseam.rules.layers.service import dependency_layers
from inseam.rules.rule_testing import run_mocked
from inseam.targets.layer import VenvLayersTarget


def layer(name: str, content: str) -> StoredLayer:
    return StoredLayer(Layer(name, f"sha256:{content * 64}", 7), Digest(content * 64, 7))


REQUEST = EngineImageRequest(
    name="inseam/deps",
    start="inseam/debian:1234",
    layers=(layer("a", "1"), layer("deps", "2")),
    of=Address("src/shop", target_name="app"),
)


@dataclass
class Engine:
    """A Docker engine that knows some images, or that does not run."""

    images: set[str] = field(default_factory=set)
    running: bool = True
    calls: list[Process] = field(default_factory=list)
    dockerfiles: list[str] = field(default_factory=list)
    contexts: list[AddPrefix] = field(default_factory=list)

    def run(self, process: Process) -> Any:
        self.calls.append(process)
        command = process.argv[1]
        if "build" in process.argv[1:3] and self.running:
            self.images.add(process.argv[process.argv.index("--tag") + 1])
            return SimpleNamespace(exit_code=0, stderr=b"")
        if command == "image" and process.argv[-1] in self.images:
            return SimpleNamespace(exit_code=0, stderr=b"")
        return SimpleNamespace(exit_code=1, stderr=b"Cannot connect to the Docker daemon.\n")

    def create(self, request: CreateDigest) -> Digest:
        for file in request:
            self.dockerfiles.append(getattr(file, "content", b"").decode())
        return Digest("cd" * 32, 8)

    def put_below(self, request: AddPrefix) -> Digest:
        self.contexts.append(request)
        return Digest("fe" * 32, 10)


def made(
    engine: Engine,
    request: EngineImageRequest = REQUEST,
    *,
    podman: bool = False,
    env_vars: tuple[str, ...] = ("DOCKER_HOST",),
    **options: Any,
) -> str:
    """The name of the image that the rule makes, or finds, in the engine.

    options: of the section [docker].
    """
    binary = SimpleNamespace(
        path="/usr/bin/docker",
        extra_env={"PATH": "/bin"},
        extra_input_digests={},
        **({"is_podman": True} if podman else {}),
    )
    result: StartImage = run_mocked(
        engine_image,
        [request, binary, SimpleNamespace(**options), SimpleNamespace(env_vars=env_vars)],
        {
            environment_vars_subset: lambda request: EnvironmentVars(
                {name: "x" for name in request.requested}
            ),
            execute_process: engine.run,
            create_digest: engine.create,
            digest_subset_to_digest: lambda subset: subset.digest,
            merge_digests: lambda _: Digest("ef" * 32, 9),
            add_prefix: engine.put_below,
        },
    )
    return result.name


def commands(engine: Engine) -> list[str]:
    return [call.argv[1] for call in engine.calls]


def test_an_image_that_the_engine_lacks_is_built_from_the_tars() -> None:
    engine = Engine()
    name = made(engine)
    assert commands(engine) == ["image", "build"]
    assert engine.images == {name}
    assert name.startswith("inseam/deps:")
    assert engine.dockerfiles == [
        "FROM inseam/debian:1234\nADD layers/a/a.tar /\nADD layers/deps/deps.tar /\n"
    ]
    build = engine.calls[1]
    assert build.input_digest == Digest("fe" * 32, 10)
    assert dict(build.env) == {"PATH": "/bin", "DOCKER_HOST": "x"}


def test_an_image_that_the_engine_has_is_not_built_again() -> None:
    engine = Engine()
    name = made(engine)
    engine.calls.clear()
    assert made(engine) == name
    assert commands(engine) == ["image"]


@pytest.mark.parametrize(
    "other",
    [
        replace(REQUEST, start="inseam/debian:5678"),
        replace(REQUEST, layers=(layer("a", "3"), layer("deps", "2"))),
        replace(REQUEST, layers=(layer("deps", "2"), layer("a", "1"))),
        replace(REQUEST, name="inseam/other"),
    ],
)
def test_the_tag_is_a_hash_of_what_is_in_the_image(other: EngineImageRequest) -> None:
    assert made(Engine(), other) != made(Engine())


def test_who_wants_an_image_does_not_matter() -> None:
    other = replace(REQUEST, of=Address("src/other", target_name="app"))
    assert made(Engine(), other) == made(Engine())


def test_each_image_has_a_build_context_of_its_own_name() -> None:
    """Docker takes a file of one context for that of another one with the same name."""
    other = replace(REQUEST, layers=(layer("a", "3"), layer("deps", "2")))
    engine = Engine()
    names = [made(engine, request) for request in (REQUEST, other)]
    builds = [call for call in engine.calls if call.argv[1] == "build"]
    folders = [name.split(":")[1] for name in names]
    assert engine.contexts == [AddPrefix(Digest("ef" * 32, 9), folder) for folder in folders]
    assert [build.argv[-1] for build in builds] == folders
    assert [build.argv[-2] for build in builds] == [f"{folder}/Dockerfile" for folder in folders]


def test_builds_follow_the_options_that_newer_pants_has() -> None:
    engine = Engine()
    options: dict[str, Any] = {
        "use_buildx": True,
        "build_no_cache": True,
        "build_hosts": {"mirror": "10.0.0.2"},
    }
    name = made(engine, **options)
    assert engine.calls[1].argv[1:8] == (
        *("buildx", "build", "--load", "--no-cache", "--add-host", "mirror:10.0.0.2", "--tag"),
    )
    assert name == made(Engine(), use_buildx=False, build_no_cache=None, build_hosts=None)


def test_podman_is_given_the_names_under_which_it_keeps_images() -> None:
    engine = Engine()
    name = made(engine, podman=True)
    assert name.startswith("localhost/inseam/deps:")
    assert engine.images == {name}
    engine.calls.clear()
    assert made(engine, podman=True) == name
    assert commands(engine) == ["image"]


def test_the_path_of_the_user_comes_after_the_one_of_docker_s_tools() -> None:
    engine = Engine()
    made(engine, env_vars=("PATH",))
    assert [dict(call.env) for call in engine.calls] == [{"PATH": "/bin:x"}] * 2


def test_without_an_engine_the_error_names_the_service_and_the_next_step() -> None:
    with pytest.raises(Failure) as error:
        made(Engine(running=False))
    text = str(error.value)
    assert text.startswith("src/shop:app: `docker build` of inseam/deps:")
    assert "docker info" in text.replace("\n", " ")
    assert text.endswith("Cannot connect to the Docker daemon.")


@pytest.mark.parametrize("is_debian", [True, False])
def test_libraries_are_checked_if_the_base_is_made_here(is_debian: bool) -> None:
    """What a base of a registry has, Docker alone knows."""
    asked: list[ImageContents] = []
    finding = Finding(MISSING_LIBRARY, "src/shop:app", "libfoo.so.1", "it is missing.", "Add it.")

    def check(request: ImageCheckRequest, _: Any = None) -> ImageFindings:
        asked.append(request.contents)
        return ImageFindings((finding,))

    address = Address("src/shop", target_name="app", generated_name="deps")
    platform = PythonPlatform("amd64", "3.11.2", GlibcVersion(2, 36))
    base = Base(
        Address("docker", target_name="base"), platform, "/usr/bin/python3.11", None, is_debian
    )
    layers = SimpleNamespace(
        base=base, layers=REQUEST.layers, wheel_layers=REQUEST.layers[:1], first_party=(),
        entry_points=(), missing_modules=(), prefer=(),
    )  # fmt: skip
    libraries = frozenset(["libc.so.6"])
    below = RootfsLayer(layer("rootfs", "3"), libraries, (), (), "bookworm", "", (), ())
    target = VenvLayersTarget(
        {"_service": [], "_console_scripts": ()}, service_of(address).create_generated("layers")
    )
    image = run_mocked(
        deps_image,
        [
            DepsImageRequest(address, "docker:base"),
            SimpleNamespace(enabled=tuple, finding_severities={}),
            UnionMembership.from_rules([UnionRule(ImageCheckRequest, LibraryCheck)]),
        ],
        {
            resolve_unparsed_address_inputs: lambda _: [base.address],
            engine_base: lambda _: StartImage("inseam/base:1"),
            dependency_layers: lambda _: layers,
            rootfs_layer: lambda _: below,
            resolve_target: lambda _: SimpleNamespace(target=target),
            check_image: check,
            engine_image: lambda _: StartImage("inseam/deps:1"),
        },
    )
    assert image == StartImage("inseam/deps:1", (finding,))
    (contents,) = asked
    assert contents.base.libraries == (libraries if is_debian else None)
    assert [layer.source for layer in contents.layers] == list(REQUEST.layers)
