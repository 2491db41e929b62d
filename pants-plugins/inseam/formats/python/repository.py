"""Names a revision of a git repository with types that git cannot mistake for options or programs.

Only `parse_revision` creates them, from the URLs in locks and from the arguments of the program
that fetches a checkout.
"""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple, NewType
from urllib.parse import parse_qs, unquote, urldefrag, urlsplit

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_word
from inseam.formats.names import RelativePath, relative_path

# The whole ID of a commit, SHA-1 or SHA-256, in hexadecimal digits.
Commit = NewType("Commit", str)
# A commit, tag or branch; "" for the default branch.
RevisionName = NewType("RevisionName", str)
# A URL that git opens itself: no remote helper, no option, no host that ssh takes for an option.
RepositoryUrl = NewType("RepositoryUrl", str)

SCHEMES = ("https", "ssh", "file")
COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
# Stricter than git-check-ref-format(1).
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+-]*")
_LONGEST = 2000  # longest URL in characters
_USER = r"(?:[A-Za-z0-9_.~%!$&'()*+,;=][A-Za-z0-9_.~%!$&'()*+,;=:-]*@)?"
_HOST = r"(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_NETLOC = re.compile(_USER + _HOST)
_PATH = re.compile(r"/[!$%&'()*+,./0-9:;=@A-Z_a-z~-]+")


class Revision(NamedTuple):
    """A revision of a git repository, and the folder of a project in it."""

    repository: RepositoryUrl
    name: RevisionName = RevisionName("")
    subdirectory: RelativePath = RelativePath("")
    """"" for the top."""

    @property
    def commit(self) -> Commit | None:
        """The commit, if it is named by its full ID; None for a name that may move."""
        return Commit(self.name) if COMMIT.fullmatch(self.name) else None

    @property
    def is_local(self) -> bool:
        """Whether the repository is a folder on this machine."""
        return self.repository.startswith("file:")

    @property
    def url(self) -> str:
        """The URL that `parse_revision` reads."""
        revision = f"@{self.name}" if self.name else ""
        below = f"#subdirectory={self.subdirectory}" if self.subdirectory else ""
        return f"{self.repository}{revision}{below}"


def parse_revision(url: str, what: str) -> Revision:
    """Reads `URL@REVISION#subdirectory=FOLDER`; the last two may be missing, and `git+` may be in
    front.

    Raises Failure, naming `what` has that URL, for anything else: another protocol than https, ssh
    or file, a host or a name that begins with a dash, a folder outside.
    """
    try:
        plain, fragment = urldefrag(url[len("git+") :] if url.startswith("git+") else url)
        parts = urlsplit(plain)
        below = parse_qs(fragment).get("subdirectory", [""])[0]
    except ValueError:
        raise _unusable(url, what) from None
    # An `@` before the path belongs to a user.
    path, at, name = parts.path.rpartition("@")
    if not at:
        path, name = parts.path, ""
    if not url.isascii() or len(url) > _LONGEST or parts.query or parts.scheme not in SCHEMES:
        raise _unusable(url, what)
    usable = parts.netloc == "" if parts.scheme == "file" else _NETLOC.fullmatch(parts.netloc)
    # git decodes the escapes in both.
    decoded = unquote(parts.netloc)
    if not usable or decoded.startswith("-") or not unquote(decoded + path).isprintable():
        raise _unusable(url, what)
    if not _PATH.fullmatch(path):
        raise _unusable(url, what)
    if at and not _is_name(name):
        raise Failure(
            f"{what} has no usable revision, a commit, tag or branch: it is {foreign_word(name)}"
        )
    return Revision(
        RepositoryUrl(f"{parts.scheme}://{parts.netloc}{path}"),
        RevisionName(name),
        subdirectory(below, what),
    )


def subdirectory(text: str, what: str) -> RelativePath:
    """The project's folder in its sources, "" for the top; raises Failure, naming `what`, if it is
    outside them.
    """
    path = posixpath.normpath(text) if text else "."
    return RelativePath("") if path == "." else relative_path(path, f"the subdirectory of {what}")


def _is_name(name: str) -> bool:
    parts = name.split("/")
    return (
        _NAME.fullmatch(name) is not None
        and ".." not in name
        and not any(part == "" or part[0] == "." or part.endswith(".lock") for part in parts)
    )


def _unusable(url: str, what: str) -> Failure:
    return Failure(
        f"{what} has no usable URL of a git repository, git+https://HOST/PATH@COMMIT or git+ssh://:"
        f" it is {foreign_word(url)}"
    )
