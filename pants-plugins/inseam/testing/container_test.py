"""The life of a container, with an engine that is not there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from inseam.testing import container as module
from inseam.testing.completed import EngineError
from inseam.testing.container import NotHealthy, started
from inseam.testing.engine import Engine
from inseam.testing.fake_engine import FakeEngine
from inseam.testing.image import Image, ImageNotFound
from inseam.testing.options import RunOptions

IMAGE = Image("sha256:1234", "app:latest")
HEALTH = "--format={{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}"


@pytest.fixture
def fake(tmp_path: Path) -> FakeEngine:
    fake = FakeEngine(tmp_path / "bin").install()
    fake.has_image(IMAGE.reference, ExposedPorts={"8000/tcp": {}, "53/udp": {}})
    fake.has_container(ports={8000: 49153})
    return fake


@pytest.fixture
def engine(fake: FakeEngine) -> Engine:
    return Engine(str(fake.folder / "docker"))


@pytest.fixture
def port() -> Iterator[int]:
    """Where a server answers 404 to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def removed(fake: FakeEngine) -> list[str]:
    return [arguments[-1] for arguments in fake.calls("rm")]


def test_it_publishes_the_tcp_ports_of_the_image_on_loopback(
    fake: FakeEngine, engine: Engine
) -> None:
    with started(engine, IMAGE, RunOptions(args=("--flag",))) as container:
        assert container.base_url == "http://127.0.0.1:49153"
    (run,) = fake.calls("run")
    assert [argument for argument in run if argument.startswith("--publish")] == [
        "--publish=127.0.0.1::8000"
    ]
    assert run[-2:] == ["sha256:1234", "--flag"]
    assert run[1].startswith("--name=inseam-test-")


def test_on_the_hosts_network_its_ports_are_what_it_was_told(
    fake: FakeEngine, engine: Engine
) -> None:
    with started(engine, IMAGE, RunOptions(network="host", ports=(1234,))) as container:
        assert container.url(1234) == "http://127.0.0.1:1234"
    assert not any("--publish" in argument for argument in fake.calls("run")[0])


def test_it_is_removed_at_the_end(fake: FakeEngine, engine: Engine) -> None:
    with started(engine, IMAGE) as container:
        assert module.running == [container]
        assert removed(fake) == []
    assert module.running == []
    assert removed(fake) == [container.name]


def test_it_is_removed_when_the_test_fails_or_is_interrupted(
    fake: FakeEngine, engine: Engine
) -> None:
    for error in (AssertionError, KeyboardInterrupt):
        with pytest.raises(error):
            with started(engine, IMAGE):
                raise error
    assert len(removed(fake)) == 2
    assert module.running == []


def test_it_is_removed_when_it_cannot_start(fake: FakeEngine, engine: Engine) -> None:
    fake.answer("run", exit_code=125, stderr="port is already allocated")
    with pytest.raises(EngineError, match="port is already allocated"):
        with started(engine, IMAGE):
            raise AssertionError("started")
    assert len(removed(fake)) == 1


def test_it_is_removed_when_the_process_of_the_tests_is_killed(
    fake: FakeEngine, engine: Engine
) -> None:
    fake.answer("ps", stdout="0123abc\n")
    program = """
import os, signal, sys
from inseam.testing import Engine, Image, started
with started(Engine(sys.argv[1]), Image("sha256:1234")):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    path = json.dumps(sys.path)
    command = [sys.executable, "-c", f"import sys; sys.path[:] = {path}\n{program}", engine.client]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    for _ in range(200):
        if removed(fake):
            break
        threading.Event().wait(0.05)
    assert removed(fake) == ["0123abc"]
    label = next(each for each in fake.calls("run")[0] if each.startswith("--label="))
    assert fake.calls("ps") == [["-aq", "--filter", label[2:]]]


def test_an_image_that_the_engine_lacks_is_named(fake: FakeEngine, engine: Engine) -> None:
    fake.answer("image", "inspect", exit_code=1, stderr="no such image")
    with pytest.raises(ImageNotFound, match=r"has no image app:latest \(sha256:1234\)"):
        with started(engine, IMAGE):
            raise AssertionError("started")
    assert fake.calls("run") == []


def test_it_waits_for_the_images_own_probe(fake: FakeEngine, engine: Engine) -> None:
    with started(engine, IMAGE) as container:
        fake.answer("container", "inspect", HEALTH, stdout="healthy\n")
        container.wait_healthy()
        fake.answer("container", "inspect", HEALTH, stdout="none\n")
        with pytest.raises(NotHealthy, match="app:latest has no HEALTHCHECK"):
            container.wait_healthy()


def test_what_is_not_healthy_says_why(fake: FakeEngine, engine: Engine) -> None:
    with started(engine, IMAGE) as container:
        fake.answer("container", "inspect", HEALTH, stdout="unhealthy\n")
        fake.answer("logs", stdout="listening\n", stderr="a warning\n")
        probes = [{"Output": "refused: nothing listens\n"}]
        fake.has_container({"Running": True, "Health": {"Log": probes}})
        fake.answer("container", "inspect", HEALTH, stdout="unhealthy\n")
        with pytest.raises(NotHealthy) as caught:
            container.wait_healthy(timeout=0)
        message = str(caught.value)
        assert "app:latest is unhealthy, not healthy, after 0 s" in message
        assert "The probe says: refused: nothing listens\nlistening\na warning\n" in message


def test_what_ended_says_how(fake: FakeEngine, engine: Engine) -> None:
    with started(engine, IMAGE) as container:
        fake.has_container({"Running": False, "ExitCode": 2})
        fake.answer("logs", stdout="PORT must be a number\n")
        with pytest.raises(NotHealthy, match="app:latest ended with 2:\nPORT must be a number"):
            container.wait_answers("/")


def test_any_answer_is_one(fake: FakeEngine, engine: Engine, port: int) -> None:
    fake.has_container(ports={8000: port})
    with started(engine, IMAGE) as container:
        assert container.wait_answers("/health") == 404


def test_its_exit_code_is_asserted_with_its_log(fake: FakeEngine, engine: Engine) -> None:
    fake.answer("wait", stdout="0\n")
    fake.answer("logs", stdout="half way\n")
    with started(engine, IMAGE) as container:
        container.assert_stops(0, timeout=2)
        assert fake.calls("stop") == [["--time=2", container.name]]
        fake.answer("wait", stdout="137\n")
        with pytest.raises(AssertionError, match=r"137 \(it was killed after 2 s\):\nhalf way"):
            container.assert_stops(0, timeout=2)


def test_a_command_in_it_may_fail(fake: FakeEngine, engine: Engine) -> None:
    with started(engine, IMAGE) as container:
        fake.answer("exec", exit_code=3, stdout="out", stderr="err")
        done = container.exec("/probe", "--port=1", user="0")
        assert (done.exit_code, done.stdout, done.stderr) == (3, "out", "err")
        assert fake.calls("exec") == [["--user=0", container.name, "/probe", "--port=1"]]


def test_podman_is_asked_to_probe(fake: FakeEngine, engine: Engine) -> None:
    with started(Engine(engine.client, podman=True), IMAGE) as container:
        container.wait_healthy()
        assert fake.calls("healthcheck") == [["run", container.name]]
