from __future__ import annotations

import pytest

from inseam.formats.failure import Failure
from inseam.formats.oci.reference import Reference, parse_reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("app", Reference("app")),
        ("app:1.2", Reference("app", "1.2")),
        ("team/app:V1_x-2", Reference("team/app", "V1_x-2")),
        ("registry.example/team/app:1", Reference("registry.example/team/app", "1")),
        ("127.0.0.1:5000/app", Reference("127.0.0.1:5000/app")),
        ("127.0.0.1:5000/app:1", Reference("127.0.0.1:5000/app", "1")),
        (f"python:3.11@{DIGEST}", Reference("python", "3.11", DIGEST)),
        (f"localhost/app@{DIGEST}", Reference("localhost/app", "", DIGEST)),
        ("[::1]:5000/app:1", Reference("[::1]:5000/app", "1")),
    ],
)
def test_a_name_is_taken_apart(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference


@pytest.mark.parametrize("text", ["", "App", "app:", "app:a b", "app@sha256:12", "a//:x", "-o"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(Failure, match="is not an image name"):
        parse_reference(text)


@pytest.mark.parametrize(
    ("text", "registry"),
    [
        ("app:1", ""),
        ("team/app", ""),
        ("localhost/app", "localhost"),
        ("registry.example/app", "registry.example"),
        ("host:5000/app:1", "host:5000"),
    ],
)
def test_the_registry_is_known_by_its_dot_or_port(text: str, registry: str) -> None:
    assert parse_reference(text).registry == registry


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("127.0.0.1:5000/app", True),
        ("127.1.2.3/app", True),
        ("localhost:5000/app", True),
        ("[::1]:5000/app", True),
        ("registry.example:5000/app", False),
        ("127.0.0.1.example/app", False),
        ("app", False),
    ],
)
def test_a_registry_of_this_machine_is_recognised(text: str, loopback: bool) -> None:
    assert parse_reference(text).loopback is loopback


def test_an_image_is_named_by_tag_or_by_digest() -> None:
    reference = parse_reference(f"host/app:1@{DIGEST}")
    assert reference.by_tag() == "host/app:1"
    assert reference.by_digest(DIGEST) == f"host/app@{DIGEST}"
    assert parse_reference("app").by_tag() == "app:latest"
