"""Reads and makes digests of a few small files."""

from __future__ import annotations

from typing import Mapping

from pants.engine.fs import CreateDigest, Digest, DigestSubset, FileContent, PathGlobs

from inseam.compat import create_digest, digest_subset_to_digest, get_digest_contents


async def file_content(digest: Digest, path: str) -> bytes:
    """The content of one file of a digest."""
    found = await digest_subset_to_digest(DigestSubset(digest, PathGlobs([path])))
    (file,) = await get_digest_contents(found)
    content: bytes = file.content
    return content


async def written(files: Mapping[str, bytes]) -> Digest:
    """A digest with the given files: their contents, by path."""
    digest: Digest = await create_digest(
        CreateDigest(FileContent(path, content) for path, content in files.items())
    )
    return digest
