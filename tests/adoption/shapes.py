"""Repositories of other teams, in shapes that they have in the wild: files by path."""

from __future__ import annotations

from typing import NamedTuple


class Shape(NamedTuple):
    """A repository without Inseam.

    toml: its pants.toml below [GLOBAL]. service: the address that `tailor` proposes. path: what the
    service answers, and with which text. fields: what a person adds to the proposal.
    """

    toml: str
    files: dict[str, str]
    service: str
    path: str
    answer: str
    fields: str = ""


PYTHON = """\
[python]
interpreter_constraints = ["CPython==3.11.*"]
enable_resolves = true

[python.resolves]
python-default = "python-default.lock"

[python-infer]
use_rust_parser = true
"""

_FLASK = """\
from flask import Flask

app = Flask(__name__)


@app.get("/")
def index() -> str:
    return "Hello from a Dockerfile"


@app.get("/healthz")
def health() -> str:
    return "ok"
"""

# A Dockerfile and requirements, which stay where they are.
DOCKERFILE = Shape(
    f"[source]\nroot_patterns = ['/']\n\n{PYTHON}",
    {
        "Dockerfile": (
            'FROM python:3.11-slim\nCOPY . /app\nWORKDIR /app\nCMD ["gunicorn", "web:app"]\n'
        ),
        "requirements.txt": "flask==3.0.3\ngunicorn==23.0.0\n",
        "web.py": _FLASK,
    },
    "//:app",
    "/",
    "Hello from a Dockerfile",
)

_SERVER = """\
from http.server import BaseHTTPRequestHandler, HTTPServer

from helloworld.greet.greeting import Greeter


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(Greeter().greet("world").encode())


def main() -> None:
    HTTPServer(("", 8000), Handler).serve_forever()


if __name__ == "__main__":
    main()
"""
_GREETER = """\
import importlib.resources

import humanize


class Greeter:
    def greet(self, name: str) -> str:
        file = importlib.resources.files(__package__) / "greeting.txt"
        text = file.read_text()
        return f"{text.strip()}, {name}, {humanize.intcomma(1000)} times"
"""
_EXAMPLE = {
    "requirements.txt": "humanize==4.10.0\npytest==8.3.3\n",
    "BUILD": 'python_requirements(name="reqs")\n',
    "helloworld/__init__.py": "",
    "helloworld/BUILD": (
        'python_sources(name="lib")\n\npex_binary(name="bin", entry_point="main.py")\n'
    ),
    "helloworld/main.py": _SERVER,
    "helloworld/greet/__init__.py": "",
    "helloworld/greet/BUILD": (
        'python_sources(name="lib", dependencies=[":text"])\n\n'
        'python_tests(name="tests")\n\nresource(name="text", source="greeting.txt")\n'
    ),
    "helloworld/greet/greeting.py": _GREETER,
    "helloworld/greet/greeting.txt": "Hello\n",
    "helloworld/greet/greeting_test.py": (
        "from helloworld.greet.greeting import Greeter\n\n\n"
        "def test_it_greets() -> None:\n"
        '    assert Greeter().greet("you").startswith("Hello, you")\n'
    ),
}
# The shape of Pants' own example for Python: constraints, tools and targets of its own.
EXAMPLE = Shape(
    f"[source]\nroot_patterns = ['/']\n\n{PYTHON}",
    _EXAMPLE,
    "helloworld:app",
    "/",
    "Hello, world, 1,000 times",
)
UNLOCKED = EXAMPLE._replace(
    toml="[source]\nroot_patterns = ['/']\n\n"
    '[python]\ninterpreter_constraints = ["CPython==3.11.*"]\n'
)

_SETTINGS = """\
from pathlib import Path

SECRET_KEY = "not a secret"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop.urls"
INSTALLED_APPS = ["django.contrib.staticfiles", "catalogue"]
MIDDLEWARE = ["whitenoise.middleware.WhiteNoiseMiddleware"]
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
"""
_URLS = """\
from catalogue.views import index
from django.urls import path

urlpatterns = [path("", index), path("health", index)]
"""
_WSGI = """\
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
application = get_wsgi_application()
"""
# Django under gunicorn, with static files. What settings name by strings is a dependency.
DJANGO = Shape(
    f"[source]\nroot_patterns = ['/backend']\n\n{PYTHON}",
    {
        "requirements.txt": "django==5.1.1\ngunicorn==23.0.0\nwhitenoise==6.7.0\n",
        # Django has no types, and its stubs are not among the requirements.
        "mypy.ini": "[mypy]\nignore_missing_imports = true\n",
        "backend/manage.py": "#!/usr/bin/env python\nimport sys\n",
        "backend/shop/__init__.py": "",
        "backend/shop/settings.py": _SETTINGS,
        "backend/shop/urls.py": _URLS,
        "backend/shop/wsgi.py": _WSGI,
        "backend/shop/asgi.py": _WSGI.replace("wsgi", "asgi"),
        "backend/catalogue/__init__.py": "",
        "backend/catalogue/views.py": (
            "from django.http import HttpRequest, HttpResponse\n\n\n"
            "def index(request: HttpRequest) -> HttpResponse:\n"
            '    return HttpResponse("Hello from Django")\n'
        ),
        "backend/catalogue/BUILD": (
            'python_sources(dependencies=[":static"])\n\n'
            'resources(name="static", sources=["static/**/*"])\n'
        ),
        "backend/catalogue/static/style.css": "body { color: green }\n",
    },
    "backend/shop:app",
    "/static/style.css",
    "body { color: green }",
    'dependencies=["./settings.py", "./urls.py", "backend/catalogue", "//:root#whitenoise"],',
)

# A namespace package that several teams share, at the root of the repository.
NAMESPACE = Shape(
    f"[source]\nroot_patterns = ['/']\n\n{PYTHON}",
    {
        "requirements.txt": "fastapi==0.115.0\nuvicorn==0.30.0\n",
        "mypy.ini": "[mypy]\nnamespace_packages = true\nexplicit_package_bases = true\n",
        "acme/text/greeting.py": 'def greet(name: str) -> str:\n    return f"Hello, {name}"\n',
        "acme/billing/api.py": (
            "from acme.text.greeting import greet\nfrom fastapi import FastAPI\n\n"
            "app = FastAPI()\n\n\n"
            '@app.get("/health")\ndef health() -> str:\n    return greet("billing")\n'
        ),
    },
    "acme/billing:app",
    "/health",
    "Hello, billing",
)

SHAPES = {
    "a Dockerfile with requirements": DOCKERFILE,
    "Pants' example": EXAMPLE,
    "Pants' example without resolves": UNLOCKED,
    "Django under gunicorn": DJANGO,
    "a namespace package": NAMESPACE,
}
