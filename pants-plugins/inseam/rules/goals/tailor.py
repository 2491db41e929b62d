"""Rules of the goal `tailor`: propose a `python_service` for each program of the repository."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Iterable, Mapping

from pants.backend.python.subsystems.setup import PythonSetup
from pants.core.goals.tailor import (
    PutativeTarget,
    PutativeTargets,
    PutativeTargetsRequest,
    TailorSubsystem,
)
from pants.engine.fs import CreateDigest, FileEntry, PathGlobs
from pants.engine.rules import collect_rules
from pants.engine.target import AllTargets
from pants.engine.unions import UnionRule
from pants.source.source_root import AllSourceRoots
from pants.util.logging import LogLevel

from inseam.compat import (
    create_digest,
    get_digest_contents,
    get_digest_entries,
    path_globs_to_digest,
    rule,
)
from inseam.formats.foreign_text import foreign_word
from inseam.plan.syntax import LARGEST, Unreadable
from inseam.plan.tailor.bases import SHIPPED, choose_base
from inseam.plan.tailor.choosing import choose, ends_with, uncovered
from inseam.plan.tailor.declared import Declared, File, Image, LeftOut
from inseam.plan.tailor.modules import Modules
from inseam.plan.tailor.naming import address_of
from inseam.plan.tailor.places import is_candidate, is_place
from inseam.plan.tailor.proposal import Owner, Proposal, Surroundings, propose
from inseam.plan.tailor.reading import Reader
from inseam.plan.tailor.starting import find_imports
from inseam.rules.goals.tailor_targets import Targets, project_scripts, value
from inseam.subsystem import DEFAULT_BASE, InseamSubsystem
from inseam.targets.base import READY_PREFIX, DebianBaseTarget
from inseam.targets.service import PythonServiceTarget

logger = logging.getLogger(__name__)

# The files, besides modules, that say something about programs.
_FILES = (
    *("**/*Dockerfile*", "**/*.dockerfile", "**/*Containerfile*"),
    *("**/Procfile*", "**/*.sh", "**/pyproject.toml"),
)
_MOST_LINES = 10
# The CPython of bases that come with Inseam, by the value with which fields name their locks.
_SHIPPED_LOCKS = {f"{READY_PREFIX}{name}.json": version for version, name in SHIPPED.items()}
_LOCKED_PYTHON = re.compile(rb'"python(3\.[0-9]+)-minimal"')


@dataclass(frozen=True)
class PutativeServicesRequest(PutativeTargetsRequest):
    pass


@dataclass(frozen=True)
class _Written:
    """A dictionary in a BUILD file."""

    text: str

    def __repr__(self) -> str:
        return self.text


def _leave_out(path: str, why: str) -> None:
    logger.warning(f"`tailor` leaves out {foreign_word(path)}: {why}.")


async def _read(*globs: str) -> dict[str, bytes]:
    """The files of the repository that are small enough to be read, by path."""
    digest = await path_globs_to_digest(PathGlobs(globs))
    small = []
    for entry in await get_digest_entries(digest):
        if not isinstance(entry, FileEntry):
            continue
        # Large files are not read, because the contents of all files are in memory at once.
        if entry.file_digest.serialized_bytes_length <= LARGEST:
            small.append(entry)
        elif entry.path.endswith(".py") and is_candidate(entry.path):
            _leave_out(entry.path, f"it has more than {LARGEST} bytes")
    contents = await get_digest_contents(await create_digest(CreateDigest(small)))
    return {file.path: file.content for file in contents}


def _imports(files: Mapping[str, bytes], known: frozenset[str]) -> dict[str, frozenset[str]]:
    """The imports of modules of the services that are already declared."""
    found = {}
    for path, text in files.items():
        if ends_with(path, known):
            try:
                found[path] = find_imports(text)
            except (Unreadable, RecursionError):
                continue
    return found


def _images(targets: Targets, files: Mapping[str, str]) -> list[Image]:
    """The Dockerfiles of the repository, whether or not a target owns them."""
    images = []
    owned = set()
    for path, image in targets.dockerfiles():
        if path in files and path not in owned:
            owned.add(path)
            images.append(image._replace(where=path, text=files[path]))
        elif image.text:
            images.append(image)
    for path, text in files.items():
        name = path.rpartition("/")[2].lower()
        if path not in owned and ("dockerfile" in name or "containerfile" in name):
            images.append(Image(path, path.rpartition("/")[0], text))
    return images


def _declared(
    reader: Reader, images: Iterable[Image], files: Mapping[str, str]
) -> list[Declared | LeftOut]:
    """Everything that the repository declares about its programs."""
    found: list[Declared | LeftOut | None] = [reader.image(image) for image in images]
    for path, text in files.items():
        if path.rpartition("/")[2].startswith("Procfile") and is_place(path):
            found += reader.procfile(File(path, text))
    for binary in reader.binaries:
        found += reader.binary(binary)
    for script in reader.scripts.values():
        found += reader.script(script)
    found += [reader.module(path) for path in reader.modules.texts]
    return [one for one in found if one is not None]


class _Bases:
    """Chooses the base that the code of a service needs."""

    def __init__(self, default: str | None, versions: Mapping[str, str], targets: Targets) -> None:
        self._default = default
        self._versions = versions
        self._targets = targets

    def owner(self, one: Declared) -> Owner:
        owners = self._targets.owners(one.path)
        resolves = {self._targets.resolve(target): target for target in reversed(owners)}
        # A module in several resolves belongs to the default one, if that is among them.
        target = resolves.get(None) or (resolves[min(resolves, key=str)] if resolves else None)
        base = choose_base(self._targets.constraints(target), self._default, self._versions)
        if target is None:
            return Owner(base=base)
        return Owner(target.address.spec, self._targets.resolve(target), base)


async def _versions(targets: Targets) -> dict[str, str]:
    """The CPython versions of the bases in the repository, by address."""
    found: dict[str, str] = {}
    locks: dict[str, str] = {}
    for target in targets.all:
        if target.alias not in ("_debian_rootfs", "_registry_image") or value(target, "_builder"):
            continue
        address = address_of(target.address.spec_path, target.address.target_name)
        version, lock = value(target, "python_version"), value(target, "lock")
        if version:
            found[address] = ".".join(str(version).split(".")[:2])
        elif isinstance(lock, str) and lock.startswith(READY_PREFIX):
            found[address] = _SHIPPED_LOCKS.get(lock, "")
        elif isinstance(lock, str):
            locks[lock] = address
    if locks:
        for path, text in (await _read(*locks)).items():
            python = _LOCKED_PYTHON.search(text)
            if python and path in locks:
                found[locks[path]] = python[1].decode()
    return found


def _target(proposal: Proposal) -> PutativeTarget:
    if proposal.base:
        packages = f"{READY_PREFIX}{proposal.base}"
        return PutativeTarget.for_target_type(
            DebianBaseTarget,
            path=proposal.folder,
            name=proposal.name,
            triggering_sources=(),
            kwargs={
                "name": proposal.name,
                "packages": f"{packages}.ini",
                "lock": f"{packages}.json",
            },
        )
    fields: dict[str, Any] = {
        name: _Written(_dictionary(one, 1)) if isinstance(one, dict) else one
        for name, one in proposal.fields.items()
    }
    # Without a name, Pants calls a target at the root of the repository "root".
    named = {} if proposal.folder else {"name": proposal.name}
    return PutativeTarget.for_target_type(
        PythonServiceTarget,
        path=proposal.folder,
        name=proposal.name,
        triggering_sources=(),
        kwargs={**named, **fields},
    )


def _dictionary(given: Mapping[str, Any], depth: int) -> str:
    """A dictionary, formatted as a code formatter would."""
    indent = "    "
    lines = []
    for name, one in given.items():
        if isinstance(one, dict):
            written = _dictionary(one, depth + 1)
        elif isinstance(one, tuple):
            written = "[" + ", ".join(f'"{word}"' for word in one) + "]"
        else:
            written = f'"{one}"' if isinstance(one, str) else repr(one)
        lines.append(f'{indent * (depth + 1)}"{name}": {written},\n')
    return "{\n" + "".join(lines) + indent * depth + "}"


def _tell_of_nothing(number: int) -> None:
    """Explains why nothing is proposed in a repository that declares nothing."""
    if number:
        logger.warning(
            f"`tailor` read {number} modules and found no service in them: no pex_binary, no"
            " Dockerfile or Procfile that starts Python, and no module that starts a service."
            " Declare one next to its module, such as"
            ' `python_service(name="app", entry_point="main.py:main")`.'
        )


def _tell(left_out: Iterable[LeftOut]) -> None:
    """Prints which declared programs are not proposed, and why."""
    lines = []
    for one in dict.fromkeys(left_out):
        write = f"; write {one.write}" if one.write else ""
        lines.append(f"  - {foreign_word(one.where)}: {one.why}{write}")
    if lines:
        more = len(lines) - _MOST_LINES
        end = [f"  - and {more} more"] if more > 0 else []
        logger.warning(
            "`tailor` saw these programs, but proposes nothing for them:\n"
            + "\n".join([*lines[:_MOST_LINES], *end])
        )


def _default_version(inseam: InseamSubsystem, versions: Mapping[str, str]) -> str | None:
    """The CPython version of the default base; None if it is unknown."""
    if inseam.base == DEFAULT_BASE and not inseam.default_base_lock:
        return "3.11"
    address = inseam.base
    return versions.get(address) or versions.get(address.removeprefix("//")) or None


@rule(desc="Find services without a target", level=LogLevel.DEBUG)
async def find_services(
    request: PutativeServicesRequest,
    inseam: InseamSubsystem,
    tailor: TailorSubsystem,
    python_setup: PythonSetup,
    all_targets: AllTargets,
    roots: AllSourceRoots,
) -> PutativeTargets:
    if not inseam.tailor:
        return PutativeTargets()
    targets = Targets(all_targets, python_setup)
    modules = await _read("**/*.py")
    others = await _read(*_FILES)
    texts = {path: text.decode(errors="replace") for path, text in others.items()}
    scripts = targets.scripts() + [
        script
        for path, text in others.items()
        if path.endswith("pyproject.toml")
        for script in project_scripts(path, text)
    ]
    shell = {path: text for path, text in texts.items() if path.endswith(".sh")}
    binaries = targets.binaries(functions=inseam.tailor_functions)
    reader = Reader(Modules(modules), binaries, scripts, shell)
    found = _declared(reader, _images(targets, texts), texts)
    versions = await _versions(targets)
    known = targets.known(_imports(modules, targets.modules()))
    around = Surroundings(
        [root.path for root in roots],
        # Called several times for each program.
        cache(_Bases(_default_version(inseam, versions), versions, targets).owner),
        targets.service_folders,
        frozenset(
            address_of(one.address.spec_path, one.address.target_name) for one in all_targets
        ),
        targets.repositories(),
    )
    chosen = choose((one for one in found if isinstance(one, Declared)), known, around.dotted)
    proposals, unwritten = propose(chosen, around)
    folders = set(request.dirs)
    shown = [one for one in proposals if one.folder in folders or one.base]
    for path, why in sorted(reader.unreadable.items()):
        _leave_out(path, why)
    if not tailor.check:
        left_out = [one for one in found if isinstance(one, LeftOut)]
        _tell([*uncovered(left_out, chosen, targets.service_folders), *unwritten])
        if not proposals and not targets.service_folders and not found:
            _tell_of_nothing(len(modules))
    return PutativeTargets(_target(one) for one in sorted(shown, key=lambda one: one.folder))


def rules() -> list[Any]:
    return [*collect_rules(), UnionRule(PutativeTargetsRequest, PutativeServicesRequest)]
