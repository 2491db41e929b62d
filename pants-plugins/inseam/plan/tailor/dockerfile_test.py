"""What the containers of Dockerfiles start."""

from __future__ import annotations

from textwrap import dedent

import pytest

from inseam.formats.growth_testing import check_growth
from inseam.plan.tailor.commands import Command, Kind
from inseam.plan.tailor.dockerfile import Container, read_dockerfile


def read(text: str) -> Container:
    return read_dockerfile(dedent(text))


@pytest.mark.parametrize(
    "text",
    [
        'ENTRYPOINT ["python", "-m", "shop"]',
        'CMD ["python", "-m", "shop"]',
        "CMD python -m shop",
        "CMD exec python \\\n  # a comment\n  -m shop",
        'ENTRYPOINT ["python"]\nCMD ["-m", "shop"]',
        'ENTRYPOINT ["tini", "--"]\nCMD ["python", "-m", "shop"]',
        'CMD ["sh", "-c", "python -m shop"]',
        'entrypoint ["python", "-m", "other"]\nENTRYPOINT ["python", "-m", "shop"]',
        "ARG NAME=shop\nENV MODULE=$NAME OTHER='x y'\nCMD python -m ${MODULE}",
    ],
)
def test_the_command_in_all_forms(text: str) -> None:
    assert read(f"FROM python:3.11\n{text}\n").command == Command(Kind.MODULE, "shop")


def test_only_the_last_stage_counts_and_what_it_starts_from() -> None:
    found = read(
        """
        ARG BASE=below
        FROM python AS below
        ENV PORT=80
        EXPOSE $PORT 53/udp
        CMD ["python", "-m", "below"]
        FROM other
        CMD ["python", "-m", "other"]
        FROM --platform=linux/amd64 $BASE
        COPY --from=other src.shop/app.pex /bin/
        COPY a.sh /start.sh
        ENTRYPOINT ["/bin/app.pex"]
        """
    )
    assert found.command == Command(Kind.PEX, "/bin/app.pex")
    assert (found.ports, found.environment["PORT"]) == ((80,), "80")
    assert found.copied == {"/bin/app.pex": "src.shop/app.pex", "/start.sh": "a.sh"}


@pytest.mark.parametrize("text", ["", "FROM x", "FROM x\nCMD []", "CMD"])
def test_images_that_start_nothing(text: str) -> None:
    assert read(text).command is None


@pytest.mark.parametrize(
    "piece",
    [
        "FROM a AS b\nENV A=b\n",
        "ENV A=$A$A\n",
        "EXPOSE 80\n",
        "COPY a b\n",
        "CMD \\\n",
        'ENV A="\\',
    ],
)
def test_the_time_for_a_dockerfile_grows_as_its_size(piece: str) -> None:
    check_growth(read_dockerfile, lambda size: "FROM x\n" + piece * (size // 4 + 1))
