"""What .pants.bootstrap tells Pants about the machine, under both launchers."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import socket
import socketserver
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from launcher.conftest import Machine, executable

NO_ENGINE = "unix:///nonexistent/docker.sock"


class Bootstrapped:
    """The outcome of sourcing .pants.bootstrap: exit code, stderr and the environment after it."""

    def __init__(self, result: subprocess.CompletedProcess[str]) -> None:
        printed, _, environment = result.stdout.partition("=== env\n")
        assert printed == "", "stdout belongs to Pants"
        self.returncode = result.returncode
        self.stderr = result.stderr
        self.env = dict(line.partition("=")[::2] for line in environment.splitlines())


def bootstrap_script(machine: Machine) -> str:
    """A program that sources the bootstrap as ./pants does."""
    script = executable(
        machine.checkout / "launch",
        "#!/usr/bin/env bash\nset -euo pipefail\n"
        'source "${BASH_SOURCE[0]%/*}/.pants.bootstrap"\necho "=== env"\nenv\n',
    )
    return str(script)


def bootstrap(machine: Machine, *args: str, **env: str) -> Bootstrapped:
    """Sources the bootstrap as ./pants does."""
    return Bootstrapped(machine.run(bootstrap_script(machine), *args, **env))


def official_bootstrap(machine: Machine, *args: str, **env: str) -> Bootstrapped:
    """Sources the bootstrap as Pants' official launcher does: the first argument becomes $0."""
    source = shlex.quote(str(machine.checkout / ".pants.bootstrap"))
    command = f"set -eou pipefail; source {source}; echo '=== env'; exec env"
    return Bootstrapped(machine.run("bash", "-c", command, *args, **env))


def images_are_left_out(result: Bootstrapped) -> bool:
    left_out = (result.env.get("PANTS_FILTER_TARGET_TYPE"), result.env.get("PANTS_TAG"))
    assert left_out in (
        ("+['-docker_image,_base_image,_registry_image,_deps_image']", "+['-docker']"),
        (None, None),
    )
    return left_out != (None, None)


# --- The version of Pants


def config_files(machine: Machine, **env: str) -> str:
    """PANTS_CONFIG_FILES after the bootstrap, where CHECKOUT stands for the checkout."""
    for name in ("pants.2.17.toml", "pants.current.toml"):
        (machine.checkout / name).touch()
    result = bootstrap(machine, "version", **env)
    assert result.returncode == 0, result.stderr
    return result.env.get("PANTS_CONFIG_FILES", "").replace(str(machine.checkout), "CHECKOUT")


@pytest.mark.parametrize(
    "env, expected",
    [
        ({}, "CHECKOUT/pants.2.17.toml"),
        ({"PANTS_VERSION": "2.17.1"}, "CHECKOUT/pants.2.17.toml"),
        ({"PANTS_VERSION": "2.31.0"}, "CHECKOUT/pants.current.toml"),
        ({"PANTS_CONFIG_FILES": "pants.current.toml"}, "pants.current.toml"),
        ({"PANTS_CONFIG_FILES": "a.toml"}, "+['CHECKOUT/pants.2.17.toml','a.toml']"),
        ({"PANTS_CONFIG_FILES": "+['a.toml']"}, "+['CHECKOUT/pants.2.17.toml'],+['a.toml']"),
        ({"PANTS_CONFIG_FILES": "['a.toml']"}, "['a.toml']"),
    ],
)
def test_the_options_of_the_version_in_use_are_added(
    machine: Machine, env: dict[str, str], expected: str
) -> None:
    assert config_files(machine, **env) == expected


def test_a_repository_without_options_of_a_version_gets_none(machine: Machine) -> None:
    assert "PANTS_CONFIG_FILES" not in bootstrap(machine, "version").env


# --- The Docker Engine


def add_docker(machine: Machine, version: str = "28.2.2", buildx: bool = True) -> Path:
    """Puts a docker client on PATH that logs its calls, can reach any engine, and has buildx."""
    log = machine.folder / "docker.log"
    return executable(
        machine.bin / "docker",
        f"""#!/usr/bin/env bash
echo "$*" >>{log}
case $1 in
  --version) echo 'Docker version {version}, build 1234567' ;;
  buildx) {"exit 0" if buildx else "exit 1"} ;;
esac
""",
    )


@pytest.fixture
def engine() -> Iterator[str]:
    """The DOCKER_HOST of an engine that answers a ping."""

    class Ping(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")

    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = f"{folder}/docker.sock"
        with socketserver.ThreadingUnixStreamServer(path, Ping) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"unix://{path}"
            server.shutdown()


@pytest.fixture
def dead_socket() -> Iterator[str]:
    """The DOCKER_HOST of a socket without a listener."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"{folder}/docker.sock")
        yield f"unix://{folder}/docker.sock"


@pytest.fixture
def with_curl(machine: Machine) -> None:
    curl = shutil.which("curl", path="/usr/bin:/bin:/usr/local/bin")
    if not curl:
        pytest.skip("there is no curl here")
    (machine.bin / "curl").symlink_to(curl)


def test_without_a_client_images_are_left_out_in_one_line(machine: Machine) -> None:
    result = bootstrap(machine, "package", "::")
    assert images_are_left_out(result)
    assert result.stderr.count("\n") == 1
    assert "no docker client is on PATH" in result.stderr
    assert "apt-get install docker.io" in result.stderr


@pytest.mark.usefixtures("with_curl")
def test_a_dead_socket_is_no_engine(machine: Machine, dead_socket: str) -> None:
    add_docker(machine)
    result = bootstrap(machine, "test", "::", DOCKER_HOST=dead_socket)
    assert images_are_left_out(result)
    assert "nothing answers on" in result.stderr


@pytest.mark.usefixtures("with_curl")
def test_an_engine_that_answers_leaves_nothing_out(machine: Machine, engine: str) -> None:
    add_docker(machine)
    result = bootstrap(machine, "package", "::", DOCKER_HOST=engine)
    assert not images_are_left_out(result)
    assert result.stderr == ""
    assert result.env["PANTS_DOCKER_ENV_VARS"] == "+['DOCKER_HOST']"


def test_without_curl_the_client_is_asked(machine: Machine, engine: str) -> None:
    add_docker(machine)
    assert not images_are_left_out(bootstrap(machine, "package", "::", DOCKER_HOST=engine))
    executable(machine.bin / "docker", "#!/usr/bin/env bash\nexit 1\n")
    assert images_are_left_out(bootstrap(machine, "package", "::", DOCKER_HOST=engine))


def test_a_selected_context_is_asked_through_the_client(machine: Machine) -> None:
    add_docker(machine)
    (machine.folder / "home/.docker").mkdir()
    config = machine.folder / "home/.docker/config.json"
    config.write_text('{\n\t"auths": {},\n\t"currentContext": "colima"\n}')
    result = bootstrap(machine, "package", "::")
    assert not images_are_left_out(result)
    assert result.env["PANTS_DOCKER_ENV_VARS"] == "+['HOME']"
    executable(machine.bin / "docker", "#!/usr/bin/env bash\nexit 1\n")
    assert "context colima" in bootstrap(machine, "package", "::").stderr


def test_goals_that_build_no_image_do_not_look_for_an_engine(machine: Machine) -> None:
    add_docker(machine)
    result = bootstrap(machine, "--no-pantsd", "list", "::", DOCKER_HOST=NO_ENGINE)
    assert not images_are_left_out(result)
    assert result.stderr == ""
    assert not (machine.folder / "docker.log").exists()


@pytest.mark.parametrize("sourced", [bootstrap, official_bootstrap])
def test_an_image_that_is_named_needs_an_engine(machine: Machine, sourced: Any) -> None:
    add_docker(machine)
    result = sourced(machine, "package", "src/python/app:app#image", DOCKER_HOST=NO_ENGINE)
    assert result.returncode != 0
    assert "src/python/app:app#image needs a Docker Engine" in result.stderr
    assert "systemctl start docker" in result.stderr


def test_other_parts_that_are_named_go_without_a_word(machine: Machine) -> None:
    args = ("run", "src/python/app:app#healthcheck", "--", "--url", "http://localhost/#image")
    result = bootstrap(machine, *args, INSEAM_DOCKER="off")
    assert result.returncode == 0
    assert result.stderr == ""


def test_the_official_launcher_gets_the_same(machine: Machine) -> None:
    ours = bootstrap(machine, "package", "::", INSEAM_DOCKER="off")
    theirs = official_bootstrap(machine, "package", "::", INSEAM_DOCKER="off")
    pants_variables = {name: value for name, value in ours.env.items() if name.startswith("PANTS_")}
    assert pants_variables.items() <= theirs.env.items()
    assert images_are_left_out(theirs)
    assert theirs.stderr == ours.stderr
    assert not images_are_left_out(official_bootstrap(machine, "list", "::"))


def test_an_official_launcher_that_hides_the_arguments_leaves_images_out(machine: Machine) -> None:
    result = official_bootstrap(machine, INSEAM_DOCKER="off")
    assert images_are_left_out(result)
    assert result.stderr == ""


def test_an_engine_can_be_required_or_ignored(machine: Machine, engine: str) -> None:
    add_docker(machine)
    required = bootstrap(machine, "test", "::", INSEAM_DOCKER="require", DOCKER_HOST=NO_ENGINE)
    assert required.returncode == 1
    assert "there is no Docker Engine" in required.stderr
    assert images_are_left_out(
        bootstrap(machine, "test", "::", INSEAM_DOCKER="off", DOCKER_HOST=engine)
    )


@pytest.mark.parametrize(
    "before, after",
    [
        ("", "+['-docker']"),
        ("slow", "['slow', '-docker']"),
        ("['slow']", "['slow', '-docker']"),
        ("+['slow']", "+['slow', '-docker']"),
        ("-['slow']", "-['slow'],+['-docker']"),
        ("[]", "['-docker']"),
    ],
)
def test_filters_of_the_user_are_kept(machine: Machine, before: str, after: str) -> None:
    result = bootstrap(machine, "test", "::", INSEAM_DOCKER="off", PANTS_TAG=before)
    assert result.env["PANTS_TAG"] == after


def test_a_client_that_has_buildkit_is_left_alone(machine: Machine, engine: str) -> None:
    add_docker(machine)
    result = bootstrap(machine, "package", "::", DOCKER_HOST=engine)
    assert "PANTS_DOCKER_EXECUTABLE_SEARCH_PATHS" not in result.env
    assert "DOCKER_BUILDKIT" not in result.env["PANTS_DOCKER_ENV_VARS"]


def test_a_later_client_is_picked_when_only_that_has_buildkit(
    machine: Machine, engine: str
) -> None:
    first = add_docker(machine, "28.2.2", buildx=False)
    (machine.folder / "first").mkdir()
    first.rename(machine.folder / "first/docker")
    add_docker(machine, "20.10.24+dfsg1", buildx=False)
    path = f"{machine.folder}/first:{machine.bin}"
    result = bootstrap(machine, "package", "::", DOCKER_HOST=engine, PATH=path)
    search_paths = result.env["PANTS_DOCKER_EXECUTABLE_SEARCH_PATHS"]
    assert search_paths == f"['{machine.bin}', '<PATH>']"
    assert "'DOCKER_BUILDKIT=1'" in result.env["PANTS_DOCKER_ENV_VARS"]


def test_the_choice_of_the_client_is_remembered(machine: Machine, engine: str) -> None:
    add_docker(machine)
    log = machine.folder / "docker.log"
    bootstrap(machine, "package", "::", DOCKER_HOST=engine)
    assert "buildx version" in log.read_text()
    log.unlink()
    bootstrap(machine, "package", "::", DOCKER_HOST=engine)
    assert log.read_text() == "version\n", "only the engine is asked for (there is no curl)"


# --- The package index


@contextmanager
def mirror(pages: dict[str, str]) -> Iterator[str]:
    """A package index on the loopback interface: its URL, without a path."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path)
            self.send_response(200 if page else 404)
            self.end_headers()
            self.wfile.write((page or "").encode())

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


PAGE = '<a href="{}#sha256=00">ansicolors-1.1.8-py2.py3-none-any.whl</a>'
USUAL_PATH = f"ab/cd/{'e' * 60}/ansicolors-1.1.8-py2.py3-none-any.whl"


@pytest.fixture
def asking(machine: Machine) -> Machine:
    """A machine on which pip has to be asked for the index."""
    for name in ("PANTS_PYTHON_REPOS_PATH_MAPPINGS", "PIP_NO_INDEX", "PIP_FIND_LINKS"):
        del machine.env[name]
    return machine


def test_the_default_index_has_the_file_host_that_pip_knows(asking: Machine) -> None:
    result = bootstrap(asking, "list", "::")
    program = "from pip._internal.models.index import PyPI; print(PyPI.file_storage_domain)"
    host = asking.run("python3.9", "-c", program).stdout.strip()
    assert result.env["PANTS_PYTHON_REPOS_PATH_MAPPINGS"] == f"+['INDEX|/{host}']"
    assert "PANTS_PYTHON_REPOS_INDEXES" not in result.env
    assert result.stderr == ""


def test_the_answer_is_remembered_until_pip_is_configured_anew(asking: Machine) -> None:
    bootstrap(asking, "list", "::")
    before = asking.python_calls()
    bootstrap(asking, "list", "::")
    assert asking.python_calls() == before
    with mirror({"/simple/ansicolors/": PAGE.format(f"/files/packages/{USUAL_PATH}")}) as url:
        config = asking.folder / "home/.config/pip/pip.conf"
        config.parent.mkdir(parents=True)
        config.write_text(f"[global]\nindex-url = {url}/simple\n")
        del asking.env["PIP_CONFIG_FILE"]
        result = bootstrap(asking, "list", "::")
    host = url.partition("://")[2]
    assert result.env["PANTS_PYTHON_REPOS_PATH_MAPPINGS"] == f"+['INDEX|/{host}/files']"
    assert result.env["PANTS_PYTHON_REPOS_INDEXES"] == f"['{url}/simple']"


def test_a_mirror_may_keep_files_at_relative_urls_below_its_index(asking: Machine) -> None:
    page = PAGE.format(f"../../packages/packages/{USUAL_PATH}")
    with mirror({"/api/simple/ansicolors/": page}) as url:
        result = bootstrap(asking, "list", "::", PIP_INDEX_URL=f"{url}/api/simple")
    host = url.partition("://")[2]
    assert result.env["PANTS_PYTHON_REPOS_PATH_MAPPINGS"] == f"+['INDEX|/{host}/api/packages']"


def test_a_mirror_with_other_paths_is_told_and_the_launch_goes_on(asking: Machine) -> None:
    page = PAGE.format("../../+f/abc/ansicolors-1.1.8-py2.py3-none-any.whl")
    with mirror({"/simple/ansicolors/": page}) as url:
        result = bootstrap(asking, "list", "::", PIP_INDEX_URL=f"{url}/simple")
    assert result.returncode == 0
    assert "does not use the usual paths" in result.stderr
    assert "PANTS_PYTHON_REPOS_PATH_MAPPINGS" not in result.env


def test_credentials_of_the_index_do_not_follow_a_redirect_elsewhere(asking: Machine) -> None:
    asked: dict[str, str | None] = {}

    def index(name: str, location: str = "") -> HTTPServer:
        class Index(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked[name] = self.headers["Authorization"]
                self.send_response(302 if location else 200)
                self.send_header("Location", location)
                self.end_headers()
                self.wfile.write(PAGE.format(f"/packages/{USUAL_PATH}").encode())

            def log_message(self, *_: Any) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Index)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    other = index("other")
    first = index("first", f"http://127.0.0.1:{other.server_port}/elsewhere/")
    try:
        url = f"http://someone:secret@127.0.0.1:{first.server_port}/simple"
        result = bootstrap(asking, "list", "::", PIP_INDEX_URL=url)
    finally:
        for server in (first, other):
            server.shutdown()
            server.server_close()
    mapping = result.env["PANTS_PYTHON_REPOS_PATH_MAPPINGS"]
    assert mapping == f"+['INDEX|/127.0.0.1:{other.server_port}']"
    assert asked["first"] is not None
    assert asked["other"] is None


def test_a_malformed_index_url_is_told_and_the_launch_goes_on(asking: Machine) -> None:
    with mirror({}) as url:
        result = bootstrap(asking, "list", "::", PIP_INDEX_URL=f"{url.replace('127', '[127')}/x")
    assert result.returncode == 0
    assert "cannot determine where the package index at http://[127" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_mapping_of_the_user_is_kept(asking: Machine) -> None:
    given = "['INDEX|/elsewhere']"
    result = bootstrap(asking, "list", "::", PANTS_PYTHON_REPOS_PATH_MAPPINGS=given)
    assert result.env["PANTS_PYTHON_REPOS_PATH_MAPPINGS"] == given
    assert asking.python_calls() == ""


# --- The PEX tool


def test_the_pex_tool_has_the_same_bytes_wherever_it_is_built(machine: Machine) -> None:
    """Needs the package index that the environment around the tests is configured for."""
    del machine.env["PANTS_PEX_CLI_VERSION"]
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_CONFIG_FILE"):
        del machine.env[name]
    machine.env.update({k: v for k, v in os.environ.items() if k.startswith("PIP_")})
    script = bootstrap_script(machine)
    elsewhere = str(machine.folder / "elsewhere")
    old_mask = os.umask(0o077)
    second_build = machine.popen(
        script, "list", "::", XDG_CACHE_HOME=elsewhere, TZ="Pacific/Auckland", PYTHONHASHSEED="7"
    )
    os.umask(old_mask)
    first = bootstrap(machine, "list", "::")
    out, err = second_build.communicate(timeout=120)
    if "index can't be reached" in first.stderr:
        pytest.skip("the package index can't be reached")
    second = Bootstrapped(subprocess.CompletedProcess(script, second_build.returncode, out, err))

    tool = Path(first.env["PANTS_PEX_CLI_URL_TEMPLATE"].partition("file:")[2])
    content = tool.read_bytes()
    version = first.env["PANTS_PEX_CLI_VERSION"]
    known = f"{version}|{{}}|{hashlib.sha256(content).hexdigest()}|{len(content)}"
    for platform in ("linux_arm64", "linux_x86_64", "macos_arm64", "macos_x86_64"):
        assert known.format(platform) in first.env["PANTS_PEX_CLI_KNOWN_VERSIONS"]
    shown = machine.run("python3.9", str(tool), "--version", PEX_ROOT=str(machine.folder / "root"))
    assert f"v{shown.stdout.strip()}" == version
    assert {path.name for path in tool.parent.iterdir()} == {"pex", "known"}

    assert elsewhere in second.env["PANTS_PEX_CLI_URL_TEMPLATE"]
    assert second.env["PANTS_PEX_CLI_KNOWN_VERSIONS"] == first.env["PANTS_PEX_CLI_KNOWN_VERSIONS"]
