from __future__ import annotations

from pathlib import Path

import pytest
from pants.engine.addresses import Address
from pants.engine.internals.scheduler import ExecutionError
from pants.testutil.rule_runner import RuleRunner

from inseam.formats.python.wheel_testing import build_wheel
from inseam.rules.image import build as image
from inseam.rules.layers.code import CodeLayers, CodeLayersRequest
from inseam.rules.layers.service import ServiceRequest
from inseam.rules.rule_testing import (
    MINOR,
    PYTHON_VERSION,
    base_of,
    debian_lock_text,
    locked,
    set_options,
    tar_files,
)
from inseam.rules.service_testing import (
    app,
    dependencies,
    fixtures,
    refused,
    service_build,
    tar,
    write_lock,
    write_plug,
    write_service,
)

module_runner, runner = fixtures


def test_a_service_may_need_no_wheels(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/server.py": "def main(): ...\n"})
    runner.write_files({"services.lock": "no lock, and nobody asks for one"})
    (deps,) = dependencies(runner).layers
    assert deps.name == "deps"
    assert tar_files(app(runner))


def test_a_function_that_is_not_there_is_refused(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/server.py": "def start(): ...\n"})
    refused(runner, "`entry_point='shop.server:main'`", "The module defines: start.")


def test_a_module_that_is_not_there_is_refused(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/BUILD": service_build(entry_point="shop.sever:main")})
    refused(runner, "the module 'shop.sever' of `entry_point=", "Check the spelling")


def test_a_base_for_a_python_that_is_not_installed_here_is_refused(runner: RuleRunner) -> None:
    set_options(runner, "--python-interpreter-constraints=['CPython>=3.9']")
    runner.write_files({"BUILD": base_of("3.97.1")})
    refused(runner, "CPython 3.97", "was not found", "[python-bootstrap].search_path")


def test_code_for_another_python_than_that_of_the_base_is_refused(runner: RuleRunner) -> None:
    only = f"CPython=={PYTHON_VERSION}"
    set_options(runner, python=only)
    runner.write_files({"BUILD": base_of(f"{MINOR}.999")})
    refused(
        runner,
        f"the base //:base has Python {MINOR}.999",
        f"src/shop/server.py needs {only}",
    )


def test_an_init_process_that_the_base_lacks_is_refused(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "BUILD": "debian_base(name='base', lock='x.json')",
            "x.json": debian_lock_text(),
            "src/shop/BUILD": service_build(init=True),
        }
    )
    refused(runner, "`init=True` needs tini, which the base //:base does not have", "`groups`")


@pytest.mark.parametrize(
    "base, text",
    [
        ("3rdparty:lone", "is a `python_requirement`. It must be a `debian_base` or"),
        ("//nowhere:base", "nowhere"),
        ("//:typo", "typo"),
    ],
)
def test_a_base_that_is_none_is_refused(runner: RuleRunner, base: str, text: str) -> None:
    runner.write_files({"src/shop/BUILD": service_build(base=base)})
    with pytest.raises(ExecutionError, match=text) as error:
        dependencies(runner)
    assert "src/shop:app" in str(error.value)


def test_each_program_has_a_console_script_of_its_name(runner: RuleRunner) -> None:
    write_service(
        runner,
        "programs={'web': {'entry_point': 'shop.server:main', 'healthcheck_path': '/up'},"
        " 'worker': {'entry_point': 'worker.py:run', 'healthcheck': 'probe.py:main'},"
        " 'migrate': 'shop.migrate'}",
        **{
            "src/shop/worker.py": "def run(): ...\n",
            "src/shop/migrate.py": "print(1)\n",
        },
    )
    files = tar_files(app(runner))
    scripts = {path for path in files if path.startswith("opt/")}
    names = ("web", "healthcheck", "worker", "worker-healthcheck", "migrate")
    assert scripts == {f"opt/venv/bin/{name}" for name in names}
    assert b"from shop.worker import run" in files["opt/venv/bin/worker"]
    assert b"run_module('shop.migrate'" in files["opt/venv/bin/migrate"]
    assert b"else '/up'" in files["opt/venv/bin/healthcheck"]
    assert b"from shop.probe import main" in files["opt/venv/bin/worker-healthcheck"]
    assert {"app/shop/worker.py", "app/shop/migrate.py"} <= set(files)


def test_a_service_in_a_folder_with_a_dash_is_started(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "src/my-shop/BUILD": "python_sources()\n"
            "python_service(name='app', entry_point='main.py:main')\n",
            "src/my-shop/main.py": "def main(): ...\n",
        }
    )
    address = Address("src/my-shop", target_name="app", generated_name="layers")
    code = runner.request(CodeLayers, [CodeLayersRequest(ServiceRequest(address))])
    files = tar_files(tar(runner, code.layers[-1]))
    assert b"import_module('my-shop.main').main()" in files["opt/venv/bin/entrypoint"]


def test_a_server_that_is_not_installed_is_named(runner: RuleRunner) -> None:
    write_service(runner, "entry_point='server.py:main', server='uvicorn'")
    refused(runner, "needs the distribution uvicorn", "--resolve=services")


def test_a_server_of_the_lock_is_installed_and_started(runner: RuleRunner) -> None:
    wheel = build_wheel(
        Path(runner.build_root, "wheels"),
        "uvicorn",
        files={"uvicorn/__main__.py": b"", "uvicorn/main.py": b""},
    )
    write_lock(runner, uvicorn=locked(wheel))
    write_service(
        runner,
        "entry_point='api.py:app', server='uvicorn'",
        **{
            "src/shop/api.py": "import words\nasync def app(scope, receive, send): ...\n",
            "3rdparty/server/BUILD": "python_requirement(requirements=['uvicorn==1.0'])",
        },
    )
    found = dependencies(runner)
    wheels = {wheel.name for layer in found.wheel_layers for wheel in layer.layer.wheels}
    assert wheels == {"uvicorn", "words"}
    script = tar_files(app(runner))["opt/venv/bin/entrypoint"]
    assert b"from uvicorn.main import main" in script
    assert b"'shop.api:app'" in script


def test_a_console_script_of_a_distribution_may_be_started(runner: RuleRunner) -> None:
    write_plug(runner)
    write_service(runner, "script='plugctl', dependencies=['src/plug:dist']")
    assert b"from plug.impl import hello" in tar_files(app(runner))["opt/venv/bin/plugctl"]
    write_service(runner, "script='other', dependencies=['src/plug:dist']")
    refused(runner, "`script='other'` is not a console script")


def test_images_of_other_targets_run_as_the_service_does(runner: RuleRunner) -> None:
    write_service(
        runner,
        "entry_point='server.py:main', user='1000', env={'A': '1', 'B': '2'}, working_dir='/srv'",
        **{
            "src/other/BUILD": "oci_image(name='a', layers=['src/shop:app#layers'])\n"
            "oci_image(name='b', layers=['src/shop:app#layers'], user='5', env={'B': '3'},"
            " working_dir='/x')\n",
        },
    )
    configs = []
    for name in ("a", "b"):
        target = runner.get_target(Address("src/other", target_name=name))
        service = runner.get_target(Address("src/shop", target_name="app", generated_name="oci"))
        configs.append(image._config(target, service, ""))
    assert [(one.user, one.working_dir) for one in configs] == [("1000", "/srv"), ("5", "/x")]
    assert [(one.env["A"], one.env["B"]) for one in configs] == [("1", "2"), ("1", "3")]


def test_first_party_targets_are_those_with_files_in_the_image(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "3rdparty/more/BUILD": "python_requirements(name='more', source='more.txt')\n",
            "3rdparty/more/more.txt": "big==1.0\n",
            "src/shop/server.py": "import greet, big\ndef main(): ...\n",
            "src/shop/BUILD": service_build(dependencies=["3rdparty/more:more#big"]),
        }
    )
    assert [str(address) for address in dependencies(runner).first_party] == [
        "src/shop/probe.py",
        "src/shop/server.py",
    ]
