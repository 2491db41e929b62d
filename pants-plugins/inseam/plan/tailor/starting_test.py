"""How modules start services, from their text: what is proposed, and what is not."""

from __future__ import annotations

import contextlib
from textwrap import dedent

import pytest

from inseam.formats.growth_testing import check_growth
from inseam.plan.syntax import Unreadable
from inseam.plan.tailor.places import is_candidate
from inseam.plan.tailor.starting import Start, find_imports, find_start

GUARD = '\nif __name__ == "__main__":\n    '
MAIN = "def main() -> int:\n    return 0\n"


def start(text: str) -> Start:
    found = find_start(dedent(text).encode())
    assert found is not None
    return found


def seen(text: str) -> tuple[object, ...]:
    found = start(text)
    return found.function, found.server, found.healthcheck_path, found.port


@pytest.mark.parametrize(
    "text, function, server",
    [
        ("from fastapi import FastAPI\napp = FastAPI(title='x')", "app", "uvicorn"),
        (
            "import fastapi\napplication: fastapi.FastAPI = fastapi.FastAPI()",
            "application",
            "uvicorn",
        ),
        ("import fastapi as f\napi = f.applications.FastAPI()", "api", "uvicorn"),
        ("from starlette.applications import Starlette as S\nshop = S()", "shop", "uvicorn"),
        ("from flask import Flask\napp = Flask(__name__)", "app", "gunicorn"),
        ("from falcon import asgi\napp = asgi.App()", "app", "uvicorn"),
        ("import falcon\nother = falcon.App()\napp = falcon.App()", "app", "gunicorn"),
        (
            "from django.core.wsgi import get_wsgi_application\n"
            "application = get_wsgi_application()",
            "application",
            "gunicorn",
        ),
        (MAIN + GUARD + "main()", "main", None),
        (MAIN + GUARD + "raise SystemExit(main())", "main", None),
        ("import sys\ndef main(argv=None): ...\n" + GUARD + "sys.exit(main())", "main", None),
        ("import asyncio\nasync def main(): ...\n" + GUARD + "asyncio.run(main())", "", None),
        # A server needs no sign that the module is run, and may have options.
        ("import uvicorn\ndef main():\n    uvicorn.run('shop:app')", "main", None),
        (
            "import argparse\nfrom http.server import HTTPServer\ndef main():\n"
            "    argparse.ArgumentParser().add_argument('--port')\n"
            "    HTTPServer(a, b).serve_forever()",
            "main",
            None,
        ),
        (
            "import click, uvicorn\n@click.command()\n@click.option('--port')\n"
            "def main(port):\n    uvicorn.run('shop:app', port=port)",
            "main",
            None,
        ),
        (
            "import time\nasync def main():\n    while True:\n        time.sleep(1)\n"
            + GUARD
            + "asyncio.run(main())",
            "",
            None,
        ),
        # An application counts more than what runs it by hand.
        (
            "from fastapi import FastAPI\nimport uvicorn\napp = FastAPI()\n"
            "def main():\n    uvicorn.run(app)\n" + GUARD + "main()",
            "app",
            "uvicorn",
        ),
    ],
)
def test_a_module_that_starts_a_service(text: str, function: str, server: str | None) -> None:
    assert seen(text)[:2] == (function, server)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("def main(): ...", id="a library with a main"),
        pytest.param(MAIN + GUARD + "print(1)", id="a main that nothing calls"),
        pytest.param("def main(path): ...\n" + GUARD + "main()", id="arguments"),
        pytest.param("def main(*, path): ...\n" + GUARD + "main()", id="keywords"),
        pytest.param("def run(): ...\n" + GUARD + "run()", id="another name"),
        pytest.param("#!/usr/bin/env python3\n" + MAIN + GUARD + "main()", id="a script"),
        pytest.param("import argparse\n" + MAIN + GUARD + "main()", id="a command line"),
        pytest.param("from click import command\n" + MAIN + GUARD + "main()", id="click"),
        pytest.param("import sys\ndef main():\n    sys.argv[1]\n" + GUARD + "main()", id="argv"),
        pytest.param("async def main():\n    await serve()", id="a coroutine that nothing runs"),
        pytest.param(
            "import argparse, uvicorn\ndef main():\n    parser.add_subparsers()\n"
            "    uvicorn.run('shop:app')\n" + GUARD + "main()",
            id="a server among other commands",
        ),
        pytest.param("from fastapi import APIRouter\napp = APIRouter()", id="a router"),
        pytest.param("app = FastAPI()", id="a name that is not imported"),
        pytest.param("from fastapi import FastAPI\nclass FastAPI2(FastAPI): ...", id="a class"),
        pytest.param(
            "from fastapi import FastAPI\ndef create():\n    app = FastAPI()\n    return app",
            id="a factory",
        ),
        pytest.param("from flask import Flask\na = Flask('a')\nb = Flask('b')", id="two of them"),
        pytest.param("'''\nif __name__ == \"__main__\":\n    main()\n'''\n" + MAIN, id="a text"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_module_that_does_not(text: str) -> None:
    assert find_start(text.encode()) is None


def test_the_name_of_a_module_may_be_that_of_work_that_ends() -> None:
    text = (MAIN + GUARD + "main()").encode()
    serving = b"def main():\n    serve()"
    assert find_start(text, "src/shop/main.py")
    assert find_start(text, "src/shop/seed_stock.py") is None
    assert find_start(serving, "src/shop/build_server.py")


def test_a_text_that_no_parser_takes_is_no_service() -> None:
    assert find_start(b"x = " + b"-" * 100_000 + b"1") is None
    for read in (find_start, find_imports):
        with pytest.raises(Unreadable):
            read(b"\xff")


@pytest.mark.parametrize("piece", [".a", "()", " + a", "\na.b", "[0]", "\nimport a.b.c"])
def test_the_time_for_a_module_grows_as_its_size(piece: str) -> None:
    def read(text: str) -> None:
        with contextlib.suppress(Unreadable):
            find_start((MAIN + GUARD + text).encode())

    # Each part of a dotted name was looked at from its start.
    check_growth(read, lambda size: "main()\na" + piece * size)


@pytest.mark.parametrize(
    "path, candidate",
    [
        ("src/shop/main.py", True),
        ("main.py", True),
        ("src/latest/server.py", True),
        ("src/shop/server_test.py", False),
        ("src/shop/test_server.py", False),
        ("tests/server.py", False),
        ("scripts/server.py", False),
        ("tools/server.py", False),
        ("src/shop/manage.py", False),
        ("setup.py", False),
        ("examples/flask/app.py", False),
        (".ci/server.py", False),
    ],
)
def test_tests_and_scripts_are_no_candidates(path: str, candidate: bool) -> None:
    assert is_candidate(path) is candidate


@pytest.mark.parametrize(
    "text, path, port",
    [
        (
            """
            from fastapi import FastAPI
            app = FastAPI()
            @app.get("/items")
            def items(): ...
            @app.get("/healthz")
            def health(): ...
            @app.get("/ready")
            def ready(): ...
            """,
            "/healthz",
            None,
        ),
        (
            """
            import requests
            from flask import Flask
            app = Flask(__name__)
            @app.route("/")
            def index():
                return requests.get("/health")
            if __name__ == "__main__":
                app.run(port=5000)
            """,
            None,
            5000,
        ),
        (
            """
            from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
            import os
            PORT = int(os.environ.get("PORT", "8080"))
            class Handler(BaseHTTPRequestHandler):
                def do_GET(self):
                    if self.path == "/health":
                        self.send_response(200)
            def main():
                ThreadingHTTPServer(("", PORT), Handler).serve_forever()
            if __name__ == "__main__":
                main()
            """,
            "/health",
            8080,
        ),
        (
            """
            from aiohttp import web
            def main():
                app = web.Application()
                app.router.add_get("/livez", live)
                web.run_app(app, port=9090)
            if __name__ == "__main__":
                main()
            """,
            "/livez",
            9090,
        ),
        (
            # Which of the two it is cannot be seen, and so neither what to ask.
            """
            from wsgiref.simple_server import make_server
            def main(debug=False):
                if debug:
                    make_server("", 1234, app)
                make_server("", 8000, app)
            def app(environ, start):
                if environ["PATH_INFO"] in ("/health", "/x"): ...
            if __name__ == "__main__":
                main()
            """,
            None,
            None,
        ),
    ],
)
def test_what_can_be_seen_of_health_and_ports(
    text: str, path: str | None, port: int | None
) -> None:
    assert seen(text)[2:] == (path, port)


def test_imports_are_of_modules_and_of_what_is_in_them() -> None:
    imports = find_imports(b"import a.b, c as d\nfrom e.f import g\nfrom . import h")
    assert {"a.b", "c", "e.f.g", "h"} <= imports
