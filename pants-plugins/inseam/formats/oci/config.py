"""Reads and writes how containers of an image run: OCI's and Docker's image configuration."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Sequence

from inseam.formats.failure import Failure
from inseam.formats.oci.layer import Layer
from inseam.formats.records import plain
from inseam.formats.schema import is_string

EPOCH = "1970-01-01T00:00:00Z"
# The init process in front of a service with `init=True`, and in bases with the group `init`.
INIT = "/usr/bin/tini"

# The labels that say which layers a base can carry. Images inherit them.
PYTHON_LABEL = "org.inseam.python"
INTERPRETER_LABEL = "org.inseam.interpreter"
LIBC_LABEL = "org.inseam.libc"

# The execution parameters that an image inherits from its base (config.md, "Properties"; the last
# two are Docker's).
_INHERITED = (
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "Volumes",
    "WorkingDir",
    "Labels",
    "StopSignal",
    "Healthcheck",
    "Shell",
)


class Healthcheck(NamedTuple):
    """A probe that Docker and podman run in the container, in exec form; times in seconds."""

    command: tuple[str, ...]
    interval: float = 10
    timeout: float = 2
    start_period: float = 5
    """Failures during this time after the start are not counted."""
    retries: int = 3
    """Failures in a row that make a container unhealthy."""

    def docker(self) -> dict[str, Any]:
        """The value in Docker's image configuration, with times in nanoseconds."""
        return {
            "Test": ["CMD", *self.command],
            "Interval": round(self.interval * 1e9),
            "Timeout": round(self.timeout * 1e9),
            "StartPeriod": round(self.start_period * 1e9),
            "Retries": self.retries,
        }


class ImageConfig(NamedTuple):
    """The configuration of an image. Unset fields are inherited from the base."""

    user: str = ""
    """"UID" or "UID:GID"."""
    env: Mapping[str, str] = {}
    ports: tuple[str, ...] = ()
    """Each as "8000" or "53/udp"."""
    entrypoint: tuple[str, ...] = ()
    """In exec form."""
    cmd: tuple[str, ...] = ()
    """In exec form. An image with an entrypoint of its own does not inherit it."""
    working_dir: str = ""
    stop_signal: str = ""
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    """Annotations of the manifest, in addition to labels named org.opencontainers.image*."""
    healthcheck: Healthcheck | None = None
    created: str = EPOCH
    """RFC 3339."""
    volumes: tuple[str, ...] = ()
    """Absolute paths."""
    writable_dirs: tuple[str, ...] = ()
    """Absolute paths of directories of the image that its program writes to."""


def dump_config(config: ImageConfig) -> dict[str, Any]:
    """The JSON value of an ImageConfig, without fields that have their defaults."""
    default = plain(ImageConfig())
    return {name: value for name, value in plain(config).items() if value != default[name]}


def parse_config(data: Any, what: str) -> ImageConfig:
    """Reads the JSON value of an ImageConfig; raises Failure, naming `what`, for anything else."""
    try:
        fields = dict(data)
        for name in ("ports", "entrypoint", "cmd", "volumes", "writable_dirs"):
            fields[name] = tuple(fields.get(name) or ())
        probe = fields.get("healthcheck")
        if probe is not None:
            fields["healthcheck"] = Healthcheck(**{**probe, "command": tuple(probe["command"])})
        config = ImageConfig(**fields)
        words = (config.user, config.working_dir, config.stop_signal, config.created)
        lists = (
            config.ports,
            config.entrypoint,
            config.cmd,
            config.volumes,
            config.writable_dirs,
            *(
                pair
                for one in (config.env, config.labels, config.annotations)
                for pair in one.items()
            ),
        )
        check = config.healthcheck or Healthcheck(())
        times = (check.interval, check.timeout, check.start_period, check.retries)
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        raise Failure(f"{what} is not an image configuration: {error}") from None
    texts = (*words, *(text for one in (*lists, check.command) for text in one))
    if not all(map(is_string, texts)):
        raise Failure(f"{what} is not an image configuration: a value in it is not text")
    if not all(isinstance(time, (int, float)) and 0 <= time < 1e9 for time in times):
        raise Failure(f"{what} is not an image configuration: a time is not a number of seconds")
    return config


class Runtime(NamedTuple):
    """What a base provides to the layers on top of it; "" if unknown."""

    python: str = ""
    """Full version of CPython, such as "3.11.2"."""
    interpreter: str = ""
    """Absolute path of the interpreter."""
    libc: str = ""
    """Family and version of the libc, such as "glibc 2.36"."""

    def labels(self) -> dict[str, str]:
        """The known values, as labels of an image."""
        return {label: value for label, value in zip(_RUNTIME_LABELS, self) if value}


_RUNTIME_LABELS = (PYTHON_LABEL, INTERPRETER_LABEL, LIBC_LABEL)


def parse_runtime(labels: Mapping[str, str]) -> Runtime:
    """Reads an image's runtime from its labels."""
    return Runtime(*(labels.get(label, "") for label in _RUNTIME_LABELS))


class Platform(NamedTuple):
    """The platform of an image, by Go's names: GOOS, GOARCH and GOARM (image-index.md)."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    def fields(self) -> dict[str, str]:
        """As in a configuration and in the descriptors of an index."""
        variant = {"variant": self.variant} if self.variant else {}
        return {"architecture": self.architecture, "os": self.os, **variant}


def parse_platform(text: str) -> Platform:
    """Reads "linux/arm64" or "linux/arm64/v8"; raises Failure for anything else."""
    parts = text.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise Failure(f"{text!r} is not a platform. Write linux/amd64 or linux/arm64/v8.")
    return Platform(*parts)


def configuration(
    config: ImageConfig,
    layers: Sequence[Layer],
    *,
    platform: Platform,
    base: Mapping[str, Any],
    base_layers: Sequence[Layer],
    runtime: Runtime,
) -> dict[str, Any]:
    """The image configuration of `layers` on a base (OCI image-spec 1.1, config.md).

    base: the base's own configuration; {} for none. runtime: what the base provides."""
    below = base.get("config") or {}
    execution = {name: below[name] for name in _INHERITED if below.get(name)}
    env = dict(entry.partition("=")[::2] for entry in execution.get("Env", ()))
    env.update(sorted(config.env.items()))
    labels = {**execution.get("Labels", {}), **runtime.labels(), **config.labels}
    ports: dict[str, Any] = {port if "/" in port else f"{port}/tcp": {} for port in config.ports}
    own: dict[str, Any] = {
        "User": config.user,
        "Env": [f"{name}={value}" for name, value in env.items()],
        "ExposedPorts": {**execution.get("ExposedPorts", {}), **ports},
        "Entrypoint": list(config.entrypoint),
        "Cmd": list(config.cmd),
        "Volumes": {**execution.get("Volumes", {}), **{path: {} for path in config.volumes}},
        "WorkingDir": config.working_dir,
        "Labels": labels,
        "StopSignal": config.stop_signal,
        "Healthcheck": config.healthcheck and config.healthcheck.docker(),
    }
    if config.entrypoint:
        execution.pop("Cmd", None)
    execution.update((name, value) for name, value in own.items() if value)
    return {
        "created": config.created,
        **platform.fields(),
        "config": execution,
        "rootfs": {
            "type": "layers",
            "diff_ids": [layer.diff_id for layer in (*base_layers, *layers)],
        },
        "history": [
            *base_history(base, base_layers),
            *(
                {"created": config.created, "created_by": f"inseam {layer.name}"}
                for layer in layers
            ),
        ],
    }


def base_history(base: Mapping[str, Any], layers: Sequence[Layer]) -> list[Mapping[str, Any]]:
    """The base's history, or a generic one if it does not have a step for each layer."""
    history: list[Mapping[str, Any]] = base.get("history") or []
    if sum(not step.get("empty_layer") for step in history) == len(layers):
        return history
    created = base.get("created", EPOCH)
    return [{"created": created, "created_by": layer.name} for layer in layers]
