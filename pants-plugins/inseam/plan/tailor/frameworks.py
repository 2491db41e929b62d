"""The frameworks whose services `tailor` recognises, one row each: how code creates or serves an
application, and what runs it.
"""

from __future__ import annotations

from typing import AbstractSet, NamedTuple, Optional, Tuple


class Framework(NamedTuple):
    """One framework. In `args`, {module} stands for the module with the application, such as
    `shop.tasks`, {app} for `shop.tasks:app`, and {path} for the file, such as `shop/tasks.py`.
    """

    name: str
    makes: Tuple[str, ...] = ()
    """Dotted names of callables that create an application, which a module assigns to a name."""
    server: Optional[str] = None
    """The server of the application, as in the field `server`."""
    script: Optional[str] = None
    """The console script of a distribution that loads the application."""
    args: Tuple[str, ...] = ()
    """Arguments of the script or the server."""
    module: str = ""
    """The module that `python -m` runs instead of the script."""
    marks: Tuple[str, ...] = ()
    """Dotted names of decorators, base classes and functions. If a module uses one at its top
    level, the script loads that module. "*" stands for any last part.
    """
    calls: Tuple[str, ...] = ()
    """Calls that return when the service ends: dotted names, or `package:method` for a method in a
    module that imports the package; `:method` in any module."""
    port: Optional[int] = None
    """The port that the service listens on unless its code says otherwise."""
    health: Optional[str] = None
    """A path that every service of the framework answers."""
    env: Tuple[Tuple[str, str], ...] = ()
    """Environment variables that make the service listen on all interfaces."""


_ASGI, _WSGI = "uvicorn", "gunicorn"

FRAMEWORKS = (
    Framework("BlackSheep", ("blacksheep.Application",), _ASGI),
    Framework("Django", ("django.core.asgi.get_asgi_application",), _ASGI),
    Framework("Falcon", ("falcon.asgi.App",), _ASGI),
    Framework("FastAPI", ("fastapi.FastAPI",), _ASGI),
    Framework("Litestar", ("litestar.Litestar", "starlite.Starlite"), _ASGI),
    Framework("Quart", ("quart.Quart",), _ASGI),
    Framework("Socket.IO", ("socketio.ASGIApp",), _ASGI),
    Framework("Starlette", ("starlette.applications.Starlette",), _ASGI),
    Framework("Bottle", ("bottle.Bottle",), _WSGI),
    Framework("Connexion", ("connexion.AsyncApp", "connexion.FlaskApp"), _ASGI),
    Framework("Django", ("django.core.wsgi.get_wsgi_application",), _WSGI),
    Framework("Falcon", ("falcon.API", "falcon.App"), _WSGI),
    Framework("Flask", ("flask.Flask",), _WSGI),
    Framework(
        "aiohttp",
        ("aiohttp.web.Application",),
        _WSGI,
        args=("--worker-class=aiohttp.GunicornWebWorker",),
        calls=("aiohttp.web.run_app", ":run_app"),
        port=8080,
    ),
    Framework(
        "Sanic",
        ("sanic.Sanic",),
        script="sanic",
        args=("{app}", "--host=0.0.0.0", "--port=8000"),
        module="sanic",
        port=8000,
    ),
    Framework(
        "Streamlit",
        script="streamlit",
        args=("run", "{path}", "--server.headless=true", "--server.port=8501"),
        module="streamlit",
        marks=("streamlit.*",),
        port=8501,
        health="/_stcore/health",
    ),
    Framework(
        "Chainlit",
        script="chainlit",
        args=("run", "{path}", "--headless", "--host=0.0.0.0", "--port=8000"),
        module="chainlit",
        marks=("chainlit.on_message", "chainlit.on_chat_start"),
        port=8000,
    ),
    Framework(
        "Celery",
        ("celery.Celery",),
        script="celery",
        args=("-A", "{module}", "worker"),
        module="celery",
    ),
    Framework(
        "Dramatiq",
        script="dramatiq",
        args=("{module}",),
        module="dramatiq",
        marks=("dramatiq.actor",),
    ),
    Framework(
        "arq",
        script="arq",
        args=("{module}.WorkerSettings",),
        module="arq",
        marks=("arq.WorkerSettings",),
    ),
    Framework(
        "Taskiq",
        (
            *("taskiq_aio_pika.AioPikaBroker", "taskiq_nats.NatsBroker"),
            *("taskiq_redis.ListQueueBroker", "taskiq_redis.RedisStreamBroker"),
        ),
        script="taskiq",
        args=("worker", "{app}"),
        module="taskiq",
    ),
    Framework("FastStream", ("faststream.FastStream",), script="faststream", args=("run", "{app}")),
    Framework("Faust", ("faust.App",), script="faust", args=("-A", "{module}", "worker")),
    Framework(
        "Dagster",
        ("dagster.Definitions",),
        script="dagster",
        args=("api", "grpc", "--host=0.0.0.0", "--port=4000", "-m", "{module}"),
        module="dagster",
        port=4000,
    ),
    # Recognised only by their commands: they load code from folders or a database.
    *(Framework(name, script=name, module=name) for name in ("airflow", "flower", "mlflow", "rq")),
    *(
        Framework(name, script=name)
        for name in ("dagster-daemon", "dagster-webserver", "huey_consumer", "nameko", "prefect")
    ),
    # Served by their own calls.
    Framework(
        "Gradio", calls=("gradio:launch",), port=7860, env=(("GRADIO_SERVER_NAME", "0.0.0.0"),)
    ),
    Framework("gRPC", calls=(":wait_for_termination",)),
    Framework(
        "Tornado",
        calls=(*(f"tornado.ioloop.IOLoop.{one}().start" for one in ("current", "instance")),),
    ),
    Framework("Prefect", calls=("prefect:serve", "prefect.serve")),
    Framework("RQ", calls=("rq:work",)),
    Framework("Telegram", calls=(":run_polling", ":start_polling", ":infinity_polling")),
    Framework("Discord", calls=("discord:run",)),
    Framework("MCP", calls=("mcp.server.fastmcp:run", "fastmcp:run")),
    Framework("Pika", calls=(":start_consuming",)),
    Framework("APScheduler", calls=("apscheduler.schedulers.blocking:start",)),
    Framework("uvicorn", calls=("uvicorn.run", "uvicorn:serve")),
    Framework("Hypercorn", calls=("hypercorn.run", "hypercorn.asyncio.serve")),
    Framework("Twisted", calls=("twisted.internet.reactor.run",)),
    Framework("CherryPy", calls=("cherrypy.quickstart",)),
    Framework("Bjoern", calls=("bjoern.run",)),
    Framework("Eventlet", calls=("eventlet.wsgi.server",)),
    Framework("Werkzeug", calls=("werkzeug.run_simple", "werkzeug.serving.run_simple")),
    Framework("standard library", calls=(":serve_forever", ":run_forever", "asyncio.Event().wait")),
    Framework("servers by their names", calls=(":run_server", ":serve", ":start_server")),
)

# Their names say nothing about what they run.
_RUN_OTHERS = {"anyio.run", "asyncio.run", "subprocess.run", "trio.run"}

_MADE = {name: one for one in FRAMEWORKS for name in one.makes}
_SCRIPTS = {one.script: one for one in FRAMEWORKS if one.script}
_MARKS = {name: one for one in FRAMEWORKS for name in one.marks}
_CALLS = {name: one for one in FRAMEWORKS for name in one.calls}
_METHODS = {
    method: [
        (name.partition(":")[0], _CALLS[name]) for name in _CALLS if name.endswith(f":{method}")
    ]
    for method in {name.partition(":")[2] for name in _CALLS if ":" in name}
}


def made_by(name: str) -> Framework | None:
    """The framework whose application a call of this dotted name creates."""
    parts = name.split(".")
    # `fastapi.FastAPI` for `fastapi.applications.FastAPI`.
    return _MADE.get(name) or _MADE.get(f"{parts[0]}.{parts[-1]}")


def marked_by(name: str) -> Framework | None:
    """The framework whose module uses this dotted name at its top level."""
    return _MARKS.get(name) or _MARKS.get(f"{name.partition('.')[0]}.*")


def started_by(script: str) -> Framework | None:
    """The framework that has this console script."""
    return _SCRIPTS.get(script)


def served_by(call: str, packages: AbstractSet[str]) -> Framework | None:
    """The framework whose server a call of this dotted name runs. packages: those that its module
    imports, such as `concurrent` and `concurrent.futures`.
    """
    if call in _CALLS:
        return _CALLS[call]
    if call in _RUN_OTHERS:
        return None
    for package, framework in _METHODS.get(call.rpartition(".")[2], ()):
        if not package or package in packages:
            return framework
    return None
