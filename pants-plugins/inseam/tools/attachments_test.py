from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any, Iterator

import pytest

from inseam.formats.failure import Failure
from inseam.formats.oci.documents import ImageDocument
from inseam.formats.oci.metadata import read_metadata
from inseam.formats.oci.oci_testing import make_service
from inseam.formats.oci.reference import parse_reference
from inseam.tools import push as pushing
from inseam.tools.attachments import push_attachments
from inseam.tools.push import push
from inseam.tools.registry import Repository

BILL = ImageDocument("application/vnd.example+json", b'{"a":1}', "bill.json", attached=True)
NOTE = ImageDocument("text/plain", b"read me", attached=True)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of Debian's docker-registry."""
    program = shutil.which("docker-registry")
    if program is None or shutil.which("skopeo") is None:
        pytest.skip("needs docker-registry and skopeo (Debian: apt-get install)")
    folder = tmp_path_factory.mktemp("registry")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    config = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(folder)}},
        "http": {"addr": host},
    }
    (folder / "config.yml").write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([program, "serve", folder / "config.yml"], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"http://{host}/v2/", timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.05)
        yield host
    finally:
        server.terminate()
        server.wait()


def get(host: str, name: str, reference: str) -> Any:
    kinds = (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
    )
    request = urllib.request.Request(
        f"http://{host}/v2/{name}/manifests/{reference}", headers={"Accept": ", ".join(kinds)}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_attachments_are_pushed_before_the_tag_is_set(
    registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = make_service(tmp_path, references=[f"{registry}/first:1"], documents=[BILL, NOTE])
    image = read_metadata(layout)

    def dies(*_: object) -> None:
        raise Failure("killed")

    with monkeypatch.context() as patched:
        patched.setattr(pushing, "push_attachments", dies)
        with pytest.raises(Failure, match="killed"):
            push(layout)
    with pytest.raises(OSError):
        get(registry, "first", "1")
    (pushed,) = push(layout)
    assert not pushed.unchanged
    assert get(registry, "first", "1")["config"]["digest"] == image.config_digest
    for entry in image.documents:
        if entry.attachment is not None:
            manifest = get(registry, "first", entry.attachment.digest)
            assert manifest["subject"]["digest"] == image.digest
    (again,) = push(layout)
    assert again.unchanged


def test_a_lost_attachment_is_sent_again(registry: str, tmp_path: Path) -> None:
    references = [f"{registry}/second:1"]
    push(make_service(tmp_path / "plain", references=references))
    layout = make_service(tmp_path / "one", references=references, documents=[BILL])
    (pushed,) = push(layout)
    assert not pushed.unchanged
    attachment = read_metadata(layout).documents[1].attachment
    assert attachment is not None
    assert get(registry, "second", attachment.digest)["artifactType"] == BILL.media_type


def test_nothing_is_asked_of_an_image_without_attachments(tmp_path: Path) -> None:
    layout = make_service(tmp_path, references=["127.0.0.1:9/none:1"])
    repository = Repository(parse_reference("127.0.0.1:9/none:1"), stall=1)
    push_attachments(layout, read_metadata(layout), repository)
