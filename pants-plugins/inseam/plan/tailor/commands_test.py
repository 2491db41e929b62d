"""What commands of containers and Procfiles start."""

from __future__ import annotations

import pytest

from inseam.formats.growth_testing import check_growth
from inseam.plan.tailor.commands import Command, Kind, expand, read_line, read_words

APP, FILE, MODULE = Kind.APPLICATION, Kind.FILE, Kind.MODULE
SCRIPT, PEX, DJANGO = Kind.SCRIPT, Kind.PEX, Kind.DJANGO


@pytest.mark.parametrize(
    "line, command",
    [
        ("uvicorn shop.api:app", Command(APP, "shop.api:app", server="uvicorn")),
        (
            "uvicorn shop.api:app --host 0.0.0.0 --port 80 --reload --proxy-headers",
            Command(APP, "shop.api:app", ("--proxy-headers",), "uvicorn", port=80),
        ),
        ("uvicorn --factory shop:make", Command(APP, "shop:make()", server="uvicorn")),
        ("hypercorn -b :90 shop:app", Command(APP, "shop:app", server="uvicorn", port=90)),
        (
            "gunicorn 'shop:create_app()' -b 0.0.0.0:80 -w 4 --threads 8 -k gevent",
            Command(
                APP,
                "shop:create_app()",
                ("--threads=8", "-k", "gevent"),
                "gunicorn",
                4,
                80,
            ),
        ),
        (
            "gunicorn -k uvicorn.workers.UvicornWorker --workers=2 --timeout 5 shop:app",
            Command(APP, "shop:app", (), "uvicorn", 2),
        ),
        ("python -m gunicorn shop.wsgi", Command(APP, "shop.wsgi", server="gunicorn")),
        (
            "fastapi run src/main.py --port 80",
            Command(FILE, "src/main.py", server="uvicorn", port=80),
        ),
        ("flask --app shop run -p 90", Command(APP, "shop", server="gunicorn", port=90)),
        ("FLASK_APP=shop flask run", Command(APP, "shop", server="gunicorn")),
        ("python manage.py runserver 0:8000", Command(DJANGO, "manage.py", server="gunicorn")),
        ("python -u -X dev server.py --fast", Command(FILE, "server.py", ("--fast",))),
        ("python3.11 -m shop.worker", Command(MODULE, "shop.worker")),
        ("python -m celery -A shop worker", Command(SCRIPT, "celery", ("-A", "shop", "worker"))),
        ("/bin/app.pex serve", Command(PEX, "/bin/app.pex", ("serve",))),
        ("python /app/pex", Command(PEX, "/app/pex")),
        ("exec tini -g -- poetry run ddtrace-run python -m shop", Command(MODULE, "shop")),
        ("sh -ec 'cd /x; exec python -m shop'", Command(MODULE, "shop")),
        ("python manage.py migrate && python -m shop", Command(MODULE, "shop")),
        ("./start.sh", Command(FILE, "./start.sh")),
    ],
)
def test_commands_name_programs(line: str, command: Command) -> None:
    assert read_line(line) == command


@pytest.mark.parametrize(
    "line",
    [
        "",
        "python",
        "python -c 'print(1)' ",
        "python manage.py migrate",
        "gunicorn",
        "fastapi dev",
        "flask db upgrade",
        "echo 'no end",
        "sh -c",
    ],
)
def test_commands_that_name_none(line: str) -> None:
    command = read_line(line)
    assert command is None or command.name == "print(1)"


def test_variables_have_the_values_of_the_image_or_their_defaults() -> None:
    words = ["uvicorn", "$APP", "--port=${PORT:-90}", "--env-file=$NONE"]
    found = read_words(words, {"APP": "shop:app"})
    assert found == Command(APP, "shop:app", server="uvicorn", port=90)
    assert expand("$A ${B:-c} ${D}", {"A": "a"}) == "a c ${D}"


def test_values_that_contain_each_other_stay_short() -> None:
    value = "a"
    for _ in range(60):
        value = expand("$A$A", {"A": value})
    assert len(value) <= 4000


@pytest.mark.parametrize("piece", ["exec ", "a;", "sh -c ", "-b 1 ", "$A", "'", "A=b "])
def test_the_time_for_a_line_grows_as_its_size(piece: str) -> None:
    check_growth(read_line, lambda size: "gunicorn a:b " + piece * size)
