from __future__ import annotations

import pytest
from pants.engine.addresses import Address
from pants.engine.target import InferredDependencies
from pants.testutil.rule_runner import RuleRunner

from inseam.rules.docker.dockerfiles import DockerfileFieldSet, InferDockerfileDependencies
from inseam.rules.rule_testing import failure
from inseam.rules.service_testing import fixtures

module_runner, runner = fixtures


@pytest.mark.parametrize(
    "fields, refused",
    [
        ("instructions=['ARG BASE_IMAGE=src/shop:app', 'FROM $BASE_IMAGE']", True),
        ("instructions=['arg BASE=\"//src/shop:app\"', 'FROM $BASE']", True),
        ("instructions=['ARG BASE', 'FROM $BASE'], extra_build_args=['BASE=src/shop:app']", True),
        ("source='Dockerfile.shop'", True),
        ("instructions=['ARG BASE_IMAGE=src/shop:app#image', 'FROM $BASE_IMAGE']", False),
        ("instructions=['ARG BASE=python:3.11', 'ARG A=src/shop:nothing', 'FROM $BASE']", False),
        ("source='Dockerfile'", False),
    ],
)
def test_a_dockerfile_that_starts_from_a_service_is_told_its_image(
    runner: RuleRunner, fields: str, refused: bool
) -> None:
    runner.write_files(
        {
            "src/derived/BUILD": f"docker_image(name='image', {fields})\n",
            "src/derived/Dockerfile": "FROM python:3.11\n",
            "src/derived/Dockerfile.shop": "ARG BASE_IMAGE=src/shop:app\nFROM $BASE_IMAGE\n",
        }
    )
    target = runner.get_target(Address("src/derived", target_name="image"))
    request = InferDockerfileDependencies(DockerfileFieldSet.create(target))
    if refused:
        error = failure(runner, InferredDependencies, request)
        assert "src/derived:image starts from src/shop:app, a `python_service`" in error
        assert "Write src/shop:app#image" in error
    else:
        assert not runner.request(InferredDependencies, [request]).include
