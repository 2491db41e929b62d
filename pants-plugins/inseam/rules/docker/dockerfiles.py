"""Refuses Dockerfiles that start from a `python_service`, and says which of its images to name.

Pants' Docker backend replaces the address in `ARG BASE_IMAGE=path:app` with the name of the image
that this target builds. A `python_service` itself builds none, which would cause a KeyError.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pants.backend.docker.target_types import (
    DockerImageBuildArgsField,
    DockerImageInstructionsField,
    DockerImageSourceField,
)
from pants.build_graph.address import ResolveError
from pants.core.util_rules.source_files import SourceFilesRequest
from pants.engine.addresses import UnparsedAddressInputs
from pants.engine.rules import collect_rules
from pants.engine.target import (
    FieldSet,
    InferDependenciesRequest,
    InferredDependencies,
    WrappedTargetRequest,
)
from pants.engine.unions import UnionRule

from inseam.compat import (
    determine_source_files,
    get_digest_contents,
    implicitly,
    resolve_target,
    resolve_unparsed_address_inputs,
    rule,
)
from inseam.formats.failure import Failure
from inseam.targets.service import PythonServiceTarget

# An address without a generated name, as a default of ARG or a build argument. The name of an image
# looks the same, but is rarely a target's address.
_ADDRESS = r"\w+=[\"']?(?P<address>(?://)?[\w./-]*:[\w.@=-]+)[\"']?\s*$"
_ARG = re.compile(rf"^\s*ARG\s+{_ADDRESS}", re.M | re.I)


@dataclass(frozen=True)
class DockerfileFieldSet(FieldSet):
    required_fields = (DockerImageSourceField, DockerImageInstructionsField)

    source: DockerImageSourceField
    instructions: DockerImageInstructionsField
    build_args: DockerImageBuildArgsField


class InferDockerfileDependencies(InferDependenciesRequest[DockerfileFieldSet]):
    infer_from = DockerfileFieldSet


@rule
async def refuse_services_as_starts(request: InferDockerfileDependencies) -> InferredDependencies:
    field_set = request.field_set
    text = "\n".join(field_set.instructions.value or ())
    if not text:
        files = await determine_source_files(
            SourceFilesRequest([field_set.source], for_sources_types=(DockerImageSourceField,))
        )
        contents = await get_digest_contents(files.snapshot.digest)
        text = "\n".join(file.content.decode(errors="replace") for file in contents)
    args = "\n".join(f"ARG {one}" for one in field_set.build_args.value or ())
    found = [match["address"] for match in _ARG.finditer(f"{text}\n{args}")]
    addresses = await resolve_unparsed_address_inputs(
        UnparsedAddressInputs(
            found,
            owning_address=field_set.address,
            description_of_origin=f"the Dockerfile of {field_set.address}",
            skip_invalid_addresses=True,
        ),
        **implicitly(),
    )
    for address in addresses:
        try:
            wrapped = await resolve_target(
                WrappedTargetRequest(address, description_of_origin="a Dockerfile"), **implicitly()
            )
        except ResolveError:
            continue  # the name of an image, in a repository with a folder of that name
        if isinstance(wrapped.target, PythonServiceTarget):
            raise Failure(
                f"The Dockerfile of {field_set.address} starts from {address}, a `python_service`,"
                f" which is not an image. Write {address}#image: the image of the service that a"
                " Docker Engine builds."
            )
    return InferredDependencies([])


def rules() -> list[Any]:
    return [*collect_rules(), UnionRule(InferDependenciesRequest, InferDockerfileDependencies)]
