"""Texts of others are no options of the programs that we run: they are refused before one starts,
or part of an argument whose beginning is ours."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Callable

import pytest

from inseam.formats.failure import Failure
from inseam.formats.oci.config import Runtime, parse_platform
from inseam.formats.oci.metadata import read_metadata
from inseam.formats.oci.oci_testing import make_service
from inseam.formats.oci.reference import parse_reference
from inseam.formats.python.checkout import check_out
from inseam.formats.python.repository import parse_revision
from inseam.tools.attachments import missing_attachments
from inseam.tools.load import load
from inseam.tools.pull import pull
from inseam.tools.push import push
from inseam.tools.registry import Repository
from inseam.tools.store import export

PROGRAMS = ("skopeo", "docker", "podman", "git")
HOSTILE = (
    *("-x", "--upload-pack=x", "--authfile=/etc/passwd", "--privileged", "-", "--", "--all"),
    *("dir:/etc", "oci:/etc", "containers-storage:/x", "@x", "/etc/passwd", "../x", "a b", "a\nb"),
    *("$(x)", "`x`", ";x", "%2dx", "\x1b", ""),
)
# How arguments begin that end in the text of another; of git those of `parse_revision`.
OURS = ("docker://", "oci:.:", "--", "https://", "ssh://")


@pytest.fixture(autouse=True)
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[list[str]]]:
    """What was run; each program notes its arguments, and fails."""
    folder, log = tmp_path / "bin", tmp_path / "log"
    folder.mkdir()
    for name in PROGRAMS:
        (folder / name).write_text(
            f"#!{sys.executable} -sSE\nimport json, sys\n"
            f"open({str(log)!r}, 'a').write(json.dumps(sys.argv[1:]) + '\\n')\n"
            "sys.exit(0 if sys.argv[1] in ('version', 'config') else 1)\n"
        )
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return lambda: (
        [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    )


def changed(layout: Path, **fields: Any) -> Path:
    document = json.loads((layout / "image.json").read_text())
    (layout / "image.json").write_text(json.dumps({**document, **fields}))
    return layout


def pulled(image: str, layout: Path) -> None:
    pull(image, layout.parent / "out", platform=parse_platform("linux/amd64"), runtime=Runtime())


def attachment(text: str, layout: Path) -> None:
    image = read_metadata(changed(layout, documents=[{"path": text, "media_type": text}]))
    missing_attachments(image, Repository(parse_reference("h.invalid/x")))


def checked_out(url: str, layout: Path) -> None:
    check_out("x", parse_revision(url, "x"), "", layout.parent / "x.tar", local=False)


def checked_out_as(url: str) -> Callable[[str, Path], object]:
    return lambda text, layout: checked_out(url.format(text), layout)


def pushed_as(name: str) -> Callable[[str, Path], object]:
    return lambda text, layout: push(changed(layout, references=[name.format(text)]))


def configured(text: str, layout: Path) -> None:
    load(changed(layout, config_digest=text))


DIGEST = "sha256:" + "a" * 64
CALLS: dict[str, Callable[[str, Path], object]] = {
    "a name that is pushed": lambda text, layout: push(changed(layout, references=[text])),
    "a tag that is pushed": lambda text, layout: push(
        changed(layout, references=[f"h.invalid/a:{text}"])
    ),
    "a second name": lambda text, layout: push(changed(layout, references=["h.invalid/a", text])),
    "a digest that is pushed": lambda text, layout: push(changed(layout, digest=text)),
    "a name that is loaded": lambda text, layout: load(changed(layout, references=[text])),
    "a tag that is loaded": lambda text, layout: load(changed(layout, references=[f"a:{text}"])),
    "a configuration that is loaded": lambda text, layout: load(
        changed(layout, config_digest=text)
    ),
    "a base": pulled,
    "the name of a base": lambda text, layout: pulled(f"{text}@{DIGEST}", layout),
    "the tag of a base": lambda text, layout: pulled(f"h.invalid/a:{text}@{DIGEST}", layout),
    "the digest of a base": lambda text, layout: pulled(f"h.invalid/a@{text}", layout),
    "an attachment": attachment,
    "a repository": checked_out,
    "the host of a repository": lambda text, layout: checked_out(f"https://{text}/x@main", layout),
    "the path of a repository": lambda text, layout: checked_out(
        f"https://h.invalid/{text}@v1", layout
    ),
    "a revision": lambda text, layout: checked_out(f"https://h.invalid/x@{text}", layout),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("text", HOSTILE)
def test_texts_of_others_are_no_options(
    tmp_path: Path, ran: Callable[[], list[list[str]]], call: str, text: str
) -> None:
    layout = tmp_path / "dist/app.oci"
    export(make_service(tmp_path / "image"), [], tmp_path / "dist/oci", layout)
    with pytest.raises(Failure):
        CALLS[call](text, layout)
    for argv in ran() if text else ():
        for argument in argv:
            # Long texts only: `-` and `x` are in what is ours, too.
            assert argument != text or text in ("--", "--all")
            if len(text) > 2 and text in argument and text != "--all":
                assert argument.startswith(OURS)
                assert not argument.startswith(text)
