"""Gives each rule call that Inseam uses the same name on every supported version of Pants.

Rules are written in call-by-name form. `current` has the names for versions that support it, and
`v2_17` those for Pants 2.17.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pants.backend.python.target_types import InterpreterConstraintsField, PythonResolveField
from pants.engine.internals.native_engine import ProcessExecutionEnvironment
from pants.engine.platform import Platform
from pants.option.global_options import GlobalOptions

from inseam.compat.versions import CALL_BY_NAME, PUBLISH_ASKS_FIRST

if not TYPE_CHECKING and CALL_BY_NAME:
    from inseam.compat.current import (
        EnvironmentTarget,
        add_prefix,
        build_package,
        build_runtime_package_dependencies,
        concurrently,
        create_digest,
        create_venv_pex,
        determine_source_files,
        digest_subset_to_digest,
        digest_to_snapshot,
        environment_vars_subset,
        execute_in,
        execute_pex_cli,
        execute_process,
        finalized_setup_kwargs,
        find_interpreter,
        get_digest_contents,
        get_digest_entries,
        hydrate_sources,
        implicitly,
        map_module_to_address,
        merge_digests,
        owned_dependencies,
        path_globs_to_digest,
        polymorphic,
        prepare_python_sources,
        remove_prefix,
        resolve_pex_entry_point,
        resolve_target,
        resolve_unparsed_address_inputs,
        rule,
        setup_venv_pex_process,
        strip_python_sources,
        transitive_targets,
    )
else:
    from inseam.compat.v2_17 import (
        EnvironmentTarget,
        add_prefix,
        build_package,
        build_runtime_package_dependencies,
        concurrently,
        create_digest,
        create_venv_pex,
        determine_source_files,
        digest_subset_to_digest,
        digest_to_snapshot,
        environment_vars_subset,
        execute_in,
        execute_pex_cli,
        execute_process,
        finalized_setup_kwargs,
        find_interpreter,
        get_digest_contents,
        get_digest_entries,
        hydrate_sources,
        implicitly,
        map_module_to_address,
        merge_digests,
        owned_dependencies,
        path_globs_to_digest,
        polymorphic,
        prepare_python_sources,
        remove_prefix,
        resolve_pex_entry_point,
        resolve_target,
        resolve_unparsed_address_inputs,
        rule,
        setup_venv_pex_process,
        strip_python_sources,
        transitive_targets,
    )


def this_machine(global_options: GlobalOptions) -> ProcessExecutionEnvironment:
    """Makes `execute_in` run a process on this machine, not in a container or on a remote worker.
    While [GLOBAL].remote_execution is set, no environment of Pants can express this.
    """
    # Pants 2.17 reads keep_sandboxes itself.
    more: dict[str, Any] = {}
    if CALL_BY_NAME:
        keep_sandboxes = global_options.keep_sandboxes.value
        more = {"execute_in_workspace": False, "keep_sandboxes": keep_sandboxes}
    return ProcessExecutionEnvironment(
        environment_name=None,
        platform=Platform.create_for_localhost().value,
        docker_image=None,
        remote_execution=False,
        remote_execution_extra_platform_properties=[],
        **more,
    )


def reads_one_import_of_several(inference: Any) -> bool:
    """Whether dependencies are inferred only from the first module in an `import a, b`, as the Rust
    parser does. Versions after 2.17 have no other parser, whatever the option says.

    inference: the subsystem `python-infer`.
    """
    return CALL_BY_NAME or bool(inference.use_rust_parser)


def interpreter_constraints(target: Any, python_setup: Any) -> tuple[str, ...]:
    """The interpreter constraints of a target that has that field, or their default."""
    field = target[InterpreterConstraintsField]
    if not hasattr(field, "value_or_configured_default"):
        return tuple(field.value_or_global_default(python_setup))
    resolve = target[PythonResolveField] if target.has_field(PythonResolveField) else None
    return tuple(field.value_or_configured_default(python_setup, resolve))


__all__ = [
    "CALL_BY_NAME",
    "EnvironmentTarget",
    "PUBLISH_ASKS_FIRST",
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
    "interpreter_constraints",
    "merge_digests",
    "owned_dependencies",
    "path_globs_to_digest",
    "polymorphic",
    "prepare_python_sources",
    "reads_one_import_of_several",
    "remove_prefix",
    "resolve_pex_entry_point",
    "resolve_target",
    "resolve_unparsed_address_inputs",
    "rule",
    "setup_venv_pex_process",
    "strip_python_sources",
    "this_machine",
    "transitive_targets",
]
