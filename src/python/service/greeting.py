"""The greeting: "Hello" to a GET of any path that is not the kit's."""

from servicekit import logs
from servicekit.lifecycle import Lifecycle
from servicekit.request import Request
from servicekit.response import Response
from servicekit.routes import ANY_PATH, Routes
from servicekit.server import Server
from servicekit.settings import Settings


def greet(request: Request) -> Response:
    return Response.text("Hello")


def serve(lifecycle: Lifecycle) -> int:
    settings = Settings.from_environment()
    logs.configure(settings.log_level)
    routes = Routes()
    routes.add("GET", ANY_PATH, greet)
    return Server(routes, settings, lifecycle).serve()
