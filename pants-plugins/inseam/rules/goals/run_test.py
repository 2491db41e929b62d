from __future__ import annotations

from pathlib import Path

import pytest
from pants.core.goals.run import RunRequest
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.rules.goals.run import RunOciFieldSet
from inseam.rules.image_testing import OCI, client_env, write_repository
from inseam.rules.rule_testing import files_of, rule_runner, set_options
from inseam.tools.registry_testing import Registry


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> RuleRunner:
    registry = Registry(tmp_path_factory.mktemp("run") / "registry")
    runner = rule_runner(QueryRule(RunRequest, [RunOciFieldSet]))
    write_repository(runner, registry)
    set_options(runner, env=client_env(registry))
    return runner


def test_an_image_is_written_to_dist_and_started_from_there(runner: RuleRunner) -> None:
    request = runner.request(RunRequest, [RunOciFieldSet.create(runner.get_target(OCI))])
    layout = Path(runner.build_root, "dist/src.shop/app.oci")
    assert (layout / "index.json").is_file()
    assert request.args[-2:] == ("run_image", str(layout))
    # What it is started by needs nothing of the repository.
    assert any(
        path.endswith("inseam/programs/run_image.py") for path in files_of(runner, request.digest)
    )
