"""Writes the instructions of a service's Dockerfile."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from inseam.formats.failure import Failure
from inseam.formats.oci.config import Healthcheck, ImageConfig


def layer_instructions(tars: Iterable[str]) -> tuple[str, ...]:
    """Dockerfile lines that add layers: the tars at these paths in the build context."""
    return tuple(f"ADD {path} /" for path in tars)


def divided(labels: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The labels that Pants can pass to Docker, and those that must be in the Dockerfile.

    Pants replaces placeholders in the labels that it passes, and again in the result, so braces
    cannot be escaped. Raises Failure for a label that neither can express.
    """
    written = {name: text for name, text in labels.items() if "{" in text or "}" in text}
    for name, text in written.items():
        if "\n" in text:
            raise Failure(f"the label {name!r} has both braces and several lines. Leave out one.")
    return {name: text for name, text in labels.items() if name not in written}, written


def instructions(
    start: str, tars: Iterable[str], config: ImageConfig, labels: Mapping[str, str] = {}
) -> tuple[str, ...]:
    """The Dockerfile of a service, which adds layers to an image and runs no command.

    start: address of a target, which Pants replaces with the name of its image.
    tars: paths of the layers in the build context, lowest first.
    config: without annotations. labels: those that Pants does not pass to Docker.

    The text is the same for BuildKit and the legacy builder.
    """
    return (
        f"ARG BASE_IMAGE={start}",
        "FROM ${BASE_IMAGE}",
        *layer_instructions(tars),
        "ENV " + " ".join(f"{name}={quoted(value)}" for name, value in config.env.items()),
        f"WORKDIR {config.working_dir}",
        f"USER {config.user}",
        *(f"EXPOSE {port}" for port in config.ports),
        *([f"VOLUME {exec_form(config.volumes)}"] if config.volumes else []),
        f"STOPSIGNAL {config.stop_signal}",
        *([_healthcheck(config.healthcheck)] if config.healthcheck else []),
        *(f"LABEL {quoted(name)}={quoted(text)}" for name, text in labels.items()),
        f"ENTRYPOINT {exec_form(config.entrypoint)}",
        *([f"CMD {exec_form(config.cmd)}"] if config.cmd else []),
    )


def _healthcheck(probe: Healthcheck) -> str:
    times = {
        "interval": probe.interval,
        "timeout": probe.timeout,
        "start-period": probe.start_period,
    }
    options = [f"--{name}={seconds:g}s" for name, seconds in times.items()]
    options.append(f"--retries={probe.retries}")
    return f"HEALTHCHECK {' '.join(options)} CMD {exec_form(probe.command)}"


def exec_form(argv: Iterable[str]) -> str:
    """A command in exec form: a JSON array, run without a shell."""
    return json.dumps(list(argv))


def quoted(value: str) -> str:
    """A value of ENV or LABEL, in double quotes, without expansion of variables."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'
