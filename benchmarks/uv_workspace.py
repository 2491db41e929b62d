"""The services of a generated monorepo as members of one uv workspace with one lock.

The Dockerfiles are those of uv's guide to Docker, with its cache mount and its layers in two
steps: first what is locked, with `uv.lock` bound into the build, then the workspace. A member is
not installed but copied, which spares uv to build it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import measuring
from measuring import Run
from uv_images import Docker, Dockerfiles

from scale.monorepo import DOCKERFILE_END, Monorepo, Service, Uv, write

_ROOT = """\
[tool.uv]
constraint-dependencies = [{pins}]
environments = ["sys_platform == 'linux' and platform_machine == 'x86_64'"]

[tool.uv.workspace]
members = ["service_*"]
"""

_MEMBER = """\
[project]
name = "{name}"
version = "0"
requires-python = "==3.11.*"
dependencies = [{requirements}]

[tool.uv]
package = false
"""

_DOCKERFILE = """\
FROM {tools} AS tools

FROM {base} AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never \\
    UV_NO_INDEX=1 UV_FIND_LINKS=/app/wheels
WORKDIR /app
RUN --mount=type=bind,from=tools,source=/uv,target=/uv \\
    --mount=type=bind,from=tools,source=/wheels,target=/app/wheels \\
    --mount=type=cache,id={cache},target=/root/.cache/uv \\
    --mount=type=bind,source=uv.lock,target=/app/uv.lock \\
    --mount=type=bind,source=pyproject.toml,target=/app/pyproject.toml \\
    ["/uv/uv", "sync", "-q", "--frozen", "--no-dev", "--no-install-workspace", \\
     "--python", "/usr/bin/python3.11", "--package", "{name}"]

FROM {base}
COPY --from=build /app/.venv /app/.venv
COPY . /app
{end}"""


DOCUMENTED = Dockerfiles("uv-workspace", "workspace.Dockerfile")


class Workspace:
    """The workspace in the sources of `repo`.

    wheels: the folder with all wheels; program: uv itself, for locking.
    """

    def __init__(self, repo: Monorepo, uv: Uv, wheels: Path, program: Path) -> None:
        self._repo, self._wheels, self._program = repo, wheels, program
        for service in repo.services:
            folder = repo.sources / service.name
            requirements = _quoted(service.profile.requirements)
            write(
                folder / "pyproject.toml",
                _MEMBER.format(name=_name(service), requirements=requirements),
            )
            write(
                folder / DOCUMENTED.file,
                _DOCKERFILE.format(
                    name=_name(service),
                    end=DOCKERFILE_END.format(name=service.name, venv="/app/.venv"),
                    base=uv.base,
                    tools=uv.tools,
                    cache=uv.cache,
                ),
            )
        self.lock()

    def lock(self) -> None:
        """Writes `uv.lock` with the versions that the monorepo's own lock has."""
        pins = {
            f"{pin.name}=={pin.version}"
            for service in self._repo.services
            for pin in self._repo.pins(service)
        }
        sources = self._repo.sources
        write(sources / "pyproject.toml", _ROOT.format(pins=_quoted(sorted(pins))))
        # Apart from the sources: the lock says that the wheels lie beside it, as in builds.
        with tempfile.TemporaryDirectory(prefix="inseam-uv-lock-") as name:
            folder = Path(name)
            members = [f"{service.name}/pyproject.toml" for service in self._repo.services]
            for path in ("pyproject.toml", *members):
                write(folder / path, (sources / path).read_text())
            (folder / "wheels").symlink_to(self._wheels)
            measuring.run(
                [str(self._program), "lock", "-q", "--no-index", "--find-links=wheels"],
                folder,
                {"UV_PYTHON_DOWNLOADS": "never"},
            )
            write(sources / "uv.lock", (folder / "uv.lock").read_text())

    def build_all(self, docker: Docker, parallel: int) -> Run:
        """Builds the images of all services, so many at a time."""
        return docker.build_all(self._repo, parallel, DOCUMENTED)


def _name(service: Service) -> str:
    return service.name.replace("_", "-")


def _quoted(texts: Iterable[str]) -> str:
    return ", ".join(f'"{text}"' for text in texts)
