"""Images travel to a registry and back, whatever the registry does."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from random import Random

import pytest

from oci import tiny
from oci.programs import command, environment, run_program, succeed
from oci.proxy import PASS, Answer, Proxy, Request
from oci.registry import Registry, free_port
from oci.schema_test import make_index

BIG = 3_000_000  # bytes of a layer that takes a while


@pytest.fixture
def repository(request: pytest.FixtureRequest, registry: Registry, skopeo: str) -> str:
    """A repository that no other test uses."""
    return f"test/{abs(hash(request.node.name)) % 10**9:09d}-{os.getpid()}"


def push(
    folder: Path, reference: str, *options: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Pushes the image in dist/app under the one name."""
    tiny.rename(folder / "dist/app", reference)
    return run_program("push", *options, "dist/app", cwd=folder, env=env or {})


# -----------------------------------------------------------------------------------------------
# What a push does
# -----------------------------------------------------------------------------------------------


def test_a_pushed_image_is_complete(folder: Path, registry: Registry, repository: str) -> None:
    layout = tiny.build(folder)
    image = tiny.metadata(layout)
    result = push(folder, f"{registry.host}/{repository}:1")
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{registry.host}/{repository}@{image.digest}\n"
    assert registry.digest(repository, "1") == image.digest
    assert registry.is_complete(repository, "1")
    assert "4 of 4 blobs" in result.stderr


def test_the_bytes_sent_are_those_of_the_blobs(
    folder: Path, registry: Registry, repository: str
) -> None:
    layout = tiny.build(folder)
    image = tiny.metadata(layout)
    config = (layout / "blobs/sha256" / image.config_digest[7:]).stat().st_size
    result = push(folder, f"{registry.host}/{repository}:1")
    assert f"sent {image.compressed_size + config} bytes" in result.stderr


def test_an_unchanged_image_costs_one_request_for_its_manifest(
    folder: Path, proxy: Proxy, repository: str
) -> None:
    tiny.build(folder)
    assert push(folder, f"{proxy.host}/{repository}:1").returncode == 0
    proxy.requests.clear()
    result = push(folder, f"{proxy.host}/{repository}:1")
    assert "the registry already has it" in result.stderr
    paths = [request.path for request in proxy.requests if request.path != "/v2/"]
    assert paths == [f"/v2/{repository}/manifests/1"]


def test_an_edit_sends_only_the_small_layer(
    folder: Path, registry: Registry, repository: str
) -> None:
    tiny.build(folder)
    before = tiny.metadata(folder / "dist/app")
    assert push(folder, f"{registry.host}/{repository}:1").returncode == 0
    tiny.write_layer(folder / "app.tar", {"app/x": b"edited"})
    shutil.rmtree(folder / "app")
    succeed("compress", "--tar=app.tar", "--out=app", cwd=folder)
    tiny.put_on(folder, "base", "image")
    succeed("export", "--store=dist/oci", "--layout=dist/app", "image", "app", cwd=folder)
    after = tiny.metadata(folder / "dist/app")
    assert after.layers[:-1] == before.layers[:-1]
    result = push(folder, f"{registry.host}/{repository}:1")
    assert "2 of 4 blobs" in result.stderr
    assert registry.digest(repository, "1") == after.digest


def test_the_tag_comes_last(folder: Path, proxy: Proxy, repository: str) -> None:
    digest = tiny.metadata(tiny.build(folder)).digest
    assert push(folder, f"{proxy.host}/{repository}:1").returncode == 0
    writes = [
        request.path.rpartition("/")[2]
        for request in proxy.requests
        if request.method == "PUT" and "/manifests/" in request.path
    ]
    assert writes == [digest, "1"]
    put = proxy.requests.index(Request("PUT", f"/v2/{repository}/manifests/1"))
    assert Request("GET", f"/v2/{repository}/manifests/{digest}") in proxy.requests[:put]
    assert not [request for request in proxy.requests[put:] if request.method == "PATCH"]


def test_one_image_gets_several_names(folder: Path, registry: Registry, repository: str) -> None:
    names = [f"{registry.host}/{repository}:{tag}" for tag in ("1", "1.2", "latest")]
    layout = tiny.build(folder, references=names)
    result = run_program("push", "dist/app", cwd=folder)
    assert result.returncode == 0, result.stderr
    digest = tiny.metadata(layout).digest
    assert {registry.digest(repository, tag) for tag in ("1", "1.2", "latest")} == {digest}


def test_blobs_of_another_repository_are_mounted(
    folder: Path, registry: Registry, repository: str
) -> None:
    tiny.build(folder)
    assert push(folder, f"{registry.host}/{repository}/one:1").returncode == 0
    result = push(folder, f"{registry.host}/{repository}/two:1")
    assert "3 mounted" in result.stderr
    assert registry.is_complete(f"{repository}/two", "1")


def test_an_index_is_pushed_with_its_images(
    folder: Path, registry: Registry, repository: str
) -> None:
    layout = make_index(folder, references=[f"{registry.host}/{repository}:1"])
    result = run_program("push", "dist/index", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert registry.digest(repository, "1") == tiny.metadata(layout).digest
    assert registry.is_complete(repository, "1")


def test_an_image_without_a_name_is_not_pushed(folder: Path) -> None:
    tiny.build(folder)
    result = run_program("push", "dist/app", cwd=folder)
    assert result.returncode == 1
    assert "src/tiny:app: the image has no name to push it under" in result.stderr


# -----------------------------------------------------------------------------------------------
# Bases
# -----------------------------------------------------------------------------------------------


def pull(folder: Path, reference: str, *options: str) -> subprocess.CompletedProcess[str]:
    arguments = [
        *(f"--platform=linux/{tiny.ARCHITECTURE}", "--python=3.11.2"),
        *(f"--interpreter={tiny.RUNTIME.interpreter}", "--libc=glibc 2.36", *options, reference),
    ]
    return run_program("pull", *arguments, cwd=folder)


@pytest.fixture
def base(folder: Path, registry: Registry, repository: str) -> str:
    """A base in the registry, by digest."""
    tiny.build(folder)
    succeed("export", "--store=dist/oci", "--layout=dist/base", "base", "rootfs", cwd=folder)
    name = f"{registry.host}/{repository}/base:12"
    tiny.rename(folder / "dist/base", name)
    digest = succeed("push", "dist/base", cwd=folder).strip()
    return f"{name}@{digest.rpartition('@')[2]}"


def test_a_pulled_base_is_the_one_that_was_pushed(folder: Path, base: str) -> None:
    result = pull(folder, base, "--out=pulled")
    assert result.returncode == 0, result.stderr
    pulled, local = tiny.metadata(folder / "pulled"), tiny.metadata(folder / "base")
    assert (pulled.digest, pulled.layers) == (local.digest, local.layers)
    assert pulled.runtime == local.runtime
    assert len(list((folder / "pulled/blobs/sha256").iterdir())) == 3
    succeed("export", "--store=other/oci", "--layout=other/base", "pulled", cwd=folder)
    assert len(list((folder / "other/oci/blobs/sha256").iterdir())) == 3


def test_a_base_without_the_interpreter_that_it_declares_is_refused(
    folder: Path, base: str
) -> None:
    result = pull(folder, base, "--out=pulled", "--interpreter=/usr/bin/python3.11")
    assert result.returncode == 1
    assert f"the image {base} does not contain /usr/bin/python3.11" in result.stderr
    assert not (folder / "pulled/index.json").exists()


def test_an_image_on_a_pulled_base_is_pushed(
    folder: Path, base: str, registry: Registry, repository: str
) -> None:
    assert pull(folder, base, "--out=pulled").returncode == 0
    tiny.put_on(folder, "pulled", "image2")
    shutil.rmtree(folder / "dist/app")
    exporting = ["--store=other/oci", "--layout=dist/app", "image2", "pulled", "deps", "app"]
    succeed("export", *exporting, cwd=folder)
    result = push(folder, f"{registry.host}/{repository}/app:1")
    assert result.returncode == 0, result.stderr
    assert registry.is_complete(f"{repository}/app", "1")


def test_an_image_on_a_rebased_registry_base_equals_a_build(folder: Path, base: str) -> None:
    assert pull(folder, base, "--out=pulled").returncode == 0
    tiny.put_on(folder, "pulled", "built")
    succeed("rebase", "--base=pulled", "dist/app", "rebased", cwd=folder)
    assert tiny.metadata(folder / "rebased") == tiny.metadata(folder / "built")


def test_an_unknown_base_is_an_error(folder: Path, base: str) -> None:
    unknown = f"{base.partition('@')[0]}@sha256:{'0' * 64}"
    result = pull(folder, unknown, "--out=pulled2")
    assert result.returncode == 1
    assert result.stderr.startswith(f"{base.partition(':12@')[0]}: ")
    assert "manifest unknown" in result.stderr
    assert "Check the image's name and its digest." in result.stderr
    assert not (folder / "pulled2").exists()


def test_a_base_for_another_platform_is_an_error(folder: Path, base: str) -> None:
    result = pull(folder, base, "--platform=linux/s390x", "--out=pulled2")
    assert result.returncode == 1
    assert "but the image to build is for linux/s390x" in result.stderr


# -----------------------------------------------------------------------------------------------
# What may go wrong
# -----------------------------------------------------------------------------------------------


def fails_then_succeeds(folder: Path, proxy: Proxy, repository: str, *options: str) -> str:
    """Pushes to a proxy with a fault, which has to fail and leave no tag, then without the fault.

    Gives what the first push said.
    """
    tiny.rename(folder / "dist/app", f"{proxy.host}/{repository}:1")
    before = {path: path.stat().st_mtime_ns for path in (folder / "dist").rglob("*")}
    failed = push(folder, f"{proxy.host}/{repository}:1", *options)
    assert failed.returncode == 1, failed.stderr
    assert failed.stdout == ""
    assert "src/tiny:app: " in failed.stderr
    assert {path: path.stat().st_mtime_ns for path in (folder / "dist").rglob("*")} == before
    proxy.rule = lambda request: PASS
    again = push(folder, f"{proxy.host}/{repository}:1")
    assert again.returncode == 0, again.stderr
    return failed.stderr


def test_a_registry_that_refuses_connections(folder: Path, skopeo: str) -> None:
    tiny.build(folder)
    start = time.monotonic()
    result = push(folder, f"127.0.0.1:{free_port()}/app:1")
    assert result.returncode == 1
    assert "connection refused" in result.stderr
    assert "right registry, and does it run?" in result.stderr
    assert time.monotonic() - start < 10


def test_a_registry_that_does_not_answer(
    folder: Path, proxy: Proxy, repository: str, registry: Registry
) -> None:
    tiny.build(folder)
    proxy.rule = lambda request: Answer(hang="/manifests/" in request.path)
    start = time.monotonic()
    said = fails_then_succeeds(folder, proxy, repository, "--timeout=1")
    assert time.monotonic() - start < 15
    assert "has not answered for 1 s" in said
    assert registry.is_complete(repository, "1")


def test_a_registry_that_closes_in_the_middle_of_a_blob(
    folder: Path, proxy: Proxy, repository: str, registry: Registry
) -> None:
    tiny.build(folder, large=BIG)
    proxy.rule = lambda request: Answer(cut=1_000_000) if request.method == "PATCH" else PASS
    said = fails_then_succeeds(folder, proxy, repository)
    assert "what the registry already has is not sent again" in said
    assert registry.is_complete(repository, "1")


def test_a_connection_that_breaks_once_is_not_even_noticed(
    folder: Path, proxy: Proxy, repository: str, registry: Registry
) -> None:
    tiny.build(folder, large=BIG)
    broken: list[Request] = []

    def once(request: Request) -> Answer:
        if request.method == "PATCH" and not broken:
            broken.append(request)
            return Answer(cut=500)
        return PASS

    proxy.rule = once
    result = push(folder, f"{proxy.host}/{repository}:1")
    assert result.returncode == 0, result.stderr
    assert broken
    assert registry.is_complete(repository, "1")


def test_a_retry_sends_only_what_is_missing(folder: Path, proxy: Proxy, repository: str) -> None:
    tiny.build(folder)
    proxy.rule = lambda request: (
        Answer(503) if request.method == "PUT" and "/manifests/" in request.path else PASS
    )
    assert push(folder, f"{proxy.host}/{repository}:1").returncode == 1
    proxy.rule = lambda request: PASS
    result = push(folder, f"{proxy.host}/{repository}:1")
    assert result.returncode == 0
    assert "sent 0 bytes, 0 of 4 blobs" in result.stderr


def test_a_registry_that_gives_something_else_than_it_got(
    folder: Path, proxy: Proxy, repository: str, registry: Registry
) -> None:
    digest = tiny.metadata(tiny.build(folder)).digest

    def lie(request: Request) -> Answer:
        if request.method == "GET" and request.path.endswith(f"/manifests/{digest}"):
            return Answer(change=lambda content: content + b"\n")
        return PASS

    proxy.rule = lie
    failed = push(folder, f"{proxy.host}/{repository}:1")
    assert failed.returncode == 1
    assert f"the image {digest} was pushed, but the registry returns sha256:" in failed.stderr
    assert registry.digest(repository, "1") is None
    proxy.rule = lambda request: PASS
    assert push(folder, f"{proxy.host}/{repository}:1").returncode == 0


def test_a_registry_that_wants_other_credentials(
    folder: Path, tmp_path: Path, proxy: Proxy, repository: str, registry: Registry
) -> None:
    tiny.build(folder)
    right = base64.b64encode(b"me:correct horse").decode()
    wrong = base64.b64encode(b"me:battery staple").decode()
    challenge = Answer(401, (("WWW-Authenticate", 'Basic realm="test"'),))
    proxy.rule = lambda request: (PASS if request.authorization == f"Basic {right}" else challenge)

    def push_as(secret: str) -> subprocess.CompletedProcess[str]:
        config = tmp_path / "docker"
        config.mkdir(exist_ok=True)
        auths = {"auths": {proxy.host: {"auth": secret}}}
        (config / "config.json").write_text(json.dumps(auths))
        return push(folder, f"{proxy.host}/{repository}:1", env={"DOCKER_CONFIG": str(config)})

    failed = push_as(wrong)
    assert failed.returncode == 1
    assert f"Log in with `docker login {proxy.host}`" in failed.stderr
    done = push_as(right)
    assert done.returncode == 0, done.stderr
    assert registry.is_complete(repository, "1")
    for said in (failed.stderr, failed.stdout, done.stderr, done.stdout):
        assert right not in said
        assert wrong not in said
        assert "horse" not in said


def test_an_image_that_is_not_complete_is_not_pushed(
    folder: Path, registry: Registry, repository: str
) -> None:
    layout = tiny.build(folder)
    layer = tiny.metadata(layout).layers[-1]
    (layout / "blobs/sha256" / layer.descriptor.digest[7:]).unlink()
    result = push(folder, f"{registry.host}/{repository}:1")
    assert result.returncode == 1
    assert f"is incomplete: {layer.descriptor.digest} is missing. Package it" in result.stderr
    assert registry.digest(repository, "1") is None


@pytest.mark.parametrize("same_time", [False, True])
def test_a_corrupt_blob_is_not_pushed_but_replaced(
    folder: Path, registry: Registry, repository: str, same_time: bool
) -> None:
    layout = tiny.build(folder)
    digest = tiny.metadata(layout).layers[1].descriptor.digest
    blob = layout / "blobs/sha256" / digest[7:]
    time_ns = blob.stat().st_mtime_ns
    content = bytearray(blob.read_bytes())
    content[100] ^= 1
    blob.write_bytes(content)
    if same_time:
        os.utime(blob, ns=(time_ns, time_ns))
    result = push(folder, f"{registry.host}/{repository}:1")
    assert result.returncode == 1, result.stderr
    assert digest in result.stderr
    assert "ackage the image again" in result.stderr or "Package it again" in result.stderr
    assert registry.digest(repository, "1") is None
    tiny.build(folder)
    result = push(folder, f"{registry.host}/{repository}:1")
    assert result.returncode == 0, result.stderr
    assert registry.is_complete(repository, "1")


@pytest.mark.parametrize("always", [False, True])
def test_a_registry_that_limits_requests(
    folder: Path, proxy: Proxy, repository: str, registry: Registry, always: bool
) -> None:
    """It is obeyed for as long as it asks, and named if it asks again and again."""
    tiny.build(folder)
    limited: list[Request] = []

    def limit(request: Request) -> Answer:
        if "/manifests/" in request.path and (always or not limited):
            limited.append(request)
            return Answer(429, (("Retry-After", "1"),))
        return PASS

    proxy.rule = limit
    result = push(folder, f"{proxy.host}/{repository}:1")
    assert limited
    if always:
        assert result.returncode == 1
        assert "The registry limits the number of requests" in result.stderr
    else:
        assert result.returncode == 0, result.stderr
        assert registry.is_complete(repository, "1")


def test_a_push_that_is_killed_leaves_no_tag_on_half_an_image(
    folder: Path, proxy: Proxy, registry: Registry, repository: str
) -> None:
    tiny.build(folder, large=BIG)
    source = Random(4711)
    for attempt in range(8):
        name = f"{repository}/{attempt}"
        tiny.rename(folder / "dist/app", f"{proxy.host}/{name}:1")
        process = subprocess.Popen(
            command("push", "dist/app"),
            cwd=folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(source.uniform(0.05, 0.6))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert registry.digest(name, "1") is None or registry.is_complete(name, "1")
        result = push(folder, f"{proxy.host}/{name}:1")
        assert result.returncode == 0, result.stderr
        assert registry.is_complete(name, "1")
