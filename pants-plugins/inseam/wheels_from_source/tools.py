"""Rules that fetch the tools that confine builds: bubblewrap, and a root with a shell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.engine.fs import EMPTY_DIGEST, Digest, MergeDigests
from pants.engine.rules import collect_rules
from pants.util.logging import LogLevel

from inseam.compat import concurrently, implicitly, merge_digests, rule
from inseam.formats.debian.lock import parse_lock
from inseam.formats.failure import Failure
from inseam.rules.base.debs import DebRequest, deb
from inseam.rules.base.default_base import BUILD_TOOLS, shipped_lock
from inseam.rules.programs.host import Program, run_on_host
from inseam.subsystem import BuildTools, InseamSubsystem


@dataclass(frozen=True)
class ToolsRequest:
    """Asks for the tools for machines of an architecture, by Debian's name."""

    architecture: str


@dataclass(frozen=True)
class Tools:
    """A digest with `tools.tar`; empty if the machine's tools are used."""

    digest: Digest


@rule(desc="Unpack the tools that confine builds", level=LogLevel.DEBUG)
async def build_tools(request: ToolsRequest, inseam: InseamSubsystem) -> Tools:
    if inseam.build_tools == BuildTools.installed:
        return Tools(EMPTY_DIGEST)
    lock = parse_lock(shipped_lock(BUILD_TOOLS), BUILD_TOOLS)
    packages = lock.select(request.architecture, ())
    timestamp = lock.timestamp if inseam.debian_snapshot else ""
    try:
        debs = await concurrently(
            deb(DebRequest(lock.request.release, (), package, timestamp), **implicitly())
            for package in packages
        )
        made = await run_on_host(
            Program(
                argv=(
                    "build_tools",
                    f"--architecture={request.architecture}",
                    "--out=out",
                    *(package.file_name for package in packages),
                ),
                input=await merge_digests(MergeDigests(one.digest for one in debs)),
                output="out",
                description="Unpack bubblewrap",
            )
        )
    except Failure as error:
        raise Failure(
            f"{error}\nBuilds are confined by bubblewrap, which comes from Debian. To use one that"
            " is installed on this machine: [inseam].build_tools = 'installed'."
        ) from error
    return Tools(made.digest)


def rules() -> list[Any]:
    return [*collect_rules()]
