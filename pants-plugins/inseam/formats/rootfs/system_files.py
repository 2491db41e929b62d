"""Creates the files of a root filesystem that Debian's maintainer scripts would create."""

from __future__ import annotations

from typing import Iterable, NamedTuple, Sequence

from inseam.formats.debian.deb import Deb
from inseam.formats.tar import Member

OWNER = "the base image"
ROOT_MODE = 0o700
TEMPORARY_MODE = 0o1777
CERTIFICATES = "usr/share/ca-certificates/"
CERTIFICATE_BUNDLE = "etc/ssl/certs/ca-certificates.crt"
STATUS = "var/lib/dpkg/status.d"

# Top-level names that are links to the same names below /usr (Debian's UsrMerge).
MERGED = ("bin", "lib", "lib64", "sbin")

# The user IDs are those of Google's distroless images, for which clusters have policies.
PASSWD = """\
root:x:0:0:root:/root:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/usr/sbin/nologin
"""
GROUP = """\
root:x:0:
nogroup:x:65534:
nonroot:x:65532:
"""
NSSWITCH = """\
passwd: files
group: files
shadow: files
hosts: files dns
networks: files
protocols: files
services: files
ethers: files
rpc: files
"""

DIRECTORIES = {
    "dev": 0o755,
    "home/nonroot": TEMPORARY_MODE,  # writable for any user that runs the image
    "proc": 0o755,
    "root": ROOT_MODE,
    "run": 0o755,
    "sys": 0o755,
    "tmp": TEMPORARY_MODE,
    "usr/bin": 0o755,
    "usr/lib": 0o755,
    "usr/lib64": 0o755,
    "usr/sbin": 0o755,
    "var/tmp": TEMPORARY_MODE,
}


class Account(NamedTuple):
    """A user in addition to those in PASSWD, with the home /home/<name>. Its group has the same
    name, unless a group with that ID exists.
    """

    name: str
    uid: int
    gid: int


def parse_account(text: str) -> Account:
    """Parses "NAME:UID" or "NAME:UID:GID"; GID defaults to UID."""
    name, uid, *gid = text.split(":")
    return Account(name, int(uid), int(gid[0]) if gid else int(uid))


# Applets of busybox that get a name on PATH; the others run as `busybox NAME`.
APPLETS = (
    *("ash", "cat", "cp", "date", "df", "du", "env", "find", "free", "grep", "head", "hostname"),
    *(
        "id",
        "kill",
        "less",
        "ln",
        "ls",
        "mkdir",
        "mount",
        "mv",
        "nc",
        "netstat",
        "nslookup",
        "ping",
    ),
    *("ps", "pwd", "rm", "sed", "sh", "sleep", "sort", "stat", "tail", "tar", "top", "vi", "wc"),
    *("wget", "which", "xargs"),
)


def merged(path: str) -> str:
    """The path of a package's file after bin, sbin, lib and lib64 have become links to /usr."""
    return f"usr/{path}" if path.split("/", 1)[0] in MERGED else path


def system_files(debs: Sequence[Deb], accounts: Iterable[Account] = ()) -> Iterable[Member]:
    """Yields links, accounts, configuration and directories that no package contains as a file.

    If a package has a file with one of these names, that file is used.
    """
    accounts = sorted(accounts)
    names = {deb.name for deb in debs}
    for path, mode in DIRECTORIES.items():
        yield Member(path, mode=mode, directory=True, owner=OWNER)
    for name in MERGED:
        yield _link(name, f"usr/{name}")
    for account in accounts:
        # The same for `nonroot`, because OpenShift starts containers as other users.
        home = f"home/{account.name}"
        yield Member(home, mode=TEMPORARY_MODE, directory=True, owner=OWNER)
    yield _file("etc/passwd", PASSWD + "".join(map(_passwd, accounts)))
    yield _file("etc/group", GROUP + "".join(_groups(accounts)))
    yield _file("etc/nsswitch.conf", NSSWITCH)
    yield _link("var/run", "/run")
    if "tzdata" in names:
        yield _file("etc/timezone", "Etc/UTC\n")
        yield _link("etc/localtime", "/usr/share/zoneinfo/Etc/UTC")
    bundle = certificate_bundle(debs)
    if bundle:
        yield Member(CERTIFICATE_BUNDLE, bundle, owner=OWNER)
        # OPENSSLDIR of Debian's OpenSSL, where OpenSSL and CPython's ssl module look.
        yield _link("usr/lib/ssl/cert.pem", f"/{CERTIFICATE_BUNDLE}")
        yield _link("usr/lib/ssl/certs", "/etc/ssl/certs")
    if "busybox" in names:
        for applet in APPLETS:
            yield _link(f"usr/bin/{applet}", "busybox")


def _passwd(account: Account) -> str:
    name, uid, gid = account
    return f"{name}:x:{uid}:{gid}:{name}:/home/{name}:/usr/sbin/nologin\n"


def _groups(accounts: Iterable[Account]) -> Iterable[str]:
    known = {line.split(":")[2] for line in GROUP.splitlines()}
    for name, _, gid in accounts:
        if str(gid) not in known:
            known.add(str(gid))
            yield f"{name}:x:{gid}:\n"


def _file(path: str, text: str) -> Member:
    return Member(path, text.encode(), owner=OWNER)


def _link(path: str, target: str) -> Member:
    return Member(path, link=target, owner=OWNER)


def certificate_bundle(debs: Iterable[Deb]) -> bytes:
    """The certificates of ca-certificates in one file, as update-ca-certificates(8) orders them."""
    found = sorted(
        (member.path, member.content)
        for deb in debs
        for member in deb.members
        if member.path.startswith(CERTIFICATES) and member.path.endswith(".crt")
    )
    texts = [content for _, content in found if isinstance(content, bytes)]
    return b"".join(text if text.endswith(b"\n") else text + b"\n" for text in texts)


def status_files(deb: Deb, kept: Iterable[str]) -> Iterable[Member]:
    """The package's entry in /var/lib/dpkg/status.d, where scanners of distroless images look.

    kept: paths of the package's files that are in the image, as in its md5sums; files that were
        left out have no checksum in the entry.
    """
    there = set(kept)
    lines = [line for line in deb.md5sums.splitlines() if line[34:] in there]
    text = deb.control_text.rstrip("\n") + "\n"
    yield Member(f"{STATUS}/{deb.name}", text.encode(), owner=OWNER)
    sums = "".join(f"{line}\n" for line in lines)
    yield Member(
        f"{STATUS}/{deb.name}.md5sums", sums.encode("utf-8", "surrogateescape"), owner=OWNER
    )
