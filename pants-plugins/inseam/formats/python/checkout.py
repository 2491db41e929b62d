"""Takes one revision out of a repository of git."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Iterator

from inseam.formats.failure import Failure
from inseam.formats.python.source_tree import fingerprint, pack


def check_out(
    name: str,
    repository: str,
    revision: str,
    commit: str,
    subdirectory: str,
    sha256: str,
    out: Path,
) -> None:
    """Writes the files of `revision` in the git repository at a URL to the tar `out`.

    name: of the distribution. commit: the full ID of the wanted commit, or "": then the files in
    `subdirectory` must have the fingerprint `sha256`. Raises Failure if git cannot get them, or
    gets others.
    """
    work = Path("checkout").absolute()
    _git("init", "--quiet", str(work))
    wanted = revision or "HEAD"
    fetched = _try("-C", str(work), "fetch", "--quiet", "--depth=1", repository, wanted)
    if fetched and commit:
        # Some servers give no commit by its ID.
        refs = "+refs/*:refs/remotes/all/*"
        fetched = _try("-C", str(work), "fetch", "--quiet", repository, refs)
        wanted = commit
    elif not fetched:
        wanted = "FETCH_HEAD"
    if fetched:
        raise Failure(f"git could not get {revision or 'HEAD'} from {repository}:\n{fetched}")
    _git("-C", str(work), "checkout", "--quiet", "--detach", wanted)
    _git("-C", str(work), "submodule", "--quiet", "update", "--init", "--recursive", "--depth=1")
    found = _git("-C", str(work), "rev-parse", "HEAD").strip()
    if commit and found != commit:
        raise Failure(f"{repository} gave the commit {found} where {commit} was locked")
    project = work / subdirectory
    if not commit and sha256 not in _fingerprints(name, work, project):
        raise Failure(
            f"{revision or 'HEAD'} of {repository} is now the commit {found}, whose files are not"
            " those that were locked. Name the commit itself in the requirement, and lock again:"
            f" git+{repository}@{found}"
        )
    pack(work, out, "checkout")


def _fingerprints(name: str, work: Path, project: Path) -> Iterator[str]:
    """What versions of PEX know a project in a checkout by."""
    yield fingerprint(project)
    yield fingerprint(work)
    # As the requirement spells the name.
    for spelled in dict.fromkeys(re.sub("[-_.]+", mark, name) for mark in "-_."):
        yield fingerprint(project, spelled)


def _git(*argv: str) -> str:
    result = _start(argv)
    if result.returncode != 0:
        raise Failure(f"git {argv[0]} failed:\n{result.stderr.strip()}")
    return result.stdout


def _try(*argv: str) -> str:
    """What went wrong; "" for success."""
    result = _start(argv)
    return "" if result.returncode == 0 else result.stderr.strip() or "it failed"


def _start(argv: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    # The time zone, names and hooks of a user must not matter.
    settings = ("-c", "core.autocrlf=false", "-c", "advice.detachedHead=false")
    try:
        return subprocess.run(
            ["git", *settings, "-c", "core.hooksPath=/dev/null", *argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise Failure(
            "a source in the lock is in a git repository, but there is no git on PATH. Install it."
        ) from None
