"""The rule calls of Inseam in Pants 2.30 and later: rules there are called by name."""

# mypy: ignore-errors
# Types are checked against Pants 2.17, which does not have these names.

from __future__ import annotations

from typing import Any

from pants.backend.python.dependency_inference.module_mapper import map_module_to_address
from pants.backend.python.target_types_rules import resolve_pex_entry_point
from pants.backend.python.util_rules import pex
from pants.backend.python.util_rules.package_dists import (
    determine_finalized_setup_kwargs as finalized_setup_kwargs,
)
from pants.backend.python.util_rules.package_dists import (
    get_owned_dependencies as owned_dependencies,
)
from pants.backend.python.util_rules.pex import (
    PexRequest,
    VenvPex,
    find_interpreter,
    setup_venv_pex_process,
)
from pants.backend.python.util_rules.pex_cli import PexCliProcess
from pants.backend.python.util_rules.python_sources import (
    prepare_python_sources,
    strip_python_sources,
)
from pants.core.environments.target_types import EnvironmentTarget
from pants.core.goals.package import environment_aware_package as build_package
from pants.core.goals.test import build_runtime_package_dependencies
from pants.core.util_rules.env_vars import environment_vars_subset
from pants.core.util_rules.source_files import determine_source_files
from pants.engine.internals.graph import (
    hydrate_sources,
    resolve_target,
    resolve_unparsed_address_inputs,
    transitive_targets,
)
from pants.engine.intrinsics import (
    add_prefix,
    create_digest,
    digest_subset_to_digest,
    digest_to_snapshot,
    execute_process,
    get_digest_contents,
    get_digest_entries,
    merge_digests,
    path_globs_to_digest,
    remove_prefix,
)
from pants.engine.intrinsics import execute_process as execute_in
from pants.engine.process import FallibleProcessResult
from pants.engine.rules import concurrently, implicitly, rule


async def execute_pex_cli(request: PexCliProcess) -> FallibleProcessResult:
    """Runs PEX, whatever its exit code."""
    return await execute_process(**implicitly({request: PexCliProcess}))


async def create_venv_pex(request: PexRequest) -> VenvPex:
    return await pex.create_venv_pex(**implicitly({request: PexRequest}))


def polymorphic(function: Any) -> Any:
    """Declares a rule that dispatches to those of a union's members, as Pants does."""
    return rule(polymorphic=True)(function)


__all__ = [
    "EnvironmentTarget",
    "add_prefix",
    "build_package",
    "build_runtime_package_dependencies",
    "concurrently",
    "create_digest",
    "create_venv_pex",
    "determine_source_files",
    "digest_subset_to_digest",
    "digest_to_snapshot",
    "environment_vars_subset",
    "execute_in",
    "execute_pex_cli",
    "execute_process",
    "finalized_setup_kwargs",
    "find_interpreter",
    "get_digest_contents",
    "get_digest_entries",
    "hydrate_sources",
    "implicitly",
    "map_module_to_address",
    "merge_digests",
    "owned_dependencies",
    "path_globs_to_digest",
    "polymorphic",
    "prepare_python_sources",
    "remove_prefix",
    "resolve_pex_entry_point",
    "resolve_target",
    "resolve_unparsed_address_inputs",
    "rule",
    "setup_venv_pex_process",
    "strip_python_sources",
    "transitive_targets",
]
