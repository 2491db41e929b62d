from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.formats.oci.reference import parse_reference
from inseam.tools import registry
from inseam.tools.registry import Repository, Unanswered, authentication

REPOSITORY = Repository(parse_reference("127.0.0.1:5000/app:1"), stall=0.3)


@pytest.fixture
def skopeo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name, first on PATH; the test writes it."""
    path = tmp_path / "bin/skopeo"
    path.parent.mkdir()
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")
    return path


def write(path: Path, *lines: str) -> None:
    path.write_text("#!/bin/sh\n" + "\n".join(lines) + "\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def log(message: str, level: str = "debug") -> str:
    return f"""echo 'time="2026-01-01T00:00:00Z" level={level} msg="{message}"' >&2"""


def test_output_and_log_are_kept_apart(skopeo: Path) -> None:
    write(skopeo, log('GET http://x \\"y\\"'), "echo '{}'", log("... already exists"))
    result = REPOSITORY.run(["inspect"])
    assert result.output == b"{}\n"
    assert result.log == ('GET http://x "y"', "... already exists")


def test_a_failure_has_skopeo_s_words_and_advice(skopeo: Path) -> None:
    write(skopeo, log("secret"), log("writing blob: unauthorized", "fatal"), "exit 1")
    with pytest.raises(Failure) as failure:
        REPOSITORY.run(["copy"])
    assert str(failure.value) == (
        "127.0.0.1:5000/app: writing blob: unauthorized\n"
        "Log in with `docker login 127.0.0.1:5000` or `skopeo login 127.0.0.1:5000` with an"
        " account that has access."
    )


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("dial tcp: connect: connection refused", "right registry, and does it run"),
        ("server gave HTTP response to HTTPS client", "accepted on this machine only"),
        ("manifest unknown", "Check the image's name"),
        ("unexpected EOF", "Run the command again"),
        ("too many requests to registry", "limits the number of requests"),
        ("toomanyrequests: You have reached your pull rate limit", "limits the number of requests"),
        ("x509: certificate signed by unknown authority", "certificate of 127.0.0.1:5000's"),
    ],
)
def test_each_kind_of_failure_has_its_advice(skopeo: Path, words: str, advice: str) -> None:
    write(skopeo, log(words, "fatal"), "exit 1")
    with pytest.raises(Failure, match=advice):
        REPOSITORY.run(["copy"])


def test_a_registry_that_cannot_be_reached_is_told_from_one_that_says_no(skopeo: Path) -> None:
    write(skopeo, log("connect: connection refused", "fatal"), "exit 1")
    with pytest.raises(Unanswered):
        REPOSITORY.manifest("x")


def test_a_registry_that_does_not_answer_is_given_up(skopeo: Path) -> None:
    write(skopeo, log("GET http://127.0.0.1:5000/v2/?secret"), "exec sleep 60")
    start = time.monotonic()
    with pytest.raises(Unanswered, match=r"not answered for 0 s \(its last request: GET http"):
        REPOSITORY.run(["copy"])
    assert time.monotonic() - start < 5


def test_a_registry_that_asks_to_wait_is_waited_for(
    skopeo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "Too many requests to 127.0.0.1: sleeping for 1.000000 seconds before next attempt"
    write(skopeo, log("GET http://127.0.0.1:5000/v2/"), log(words), "sleep 1", log("done"))
    assert REPOSITORY.run(["copy"]).log[-1] == "done"
    monkeypatch.setattr(registry, "LONGEST_WAIT", 0.1)
    with pytest.raises(Unanswered, match="asked to wait(.|\n)*limits the number of requests"):
        REPOSITORY.run(["copy"])


def test_an_upload_gets_the_time_that_it_may_take(skopeo: Path) -> None:
    write(skopeo, log("PATCH http://127.0.0.1:5000/v2/x"), "sleep 1", log("done"))
    assert REPOSITORY.run(["copy"], largest=1_000_000).log[-1] == "done"


def test_a_failure_does_not_tell_the_query_of_an_address(skopeo: Path) -> None:
    write(skopeo, log('Patch \\"http://host/v2/x?signature=abc\\": EOF', "fatal"), "exit 1")
    with pytest.raises(Failure, match='Patch "http://host/v2/x": EOF'):
        REPOSITORY.run(["copy"])


def test_without_skopeo_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Failure, match="^skopeo, which.*apt-get install skopeo"):
        REPOSITORY.run(["copy"])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("localhost:5000/app", ["--dest-tls-verify=false"]),
        ("registry.example/app", []),
    ],
)
def test_plain_http_is_for_this_machine(name: str, options: list[str]) -> None:
    assert Repository(parse_reference(name)).tls("dest-") == options


def test_credentials_are_where_docker_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert authentication() == []
    (tmp_path / "config.json").write_text("{}")
    assert authentication() == [f"--authfile={tmp_path / 'config.json'}"]
    monkeypatch.setenv("REGISTRY_AUTH_FILE", "/elsewhere")
    assert authentication() == []
