"""Options of containers, as arguments of `docker run`."""

from __future__ import annotations

from dataclasses import replace

from inseam.testing.options import HARDENED, RunOptions


def test_the_defaults_are_the_engines_but_for_quick_probes() -> None:
    assert RunOptions().arguments() == ["--health-interval=1000ms"]
    assert RunOptions(health_interval=None).arguments() == []


def test_hardened_may_do_nothing() -> None:
    assert replace(HARDENED, health_interval=None).arguments() == [
        "--read-only",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
    ]


def test_every_option_is_an_argument() -> None:
    options = RunOptions(
        init=True,
        env={"A": "b c", "D": ""},
        memory=64_000_000,
        user="1:2",
        network="none",
        entrypoint="/x",
        health_interval=0.25,
        extra=("--tmpfs=/tmp",),
    )
    assert options.arguments() == [
        "--init",
        "--env=A=b c",
        "--env=D=",
        "--memory=64000000",
        "--user=1:2",
        "--network=none",
        "--entrypoint=/x",
        "--health-interval=250ms",
        "--tmpfs=/tmp",
    ]
