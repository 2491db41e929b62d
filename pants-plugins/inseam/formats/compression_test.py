from __future__ import annotations

import gzip
import hashlib
import io
import random
import sys
import zlib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import pytest

from inseam.formats import compression
from inseam.formats.compression import Compressor, compress
from inseam.formats.failure import Failure
from inseam.formats.oci.descriptor import BLOBS, GZIP_LAYER, ZSTD_LAYER
from inseam.formats.oci.layer import read_layer
from inseam.programs.program_testing import SURROUNDINGS, run_program, tree

WHY = "the compressor is not installed"
needs_deflate = pytest.mark.skipif(find_spec("deflate") is None, reason=WHY)
needs_zstandard = pytest.mark.skipif(find_spec("zstandard") is None, reason=WHY)
every_format = pytest.mark.parametrize(
    "format",
    [pytest.param("gzip", marks=needs_deflate), pytest.param("zstd", marks=needs_zstandard)],
)


def sample(size: int) -> bytes:
    """Bytes that compress about as well as code does."""
    source = random.Random(4711)
    words = [bytes(source.choices(b"abcdefgh(). \n", k=source.randint(2, 9))) for _ in range(400)]
    out = io.BytesIO()
    while out.tell() < size:
        out.write(source.choice(words))
    return out.getvalue()[:size]


def decompressed(blob: bytes, format: str) -> bytes:
    if format == "gzip":
        return gzip.decompress(blob)
    zstandard = import_module("zstandard")
    content: bytes = zstandard.ZstdDecompressor().decompressobj().decompress(blob)
    return content


def blob_of(folder: Path) -> bytes:
    (blob,) = (folder / BLOBS).iterdir()
    content = blob.read_bytes()
    assert hashlib.sha256(content).hexdigest() == blob.name
    return content


@every_format
@pytest.mark.parametrize("size", [0, 1, 1000, 4096, 10_000])
def test_a_layer_comes_out_as_it_went_in(
    tmp_path: Path, format: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "CHUNK", 1000)
    content = sample(size)
    (tmp_path / "deps.tar").write_bytes(content)
    layer = compress(tmp_path / "deps.tar", tmp_path / "out", format=format)
    blob = blob_of(tmp_path / "out")
    assert decompressed(blob, format) == content
    assert layer == read_layer(tmp_path / "out")
    assert layer.name == "deps"
    assert layer.descriptor == (
        {"gzip": GZIP_LAYER, "zstd": ZSTD_LAYER}[format],
        f"sha256:{hashlib.sha256(blob).hexdigest()}",
        len(blob),
    )
    assert layer.diff_id == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert layer.size == size


@every_format
def test_it_does_not_matter_in_which_chunks_the_tar_is_written(
    format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "CHUNK", 10_000)
    content = sample(55_555)
    blobs = set()
    for seed in range(5):
        source = random.Random(seed)
        written: list[bytes] = []
        compressor = Compressor(written.append, format)
        left = content
        while left:
            size = source.choice([1, 512, 9_999, 10_000, 10_001, 30_000])
            compressor.write(left[:size])
            left = left[size:]
        compressor.end()
        blobs.add(b"".join(written))
    assert len(blobs) == 1


@every_format
def test_surroundings_do_not_matter(tmp_path: Path, format: str) -> None:
    (tmp_path / "deps.tar").write_bytes(sample(100_000))
    seen = []
    for number, (env, umask) in enumerate(SURROUNDINGS):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "deps.tar").write_bytes(sample(100_000))
        arguments = ["--tar=deps.tar", "--out=out", f"--format={format}"]
        result = run_program("compress", *arguments, cwd=folder, env=env, umask=umask)
        assert result.returncode == 0, result.stderr
        seen.append(tree(folder / "out"))
    assert seen[0] == seen[1] == seen[2]


@every_format
def test_the_bytes_are_those_of_the_pinned_compressors(tmp_path: Path, format: str) -> None:
    """They may change only with the compressors' versions: then every layer gets a new digest."""
    (tmp_path / "deps.tar").write_bytes(sample(200_000))
    layer = compress(tmp_path / "deps.tar", tmp_path / "out", format=format)
    assert (layer.descriptor.size, layer.descriptor.digest[7:19]) == {
        "gzip": (67340, "1edf06284267"),
        "zstd": (67901, "a18bc836d040"),
    }[format]


@needs_deflate
def test_every_gzip_member_has_the_same_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "CHUNK", 1000)
    (tmp_path / "deps.tar").write_bytes(sample(5_500))
    compress(tmp_path / "deps.tar", tmp_path / "out")
    left = blob_of(tmp_path / "out")
    members = 0
    while left:
        # RFC 1952: magic, deflate, no flags, no time, no extra flags, unknown system.
        assert left[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
        member = zlib.decompressobj(wbits=31)
        member.decompress(left)
        left = member.unused_data
        members += 1
    assert members == 6


@needs_deflate
def test_a_missing_tar_is_named(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"none\.tar cannot be read: No such file"):
        compress(tmp_path / "none.tar", tmp_path / "out")
    assert tree(tmp_path / "out") == {}


@needs_deflate
def test_a_run_that_fails_half_way_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deps.tar").write_bytes(b"x" * 10)

    def fail(_: Compressor) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Compressor, "end", fail)
    with pytest.raises(ZeroDivisionError):
        compress(tmp_path / "deps.tar", tmp_path / "out")
    assert tree(tmp_path / "out") == {}


def test_without_its_compressor_the_program_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deps.tar").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "deflate", cast(Any, None))
    with pytest.raises(Failure, match="The distribution 'deflate'"):
        compress(tmp_path / "deps.tar", tmp_path / "out")
    assert tree(tmp_path / "out") == {}


def test_a_free_threaded_python_compresses_by_its_own_zlib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "FREE_THREADED", True)
    monkeypatch.setattr(compression, "CHUNK", 4096)
    content = sample(10_000)
    blobs = []
    for number in range(2):
        tar = tmp_path / "deps.tar"
        tar.write_bytes(content)
        compress(tar, tmp_path / str(number))
        blobs.append(blob_of(tmp_path / str(number)))
    assert blobs[0] == blobs[1]
    assert gzip.decompress(blobs[0]) == content
    assert blobs[0][4:8] == bytes(4)  # The time.
    with pytest.raises(Failure, match="set `compression` to 'gzip'"):
        compress(tmp_path / "deps.tar", tmp_path / "zstd", format="zstd")
