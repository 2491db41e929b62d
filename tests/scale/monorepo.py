"""Lays out a monorepo of many services that uses the rule set from outside.

What services have in common is what real ones have: one library that all use, one that half of
them use, a quarter, an eighth; and one of five sets of third-party requirements, from none to
numpy, pandas and pyarrow. Every service has a BUILD file for Inseam and, beside it, a Dockerfile
for uv with the same files and the same locked wheels, so that both can be built and edited alike.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESOURCES = Path(__file__).parent


@dataclass(frozen=True)
class Profile:
    """A set of third-party requirements, by distribution and module name (the same here)."""

    name: str
    requirements: tuple[str, ...]


PLAIN = Profile("plain", ())
MODEL = Profile("model", ("pydantic",))
WEB = Profile("web", ("fastapi", "uvicorn"))
ARRAY = Profile("array", ("numpy", "pydantic"))
TABLE = Profile("table", ("numpy", "pandas", "pyarrow"))

# Of ten services, four answer with FastAPI, and two work on tables.
PROFILES = (WEB, PLAIN, TABLE, WEB, MODEL, ARRAY, WEB, PLAIN, TABLE, WEB)

# First-party libraries: every how many-th service uses it.
LIBRARIES = {"kit": 1, "identity": 2, "billing": 4, "audit": 8}

_MODULES = 4  # in each service and library, besides the entry point
_FUNCTIONS = 12  # in each module


@dataclass(frozen=True)
class Service:
    """A service of the monorepo: the name of its package, what it imports."""

    name: str
    profile: Profile
    libraries: tuple[str, ...]

    @property
    def packages(self) -> tuple[str, ...]:
        """The first-party packages in its image."""
        return (*self.libraries, self.name)


@dataclass(frozen=True)
class Pin:
    """One version of a distribution, as its wheel lies in an index."""

    name: str
    version: str
    sha256: str
    url: str


@dataclass(frozen=True)
class Uv:
    """What the Dockerfiles for uv start from.

    base: the image that services run on. tools: an image with `/uv/uv`, and below `/wheels` all
    wheels, so that no build depends on how fast a package index is. cache: ID of the cache mount in
    which uv keeps wheels that it has unpacked.
    """

    base: str
    tools: str
    cache: str


# How each image for uv runs, wherever its venv is.
DOCKERFILE_END = """\
ENV PATH={venv}/bin:/usr/bin:/bin PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 \\
    PYTHONUNBUFFERED=1
LABEL release="1"
USER 65532:65532
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \\
    CMD ["{venv}/bin/python", "-m", "kit.healthcheck"]
ENTRYPOINT ["{venv}/bin/python", "-m", "{name}.server"]
"""

# What is best for uv: services with the same requirements share a file of them, so that one venv
# is made for all; and the last stage copies one package after the other, so that only the layers
# from the edited one on are new.
_DOCKERFILE = """\
FROM {tools} AS tools

FROM {base} AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_NO_CONFIG=1
RUN --mount=type=bind,from=tools,source=/uv,target=/uv \\
    --mount=type=cache,id={cache},target=/root/.cache/uv \\
    ["/uv/uv", "venv", "-q", "--python", "/usr/bin/python3.11", "/opt/venv"]
RUN --mount=type=bind,from=tools,source=/uv,target=/uv \\
    --mount=type=bind,from=tools,source=/wheels,target=/wheels \\
    --mount=type=cache,id={cache},target=/root/.cache/uv \\
    --mount=type=bind,source=requirements/{profile}.txt,target=/requirements.txt \\
    ["/uv/uv", "pip", "install", "-q", "--python", "/opt/venv/bin/python", "--no-deps", \\
     "--require-hashes", "--no-index", "--find-links", "/wheels", "-r", "/requirements.txt"]

FROM {base}
COPY --from=build /opt/venv /opt/venv
{copies}
{end}"""

_PANTS_TOML = """\
[GLOBAL]
pants_version = "2.17.1"
pythonpath = ["{plugin}"]
plugins = ["installer==0.7.0", "tomli==2.5.0"]
backend_packages = ["pants.backend.docker", "pants.backend.python", "inseam"]
pants_ignore = ["!/lockfiles/"]
pantsd_invalidation_globs = ["pants.toml"]

[anonymous-telemetry]
enabled = false

[source]
root_patterns = ["/src/python"]

[inseam]
base = "//docker/base:debian"
package = ["oci", "image", "layers"]

[python]
interpreter_constraints = ["CPython==3.11.*"]
pip_version = "latest"
enable_resolves = true

[python.resolves]
python-default = "lockfiles/python-default.lock"

[python-bootstrap]
search_path = ["<PATH>", "<PYENV>"]

[python-infer]
use_rust_parser = true
"""

_SERVICE_BUILD = """\
python_sources()

python_service(
    name="app",
    entry_point="{name}.server:main",
    healthcheck="kit.healthcheck:main",
    ports=[8000],
    repository="{repository}/{{directory}}",
    labels={{"release": "1"}},
)
"""

_DOCKER_BUILD = """\
debian_base(
    name="debian",
    lock="lockfiles/debian-bookworm.json",
    interpreter="/usr/bin/python3.11",
    python_version="3.11.2",
    glibc_version="2.36",
)
"""

_SERVER = '''\
"""The entry point of {name}."""

from __future__ import annotations

from kit import http
{imports}

def main() -> int:
    """Serves until it is told to stop."""
    return http.serve({{"service": "{name}", "modules": [{modules}]}})


if __name__ == "__main__":
    raise SystemExit(main())
'''

_HTTP = '''\
"""Answers every GET with one JSON document."""

from __future__ import annotations

import json
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType


def serve(answer: dict[str, object], port: int = 8000) -> int:
    body = json.dumps(answer).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    def stop(number: int, frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    ThreadingHTTPServer(("", port), Handler).serve_forever()
    return 0
'''

_HEALTHCHECK = '''\
"""Exits 0 if the service of this container answers."""

from __future__ import annotations

import urllib.request


def main() -> int:
    with urllib.request.urlopen("http://127.0.0.1:8000/health", timeout=4) as answer:
        return int(answer.status != 200)


if __name__ == "__main__":
    raise SystemExit(main())
'''

_FUNCTION = '''
def step_{number}(value: int, factor: int = {number}) -> int:
    """One step of {name}."""
    result = value
    for turn in range(factor):
        if result % 2 == 0:
            result = result // 2 + turn
        else:
            result = 3 * result + {number}
    return result

'''


def services(count: int) -> tuple[Service, ...]:
    """The services of a monorepo of that many."""
    return tuple(
        Service(
            f"service_{number:03}",
            PROFILES[number % len(PROFILES)],
            tuple(name for name, every in LIBRARIES.items() if number % every == 0),
        )
        for number in range(count)
    )


@dataclass(frozen=True)
class Monorepo:
    """A generated monorepo in the folder `root`."""

    root: Path
    services: tuple[Service, ...]

    @property
    def sources(self) -> Path:
        return self.root / "src/python"

    def users(self, library: str) -> tuple[Service, ...]:
        """The services that use a first-party library."""
        return tuple(service for service in self.services if library in service.libraries)

    def write_dockerfiles(self, uv: Uv) -> None:
        """Writes the Dockerfile of each service."""
        for service in self.services:
            write(self.sources / service.name / "Dockerfile", _dockerfile(service, uv))

    def edit(self, package: str) -> None:
        """Adds a line to a module of a service or library."""
        path = self.sources / package / "module_0.py"
        text = path.read_text()
        path.write_text(f"{text}EDIT_{len(text.splitlines())} = True\n")

    def take_back(self, package: str) -> None:
        """Removes the last line of that module, which `edit` added."""
        path = self.sources / package / "module_0.py"
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))

    def release(self, name: str) -> None:
        """Gives the images of all services another label, and leaves their layers as they are."""
        for service in self.services:
            folder = self.sources / service.name
            for path in (folder / "BUILD", *folder.glob("*Dockerfile")):
                text = re.sub('(release"?[:=] ?)".*?"', rf'\1"{name}"', path.read_text())
                path.write_text(text)

    def pins(self, service: Service) -> tuple[Pin, ...]:
        """The distributions that a service needs, in order of name, as they are locked."""
        locked = {item["project_name"]: item for item in _requirements(self._lock())}
        seen: set[str] = set()
        queue = list(service.profile.requirements)
        while queue:
            name = queue.pop()
            if name not in seen:
                seen.add(name)
                queue += [need for need in _needs(locked[name]) if need in locked]
        return tuple(_pin(locked[name]) for name in sorted(seen))

    def users_of(self, distribution: str) -> tuple[Service, ...]:
        """The services whose image holds a distribution."""
        return tuple(
            service
            for service in self.services
            if distribution in {pin.name for pin in self.pins(service)}
        )

    def bump(self, pin: Pin) -> None:
        """Locks another version of a distribution."""
        lock = self._lock()
        for item in _requirements(lock):
            if item["project_name"] == pin.name:
                old = item["version"]
                item["version"] = pin.version
                item["artifacts"] = [
                    {"algorithm": "sha256", "hash": pin.sha256, "url": pin.url},
                ]
        lock["requirements"] = [
            text.replace(f"{pin.name}=={old}", f"{pin.name}=={pin.version}")
            for text in lock["requirements"]
        ]
        self._write_lock(lock)

    def take_wheels_from(self, folder: Path) -> None:
        """Makes the lock name the files in a folder of this machine, for the wheels that are there,
        so that no build depends on how fast a package index is."""
        lock = self._lock()
        for item in _requirements(lock):
            for artifact in item["artifacts"]:
                wheel = folder / artifact["url"].rsplit("/", 1)[-1]
                if wheel.is_file():
                    artifact["url"] = wheel.as_uri()
        self._write_lock(lock)

    def _lock(self) -> dict[str, Any]:
        text = (self.root / "lockfiles/python-default.lock").read_text()
        lines = [line for line in text.splitlines() if not line.startswith("//")]
        lock: dict[str, Any] = json.loads("\n".join(lines))
        return lock

    def _write_lock(self, lock: dict[str, Any]) -> None:
        """Writes the lock, and what is derived from it."""
        write(self.root / "lockfiles/python-default.lock", json.dumps(lock, indent=2))
        write(
            self.root / "3rdparty/python/requirements.txt",
            "".join(f"{requirement}\n" for requirement in lock["requirements"]),
        )
        for service in self.services:
            write(
                self.sources / f"requirements/{service.profile.name}.txt",
                "".join(
                    f"{pin.name}=={pin.version} --hash=sha256:{pin.sha256}\n"
                    for pin in self.pins(service)
                ),
            )


def generate(
    root: Path,
    count: int,
    *,
    origin: Path,
    plugin: Path | None = None,
    repository: str = "scale",
) -> Monorepo:
    """Lays out `count` services in the folder `root`.

    origin: a checkout of Inseam's repository, from which locks and launcher are copied. plugin:
    where the rule set lies, by default in `origin`. repository: what image names start with.
    """
    repo = Monorepo(root, services(count))
    for name in ("pants", ".pants.bootstrap", "docker/base/packages.ini"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(origin / name, root / name)
    ignore = shutil.ignore_patterns("__pycache__", "BUILD")
    shutil.copytree(origin / "build-support", root / "build-support", ignore=ignore)
    (root / "lockfiles").mkdir()
    for name in ("pants.txt", "pex.txt", "debian-bookworm.json", "python-default.lock"):
        shutil.copy(origin / "lockfiles" / name, root / "lockfiles" / name)
    plugin = plugin or origin / "pants-plugins"
    write(root / "pants.toml", _PANTS_TOML.format(plugin=plugin))
    write(root / "docker/base/BUILD", _DOCKER_BUILD)
    write(root / "3rdparty/python/BUILD", "python_requirements()\n")
    for library in LIBRARIES:
        _write_package(root / "src/python" / library, "python_sources()\n")
    write(repo.sources / "kit/http.py", _HTTP)
    write(repo.sources / "kit/healthcheck.py", _HEALTHCHECK)
    for service in repo.services:
        folder = repo.sources / service.name
        _write_package(folder, _SERVICE_BUILD.format(name=service.name, repository=repository))
        write(folder / "server.py", _server(service))
    repo._write_lock(repo._lock())
    write(repo.sources / ".dockerignore", "**/BUILD\n**/__pycache__\n")
    return repo


def bumps() -> dict[str, Pin]:
    """Other versions than the locked ones, by distribution."""
    pins = (Pin(**pin) for pin in json.loads((RESOURCES / "bumps.json").read_text()))
    return {pin.name: pin for pin in pins}


def write(path: Path, text: str) -> None:
    """Writes a file and the folders above it, unless it has that text already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def _write_package(folder: Path, build: str) -> None:
    write(folder / "BUILD", build)
    write(folder / "__init__.py", f'"""The package {folder.name}."""\n')
    for module in range(_MODULES):
        functions = "".join(
            _FUNCTION.format(number=number + module, name=folder.name)
            for number in range(_FUNCTIONS)
        )
        text = f'"""Module {module} of {folder.name}."""\n\n{functions}'
        write(folder / f"module_{module}.py", text)


def _server(service: Service) -> str:
    imports = [f"import {name}" for name in service.profile.requirements]
    names = [
        f"{package}.module_{module}" for package in service.packages for module in range(_MODULES)
    ]
    imports += [f"import {name}" for name in names]
    modules = [f"{name}.__name__" for name in (*service.profile.requirements, *names)]
    return _SERVER.format(name=service.name, imports="\n".join(imports), modules=", ".join(modules))


def _dockerfile(service: Service, uv: Uv) -> str:
    copies = [f"COPY {package} /app/{package}" for package in service.packages]
    return _DOCKERFILE.format(
        name=service.name,
        profile=service.profile.name,
        base=uv.base,
        tools=uv.tools,
        cache=uv.cache,
        copies="\n".join(copies),
        end=DOCKERFILE_END.format(name=service.name, venv="/opt/venv"),
    )


def _requirements(lock: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lock["locked_resolves"][0]["locked_requirements"]
    return found


def _needs(item: dict[str, Any]) -> list[str]:
    """The distributions that a locked one requires here: no extra, and no other Python."""
    needs = []
    for text in item["requires_dists"]:
        requirement, _, marker = text.partition(";")
        if "extra ==" in marker or "win32" in marker or 'python_version < "3.11"' in marker:
            continue
        name = requirement.strip()
        for index, letter in enumerate(name):
            if not (letter.isalnum() or letter in "-_."):
                name = name[:index]
                break
        needs.append(name.lower().replace("_", "-").replace(".", "-"))
    return needs


def _pin(item: dict[str, Any]) -> Pin:
    """The wheel for CPython 3.11 on x86-64 with glibc."""
    for artifact in item["artifacts"]:
        file = artifact["url"].rsplit("/", 1)[-1]
        if file.endswith("none-any.whl") or (
            "-cp311-" in file and "manylinux" in file and "x86_64" in file
        ):
            return Pin(item["project_name"], item["version"], artifact["hash"], artifact["url"])
    raise LookupError(f"{item['project_name']} has no wheel for x86-64")
