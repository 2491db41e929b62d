"""The greeting service as a process."""

from collections.abc import Iterator

import pytest

from service import healthcheck, server
from servicekit.testing import Child, child, started


@pytest.fixture(scope="module")
def service() -> Iterator[Child]:
    with started(server) as service:
        yield service


def test_every_path_is_greeted(service: Child) -> None:
    assert service.ask("GET", "/")[::2] == (200, b"Hello")
    assert service.ask("GET", "/any/other?path")[::2] == (200, b"Hello")


def test_health_is_ok(service: Child) -> None:
    assert service.ask("GET", "/health")[::2] == (200, b"OK")


def test_only_get_is_allowed(service: Child) -> None:
    status, headers, _ = service.ask("POST", "/", b"x")
    assert (status, headers["allow"]) == (405, "GET, HEAD")


def test_the_healthcheck_finds_it_healthy_then_gone(capsys: pytest.CaptureFixture[str]) -> None:
    with started(server) as service:
        port = str(service.port)
        assert healthcheck.main(["--port", port]) == 0
        assert service.stop() == 0
        assert healthcheck.main(["--port", port]) == 1
        assert "refused" in capsys.readouterr().out


def test_a_wrong_setting_ends_with_two() -> None:
    with child(server, WORKERS="many") as service:
        assert service.process.wait(10) == 2
        (message,) = service.messages()
        assert message.startswith("WORKERS must be a whole number")
