"""Locks in all formats give the same layers if they lock the same distributions."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Iterator, NamedTuple

import pytest
from pants.engine.addresses import Address
from pants.engine.internals.scheduler import ExecutionError
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.formats.debian.deb_testing import Mirror, serving
from inseam.formats.python.wheel_testing import build_wheel
from inseam.rules.layers.service import DependencyLayers, ServiceRequest
from inseam.rules.rule_testing import BASE, failure, lock_text, locked, rule_runner, set_options
from inseam.wheels_from_source.build_test import item, project, sdist

SHOP = Address("src/shop", target_name="app", generated_name="layers")
# The index from which these locks were made; it cannot be reached.
ELSEWHERE = "https://registry.invalid/simple"
GREET = """\
Metadata-Version: 2.1
Name: greet
Version: 1.0
Requires-Dist: words[loud]>=1
Requires-Dist: gone; sys_platform == "win32"
"""
WORDS = """\
Metadata-Version: 2.1
Name: words
Version: 1.1
Requires-Dist: shout; extra == "loud"
Requires-Dist: unused; extra == "quiet"
"""


class Locked(NamedTuple):
    """A locked file: its distribution, version and path, and its entry in a PEX lock."""

    name: str
    version: str
    path: Path
    requires: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @property
    def url(self) -> str:
        return f"https://files.registry.invalid/packages/{self.path.name}"


@pytest.fixture(scope="module")
def module_runner() -> RuleRunner:
    return rule_runner(QueryRule(DependencyLayers, [ServiceRequest]))


@pytest.fixture(scope="module")
def mirror() -> Iterator[Mirror]:
    with serving() as running:
        yield running


@pytest.fixture
def runner(module_runner: RuleRunner, mirror: Mirror) -> RuleRunner:
    set_options(module_runner, f"--python-repos-indexes=['{mirror.url}/simple/']")
    module_runner.write_files(
        {
            "BUILD": BASE,
            "3rdparty/BUILD": "python_requirement(name='greet', requirements=['greet==1.0'])",
            "src/shop/BUILD": "python_service(name='app', entry_point='greet:hello',"
            " dependencies=['3rdparty:greet'])",
        }
    )
    return module_runner


@pytest.fixture
def files(runner: RuleRunner, mirror: Mirror) -> tuple[Locked, ...]:
    """Three distributions that a service needs, the last of which has only sources, and one that it
    does not need; the index has all of them.
    """
    folder = Path(runner.build_root, "wheels")
    found = (
        Locked(
            "greet",
            "1.0",
            build_wheel(
                folder,
                "greet",
                files={
                    "greet.py": b"hello = str\n",
                    "greet-1.0.dist-info/METADATA": GREET.encode(),
                },
            ),
            ("words[loud]>=1", 'gone; sys_platform == "win32"'),
        ),
        Locked(
            "words",
            "1.1",
            build_wheel(
                folder, "words", "1.1", files={"words-1.1.dist-info/METADATA": WORDS.encode()}
            ),
            ('shout; extra == "loud"', 'unused; extra == "quiet"'),
        ),
        Locked(
            "shout",
            "1.0",
            sdist(folder, "shout", project("shout", requires_dist=("end>=1",))),
            ("end>=1",),
        ),  # fmt: skip
        Locked("end", "1.0", build_wheel(folder, "end", files={"end.py": b""})),
        Locked("unused", "1.0", build_wheel(folder, "unused", files={"unused.py": b""})),
    )
    for file in found:
        mirror.files[f"files/{file.path.name}"] = file.path.read_bytes()
        mirror.files[f"simple/{file.name}/"] = (
            f'<a href="../../files/{file.path.name}#sha256={file.sha256}">{file.path.name}</a>'
        ).encode()
    return found


def pex_lock(files: tuple[Locked, ...]) -> str:
    return lock_text(
        (
            item(file.path, *file.requires)
            if file.path.name.endswith(".tar.gz")
            else locked(file.path, *file.requires)
        )
        for file in files
    )


# What uv writes for the same distributions.
UV_EDGES = {
    "greet": """\
dependencies = [
    { name = "gone", marker = "sys_platform == 'win32'" },
    { name = "words", extra = ["loud"] },
]
""",
    "words": """\

[package.optional-dependencies]
loud = [
    { name = "shout" },
]
quiet = [
    { name = "unused" },
]
""",
    "shout": 'dependencies = [\n    { name = "end" },\n]\n',
}


def uv_lock(files: tuple[Locked, ...]) -> str:
    text = 'version = 1\nrevision = 3\nrequires-python = ">=3.9"\n'
    for file in files:
        entry = f'{{ url = "{file.url}", hash = "sha256:{file.sha256}", size = 1 }}'
        is_sdist = file.path.name.endswith(".tar.gz")
        text += (
            f'\n[[package]]\nname = "{file.name}"\nversion = "{file.version}"\n'
            f'source = {{ registry = "{ELSEWHERE}" }}\n'
            + (f"sdist = {entry}\n" if is_sdist else f"wheels = [\n    {entry},\n]\n")
            + UV_EDGES.get(file.name, "")
        )
    return text


def pylock(files: tuple[Locked, ...]) -> str:
    text = 'lock-version = "1.0"\ncreated-by = "uv"\nrequires-python = ">=3.9"\nextras = ["x"]\n'
    for file in files:
        entry = f'{{ url = "{file.url}", hashes = {{ sha256 = "{file.sha256}" }} }}'
        is_sdist = file.path.name.endswith(".tar.gz")
        text += (
            f'\n[[packages]]\nname = "{file.name}"\nversion = "{file.version}"\n'
            "marker = \"'x' in extras and sys_platform == 'linux'\"\n"
            f'index = "{ELSEWHERE}"\n'
            + (f"sdist = {entry}\n" if is_sdist else f"wheels = [{entry}]\n")
        )
    return text


def requirements(files: tuple[Locked, ...]) -> str:
    other = "0" * 64  # of a file that the index does not have
    return "# by the following command:\n#\n#    pip-compile --generate-hashes\n" + "".join(
        f"{file.name}=={file.version} ; python_version >= '3.9' \\\n"
        f"    --hash=sha256:{other} \\\n    --hash=sha256:{file.sha256}\n    # via somebody\n"
        for file in files
    )


WRITERS = {"pex": pex_lock, "uv": uv_lock, "pylock": pylock, "requirements": requirements}


def layers(runner: RuleRunner) -> dict[str, str]:
    """The diff IDs of the service's dependency layers, by name."""
    found = runner.request(DependencyLayers, [ServiceRequest(SHOP)])
    return {layer.name: layer.layer.diff_id for layer in found.layers}


def test_the_layers_are_the_same_whichever_lock_says_the_same(
    runner: RuleRunner, files: tuple[Locked, ...]
) -> None:
    found = {}
    for name, write in WRITERS.items():
        runner.write_files({"services.lock": write(files)})
        found[name] = layers(runner)
    assert found["pex"] == found["uv"] == found["pylock"] == found["requirements"]
    # It is not that nothing was there.
    found_wheels = runner.request(DependencyLayers, [ServiceRequest(SHOP)]).layers[0].layer.wheels
    assert sorted(wheel.name for wheel in found_wheels) == ["end", "greet", "shout", "words"]


def test_a_lock_without_what_the_service_needs_says_what_to_type(
    runner: RuleRunner, files: tuple[Locked, ...], mirror: Mirror
) -> None:
    commands = {
        "pex": "./pants generate-lockfiles --resolve=services",
        "uv": "uv lock",
        "pylock": "uv export --format=pylock.toml --output-file=pylock.lock",
        "requirements": "pip-compile --generate-hashes",
    }
    for name, write in WRITERS.items():
        without = tuple(file for file in files if file.name != "words")
        # Files of their own: what the engine still does for the lock before does not read this one.
        runner.write_files({f"{name}.lock": write(without)})
        index = f"--python-repos-indexes=['{mirror.url}/simple/']"
        set_options(runner, index, f"--inseam-locks={{'services': '{name}.lock'}}")
        error = failure(runner, DependencyLayers, ServiceRequest(SHOP))
        assert error == (
            "src/shop:app: the lock of resolve 'services' does not contain words, which greet 1.0"
            f" requires. Run: {commands[name]}"
        )


def test_files_in_the_repository_need_no_index(
    runner: RuleRunner, files: tuple[Locked, ...]
) -> None:
    runner.write_files({"services.lock": pex_lock(files)})
    wanted = layers(runner)
    # uv locks files in a folder without their hashes.
    text = uv_lock(files).replace(ELSEWHERE, "../wheels")
    for file in files:
        text = text.replace(
            f'url = "{file.url}", hash = "sha256:{file.sha256}", size = 1',
            f'path = "{file.path.name}"',
        )
    runner.write_files({"locks/uv.lock": text})
    own = "--inseam-locks={'services': 'locks/uv.lock'}"
    set_options(runner, "--python-repos-indexes=[]", own)
    runner.write_files({"services.lock": "{}"})
    assert layers(runner) == wanted
    runner.write_files({"locks/uv.lock": text.replace("greet-1.0-py3", "other-1.0-py3")})
    assert "is 'other-1.0-py3-none-any.whl', a wheel of other 1.0" in failure(
        runner, DependencyLayers, ServiceRequest(SHOP)
    )
    runner.write_files({"locks/uv.lock": text.replace("greet-1.0-py3", "greet-1.0-py2.py3")})
    assert "greet 1.0 is locked as wheels/greet-1.0-py2.py3-none-any.whl, which is not" in failure(
        runner, DependencyLayers, ServiceRequest(SHOP)
    )
    set_options(runner, "--inseam-locks={'service': 'locks/uv.lock'}")
    assert "[inseam].locks names the resolve 'service', which [python.resolves] does" in failure(
        runner, DependencyLayers, ServiceRequest(SHOP)
    )


def test_a_project_in_the_repository_is_built_from_its_files(
    runner: RuleRunner, files: tuple[Locked, ...]
) -> None:
    runner.write_files(
        {f"lib/shout/{name}": text for name, text in project("shout").items()}
    )  # fmt: skip
    pyproject = project("shout")["pyproject.toml"] + '[project]\nname = "Shout"\nversion = "1.0"\n'
    runner.write_files({"lib/shout/pyproject.toml": pyproject})
    others = tuple(file for file in files if file.name != "shout")
    editable = '[[package]]\nname = "shout"\nsource = { editable = "lib/shout" }\n'
    directory = '[[packages]]\nname = "shout"\n[packages.directory]\npath = "lib/shout"\n'
    found = {}
    for name, text in {
        "uv": f"{uv_lock(others)}\n{editable}",
        "pylock": f"{pylock(others)}\n{directory}",
        "requirements": f"{requirements(others)}-e ./lib/shout\n",
    }.items():
        runner.write_files({"services.lock": text})
        found[name] = layers(runner)
    assert found["uv"] == found["pylock"] == found["requirements"]
    wheels = runner.request(DependencyLayers, [ServiceRequest(SHOP)]).layers[0].layer.wheels
    assert ("shout", "1.0", "shout/") in [(one.name, one.version, one.source) for one in wheels]


def test_another_file_than_the_locked_one_is_refused(
    runner: RuleRunner, files: tuple[Locked, ...], mirror: Mirror
) -> None:
    end = next(file for file in files if file.name == "end")
    text = uv_lock(files).replace(end.sha256, "1" * 64)
    runner.write_files({"services.lock": text})
    with pytest.raises(ExecutionError) as error:
        layers(runner)
    assert "the configured package indexes do not have the locked end-1.0-py3-none-any.whl." in str(
        error.value
    )
    assert "They have another file of that name." in str(error.value)
