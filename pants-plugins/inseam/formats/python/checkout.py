"""Extracts one revision from a git repository."""

from __future__ import annotations

import posixpath
import re
import shutil
from pathlib import Path
from typing import Iterator, NamedTuple
from urllib.parse import urlsplit

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_word
from inseam.formats.python.git import attempt, git
from inseam.formats.python.repository import COMMIT, Revision, parse_revision
from inseam.formats.python.source_tree import fingerprint, pack

# Maximum number of submodules of a revision, including nested ones.
_MOST_SUBMODULES = 200


def check_out(name: str, revision: Revision, sha256: str, out: Path, *, local: bool) -> None:
    """Writes the files of a revision, with those of its submodules, to the tar `out`.

    name: that of the distribution. sha256: if the revision is not a commit, the fingerprint that
    the project's files must have. local: whether repositories may be folders on this machine.

    Raises Failure if git cannot fetch the files, or fetches different ones.
    """
    work = Path("checkout").absolute()
    found = _fetch(work, revision, local)
    _add_submodules(work, revision, local)
    project = (work / revision.subdirectory).resolve()
    if not revision.commit:
        inside = project == work.resolve() or work.resolve() in project.parents
        if not inside or not project.is_dir():
            raise Failure(
                f"{revision.repository} has no folder {foreign_word(revision.subdirectory)}"
            )
        if sha256 not in _fingerprints(name, work, project):
            raise Failure(
                f"{revision.name or 'HEAD'} of {revision.repository} is now the commit {found},"
                " whose files are not those that were locked. Name the commit itself in the"
                f" requirement, and lock again: git+{revision.repository}@{found}"
            )
    pack(work, out, "checkout")


def _fetch(work: Path, revision: Revision, local: bool) -> str:
    """Checks a revision out in the folder `work`, and returns its commit."""
    if revision.is_local and not local:
        raise Failure(
            f"{revision.repository} is a folder of one machine, and such repositories are not read."
            " Lock a revision from a server, or set [inseam].allow_file_repositories."
        )
    work.mkdir(parents=True, exist_ok=True)
    git(work, "init", "--quiet", "--template=")
    fetch = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules")
    wanted = revision.name or "HEAD"
    failed, _ = attempt(
        work, *fetch, "--depth=1", "--end-of-options", revision.repository, wanted, local=local
    )
    name = "FETCH_HEAD"
    if failed and revision.commit:
        # Some servers do not serve commits by their IDs.
        refs = "+refs/*:refs/remotes/all/*"
        failed, _ = attempt(
            work, *fetch, "--end-of-options", revision.repository, refs, local=local
        )
        name = revision.commit
    if failed:
        raise Failure(f"git could not fetch {wanted} from {revision.repository}:\n{failed}")
    found = git(work, "rev-parse", "--verify", f"{name}^{{commit}}").strip()
    if revision.commit and found != revision.commit:
        raise Failure(
            f"{revision.repository} gave the commit {found} where {revision.commit} was locked"
        )
    git(work, "checkout", "--quiet", "--detach", found, "--")
    return found


class _Link(NamedTuple):
    """A submodule of a checkout."""

    work: Path
    """Folder of the checkout."""
    path: str
    """Path of the submodule in the checkout."""
    revision: Revision
    modules: str
    """Where git itself would keep the submodule's objects: a path below `.git`."""


def _add_submodules(work: Path, revision: Revision, local: bool) -> None:
    """Checks out submodules, each as a separate revision. `git submodule` would follow the
    repository's configuration, and open URLs of any kind.
    """
    waiting = [*_links(work, revision, "modules")]
    for count, link in enumerate(waiting, 1):
        if count > _MOST_SUBMODULES:
            raise Failure(f"{revision.repository} has more than {_MOST_SUBMODULES} submodules")
        folder = link.work / link.path
        if folder.resolve() != link.work.resolve() / link.path:
            raise Failure(f"{revision.repository} has a submodule at a link: {link.path}")
        _fetch(folder, link.revision, local)
        waiting += _links(folder, link.revision, f"{link.modules}/modules")
        # As git leaves it, so that the files have the fingerprint in PEX locks.
        shutil.rmtree(folder / ".git")
        up = posixpath.relpath(".git", (folder / ".").relative_to(work).as_posix())
        (folder / ".git").write_text(f"gitdir: {up}/{link.modules}\n")


def _links(work: Path, revision: Revision, modules: str) -> Iterator[_Link]:
    tree = git(work, "ls-tree", "-r", "-z", "--full-tree", "HEAD").split("\0")
    commits = {
        path: entry.split()[2]
        for entry, _, path in (line.partition("\t") for line in tree)
        if entry.startswith("160000 ")
    }
    if not commits:
        return
    _, output = attempt(work, "config", "--null", "--blob=HEAD:.gitmodules", "--list")
    declared: dict[str, dict[str, str]] = {}
    for setting in output.split("\0"):
        key, _, value = setting.partition("\n")
        section, _, field = key.rpartition(".")
        declared.setdefault(section, {})[field] = value
    names = {fields.get("path", ""): section for section, fields in declared.items()}
    for path, commit in sorted(commits.items()):
        what = f"the submodule {foreign_word(path)} of {revision.repository}"
        section = names.get(path, "")
        if not section or not COMMIT.fullmatch(commit):
            raise Failure(f"{what} has no URL in .gitmodules")
        if declared[section].get("update") == "none":
            continue
        url = _absolute(declared[section].get("url", ""), revision)
        found = parse_revision(f"{url}@{commit}", what)
        yield _Link(work, path, found, f"{modules}/{section.partition('.')[2]}")


def _absolute(url: str, revision: Revision) -> str:
    """The URL of a submodule, which may be relative to that of the repository."""
    if not url.startswith(("./", "../")):
        return url
    parts = urlsplit(revision.repository)
    path = posixpath.normpath(posixpath.join(parts.path, url))
    return f"{parts.scheme}://{parts.netloc}{path}"


def _fingerprints(name: str, work: Path, project: Path) -> Iterator[str]:
    """The fingerprints by which versions of PEX lock a project in a checkout."""
    yield fingerprint(project)
    yield fingerprint(work)
    # As the requirement spells the name.
    for spelled in dict.fromkeys(re.sub("[-_.]+", mark, name) for mark in "-_."):
        yield fingerprint(project, spelled)
