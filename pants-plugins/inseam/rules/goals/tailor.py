"""Rules of the goal `tailor`: a `python_service` for each module that starts a service."""

from __future__ import annotations

import logging
import os
from collections import Counter
from dataclasses import dataclass
from typing import Any, Iterable, Mapping

from pants.backend.python.target_types import PexEntryPointField
from pants.core.goals.tailor import PutativeTarget, PutativeTargets, PutativeTargetsRequest
from pants.engine.fs import CreateDigest, FileContent, FileEntry
from pants.engine.rules import collect_rules
from pants.engine.target import AllTargets, Target
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from inseam.compat import (
    create_digest,
    get_digest_contents,
    get_digest_entries,
    path_globs_to_digest,
    rule,
)
from inseam.formats.foreign_text import foreign_word
from inseam.plan.starting import Start, find_imports, find_start, is_candidate
from inseam.plan.syntax import LARGEST, Unreadable
from inseam.subsystem import InseamSubsystem
from inseam.targets.image import OciRepositoryField
from inseam.targets.service import PythonServiceTarget

logger = logging.getLogger(__name__)

# What a server listens on if nothing else is said.
_DEFAULT_PORT = 8000
_NAME = "app"


@dataclass(frozen=True)
class PutativeServicesRequest(PutativeTargetsRequest):
    pass


def _modules(targets: Iterable[Target]) -> frozenset[str]:
    """The modules of the services that there are, as ends of paths: "shop/server.py"."""
    found = set()
    for target in targets:
        if not target.address.is_generated_target or not target.has_field(PexEntryPointField):
            continue
        entry_point = target[PexEntryPointField].value
        if entry_point is None:
            continue
        module = entry_point.module
        if module.endswith(".py"):
            found.add(f"{target.address.spec_path}/{module}".lstrip("/"))
        else:
            found.add(f"{module.replace('.', '/')}.py")
    return frozenset(found)


def _ends_with(path: str, ends: Iterable[str]) -> bool:
    return any(path == end or path.endswith(f"/{end}") for end in ends)


def _imported(starts: Mapping[str, Start], path: str) -> bool:
    """Whether another module that starts a service imports that at `path`, or its application."""
    module = path[: -len(".py")].replace("/", ".").removesuffix(".__init__")
    dotted = {module.split(".", number)[-1] for number in range(module.count(".") + 1)}
    application = f".{starts[path].function}"
    for other, start in starts.items():
        beside = os.path.dirname(other) == os.path.dirname(path)
        for name in start.imports if other != path else ():
            imported = name if name in dotted else name.removesuffix(application)
            # A name without a dot may belong to any module but the one beside it.
            if imported in dotted and (beside or "." in imported):
                return True
    return False


def _proposed(starts: Mapping[str, Start]) -> dict[str, Start]:
    """The modules that are services of their own."""
    wsgi = {os.path.dirname(path) for path, one in starts.items() if one.server == "gunicorn"}
    return {
        path: one
        for path, one in starts.items()
        # Django makes both, and one of them is enough.
        if not (one.is_django and one.server == "uvicorn" and os.path.dirname(path) in wsgi)
        and not _imported(starts, path)
    }


def _repositories(folders: Mapping[str, str], others: Iterable[str]) -> dict[str, str]:
    """Names of images, by module, for services that would have the name of another one.

    folders: by module, the folder of a service, with its name behind it if the folder has several.
    others: the folders of services that there are.
    """
    taken = [*others, *folders.values()]
    found = {}
    for path, folder in folders.items():
        parts = folder.split("/")
        least = 1 if folder == os.path.dirname(path) else min(2, len(parts))
        for length in range(least, len(parts) + 1):
            end = "/".join(parts[-length:])
            if sum(_ends_with(other, [end]) for other in taken) == 1:
                break
        if length > 1:
            found[path] = "-".join(parts[-length:]).lower()
    return found


def _fields(path: str, start: Start, repository: str | None) -> dict[str, Any]:
    name = os.path.basename(path)
    fields: dict[str, Any] = {
        "entry_point": f"{name}:{start.function}" if start.function else name,
        "server": start.server,
        "healthcheck_path": start.healthcheck_path,
        "repository": repository,
    }
    if (
        start.port
        and 0 < start.port < 65536
        and (start.server is None or start.port != _DEFAULT_PORT)
    ):
        fields["ports"] = (start.port,)
    return {name: value for name, value in fields.items() if value is not None}


def _leave_out(path: str, why: str) -> None:
    logger.warning(f"`tailor` leaves out {foreign_word(path)}: {why}.")


def _read(
    files: Iterable[FileContent], known: frozenset[str]
) -> tuple[dict[str, Start], dict[str, Start]]:
    """The modules that start a service, and those of services that there are, by path."""
    found: dict[str, Start] = {}
    served: dict[str, Start] = {}
    for file in files:
        try:
            start = find_start(file.content, file.path) if is_candidate(file.path) else None
            if start is not None:
                found[file.path] = start
            if _ends_with(file.path, known):
                served[file.path] = Start("", imports=find_imports(file.content))
        except Unreadable as error:
            _leave_out(file.path, str(error))
    return found, served


@rule(desc="Find services without a target", level=LogLevel.DEBUG)
async def find_services(
    request: PutativeServicesRequest, inseam: InseamSubsystem, targets: AllTargets
) -> PutativeTargets:
    if not inseam.tailor:
        return PutativeTargets()
    digest = await path_globs_to_digest(request.path_globs("*.py"))
    entries = [entry for entry in await get_digest_entries(digest) if isinstance(entry, FileEntry)]
    # Large ones are not read: the contents of all files are in memory at once.
    small = []
    for entry in entries:
        if entry.file_digest.serialized_bytes_length <= LARGEST:
            small.append(entry)
        elif is_candidate(entry.path):
            _leave_out(entry.path, f"it has more than {LARGEST} bytes")
    read = await get_digest_contents(await create_digest(CreateDigest(small)))
    known = _modules(targets)
    found, served = _read(read, known)
    new = {path: start for path, start in _proposed({**found, **served}).items() if path in found}
    new = {path: start for path, start in new.items() if not _ends_with(path, known)}
    a_folder = Counter(os.path.dirname(path) for path in new)
    names = {path: _name(path, a_folder[os.path.dirname(path)]) for path in new}
    repositories = _repositories(
        {
            path: f"{folder}/{names[path]}".lstrip("/") if a_folder[folder] > 1 else folder
            for path in new
            for folder in [os.path.dirname(path)]
        },
        {target.address.spec_path for target in targets if target.has_field(OciRepositoryField)},
    )
    return PutativeTargets(
        PutativeTarget.for_target_type(
            PythonServiceTarget,
            path=folder,
            name=names[path],
            triggering_sources=(),
            # Pants calls what is at the root "root" if it has no name of its own.
            kwargs={
                **({} if folder else {"name": names[path]}),
                **_fields(path, start, repositories.get(path)),
            },
        )
        for path, start in sorted(new.items())
        for folder in [os.path.dirname(path)]
    )


def _name(path: str, in_folder: int) -> str:
    """`app`, or that of the module where a folder has several services."""
    folder, name = os.path.split(path)
    if in_folder > 1:
        return os.path.splitext(name)[0].strip("_")
    # The name of a folder is what the sources in it are called.
    return _NAME if os.path.basename(folder) != _NAME else "service"


def rules() -> list[Any]:
    return [*collect_rules(), UnionRule(PutativeTargetsRequest, PutativeServicesRequest)]
