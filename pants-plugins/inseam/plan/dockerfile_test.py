from __future__ import annotations

import json
import re

import pytest

from inseam.formats.failure import Failure
from inseam.formats.oci.config import Healthcheck, ImageConfig
from inseam.plan.container import DEFAULT_ENV, command, environment, script
from inseam.plan.dockerfile import divided, exec_form, instructions, layer_instructions, quoted

PROBE = Healthcheck((script("healthcheck"),))
CONFIG = ImageConfig(
    env=environment({}),
    user="65532:65532",
    entrypoint=command("entrypoint", init=False),
    working_dir="/app",
    stop_signal="SIGTERM",
)
FULL = CONFIG._replace(
    env=environment({"GREETING": 'a "b" $c \\d', "TZ": "Europe/Berlin"}),
    user="1000",
    ports=("8000", "53/udp"),
    cmd=("--level", 'say "hi" $HOME', "ü\n"),
    healthcheck=PROBE,
)


def dockerfile(config: ImageConfig) -> tuple[str, ...]:
    return instructions("//src/shop:app#deps", ["src/shop/app.layers/app.tar"], config)


# A line that begins with spaces continues the one above.
GOLDEN = r"""
ARG BASE_IMAGE=//src/shop:app#deps
FROM ${BASE_IMAGE}
ADD src/shop/app.layers/app.tar /
ENV PATH="/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    VIRTUAL_ENV="/opt/venv" PYTHONDONTWRITEBYTECODE="1" PYTHONUNBUFFERED="1" TZ="Europe/Berlin"
    LANG="C.UTF-8" LC_ALL="C.UTF-8" GREETING="a \"b\" \$c \\d"
WORKDIR /app
USER 1000
EXPOSE 8000
EXPOSE 53/udp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=2s --start-period=5s --retries=3
    CMD ["/opt/venv/bin/healthcheck"]
ENTRYPOINT ["/opt/venv/bin/entrypoint"]
CMD ["--level", "say \"hi\" $HOME", "\u00fc\n"]
"""


def test_the_whole_text() -> None:
    assert "\n".join(dockerfile(FULL)) == GOLDEN.strip().replace("\n    ", " ")


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        FULL,
        CONFIG._replace(healthcheck=PROBE, entrypoint=command("entrypoint", init=True)),
        CONFIG._replace(cmd=("a\nRUN b",), ports=("1", "65535/tcp")),
    ],
)
def test_what_is_true_of_every_service(config: ImageConfig) -> None:
    lines = dockerfile(config)
    assert not any("\n" in line for line in lines)
    words = [line.split(" ", 1)[0] for line in lines]
    assert set(words) <= {
        "ARG", "FROM", "ADD", "ENV", "WORKDIR", "USER", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK",
        "ENTRYPOINT", "CMD",
    }  # fmt: skip
    assert words[:2] == ["ARG", "FROM"]
    for once in ("ENV", "WORKDIR", "USER", "STOPSIGNAL", "ENTRYPOINT"):
        assert words.count(once) == 1
    # Metadata does not invalidate layers.
    assert max(i for i, word in enumerate(words) if word == "ADD") < words.index("ENV")
    for line in lines:
        if line.startswith(("ENTRYPOINT", "CMD", "HEALTHCHECK")):
            argv = json.loads(line[line.index("[") :])
            assert argv
            assert all(isinstance(argument, str) for argument in argv)
    assert f"USER {config.user}" in lines
    assert ("HEALTHCHECK" in words) == bool(config.healthcheck)
    assert ("CMD" in words) == bool(config.cmd)
    assert [line for line in lines if line.startswith("EXPOSE")] == [
        f"EXPOSE {port}" for port in config.ports
    ]


def test_other_times_of_a_probe_are_said_in_seconds() -> None:
    lines = dockerfile(CONFIG._replace(healthcheck=PROBE._replace(interval=0.5, start_period=90)))
    (line,) = (line for line in lines if line.startswith("HEALTHCHECK"))
    assert "--interval=0.5s" in line
    assert "--start-period=90s" in line


def test_an_init_process_comes_before_the_service() -> None:
    lines = dockerfile(CONFIG._replace(entrypoint=command("entrypoint", init=True)))
    assert 'ENTRYPOINT ["/usr/bin/tini", "--", "/opt/venv/bin/entrypoint"]' in lines


def test_a_service_replaces_defaults_by_its_own_environment() -> None:
    assert environment({}) == DEFAULT_ENV
    assert environment({"TZ": "Asia/Tokyo", "A": "1"}) == {
        **DEFAULT_ENV,
        "TZ": "Asia/Tokyo",
        "A": "1",
    }


def unquoted(text: str) -> str:
    """What the engine makes of a double-quoted word of ENV, if no variable is expanded."""
    assert text[0] == text[-1] == '"'
    body = text[1:-1]
    assert not re.search(r'["$\\]', re.sub(r"\\.", "", body)), "something is not escaped"
    return re.sub(r'\\(["\\$])', r"\1", body)


@pytest.mark.parametrize(
    "value, expected",
    [
        ("", '""'),
        ("plain", '"plain"'),
        ("two words", '"two words"'),
        ('"', r'"\""'),
        ("$HOME ${HOME}", r'"\$HOME \${HOME}"'),
        ("\\", r'"\\"'),
        ("\\$", r'"\\\$"'),
        ("it's", '"it\'s"'),
        ("#x `y` !z ü", '"#x `y` !z ü"'),
    ],
)
def test_values_are_quoted_so_that_nothing_is_expanded(value: str, expected: str) -> None:
    assert quoted(value) == expected
    assert unquoted(quoted(value)) == value


def test_exec_form_is_json() -> None:
    argv = ["/bin/x", 'a "b"', "c\\d", "$e", "f\ng", "ü"]
    assert json.loads(exec_form(argv)) == argv
    assert exec_form(argv).isascii()


def test_layers_are_added_in_their_order() -> None:
    assert layer_instructions(["a/b.tar", "c.tar"]) == ("ADD a/b.tar /", "ADD c.tar /")


def test_volumes_are_declared() -> None:
    lines = dockerfile(CONFIG._replace(volumes=("/var/lib/shop", "/data")))
    assert 'VOLUME ["/var/lib/shop", "/data"]' in lines


def test_labels_with_braces_are_written_as_they_are() -> None:
    passed, written = divided({"a": "b", "c": '{curly} "$x" \\', "d": "}"})
    assert passed == {"a": "b"}
    found = instructions("//:base", [], CONFIG, written)
    assert 'LABEL "c"="{curly} \\"\\$x\\" \\\\"' in found
    assert 'LABEL "d"="}"' in found
    with pytest.raises(Failure, match="has both braces and several lines"):
        divided({"a": "{\n"})
