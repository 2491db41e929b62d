"""What the goal `tailor` proposes in a repository."""

from __future__ import annotations

import pytest
from pants.core.goals.tailor import PutativeTarget, PutativeTargets
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.rules.goals import tailor
from inseam.rules.goals.tailor import PutativeServicesRequest
from inseam.rules.rule_testing import BASE, rule_runner, set_options

FASTAPI = """\
from fastapi import FastAPI
from shop.items import ITEMS

app = FastAPI()

@app.get("/health")
def health(): ...
"""
MAIN = 'def main(): ...\nif __name__ == "__main__":\n    main()\n'
DJANGO = "from django.core.{0} import get_{0}_application\napplication = get_{0}_application()\n"


def _runner() -> RuleRunner:
    return rule_runner(
        QueryRule(PutativeTargets, [PutativeServicesRequest]), layers=False, more=tailor.rules()
    )


@pytest.fixture(scope="module")
def module_runner() -> RuleRunner:
    return _runner()


@pytest.fixture
def runner(module_runner: RuleRunner) -> RuleRunner:
    set_options(module_runner)
    module_runner.write_files({"BUILD": BASE})
    return module_runner


def proposed(runner: RuleRunner, *folders: str) -> list[PutativeTarget]:
    return list(runner.request(PutativeTargets, [PutativeServicesRequest(folders)]))


def test_a_service_is_proposed_with_what_can_be_seen(runner: RuleRunner) -> None:
    runner.write_files({"src/one/main.py": FASTAPI, "src/one/main_test.py": FASTAPI})
    (service,) = proposed(runner, "src/one")
    assert service.generate_build_file_stanza("    ") == (
        "python_service(\n"
        '    name="app",\n'
        '    entry_point="main.py:app",\n'
        '    server="uvicorn",\n'
        '    healthcheck_path="/health",\n'
        ")\n"
    )


def test_several_programs_of_a_folder_are_programs_of_one_service(runner: RuleRunner) -> None:
    runner.write_files({"src/two/web.py": FASTAPI, "src/two/worker.py": MAIN})
    (service,) = proposed(runner, "src/two")
    assert service.generate_build_file_stanza("    ") == (
        "python_service(\n"
        '    name="app",\n'
        "    programs={\n"
        '        "web": {\n'
        '            "entry_point": "web.py:app",\n'
        '            "server": "uvicorn",\n'
        '            "healthcheck_path": "/health",\n'
        "        },\n"
        '        "worker": "worker.py:main",\n'
        "    },\n"
        ")\n"
    )


def test_targets_say_what_is_a_program_and_in_which_resolve(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # What they declare decides what else is proposed in their repository.
    runner = _runner()
    runner.write_files(
        {
            "src/job/job.py": "print(1)\n",
            "src/job/BUILD": 'python_source(name="job", source="job.py", resolve="other")\n'
            'pex_binary(name="bin", entry_point="job.py", resolve="other",'
            ' dependencies=[":job"])\n'
            'pex_binary(name="gone", entry_point="gone.main")\n',
            "src/image/web.py": FASTAPI,
            "src/image/BUILD": 'pex_binary(name="bin", entry_point="web.py")\n'
            'docker_image(name="docker", repository="image", instructions=["FROM x",'
            ' "COPY src.image/bin.pex /", "EXPOSE 81", \'CMD ["/bin.pex"]\'])\n',
            "src/lost/BUILD": 'pex_binary(name="gone", entry_point="gone.main")\n',
        }
    )
    found = {one.path: dict(one.kwargs) for one in proposed(runner, "src/job", "src/image")}
    assert found == {
        "src/image": {
            "entry_point": "web.py:app",
            "server": "uvicorn",
            "healthcheck_path": "/health",
            "repository": "src-image",
            "ports": (81,),
        },
        "src/job": {"entry_point": "job.py", "dependencies": (":job",), "resolve": "other"},
    }
    (said,) = (one.message for one in caplog.records if "saw these programs" in one.message)
    assert "  - 'src/lost:gone': its module 'gone.main' is not in the repository" in said
    assert "src/job" not in said
    caplog.clear()
    set_options(runner, "--tailor-check")
    assert {one.path for one in proposed(runner, "src/job", "src/image")} == set(found)
    assert not caplog.records


def test_code_for_another_python_gets_a_base_with_it(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "src/new/main.py": FASTAPI,
            "src/new/BUILD": 'python_source(name="main", source="main.py",'
            ' interpreter_constraints=["CPython==3.13.*"])\n',
        }
    )
    set_options(runner, base="//:inseam-base")
    base, service = proposed(runner, "src/new")
    assert service.kwargs["base"] == "//:trixie"
    assert base.generate_build_file_stanza("    ") == (
        "debian_base(\n"
        '    name="trixie",\n'
        '    packages="inseam:trixie.ini",\n'
        '    lock="inseam:trixie.json",\n'
        ")\n"
    )


def test_services_in_folders_of_one_name_have_images_of_different_names(
    runner: RuleRunner,
) -> None:
    runner.write_files(
        {
            "src/Orders/cmd/api.py": FASTAPI,
            "src/stock/cmd/api.py": FASTAPI,
            "src/stock/web/api.py": FASTAPI,
            "src/old/web/main.py": MAIN,
            "src/old/web/BUILD": 'python_service(name="app", entry_point="main.py:main")',
            "src/other/main.py": FASTAPI,
        }
    )
    folders = ("src/Orders/cmd", "src/stock/cmd", "src/stock/web", "src/other")
    found = {one.path: one.kwargs.get("repository") for one in proposed(runner, *folders)}
    assert found == {
        "src/Orders/cmd": "orders-cmd",
        "src/stock/cmd": "stock-cmd",
        "src/stock/web": "stock-web",
        "src/other": None,
    }


def test_a_service_at_the_root_has_a_name_of_its_own(runner: RuleRunner) -> None:
    runner.write_files({"web.py": MAIN})
    (service,) = proposed(runner, "")
    assert (service.name, service.kwargs["name"]) == ("app", "app")
    assert service.generate_build_file_stanza("    ").count("name=") == 1


def test_a_folder_called_app_keeps_that_name_for_its_sources(runner: RuleRunner) -> None:
    runner.write_files({"src/app/main.py": MAIN})
    assert [one.name for one in proposed(runner, "src/app")] == ["service"]


@pytest.mark.parametrize("entry_point", ["main.py:app", "three.main:app", "src.three.main:other"])
def test_a_module_with_a_service_is_left_alone(runner: RuleRunner, entry_point: str) -> None:
    runner.write_files(
        {
            "src/three/main.py": FASTAPI,
            "src/three/BUILD": f'python_service(name="x", entry_point="{entry_point}")',
        }
    )
    assert proposed(runner, "src/three") == []


def test_an_application_of_another_service_is_no_service_of_its_own(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "src/four/admin.py": FASTAPI,
            "src/four/main.py": f"from four.admin import app as admin\n{FASTAPI}",
            # To share a setting is not enough, nor is a name that others have, too.
            "src/eight/api.py": FASTAPI,
            "src/eight/worker.py": f"from eight.api import SETTING\nfrom main import app\n{MAIN}",
            "src/five/app.py": FASTAPI,
            "src/five/server.py": "from five import app\ndef main(): ...\n",
            "src/five/BUILD": 'python_service(name="x", entry_point="five.server:main")',
        }
    )
    found = proposed(runner, "src/four", "src/five", "src/eight")
    assert [(one.path, one.name) for one in found] == [
        ("src/eight", "app"),
        ("src/four", "app"),
    ]


def test_a_django_project_is_one_service(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "src/six/site/asgi.py": DJANGO.format("asgi"),
            "src/six/site/wsgi.py": DJANGO.format("wsgi"),
            "src/six/manage.py": MAIN,
        }
    )
    (service,) = proposed(runner, "src/six", "src/six/site")
    assert dict(service.kwargs) == {"entry_point": "wsgi.py:application", "server": "gunicorn"}


def test_tests_scripts_and_libraries_are_not_services(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "src/seven/lib.py": "def main(): ...\n",
            "src/seven/cli.py": f"import argparse\n{MAIN}",
            "src/seven/bootstrap.py": MAIN,
            "src/seven/server_test.py": MAIN,
            "scripts/release.py": MAIN,
            "tests/app.py": FASTAPI,
        }
    )
    assert proposed(runner, "src/seven", "scripts", "tests") == []


def test_a_command_that_serves_is_a_service_in_any_syntax(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "src/nine/server.py": """\
import click
from aiohttp import web

@click.command()
@click.option("--level")
def main(level):
    match level:
        case "debug":
            web.run_app(app, port=9000)
""",
        }
    )
    (service,) = proposed(runner, "src/nine")
    assert dict(service.kwargs) == {"entry_point": "server.py:main", "ports": (9000,)}


def test_odd_and_large_files_are_left_out_with_a_line_each(
    runner: RuleRunner, caplog: pytest.LogCaptureFixture
) -> None:
    odd = {coding: f"# coding: {coding}\n{FASTAPI}" for coding in ("rot13", "hex", "zlib_codec")}
    files = {
        **{f"{coding}.py": text for coding, text in odd.items()},
        "large.py": FASTAPI + "x = 1\n" * 3_000_000,
        "nested.py": FASTAPI + "(" * 10_000,
        "main.py": FASTAPI,
    }
    runner.write_files({f"src/ten/{name}": text for name, text in files.items()})
    (service,) = proposed(runner, "src/ten")
    assert service.kwargs["entry_point"] == "main.py:app"
    lines = [record.message for record in caplog.records if "`tailor` leaves out" in record.message]
    assert len(lines) == 5
    assert "`tailor` leaves out 'src/ten/large.py': it has more than 500000 bytes." in lines


def test_it_can_be_switched_off(runner: RuleRunner) -> None:
    runner.write_files({"src/one/main.py": FASTAPI})
    set_options(runner, "--no-inseam-tailor")
    assert proposed(runner, "src/one") == []
