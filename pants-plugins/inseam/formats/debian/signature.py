"""Verifies that Debian's keys signed a file (apt-secure(8))."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile

from inseam.formats.debian.control import DebianError
from inseam.formats.foreign_text import plain

KEYRINGS = (
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
)
KEYRING_VARIABLE = "DEBIAN_KEYRING"
# These have known collisions, so a signature proves nothing; apt refuses them, too.
WEAK_DIGESTS = ("MD5", "SHA1", "RIPEMD160")


class InvalidSignature(Exception):
    """A Release file is not signed by the archive's keys."""


def find_keyring() -> str:
    """The file with the Debian archive's keys; raises DebianError if there is none."""
    named = os.environ.get(KEYRING_VARIABLE)
    for path in (named,) if named else KEYRINGS:
        if os.path.exists(path):
            return path
    raise DebianError(
        f"cannot verify Debian's signature: there is no keyring at {named or KEYRINGS[0]}."
        " Install it (apt-get install debian-archive-keyring), or set"
        f" {KEYRING_VARIABLE} to a keyring file with the Debian archive's keys."
    )


def verify_inrelease(signed: bytes, name: str) -> str:
    """The text in a clear-signed InRelease file, after its signature is verified.

    Raises InvalidSignature if the signature is not valid, DebianError if this machine cannot verify
    it.
    """
    keyring = find_keyring()
    gpgv = shutil.which("gpgv", path=os.environ.get("PATH") or os.defpath)
    if gpgv is None:
        raise DebianError(
            "cannot verify Debian's signature: there is no gpgv on this machine."
            " Install it (apt-get install gpgv)."
        )
    with tempfile.TemporaryDirectory() as directory:
        signed_path = os.path.join(directory, "InRelease")
        text_path = os.path.join(directory, "Release")
        with open(signed_path, "wb") as file:
            file.write(signed)
        command = [gpgv, "--homedir", directory, "--keyring", os.path.abspath(keyring)]
        command += [f"--weak-digest={digest}" for digest in WEAK_DIGESTS]
        command += ["--output", text_path, signed_path]
        result = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={"LC_ALL": "C"}
        )
        if result.returncode != 0 or not os.path.exists(text_path):
            reason = plain(result.stderr.decode("utf-8", "replace"))
            raise InvalidSignature(f"{name} is not signed by Debian's keys: {reason}")
        with open(text_path, "rb") as file:
            text = file.read()
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise InvalidSignature(f"{name} is signed, but it is not text in UTF-8") from None
