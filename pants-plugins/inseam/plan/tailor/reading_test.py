"""What is proposed for the programs that a repository declares."""

from __future__ import annotations

from typing import Any

import pytest

from inseam.formats.growth_testing import check_growth
from inseam.plan.tailor.choosing import Known
from inseam.plan.tailor.declared import Binary, Script
from inseam.plan.tailor.proposal import Owner, Surroundings
from inseam.plan.tailor.tailor_testing import proposals

FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n"
FLASK = "from flask import Flask\napp = Flask(__name__)\n"
JOB = "def sync(): ...\nif __name__ == '__main__':\n    print(sync())\n"
CLI = "import argparse\ndef main():\n    argparse.ArgumentParser()\nmain()\n"
GUARD = "\nif __name__ == '__main__':\n    "
ASGI = {"entry_point": "main.py:app", "server": "uvicorn"}


def binary(name: str, entry_point: str | None = "job.py", **fields: Any) -> Binary:
    folder, _, target = name.partition(":")
    output = f"{folder.replace('/', '.')}/{target}.pex"
    return Binary(name, "pex_binary", entry_point, output=output)._replace(**fields)


@pytest.mark.parametrize(
    "text, fields",
    [
        # Factories, followed through the module and through others.
        ("from fastapi import FastAPI\ndef init() -> FastAPI: ...\napp = init()\n", ASGI),
        ("from shop.made import make\napp = make()\n", ASGI),
        ("from .made import make\napp = make()\n", ASGI),
        (
            "from fastapi import FastAPI\ndef create_app():\n    app = FastAPI()\n    return app\n",
            {"entry_point": "main.py:create_app()", "server": "uvicorn"},
        ),
        (
            "from flask import Flask\ndef create_app():\n    return Flask('x')\n",
            {"entry_point": "main.py:create_app()", "server": "gunicorn"},
        ),
        # What runs below the guard.
        (
            f"import uvicorn\n{FASTAPI}{GUARD}uvicorn.run('shop.main:app', port=8080)\n",
            {**ASGI, "ports": (8080,)},
        ),
        (
            f"def serve():\n    server.add_insecure_port('[::]:50051')\n"
            f"    server.start()\n    server.wait_for_termination()\n{GUARD}serve()\n",
            {"entry_point": "main.py:serve", "ports": (50051,)},
        ),
        (
            f"from aiohttp import web\napp = web.Application()\n{GUARD}web.run_app(app)\n",
            {"entry_point": "main.py", "ports": (8080,)},
        ),
        (
            "from aiohttp import web\napp = web.Application()\n",
            {
                "entry_point": "main.py:app",
                "args": ("--worker-class=aiohttp.GunicornWebWorker",),
                "server": "gunicorn",
            },
        ),
        (
            "import tornado.ioloop\nasync def main():\n    app.listen(8888)\n"
            f"    tornado.ioloop.IOLoop.current().start()\n{GUARD}asyncio.run(main())\n",
            {"entry_point": "main.py", "ports": (8888,)},
        ),
        (
            "import gradio as gr\ndemo = gr.Blocks()\ndemo.launch()\n",
            {
                "entry_point": "main.py",
                "ports": (7860,),
                "env": {"GRADIO_SERVER_NAME": "0.0.0.0"},
            },
        ),
        # Commands of a group.
        (
            "import typer, uvicorn\ncli = typer.Typer()\n@cli.command()\n"
            f"def serve(port: int = 1):\n    uvicorn.run('x:y')\n@cli.command()\n"
            f"def migrate(): ...\n{GUARD}cli()\n",
            {"entry_point": "main.py", "args": ("serve",)},
        ),
        (
            "import click\n@click.group()\ndef cli(): ...\n@cli.command('run-it')\ndef run():\n"
            "    server.serve_forever()\n",
            {"entry_point": "main.py:cli", "args": ("run-it",)},
        ),
        # Scripts of distributions that load the module.
        (
            "from celery import Celery\ntasks = Celery('x')\n",
            {
                "script": "celery",
                "args": ("-A", "shop.main", "worker"),
                "dependencies": ("./main.py",),
            },
        ),
        (
            "import dramatiq\n@dramatiq.actor\ndef work(): ...\n",
            {"script": "dramatiq", "args": ("shop.main",), "dependencies": ("./main.py",)},
        ),
        (
            "from arq import cron\nclass WorkerSettings: ...\n",
            {
                "script": "arq",
                "args": ("shop.main.WorkerSettings",),
                "dependencies": ("./main.py",),
            },
        ),
        (
            "from dagster import Definitions\ndefs = Definitions()\n",
            {
                "script": "dagster",
                "args": ("api", "grpc", "--host=0.0.0.0", "--port=4000", "-m", "shop.main"),
                "ports": (4000,),
                "dependencies": ("./main.py",),
            },
        ),
        (
            "from sanic import Sanic\napp = Sanic('x')\n",
            {
                "script": "sanic",
                "args": ("shop.main:app", "--host=0.0.0.0", "--port=8000"),
                "ports": (8000,),
                "dependencies": ("./main.py",),
            },
        ),
        (
            "import streamlit as st\nst.title('x')\n",
            {
                "script": "streamlit",
                "args": ("run", "shop/main.py", "--server.headless=true", "--server.port=8501"),
                "healthcheck_path": "/_stcore/health",
                "ports": (8501,),
                "dependencies": ("./main.py",),
            },
        ),
    ],
)
def test_a_module_is_a_service_by_the_convention_of_its_framework(
    text: str, fields: dict[str, Any]
) -> None:
    made = "from fastapi import FastAPI\ndef make():\n    app = FastAPI()\n    return app\n"
    files = {"src/shop/main.py": text, "src/shop/made.py": made}
    found, left_out = proposals(files)
    assert (found, left_out) == ({"src/shop:app": fields}, [])


@pytest.mark.parametrize(
    "folder", ["playground", "sandbox", "examples", "notebooks", "experiments", "my-experiments"]
)
def test_what_is_there_to_be_tried_is_no_service(folder: str) -> None:
    files = {f"src/{folder}/main.py": FASTAPI, f"src/{folder}/Dockerfile": "CMD uvicorn main:app"}
    assert proposals(files, binaries=[binary(f"src/{folder}:bin", "main.py")]) == ({}, [])


def test_a_binary_is_a_service_with_its_dependencies_and_arguments() -> None:
    found, left_out = proposals(
        {"src/binary/job.py": JOB, "src/shop/main.py": FASTAPI, "src/shop/cli.py": CLI},
        binaries=[
            binary("src/binary:bin", dependencies=(":lib",), args=("all",)),
            binary("src/shop:web", "shop.main", dependencies=(":lib",)),
            binary("src/shop:sources", "main.py", has_sources=False),
            binary("src/lib:cli", "shop.cli:main"),
            binary("src/lost:gone", "gone.py"),
            binary("src/lost:none", None),
        ],
    )
    assert found == {
        "src/binary:app": {"entry_point": "job.py", "args": ("all",), "dependencies": (":lib",)},
        "src/shop:app": {**ASGI, "dependencies": (":lib",)},
    }
    assert [(one.where, one.why) for one in left_out] == [
        ("src/lib:cli", "src/shop/cli.py reads a command line"),
        ("src/lost:gone", "its module 'gone.py' is not in the repository"),
    ]


@pytest.mark.parametrize(
    "dockerfile, fields",
    [
        (
            "CMD gunicorn -w 3 -b :9000 shop.main:app --threads 4",
            {
                "entry_point": "main.py:app",
                "server": "gunicorn",
                "args": ("--threads=4",),
                "workers": 3,
                "ports": (9000,),
            },
        ),
        (
            "EXPOSE 9000\nENV DJANGO_SETTINGS_MODULE=shop.prod\nCMD uvicorn shop.main:app",
            {**ASGI, "ports": (9000,), "env": {"DJANGO_SETTINGS_MODULE": "shop.prod"}},
        ),
        ('CMD ["python", "/app/src/shop/job.py", "x"]', {"entry_point": "job.py", "args": ("x",)}),
        ('CMD ["python", "-m", "shop.tool"]', {"entry_point": "__main__.py"}),
        (
            "CMD celery -A shop.main beat",
            {
                "script": "celery",
                "args": ("-A", "shop.main", "beat"),
                "dependencies": ("./main.py",),
            },
        ),
        (
            "COPY src.shop/job.pex /bin/\nENTRYPOINT ['x']\nCMD [\"/bin/job.pex\"]",
            {"entry_point": "job.py", "dependencies": (":lib",)},
        ),
        (
            'COPY start.sh /srv/run.sh\nENTRYPOINT ["/srv/run.sh"]',
            {**ASGI, "ports": (80,)},
        ),
        ("CMD shop-job", {"entry_point": "job.py:sync"}),
    ],
)
def test_a_dockerfile_says_what_its_image_starts(dockerfile: str, fields: dict[str, Any]) -> None:
    files = {
        "src/shop/main.py": "import lib\n",
        "src/shop/job.py": JOB,
        "src/shop/tool/__init__.py": "",
        "src/shop/tool/__main__.py": "print(1)\n",
        "deploy/start.sh": "set -e\nexec uvicorn \\\n  --port 80 shop.main:app\n",
        "deploy/Dockerfile": f"FROM python\n{dockerfile.replace(chr(39) + 'x' + chr(39), '')}\n",
    }
    jobs = [binary("src/shop:job", dependencies=(":lib",), has_sources="job.pex" in dockerfile)]
    scripts = [Script("src/shop:dist", "src/shop", "shop-job", "shop.job:sync")]
    found, left_out = proposals(files, binaries=jobs, scripts=scripts)
    assert (list(found.values()), left_out) == ([fields], [])


def test_a_dockerfile_whose_program_is_not_here_is_named_and_others_are_not() -> None:
    found, left_out = proposals(
        {
            "a/Dockerfile": "FROM x\nCMD uvicorn gone:app",
            "b/Dockerfile": "FROM x\nCMD nginx -g daemon",
            "c/Dockerfile": "FROM x\n",
        }
    )
    assert found == {}
    assert [one.where for one in left_out] == ["a/Dockerfile"]


def test_several_programs_of_an_application_are_programs_of_one_service() -> None:
    found, _ = proposals(
        {
            "shop/api.py": FASTAPI,
            "shop/tasks_app.py": "from celery import Celery\napp = Celery('x')\n",
            "shop/Procfile": "web: uvicorn shop.api:app\nworker: celery -A shop.tasks_app worker\n"
            "release: python manage.py migrate\n",
        }
    )
    assert found == {
        "shop:app": {
            "programs": {
                "web": {"entry_point": "api.py:app", "server": "uvicorn"},
                "worker": {
                    "entry_point": "celery.__main__",
                    "args": ("-A", "shop.tasks_app", "worker"),
                },
            },
            "dependencies": ("./tasks_app.py",),
        }
    }


def test_programs_that_listen_on_different_ports_are_services_of_their_own() -> None:
    run = "\nimport uvicorn\nuvicorn.run(app, port={})\n"
    found, _ = proposals(
        {"shop/one.py": FASTAPI + run.format(8001), "shop/two.py": FASTAPI + run.format(8002)}
    )
    assert {name: one["repository"] for name, one in found.items()} == {
        "shop:one": "shop-one",
        "shop:two": "shop-two",
    }


def test_a_module_that_several_services_share_is_one_for_each_of_them() -> None:
    found, _ = proposals(
        {
            "src/common/wsgi.py": FLASK,
            "src/shop/Dockerfile": "FROM x\nCMD gunicorn common.wsgi:app",
            "src/stock/Dockerfile": "FROM x\nCMD gunicorn common.wsgi:app",
        }
    )
    shared = {"entry_point": "common.wsgi:app", "server": "gunicorn"}
    assert found == {"src/shop:app": shared, "src/stock:app": shared}


def test_where_people_declare_programs_a_mere_main_is_none() -> None:
    main = f"def main(): ...\n{GUARD}main()\n"
    files = {"a/main.py": main, "b/job.py": JOB}
    assert list(proposals(files)[0]) == ["a:app"]
    assert list(proposals(files, binaries=[binary("b:bin")])[0]) == ["b:app"]


def test_a_program_that_serves_the_application_of_another_module_is_that_service() -> None:
    run = f"import uvicorn\nfrom shop.api import app\n{GUARD}uvicorn.run(app, port=81)\n"
    found, _ = proposals({"src/shop/api.py": FASTAPI, "src/shop/run.py": run})
    assert found == {
        "src/shop:app": {"entry_point": "api.py:app", "server": "uvicorn", "ports": (81,)}
    }


def test_services_that_there_are_are_not_proposed_again() -> None:
    celery = "from celery import Celery\napp = Celery('x')\n"
    known = Known(frozenset({"shop/api.py"}), frozenset({"-A", "shop.work"}))
    files = {"src/shop/api.py": FASTAPI, "src/shop/work.py": celery}
    assert proposals(files, known=known) == ({}, [])


def test_what_a_person_has_to_write_is_left_to_one() -> None:
    files = {
        "a/job.py": JOB,
        "a/Dockerfile": "FROM x\nCMD python -m a.job 'say \"x\"'",
        "b/job.py": JOB,
        "b/Dockerfile": "FROM x\nCMD python -m b.job $WHAT",
    }
    found, left_out = proposals(files)
    assert found == {}
    assert [one.where for one in left_out] == ["a/Dockerfile", "b/Dockerfile"]


def test_a_service_has_the_resolve_and_the_names_around_it() -> None:
    around = Surroundings(
        ["src"],
        lambda one: Owner("src/shop/main.py:lib", "web"),
        names=frozenset({"src/shop:app"}),
        repositories=frozenset({"shop"}),
    )
    found, _ = proposals({"src/shop/main.py": FASTAPI}, around=around)
    assert found == {"src/shop:app-service": {**ASGI, "repository": "src-shop", "resolve": "web"}}


@pytest.mark.parametrize(
    "alias, fields",
    [
        ("python_awslambda", {"entry_point": "awslambdaric.__main__", "args": ("shop.job.sync",)}),
        (
            "python_google_cloud_function",
            {"script": "functions-framework", "args": ("--target=sync", "--source=shop/job.py")},
        ),
    ],
)
def test_functions_of_clouds_are_served_by_their_makers(alias: str, fields: dict[str, Any]) -> None:
    function = binary("src/shop:function", "job.py:sync", alias=alias)
    found, _ = proposals({"src/shop/job.py": JOB}, binaries=[function])
    assert found == {"src/shop:app": {**fields, "ports": (8080,), "dependencies": ("./job.py",)}}


@pytest.mark.parametrize("name", ["main", "a/main", "x"])
def test_the_time_for_many_modules_grows_as_their_number(name: str) -> None:
    def read(size: int) -> None:
        number = size // 100 + 1
        run = "import uvicorn\nuvicorn.run('main:app')\nfrom main import app\n"
        proposals({f"p{one}/{name}.py": FASTAPI + run for one in range(number)})

    check_growth(read, lambda size: size)
