"""Which engine is found, and what is said when none is."""

from __future__ import annotations

from pathlib import Path

import pytest

from inseam.testing.completed import EngineError
from inseam.testing.engine import NoEngine, find_engine
from inseam.testing.fake_engine import FakeEngine


def test_docker_is_found_on_path(tmp_path: Path) -> None:
    fake = FakeEngine(tmp_path).install()
    engine = find_engine(fake.environment())
    assert (engine.client, engine.podman) == (str(tmp_path / "docker"), False)


def test_podman_is_taken_when_docker_does_not_answer(tmp_path: Path) -> None:
    fake = FakeEngine(tmp_path / "docker").install()
    fake.answer("version", exit_code=1, stderr="Cannot connect to the Docker daemon")
    FakeEngine(tmp_path / "podman", "podman").install("podman version 4.3.1")
    engine = find_engine({"PATH": f"{tmp_path / 'docker'}:{tmp_path / 'podman'}"})
    assert (engine.client, engine.podman) == (str(tmp_path / "podman/podman"), True)


def test_podman_is_known_by_its_word_when_it_goes_by_the_name_of_docker(tmp_path: Path) -> None:
    fake = FakeEngine(tmp_path).install("podman version 4.3.1")
    assert find_engine(fake.environment()).podman


def test_the_environment_chooses(tmp_path: Path) -> None:
    FakeEngine(tmp_path / "path").install()
    other = FakeEngine(tmp_path / "other", "nerd").install()
    client = str(other.folder / "nerd")
    environment = {"PATH": str(tmp_path / "path"), "INSEAM_CONTAINER_ENGINE": client}
    assert find_engine(environment).client == client


def test_the_environment_can_say_there_is_none(tmp_path: Path) -> None:
    fake = FakeEngine(tmp_path).install()
    with pytest.raises(NoEngine, match="^INSEAM_DOCKER=off$"):
        find_engine({**fake.environment(), "INSEAM_DOCKER": "off"})


def test_without_an_engine_every_reason_is_given(tmp_path: Path) -> None:
    fake = FakeEngine(tmp_path).install()
    fake.answer("version", exit_code=1, stderr="Cannot connect to the\nDocker daemon\n")
    with pytest.raises(NoEngine) as caught:
        find_engine(fake.environment())
    assert "Cannot connect to the Docker daemon; podman is not on PATH" in str(caught.value)
    assert "INSEAM_CONTAINER_ENGINE" in str(caught.value)


def test_a_refused_command_says_what_the_client_said(tmp_path: Path) -> None:
    fake = FakeEngine(tmp_path).install()
    fake.answer("rm", exit_code=1, stderr="no such container\n")
    engine = find_engine(fake.environment())
    with pytest.raises(EngineError, match=r"rm -f x failed with 1: no such container$"):
        engine.output("rm", "-f", "x")
