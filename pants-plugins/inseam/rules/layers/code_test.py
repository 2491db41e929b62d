from __future__ import annotations

import io
import tarfile
from pathlib import Path

from pants.engine.addresses import Address
from pants.engine.fs import Digest
from pants.testutil.rule_runner import RuleRunner

from inseam.formats.python.installed import NAMES, load_names
from inseam.formats.python.wheel_testing import build_wheel
from inseam.rules.layers.code import CodeLayers, CodeLayersRequest
from inseam.rules.layers.service import DependencyLayers, ServiceRequest
from inseam.rules.rule_testing import files_of, locked, rule_runner, set_options, tar_files
from inseam.rules.service_testing import (
    SERVER,
    SHOP,
    app,
    dependencies,
    exported,
    fixtures,
    queries,
    refused,
    service_build,
    tar,
    write_lock,
    write_repository,
    write_service,
)

module_runner, runner = fixtures


FROM_A_WHEEL = """
python_service(name="app", entry_point="greet:hello", dependencies=["3rdparty:greet"])
"""


def conflicting(runner: RuleRunner) -> list[str]:
    """The layers of wheels that have a name which the code has, too, or looks for."""
    found = dependencies(runner)
    names = []
    for layer in found.wheel_layers:
        text = files_of(runner, layer.digest)[f"{layer.folder}/{NAMES}"]
        if load_names(text) & found.names:
            names.append(layer.name)
    return names


def test_an_edit_of_the_code_leaves_the_layers_below_alone(runner: RuleRunner) -> None:
    before, code = dependencies(runner), app(runner)
    runner.write_files({"src/shop/server.py": SERVER + "# edited\n"})
    assert dependencies(runner).layers == before.layers
    assert app(runner) != code


def code(runner: RuleRunner, service: str) -> dict[str, Digest]:
    """The layers of a service's code, by name."""
    address = Address(f"src/{service}", target_name="app", generated_name="layers")
    request = CodeLayersRequest(ServiceRequest(address), "gzip")
    return {layer.name: layer.digest for layer in runner.request(CodeLayers, [request]).layers}


def test_services_share_the_layer_of_the_libraries_that_they_share(runner: RuleRunner) -> None:
    files = {"src/kit/BUILD": "python_sources()\n", "src/kit/http.py": "x = 1\n"}
    for name in ("one", "two"):
        files[f"src/{name}/BUILD"] = service_build(entry_point=f"{name}.server:main")
        files[f"src/{name}/server.py"] = "import kit.http\ndef main(): ...\n"
        files[f"src/{name}/probe.py"] = "def main(): ...\n"
    runner.write_files(files)
    one, two = code(runner, "one"), code(runner, "two")
    assert list(one) == list(two) == ["libs", "app"]
    assert one["libs"] == two["libs"]
    assert one["app"] != two["app"]
    assert list(code(runner, "shop")) == ["app"]
    runner.write_files({"src/kit/http.py": "x = 2\n"})
    after = code(runner, "one")
    assert after["app"] == one["app"]
    assert after["libs"] == code(runner, "two")["libs"] != one["libs"]
    runner.write_files({"src/one/probe.py": "def main(): pass\n"})
    assert code(runner, "one")["libs"] == after["libs"]
    assert code(runner, "one")["app"] != after["app"]
    assert code(runner, "two")["app"] == two["app"]


def test_packages_of_a_namespace_are_compiled_separately(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "src/company/libs/db/BUILD": "python_sources()\n",
            "src/company/libs/db/__init__.py": "",
            "src/company/libs/db/pool.py": "x = 1\n",
            "src/company/services/ad/BUILD": (
                "python_sources()\n"
                "python_service(name='app', entry_point='company.services.ad.main:main')\n"
            ),
            "src/company/services/ad/main.py": "from company.libs.db import pool\nmain = pool\n",
        }
    )
    address = Address("src/company/services/ad", target_name="app", generated_name="layers")
    found = runner.request(DependencyLayers, [ServiceRequest(address)])
    assert [(code.name, code.folder, code.console_scripts) for code in found.code] == [
        ("company/libs/db", "company/libs", False),
        ("company/services/ad", "company/services", True),
    ]
    request = CodeLayersRequest(ServiceRequest(address))
    made = runner.request(CodeLayers, [request]).layers
    names = {layer.name: set(tar_files(tar(runner, layer))) for layer in made}
    assert "app/company/libs/db/pool.py" in names["libs"]
    assert {"app/company/services/ad/main.py", "opt/venv/bin/entrypoint"} <= names["app"]


def test_wheels_that_share_no_name_with_the_code_do_not_matter_to_it(runner: RuleRunner) -> None:
    request = CodeLayersRequest(ServiceRequest(SHOP))
    before, code = dependencies(runner), runner.request(CodeLayers, [request])
    wheel = build_wheel(Path(runner.build_root, "wheels"), "words", "2.0", files={"words.py": b""})
    write_lock(runner, words=locked(wheel))
    after = dependencies(runner)
    assert conflicting(runner) == []
    assert before.layers != after.layers
    # Down to the requests of processes: it is not even looked up again.
    assert before.code == after.code
    assert runner.request(CodeLayers, [request]) == code


def test_layers_that_share_a_name_with_the_code_are_compared_with_it(runner: RuleRunner) -> None:
    set_options(runner, "--inseam-large-wheel=50")
    assert conflicting(runner) == []
    runner.write_files({"src/words/extra.py": "", "src/words/BUILD": "python_sources()\n"})
    runner.write_files({"src/shop/server.py": "import words.extra\n" + SERVER})
    assert conflicting(runner) == ["words"]
    refused(runner, "words/extra.py", "words-1.0")


def test_an_entry_point_may_be_in_a_wheel(runner: RuleRunner) -> None:
    set_options(runner, "--inseam-large-wheel=50")
    runner.write_files({"src/shop/BUILD": FROM_A_WHEEL})
    assert conflicting(runner) == ["greet"]
    assert app(runner)


def test_the_place_of_the_repository_and_its_store_do_not_matter(runner: RuleRunner) -> None:
    other = rule_runner(*queries(), isolated_local_store=True)
    assert other.build_root != runner.build_root
    write_repository(other)
    assert exported(other) == exported(runner)


def test_code_that_a_wheel_hides_is_refused(runner: RuleRunner) -> None:
    wheel = build_wheel(Path(runner.build_root, "wheels"), "words", "1.3", {"shop/server.py": b""})
    write_lock(runner, words=locked(wheel))
    refused(runner, "the first-party file shop/server.py", "words-1.3-py3-none-any.whl")


def test_code_that_the_standard_library_hides_is_refused(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "src/statistics/BUILD": "python_sources()",
            "src/statistics/__init__.py": "",
            "src/shop/BUILD": service_build(sources=["src/statistics"]),
        }
    )
    refused(runner, "statistics/__init__.py could not be imported", "Rename it")


def test_writable_directories_belong_to_the_user_and_to_group_0(runner: RuleRunner) -> None:
    write_service(
        runner,
        "entry_point='server.py:main', user='1000:5', writable_dirs=['/var/lib/shop', '/app/data']",
    )
    with tarfile.open(fileobj=io.BytesIO(app(runner))) as archive:
        found = {info.name: info for info in archive}
    for path in ("var/lib/shop", "app/data"):
        assert found[path].isdir()
        assert (found[path].uid, found[path].gid, found[path].mode) == (1000, 0, 0o770)
    assert (found["var/lib"].uid, found["var/lib"].mode) == (0, 0o755)
    assert len(found) == len(set(found))
