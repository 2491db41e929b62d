"""Runs rules in a repository made for a test, with everything that Inseam registers."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tarfile
from pathlib import Path
from typing import Any, Callable, Coroutine, Iterable, Mapping, Sequence, get_type_hints

import pytest
from pants.backend.docker import register as docker
from pants.backend.python import register as python
from pants.backend.python.util_rules import pex
from pants.core import register as core
from pants.core.goals.package import PackageFieldSet
from pants.engine.fs import Digest, DigestContents
from pants.engine.goal import Goal
from pants.engine.internals.scheduler import ExecutionError
from pants.engine.unions import UnionRule
from pants.testutil.rule_runner import PYTHON_BOOTSTRAP_ENV, QueryRule, RuleRunner

from inseam import register
from inseam.compat import CALL_BY_NAME
from inseam.formats.debian.lock import DebianLock, LockedPackage, dump_lock
from inseam.formats.debian.package import DebianPackage
from inseam.formats.debian.request import parse_request
from inseam.formats.failure import Failure
from inseam.rules.base import base, debian_lock, debian_root, interpreter, process, pulled
from inseam.rules.generate import base as generate
from inseam.rules.generate import service as generate_service
from inseam.rules.layers import compressors, rootfs
from inseam.rules.layers import layer as layer_rules
from inseam.rules.programs import host
from inseam.rules.wheels import files as lock_files
from inseam.subsystem import InseamSubsystem

# The CPython that runs the tests also makes the layers.
PYTHON_VERSION = ".".join(map(str, sys.version_info[:3]))
MINOR = ".".join(map(str, sys.version_info[:2]))

# How Pants finds its PEX tool, which it uses to look for interpreters, and where that finds the
# compressors of layers.
INHERITED = {
    *PYTHON_BOOTSTRAP_ENV,
    "PANTS_PYTHON_REPOS_INDEXES",
    "PANTS_PYTHON_REPOS_PATH_MAPPINGS",
    "PANTS_PEX_CLI_KNOWN_VERSIONS",
    "PANTS_PEX_CLI_URL_TEMPLATE",
    "PANTS_PEX_CLI_VERSION",
}


class _Runner(RuleRunner):
    def write_files(self, files: Mapping[Any, Any]) -> tuple[str, ...]:
        """Begins a new session, as each command of a user does. Within a session, Pants 2.17.1
        misses every second change to a file that is made while it is busy.
        """
        paths = super().write_files(files)
        self.set_session_values(self.extra_session_values)
        return paths


def _is_for(
    rule: Any, goals: Sequence[type[Goal]], packages: Sequence[type[PackageFieldSet]]
) -> bool:
    """Whether a test needs a rule of a backend, if it runs these goals and other targets package
    these kinds of targets. Pants is slow to resolve rules that can be reached in many ways, and
    most of these ways start at a goal, at the build server, or at a rule that packages any target.
    """
    rule = getattr(rule, "rule", rule)
    if isinstance(rule, UnionRule):
        if rule.union_base is PackageFieldSet:
            return rule.union_member in packages
        return not rule.union_base.__module__.startswith("pants.bsp.")
    output = getattr(rule, "output_type", None)
    return output in goals or not (isinstance(output, type) and issubclass(output, Goal))


def rule_runner(
    *queries: QueryRule,
    layers: bool = True,
    goals: Sequence[type[Goal]] = (),
    packages: Sequence[type[PackageFieldSet]] = (),
    more: Iterable[Any] = (),
    others: Iterable[Any] = (),
    **options: Any,
) -> RuleRunner:
    """A RuleRunner for a new repository.

    layers: whether services can be built in it; it then takes seconds to create. goals: those that
    the test runs. packages: what is packaged because another target depends on it. more: further
    rules. others: further backends. options: those of RuleRunner.
    """
    backends = (core, python, docker, register, *others)
    generators = (generate, generate_service)
    small = (
        InseamSubsystem,
        pex,
        host,
        debian_root,
        pulled,
        interpreter,
        process,
        lock_files,
        compressors,
        layer_rules,
        *generators,
        base,
        rootfs,
        debian_lock,
    )
    runner = _Runner(
        rules=[
            *(
                rule
                for module in (backends if layers else small)
                for rule in module.rules()
                if _is_for(rule, goals, packages)
            ),
            QueryRule(DigestContents, [Digest]),
            *more,
            *queries,
        ],
        target_types=[target for backend in backends for target in backend.target_types()],
        **options,
    )
    set_options(runner)
    return runner


def declared(alias: str, **fields: Any) -> str:
    """A target as in a BUILD file, without the fields that are None."""
    given = [f"{name}={value!r}" for name, value in fields.items() if value is not None]
    return f"{alias}({', '.join(given)})\n"


def base_of(python_version: str) -> str:
    """The declaration of `//:base`, a base with that version of CPython."""
    return declared(
        "registry_base",
        name="base",
        image=f"registry.invalid/python:{python_version}",
        interpreter=f"/usr/local/bin/python{python_version.rpartition('.')[0]}",
        python_version=python_version,
        glibc_version="2.36",
    )


BASE = base_of(PYTHON_VERSION)


def option_args(runner: RuleRunner, *args: str, base: str = "//:base") -> list[str]:
    """The options of all tests, and `args`."""
    interpreters = os.path.dirname(os.path.realpath(sys.executable))
    return [
        f"--inseam-base={base}",
        "--inseam-package=['oci', 'image', 'pex', 'layers']",
        "--source-root-patterns=['/', '/src']",
        "--python-enable-resolves",
        "--python-default-resolve=services",
        "--python-resolves={'services': 'services.lock', 'other': 'other.lock'}",
        f"--python-bootstrap-search-path=['{interpreters}']",
        f"--python-repos-path-mappings=+['WHEELS|{runner.build_root}/wheels']",
        *args,
    ]


def set_options(
    runner: RuleRunner,
    *args: str,
    base: str = "//:base",
    env: Mapping[str, str] = {},
    python: str = f"CPython=={MINOR}.*",
) -> None:
    """Sets the options of all tests and `args`, and the environment that they need and `env`.

    python: the interpreter constraint of all code.
    """
    # Not a flag, which would take precedence over the fields of targets.
    constraints = {
        "PANTS_PYTHON_INTERPRETER_CONSTRAINTS": f"[{python!r}]",
        # The CPython that runs the tests, because their bases are made up.
        "PANTS_INSEAM_BUILD_PYTHON": "installed",
    }
    runner.set_options(
        option_args(runner, *args, base=base),
        env={**constraints, **env},
        env_inherit=INHERITED,
    )


def run_mocked(
    tested: Callable[..., Any],
    arguments: Sequence[Any],
    mocks: Mapping[Callable[..., Any], Callable[..., Any]],
) -> Any:
    """Runs a rule, or a function that rules call, and returns its result. Each rule that it calls
    is a mock, by the rule's name in `compat`.

    Pants' own `run_rule_with_mocks` expects different mocks in each version, and does not support
    helpers that run concurrently.
    """
    by_name: dict[Any, Callable[..., Any]] = {}
    for name, mock in mocks.items():
        if CALL_BY_NAME:
            by_name[name.rule_id] = mock  # type: ignore[attr-defined]
        else:
            declared = getattr(name, "rule", None)
            function = declared.func if declared else getattr(name, "declares", name)
            hints = get_type_hints(function)
            output = hints.pop("return")
            by_name[output, next(iter(hints.values()))] = mock

    def answer(asked: Any) -> Any:
        if isinstance(asked, Coroutine):
            return run(asked)
        # Since Pants 2.33, `concurrently` and calls of rules are native objects.
        asked = getattr(asked, "calls", asked)
        if isinstance(asked, (tuple, list)):
            return tuple(answer(one) for one in asked)
        name = asked.rule_id if CALL_BY_NAME else (asked.output_type, asked.input_types[0])
        native = hasattr(asked, "implicit_args")
        return by_name[name](*((*asked.args, *asked.implicit_args) if native else asked.inputs))

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        value = None
        error: Failure | None = None
        while True:
            try:
                asked = coroutine.throw(error) if error else coroutine.send(value)
            except StopIteration as end:
                return end.value
            error = None
            try:
                value = answer(asked)
            except Failure as failed:
                error = failed

    declared_rule = getattr(tested, "rule", None)
    return run((declared_rule.func if declared_rule else tested)(*arguments))


def locked(wheel: Path, *requires: str, sha256: str = "") -> dict[str, Any]:
    """A locked requirement, as PEX writes it, for a wheel in the folder `wheels`."""
    name, version = wheel.name.split("-")[:2]
    return {
        "artifacts": [
            {
                "algorithm": "sha256",
                "hash": sha256 or hashlib.sha256(wheel.read_bytes()).hexdigest(),
                "url": f"file://${{WHEELS}}/{wheel.name}",
            }
        ],
        "project_name": name,
        "requires_dists": list(requires),
        "requires_python": None,
        "version": version,
    }


def lock_text(items: Iterable[dict[str, Any]]) -> str:
    """The text of a lock, with Pants' comment at the top."""
    part = {"locked_requirements": list(items), "marker": None, "platform_tag": None}
    lock = {"locked_resolves": [part], "path_mappings": {"WHEELS": None}, "pex_version": "2.69.0"}
    return f"// A lock.\n{json.dumps(lock, indent=2)}\n"


def failure(runner: RuleRunner, output: type, request: Any) -> str:
    """The text of the Failure that the request raises."""
    with pytest.raises(ExecutionError) as error:
        runner.request(output, [request])
    causes: Sequence[Exception] = error.value.wrapped_exceptions
    # Not isinstance, because the engine may have loaded the class a second time.
    (cause,) = causes
    assert "Failure" in [base.__name__ for base in type(cause).__mro__], str(error.value)
    return str(cause)


def files_of(runner: RuleRunner, digest: Digest) -> dict[str, bytes]:
    """The files of a digest, by path."""
    contents = runner.request(DigestContents, [digest])
    return {file.path: file.content for file in contents}


def tar_files(data: bytes) -> dict[str, bytes]:
    """The regular files in a tar, by path."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = {}
        for info in archive:
            file = archive.extractfile(info) if info.isreg() else None
            if file is not None:
                found[info.name] = file.read()
        return found


DEBIAN_LIST = (
    "[release]\nname = bookworm\narchitectures = amd64 arm64\n[base]\npython3.11-minimal\n"
)


def debian_lock_text(python: str = "3.11.2-6+deb12u6", text: str = DEBIAN_LIST) -> str:
    """A lock with CPython, unless its version is "", and glibc, for the list of packages `text`."""
    request = parse_request(text)
    return dump_lock(
        DebianLock(
            request,
            {
                architecture: tuple(
                    LockedPackage(
                        DebianPackage(name, version, architecture, "debian", "pool/x", 1, "0" * 64)
                    )
                    for name, version in (
                        ("libc6", "2.36-9+deb12u14"),
                        ("python3.11-minimal", python),
                    )
                    if version
                )
                for architecture in request.architectures
            },
        )
    )
