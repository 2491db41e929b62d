from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest

from inseam.formats.debian.control import DebianError
from inseam.formats.debian.deb_testing import IN_RELEASE, IN_RELEASE_TEXT, KEYRING
from inseam.formats.debian.signature import InvalidSignature, verify_inrelease

# Another key made for these tests, and an InRelease file over whose SHA-1 it made a signature.
RSA_KEYRING = base64.b64decode(
    "mQENBGWTUgABCADCCSL9FUZV+RZ0nWxzWyO+8wn0HVPaEf2D5swo8qeyaSLpEh8ZRGl/jqr3FPErV22ODCd+hGn/wAM/"
    "H/zaktGcazE5qMsDKDrZm7fSYrq+MgSObA8h2WsKFyhT83cIivDb8CMseI1QB/kRap8GgPUpwgH7K6KVEYCdxhr2AXnB"
    "mQse5FmuSOeTBzhTT838HyK2M4BjqJNOh3VFVsoIobLerzg1Rb0BRh6Ty/l9zJl/0djf/JDXq7fMH5TEIcKMepGt+Gss"
    "8mPiM+5CRH0RDxZgeUzGzKumTtHyi/qWSL0Mqy20xifreDK20T9IdK6SnCJJQATRWlDHg2qnZAL4AtNHABEBAAG0Iklu"
    "c2VhbSB0ZXN0IDx0ZXN0QGV4YW1wbGUuaW52YWxpZD6JAU4EEwEKADgWIQQwJuHdKLDtLqz7Q8Ntz+7BD0WhkwUCZZNS"
    "AAIbAwULCQgHAgYVCgkICwIEFgIDAQIeAQIXgAAKCRBtz+7BD0Whk9cJB/9ZqYY8T06nNe5BQnV0SeKqLJVikHDA1Wrh"
    "8yNHKQrfSFVRHs7Dsu/fuha0fmBbMmm9ncQjE1950xIbUw+Q12gwi4kP8m/U4JXr7fGEd5Wu926AozI+2Y7bJ2t+AJo1"
    "PwMsbqH1xtmpUibgNKLzT8WZhnVuTpmtxKAp2ghuA71e7v3REgJ0UhPbmFWeEbGBidBCtMeqdFKpSxHqhYrzVvyqCLRf"
    "dPEkdHk31NAFlnZgYPWjbSuqonQ+coofxytqAaiiTL9Lm78fiiqgs5jciecu9Jz99e6txMuLwK7CnHQDavsvDZ9H+w6W"
    "61zo5FaGrDHNuapMeuTc06xsqviUvHNM"
)
WEAK_IN_RELEASE = b"""\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA1

Origin: Debian
Codename: bookworm
-----BEGIN PGP SIGNATURE-----

iQEzBAEBAgAdFiEEMCbh3Siw7S6s+0PDbc/uwQ9FoZMFAmWTUgAACgkQbc/uwQ9F
oZPCkAf8D42rJNOKWxrLsb98fB8QnFdmosu/g6fv/54O0+q7SefAf3CqQFXGCZY9
Eh6RuKcuh7zoHNAYwOwPNN8bdsXeOkI5ZnJ+pLwrh0Hh+PQBVoENTJf18i7vSQXN
wEYRXv2aehczxS04qLsrI1jiB7KRPqPquy9TShMH4/lsF9VLJA9MBJjsQA2ifC6N
+OjqyeVSYnwiaaQbUa0y2fFKKNa0sr/u6Z9kaSC5Goe5CxEGF16qv3FRnQcN6bUP
HnPGfQRvXyT9ZvxCNg1qh3hRHSRTcs0U8cbnN6cCE8fA+QdLBA/CWJ0Acrwxb5kc
AezDKHNukDMgiGoKv1vf4q1PVWZqxQ==
=PcNO
-----END PGP SIGNATURE-----
"""


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if not shutil.which("gpgv"):
        pytest.skip("no gpgv on this machine")
    path = tmp_path / "keyring.gpg"
    path.write_bytes(KEYRING)
    monkeypatch.setenv("DEBIAN_KEYRING", str(path))
    return path


def test_a_good_signature_is_good(keyring: Path) -> None:
    assert verify_inrelease(IN_RELEASE, "InRelease") == IN_RELEASE_TEXT


@pytest.mark.parametrize(
    "signed",
    [
        IN_RELEASE.replace(b"bookworm", b"bookwork"),
        IN_RELEASE_TEXT.encode(),
        b"",
        IN_RELEASE[: len(IN_RELEASE) // 2],
    ],
)
def test_a_bad_signature_is_bad(keyring: Path, signed: bytes) -> None:
    with pytest.raises(InvalidSignature, match="InRelease is not signed"):
        verify_inrelease(signed, "InRelease")


def test_what_is_around_the_signed_text_is_not_read(keyring: Path) -> None:
    wrapped = b"Codename: sid\n\n" + IN_RELEASE + b"\nCodename: sid\n"
    assert verify_inrelease(wrapped, "InRelease") == IN_RELEASE_TEXT


def test_another_key_is_not_enough(keyring: Path) -> None:
    keyring.write_bytes(b"")
    with pytest.raises(InvalidSignature):
        verify_inrelease(IN_RELEASE, "InRelease")


def test_a_machine_without_keyring_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBIAN_KEYRING", str(tmp_path / "none"))
    with pytest.raises(DebianError, match="install debian-archive-keyring"):
        verify_inrelease(IN_RELEASE, "InRelease")


def test_a_machine_without_gpgv_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keyring.gpg").write_bytes(KEYRING)
    monkeypatch.setenv("DEBIAN_KEYRING", str(tmp_path / "keyring.gpg"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DebianError, match="install gpgv"):
        verify_inrelease(IN_RELEASE, "InRelease")


def test_a_good_signature_over_a_weak_digest_is_bad(keyring: Path) -> None:
    keyring.write_bytes(RSA_KEYRING)
    with pytest.raises(InvalidSignature, match="SHA1 algorithm are rejected"):
        verify_inrelease(WEAK_IN_RELEASE, "InRelease")
