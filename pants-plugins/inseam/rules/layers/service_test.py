from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from pants.backend.python.macros.python_artifact import PythonArtifact
from pants.core.goals.package import BuiltPackage
from pants.engine.addresses import Address
from pants.engine.fs import Digest
from pants.engine.internals.parametrize import Parametrize
from pants.engine.internals.scheduler import ExecutionError
from pants.engine.target import GeneratedSources, InferredDependencies
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.compat import CALL_BY_NAME
from inseam.formats.python.installed import NAMES, load_names
from inseam.formats.python.wheel_testing import build_wheel, elf
from inseam.rules.docker.dockerfiles import DockerfileFieldSet, InferDockerfileDependencies
from inseam.rules.goals.export_codegen import GenerateAppLayer, GenerateLayers
from inseam.rules.goals.package import LayersFieldSet
from inseam.rules.image import build as image
from inseam.rules.image.check_modules import ModulesRequest
from inseam.rules.image.checks import ImageFindings
from inseam.rules.layers.code import CodeLayers, CodeLayersRequest
from inseam.rules.layers.layer import StoredLayer
from inseam.rules.layers.service import DependencyLayers, ServiceRequest
from inseam.rules.layers.wheels import SharedLayer, SharedLayerRequest
from inseam.rules.rule_testing import (
    BASE,
    MINOR,
    PYTHON_VERSION,
    debian_lock_text,
    failure,
    files_of,
    lock_text,
    locked,
    rule_runner,
    set_options,
    tar_files,
)
from inseam.targets.layer import AppSourcesField, LayersSourcesField

SITE = f"opt/venv/lib/python{MINOR}/site-packages"
SHOP = Address("src/shop", target_name="app", generated_name="layers")

SERVICE = """
python_sources()
python_service(name="app", entry_point="shop.server:main", healthcheck="probe.py:main")
"""
FROM_A_WHEEL = """
python_service(name="app", entry_point="greet:hello", dependencies=["3rdparty:greet"])
"""
SERVER = "import greet\ndef main():\n    print(greet.hello())\n"


def queries() -> list[QueryRule]:
    return [
        QueryRule(DependencyLayers, [ServiceRequest]),
        QueryRule(CodeLayers, [CodeLayersRequest]),
        QueryRule(SharedLayer, [SharedLayerRequest]),
        QueryRule(ImageFindings, [ModulesRequest]),
        QueryRule(GeneratedSources, [GenerateLayers]),
        QueryRule(GeneratedSources, [GenerateAppLayer]),
        QueryRule(BuiltPackage, [LayersFieldSet]),
        QueryRule(InferredDependencies, [InferDockerfileDependencies]),
    ]


@pytest.fixture(scope="module")
def module_runner() -> RuleRunner:
    return rule_runner(
        *queries(), objects={"python_artifact": PythonArtifact, "parametrize": Parametrize}
    )


@pytest.fixture
def runner(module_runner: RuleRunner) -> RuleRunner:
    """A repository with a service that needs two distributions of the three in its lock."""
    set_options(module_runner)
    write_repository(module_runner)
    return module_runner


def wheels_of(runner: RuleRunner) -> dict[str, Path]:
    folder = Path(runner.build_root, "wheels")
    return {
        "greet": build_wheel(folder, "greet", files={"greet.py": b"import words\nhello = str\n"}),
        "words": build_wheel(folder, "words", files={"words/__init__.py": b"x = 1\n"}),
        "lone": build_wheel(folder, "lone", files={"lone.py": b""}),
        "big": build_wheel(folder, "big", files={"big/data.txt": b"0123456789" * 1000}),
    }


def write_lock(runner: RuleRunner, *more: dict[str, Any], **changes: dict[str, Any]) -> None:
    """Writes the lock; changes: items that replace those of that name, {} for none."""
    wheels = wheels_of(runner)
    items = {
        "greet": locked(wheels["greet"], "words>=1"),
        "words": locked(wheels["words"]),
        "lone": locked(wheels["lone"]),
        "big": locked(wheels["big"]),
        **changes,
    }
    text = lock_text([*(item for item in items.values() if item), *more])
    runner.write_files({"services.lock": text})


def runner_lock(runner: RuleRunner) -> dict[str, Any]:
    """The JSON of the lock, without its comment."""
    text = Path(runner.build_root, "services.lock").read_text()
    lock: dict[str, Any] = json.loads(text.partition("\n")[2])
    return lock


def write_repository(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "BUILD": BASE,
            "3rdparty/BUILD": "\n".join(
                f"python_requirement(name={name!r}, requirements=['{name}==1.0'])"
                for name in ("greet", "words", "lone", "big")
            ),
            "src/shop/BUILD": SERVICE,
            "src/shop/__init__.py": "",
            "src/shop/server.py": SERVER,
            "src/shop/probe.py": "from shop import server\ndef main(): ...\n",
        }
    )
    write_lock(runner)


def dependencies(runner: RuleRunner) -> DependencyLayers:
    return runner.request(DependencyLayers, [ServiceRequest(SHOP)])


def app(runner: RuleRunner) -> bytes:
    """The tar of the layer `app`."""
    code = runner.request(CodeLayers, [CodeLayersRequest(ServiceRequest(SHOP))])
    assert code.layers[-1].name == "app"
    return tar(runner, code.layers[-1])


def tar(runner: RuleRunner, layer: StoredLayer) -> bytes:
    return files_of(runner, layer.digest)[layer.tar]


def conflicting(runner: RuleRunner) -> list[str]:
    """The layers of wheels that have a name which the code has, too, or looks for."""
    found = dependencies(runner)
    names = []
    for layer in found.wheel_layers:
        text = files_of(runner, layer.digest)[f"{layer.folder}/{NAMES}"]
        if load_names(text) & found.names:
            names.append(layer.name)
    return names


def exported(runner: RuleRunner) -> dict[str, bytes]:
    """What `export-codegen` writes, by path."""
    target = runner.get_target(SHOP)
    snapshot = runner.request(GeneratedSources, [GenerateLayers(_empty(runner), target)]).snapshot
    return files_of(runner, snapshot.digest)


def described(runner: RuleRunner) -> list[dict[str, Any]]:
    """What `layers.json` says of the whole service."""
    layers: list[dict[str, Any]] = json.loads(exported(runner)["src/shop/app.layers/layers.json"])
    return layers


def _empty(runner: RuleRunner) -> Any:
    return runner.make_snapshot({})


def refused(runner: RuleRunner, *texts: str) -> None:
    """Checks that the layers are refused by an error with the texts, which names the service."""
    error = failure(runner, CodeLayers, CodeLayersRequest(ServiceRequest(SHOP)))
    for text in ("src/shop:app: ", *texts):
        assert text in error


# --- What is built ----------------------------------------------------------------------------


def test_a_service_is_a_layer_of_its_wheels_and_one_of_its_code(runner: RuleRunner) -> None:
    files = exported(runner)
    folder = "src/shop/app.layers"
    assert set(files) == {f"{folder}/{name}" for name in ("layers.json", "deps.tar", "app.tar")}
    deps, code = json.loads(files[f"{folder}/layers.json"])
    for layer in (deps, code):
        data = files[f"{folder}/{layer['name']}.tar"]
        assert layer["diff_id"] == "sha256:" + hashlib.sha256(data).hexdigest()
        assert layer["size"] == len(data)
    assert [wheel["name"] for wheel in deps["wheels"]] == ["greet", "words"]
    wheel = Path(runner.build_root, "wheels/greet-1.0-py3-none-any.whl")
    assert deps["wheels"][0]["sha256"] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    installed = tar_files(files[f"{folder}/deps.tar"])
    assert {f"{SITE}/greet.py", f"{SITE}/words/__init__.py", "opt/venv/pyvenv.cfg"} <= set(
        installed
    )
    assert f"{SITE}/lone.py" not in installed
    code_files = tar_files(files[f"{folder}/app.tar"])
    assert code_files["app/shop/server.py"] == SERVER.encode()
    assert b"from shop.server import main" in code_files["opt/venv/bin/entrypoint"]
    assert b"from shop.probe import main" in code_files["opt/venv/bin/healthcheck"]
    assert not [path for path in code_files if path.endswith("BUILD")]


def test_a_build_context_gets_the_code_alone(runner: RuleRunner) -> None:
    target = runner.get_target(Address("src/shop", target_name="app", generated_name="app"))
    assert target.has_field(AppSourcesField)
    request = GenerateAppLayer(_empty(runner), target)
    snapshot = runner.request(GeneratedSources, [request]).snapshot
    files = files_of(runner, snapshot.digest)
    assert set(files) == {f"src/shop/app.layers/{name}.tar" for name in ("app", "libs")}
    # There is no library, but the Dockerfile adds the layer.
    assert tar_files(files["src/shop/app.layers/libs.tar"]) == {}


def test_package_writes_the_description_of_the_layers(runner: RuleRunner) -> None:
    field_set = LayersFieldSet(SHOP, runner.get_target(SHOP)[LayersSourcesField])
    built = runner.request(BuiltPackage, [field_set])
    assert [artifact.relpath for artifact in built.artifacts] == ["src.shop/app.layers/layers.json"]
    assert list(files_of(runner, built.digest)) == ["src.shop/app.layers/layers.json"]


def test_a_service_may_need_no_wheels(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/server.py": "def main(): ...\n"})
    runner.write_files({"services.lock": "no lock, and nobody asks for one"})
    (deps,) = dependencies(runner).layers
    assert deps.name == "deps"
    assert tar_files(app(runner))


def test_a_service_at_the_root_of_the_repository_can_be_built(runner: RuleRunner) -> None:
    build = BASE + "python_sources()\npython_service(name='root', entry_point='top.py:main')\n"
    runner.write_files({"BUILD": build, "top.py": "def main(): ...\n"})
    target = runner.get_target(Address("", target_name="root", generated_name="layers"))
    files = runner.request(
        GeneratedSources, [GenerateLayers(_empty(runner), target)]
    ).snapshot.files
    assert files == ("root.layers/app.tar", "root.layers/deps.tar", "root.layers/layers.json")


def test_resources_are_part_of_the_code(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "src/shop/BUILD": "resources(name='pages', sources=['*.html'])\n"
            "python_sources(dependencies=[':pages'])\n" + SERVICE.replace("python_sources()", ""),
            "src/shop/a.html": "<p>",
        }
    )
    assert tar_files(app(runner))["app/shop/a.html"] == b"<p>"


def test_large_resources_are_in_a_layer_below_the_code_whatever_their_names(
    runner: RuleRunner,
) -> None:
    set_options(runner, "--inseam-large-wheel=1000")
    names = ["large.bin", "[large].bin", "small.txt", "[small].txt"]
    runner.write_files(
        {
            "src/shop/BUILD": "resources(name='data', sources=['*.bin', '*.txt'])\n"
            "python_sources(dependencies=[':data'])\n" + SERVICE.replace("python_sources()", ""),
            **{f"src/shop/{name}": "x" * (2000 if "large" in name else 5) for name in names},
        }
    )
    layers = dependencies(runner).layers
    assert [layer.name for layer in layers] == ["deps", "data"]
    data = tar_files(tar(runner, layers[1]))
    assert set(data) == {"app/shop/large.bin", "app/shop/[large].bin"}
    code = tar_files(app(runner))
    assert {"app/shop/small.txt", "app/shop/[small].txt"} <= set(code)
    assert not set(code) & set(data)


def test_large_wheels_are_in_layers_of_their_own(runner: RuleRunner) -> None:
    set_options(runner, "--inseam-large-wheel=50")
    assert [layer.name for layer in dependencies(runner).layers] == ["greet", "words", "deps"]
    assert [layer["name"] for layer in described(runner)] == ["greet", "words", "deps", "app"]


def test_requirements_of_another_platform_are_left_out(runner: RuleRunner) -> None:
    write_lock(runner, greet=locked(wheels_of(runner)["greet"], 'words; sys_platform == "win32"'))
    installed = tar_files(tar(runner, dependencies(runner).layers[0]))
    assert f"{SITE}/greet.py" in installed
    assert f"{SITE}/words/__init__.py" not in installed


# --- What a change changes --------------------------------------------------------------------


def test_an_edit_of_the_code_leaves_the_layers_below_alone(runner: RuleRunner) -> None:
    before, code = dependencies(runner), app(runner)
    runner.write_files({"src/shop/server.py": SERVER + "# edited\n"})
    assert dependencies(runner).layers == before.layers
    assert app(runner) != code


def code(runner: RuleRunner, service: str) -> dict[str, Digest]:
    """The layers of a service's code, by name."""
    address = Address(f"src/{service}", target_name="app", generated_name="layers")
    request = CodeLayersRequest(ServiceRequest(address), "gzip")
    return {layer.name: layer.digest for layer in runner.request(CodeLayers, [request]).layers}


def test_services_share_the_layer_of_the_libraries_that_they_share(runner: RuleRunner) -> None:
    files = {"src/kit/BUILD": "python_sources()\n", "src/kit/http.py": "x = 1\n"}
    for name in ("one", "two"):
        files[f"src/{name}/BUILD"] = SERVICE.replace("shop.", f"{name}.")
        files[f"src/{name}/server.py"] = "import kit.http\ndef main(): ...\n"
        files[f"src/{name}/probe.py"] = "def main(): ...\n"
    runner.write_files(files)
    one, two = code(runner, "one"), code(runner, "two")
    assert list(one) == list(two) == ["libs", "app"]
    assert one["libs"] == two["libs"]
    assert one["app"] != two["app"]
    assert list(code(runner, "shop")) == ["app"]
    runner.write_files({"src/kit/http.py": "x = 2\n"})
    after = code(runner, "one")
    assert after["app"] == one["app"]
    assert after["libs"] == code(runner, "two")["libs"] != one["libs"]
    runner.write_files({"src/one/probe.py": "def main(): pass\n"})
    assert code(runner, "one")["libs"] == after["libs"]
    assert code(runner, "one")["app"] != after["app"]
    assert code(runner, "two")["app"] == two["app"]


def test_packages_of_a_namespace_are_compiled_separately(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "src/company/libs/db/BUILD": "python_sources()\n",
            "src/company/libs/db/__init__.py": "",
            "src/company/libs/db/pool.py": "x = 1\n",
            "src/company/services/ad/BUILD": (
                "python_sources()\n"
                "python_service(name='app', entry_point='company.services.ad.main:main')\n"
            ),
            "src/company/services/ad/main.py": "from company.libs.db import pool\nmain = pool\n",
        }
    )
    address = Address("src/company/services/ad", target_name="app", generated_name="layers")
    found = runner.request(DependencyLayers, [ServiceRequest(address)])
    assert [(code.name, code.folder, code.console_scripts) for code in found.code] == [
        ("company/libs/db", "company/libs", False),
        ("company/services/ad", "company/services", True),
    ]
    request = CodeLayersRequest(ServiceRequest(address))
    made = runner.request(CodeLayers, [request]).layers
    names = {layer.name: set(tar_files(tar(runner, layer))) for layer in made}
    assert "app/company/libs/db/pool.py" in names["libs"]
    assert {"app/company/services/ad/main.py", "opt/venv/bin/entrypoint"} <= names["app"]


def test_other_distributions_of_the_lock_do_not_matter(runner: RuleRunner) -> None:
    before = dependencies(runner)
    wheel = build_wheel(Path(runner.build_root, "wheels"), "new", files={"new.py": b""})
    write_lock(runner, locked(wheel), lone={})
    assert dependencies(runner) == before


def test_wheels_that_share_no_name_with_the_code_do_not_matter_to_it(runner: RuleRunner) -> None:
    request = CodeLayersRequest(ServiceRequest(SHOP))
    before, code = dependencies(runner), runner.request(CodeLayers, [request])
    wheel = build_wheel(Path(runner.build_root, "wheels"), "words", "2.0", files={"words.py": b""})
    write_lock(runner, words=locked(wheel))
    after = dependencies(runner)
    assert conflicting(runner) == []
    assert before.layers != after.layers
    # Down to the requests of processes: it is not even looked up again.
    assert before.code == after.code
    assert runner.request(CodeLayers, [request]) == code


def test_layers_that_share_a_name_with_the_code_are_compared_with_it(runner: RuleRunner) -> None:
    set_options(runner, "--inseam-large-wheel=50")
    assert conflicting(runner) == []
    runner.write_files({"src/words/extra.py": "", "src/words/BUILD": "python_sources()\n"})
    runner.write_files({"src/shop/server.py": "import words.extra\n" + SERVER})
    assert conflicting(runner) == ["words"]
    refused(runner, "words/extra.py", "words-1.0")


def test_an_entry_point_may_be_in_a_wheel(runner: RuleRunner) -> None:
    set_options(runner, "--inseam-large-wheel=50")
    runner.write_files({"src/shop/BUILD": FROM_A_WHEEL})
    assert conflicting(runner) == ["greet"]
    assert app(runner)


def test_the_place_of_the_repository_and_its_store_do_not_matter(runner: RuleRunner) -> None:
    other = rule_runner(*queries(), isolated_local_store=True)
    assert other.build_root != runner.build_root
    write_repository(other)
    assert exported(other) == exported(runner)


# --- Shared layers ----------------------------------------------------------------------------


def with_shared(runner: RuleRunner, layers: str, *names: str) -> None:
    service = SERVICE.replace('main")', f'main", layers={list(names)})')
    runner.write_files({"src/shop/BUILD": service, "3rdparty/layers/BUILD": layers})


def test_a_shared_layer_holds_its_wheels_and_the_service_the_rest(runner: RuleRunner) -> None:
    with_shared(
        runner,
        "venv_layer(name='common', requirements=['3rdparty:words', 'b*'])",
        "3rdparty/layers:common",
    )
    found = dependencies(runner)
    assert [layer.name for layer in found.layers] == ["common", "deps"]
    common, deps = described(runner)[:2]
    assert [wheel["name"] for wheel in common["wheels"]] == ["big", "words"]
    assert [wheel["name"] for wheel in deps["wheels"]] == ["greet"]
    (unneeded,) = found.unneeded
    assert unneeded.distribution == "big 1.0"


@pytest.mark.parametrize(
    "layers, names, texts",
    [
        (
            "venv_layer(name='a', requirements=['words'])\n"
            "venv_layer(name='b', requirements=['3rdparty:greet'])",
            ["3rdparty/layers:a", "3rdparty/layers:b"],
            ["3rdparty/layers:a and 3rdparty/layers:b both contain words"],
        ),
        (
            "venv_layer(name='a', requirements=['nothing-*'])",
            ["3rdparty/layers:a"],
            ["3rdparty/layers:a: ", "matches 'nothing-*'"],
        ),
        (
            "venv_layer(name='deps', requirements=['words'])",
            ["3rdparty/layers:deps"],
            ["two layers of the image are named 'deps'"],
        ),
        ("file(name='a', source='BUILD')", ["3rdparty/layers:a"], ["`venv_layer`."]),
    ],
)
def test_shared_layers_that_do_not_fit_are_refused(
    runner: RuleRunner, layers: str, names: list[str], texts: list[str]
) -> None:
    with_shared(runner, layers, *names)
    refused(runner, *texts)


# --- Bad input --------------------------------------------------------------------------------


def test_a_function_that_is_not_there_is_refused(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/server.py": "def start(): ...\n"})
    refused(runner, "`entry_point='shop.server:main'`", "The module defines: start.")


def test_a_module_that_is_not_there_is_refused(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/BUILD": SERVICE.replace("shop.server", "shop.sever")})
    refused(runner, "the module 'shop.sever' of `entry_point=", "Check the spelling")


def test_a_lock_that_is_not_there_is_refused(runner: RuleRunner) -> None:
    set_options(runner, "--python-resolves={'services': 'gone.lock'}")
    refused(runner, "gone.lock", "does not exist", "generate-lockfiles --resolve=services")


def test_what_is_no_lock_is_refused(runner: RuleRunner) -> None:
    runner.write_files({"services.lock": "greet==1.0\n"})
    refused(
        runner,
        "services.lock is not a usable requirements file with hashes: line 1 ('greet==1.0') has no",
        "generate-lockfiles --resolve=services",
    )
    runner.write_files({"services.lock": "{}\n"})
    refused(runner, "services.lock is not a PEX lock file", "generate-lockfiles --resolve=services")


def test_a_requirement_that_the_lock_lacks_is_refused(runner: RuleRunner) -> None:
    write_lock(runner, words={})
    refused(runner, "does not contain words, which greet 1.0 requires", "generate-lockfiles")


def test_a_wheel_that_is_not_the_locked_one_is_refused(runner: RuleRunner) -> None:
    wheel = wheels_of(runner)["words"]
    write_lock(runner, words=locked(wheel, sha256="ab" * 32))
    refused(runner, "words-1.0-py3-none-any.whl is not the locked file")


def test_a_wheel_that_is_larger_than_allowed_is_refused(runner: RuleRunner) -> None:
    set_options(runner, "--inseam-max-download-size=99")
    refused(runner, "-1.0-py3-none-any.whl is larger than it may be", "max_download_size")
    set_options(runner)
    assert dependencies(runner).layers


def test_a_wheel_that_is_gone_is_refused(runner: RuleRunner) -> None:
    wheel = build_wheel(Path(runner.build_root, "wheels"), "words", "2.0")
    write_lock(runner, words=locked(wheel))
    wheel.unlink()
    refused(runner, "words-2.0-py3-none-any.whl is no longer at the URL in the lock")


def test_a_distribution_without_a_wheel_for_the_base_is_refused(runner: RuleRunner) -> None:
    wheel = build_wheel(Path(runner.build_root, "wheels"), "words", tag="cp27-cp27m-win32")
    write_lock(runner, words=locked(wheel))
    refused(runner, "words 1.0 has no wheel for linux/amd64", "It has wheels for: cp27-cp27m-win32")


def test_a_bad_wheel_is_refused(runner: RuleRunner) -> None:
    wheel = build_wheel(Path(runner.build_root, "wheels"), "words", "1.1", omit={"RECORD"})
    write_lock(runner, words=locked(wheel))
    refused(runner, "words-1.1-py3-none-any.whl is not a usable wheel", "RECORD")


def test_wheels_that_disagree_are_refused(runner: RuleRunner) -> None:
    wheel = build_wheel(Path(runner.build_root, "wheels"), "words", "1.2", {"greet.py": b"other"})
    write_lock(runner, words=locked(wheel))
    refused(
        runner,
        f"greet-1.0-py3-none-any.whl and words-1.2-py3-none-any.whl both install /{SITE}/greet.py",
    )


def test_code_that_a_wheel_hides_is_refused(runner: RuleRunner) -> None:
    wheel = build_wheel(Path(runner.build_root, "wheels"), "words", "1.3", {"shop/server.py": b""})
    write_lock(runner, words=locked(wheel))
    refused(runner, "the first-party file shop/server.py", "words-1.3-py3-none-any.whl")


def test_a_wheel_with_binaries_of_another_machine_is_refused(runner: RuleRunner) -> None:
    wheel = build_wheel(Path(runner.build_root, "wheels"), "words", "1.4", {"x.so": elf("aarch64")})
    write_lock(runner, words=locked(wheel))
    refused(runner, "words-1.4-py3-none-any.whl contains binaries for aarch64", "x86_64")


def test_a_base_for_a_python_that_is_not_installed_here_is_refused(runner: RuleRunner) -> None:
    set_options(runner, "--python-interpreter-constraints=['CPython>=3.9']")
    runner.write_files({"BUILD": BASE.replace(MINOR, "3.97")})
    refused(runner, "CPython 3.97", "was not found", "[python-bootstrap].search_path")


def test_code_for_another_python_than_that_of_the_base_is_refused(runner: RuleRunner) -> None:
    only = f"CPython=={PYTHON_VERSION}"
    set_options(runner, python=only)
    runner.write_files({"BUILD": BASE.replace(PYTHON_VERSION, f"{MINOR}.999")})
    refused(
        runner,
        f"the base //:base has Python {MINOR}.999",
        f"src/shop/server.py needs {only}",
    )


def test_a_lock_for_another_python_than_that_of_the_base_is_refused(runner: RuleRunner) -> None:
    text = runner_lock(runner)
    text["requires_python"] = ["CPython==3.97.*"]
    runner.write_files({"services.lock": json.dumps(text)})
    refused(runner, "the lock of resolve 'services' was made for CPython==3.97.*")


def test_an_init_process_that_the_base_lacks_is_refused(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "BUILD": "debian_base(name='base', lock='x.json')",
            "x.json": debian_lock_text(),
            "src/shop/BUILD": SERVICE.replace('"app"', '"app", init=True'),
        }
    )
    refused(runner, "`init=True` needs tini, which the base //:base does not have", "`groups`")


@pytest.mark.parametrize(
    "base, text",
    [
        ("3rdparty:lone", "is a `python_requirement`. It must be a `debian_base` or"),
        ("//nowhere:base", "nowhere"),
        ("//:typo", "typo"),
    ],
)
def test_a_base_that_is_none_is_refused(runner: RuleRunner, base: str, text: str) -> None:
    runner.write_files({"src/shop/BUILD": SERVICE.replace('"app"', f'"app", base="{base}"')})
    with pytest.raises(ExecutionError, match=text) as error:
        dependencies(runner)
    assert "src/shop:app" in str(error.value)


def debian_base(runner: RuleRunner) -> None:
    lock = debian_lock_text(f"{PYTHON_VERSION}-1")
    runner.write_files({"BUILD": "debian_base(name='base', lock='x.json')", "x.json": lock})


def test_a_module_that_the_base_lacks_is_an_error_in_code_and_a_warning_in_wheels(
    runner: RuleRunner,
) -> None:
    debian_base(runner)
    wheels = Path(runner.build_root, "wheels")
    old = {"words/__init__.py": b"import distutils.util\n"}
    words = build_wheel(wheels, "words", "1.1", files=old)
    setuptools = build_wheel(wheels, "setuptools", files={"setuptools/__init__.py": b""})
    write_lock(runner, locked(setuptools), words=locked(words))
    runner.write_files(
        {"3rdparty/tools/BUILD": "python_requirement(requirements=['setuptools==1.0'])"}
    )
    made = dependencies(runner)
    assert "distutils" in made.missing_modules
    wanted = ModulesRequest(
        Address("src/shop", target_name="app"), made.wheel_layers, made.missing_modules, MINOR
    )
    (finding,) = runner.request(ImageFindings, [wanted]).findings
    assert finding.place == "distutils"
    assert (
        f"src/shop:app: the base's Python {MINOR} does not have distutils, which words/__init__.py"
        " of words-1.1-py3-none-any.whl imports. Add the distribution setuptools" in str(finding)
    )
    runner.write_files({"src/shop/server.py": "import greet, distutils.util\ndef main(): ...\n"})
    refused(runner, "shop/server.py, line 1, imports distutils.util", "setuptools")
    more = 'probe.py:main", dependencies=["3rdparty/tools"]'
    runner.write_files({"src/shop/BUILD": SERVICE.replace('probe.py:main"', more)})
    assert "distutils" not in dependencies(runner).missing_modules
    app(runner)


def test_code_of_ones_own_may_have_the_name_of_a_module_that_the_base_lacks(
    runner: RuleRunner,
) -> None:
    debian_base(runner)
    runner.write_files(
        {
            "src/lib2to3/BUILD": "python_sources()",
            "src/lib2to3/__init__.py": "",
            "src/shop/server.py": "import lib2to3\ndef main(): ...\n",
        }
    )
    if sys.version_info >= (3, 13):
        app(runner)
    else:
        refused(runner, "lib2to3/__init__.py could not be imported")


# --- What the PEX has -------------------------------------------------------------------------

DISTRIBUTION = """
python_sources()
python_distribution(
    name="dist",
    dependencies=[":plug"],
    provides=python_artifact(name="acme.Plug", version="2.0", description="Plugs."),
    entry_points={
        "acme.plugins": {"hello": "plug.impl:hello"},
        "console_scripts": {"plugctl": "plug.impl:hello"},
    },
)
"""
WITH_DISTRIBUTION = SERVICE.replace(":main", ":main", 1).replace(
    'probe.py:main"', 'probe.py:main", dependencies=["src/plug:dist"]'
)


def write_plug(runner: RuleRunner, **files: str) -> None:
    runner.write_files(
        {
            "src/plug/BUILD": DISTRIBUTION,
            "src/plug/__init__.py": "",
            "src/plug/impl.py": "def hello(): return 1\n",
            "src/shop/BUILD": WITH_DISTRIBUTION,
            **files,
        }
    )


def test_a_distribution_among_the_dependencies_is_installed(
    runner: RuleRunner, tmp_path: Path
) -> None:
    write_plug(runner)
    code = runner.request(CodeLayers, [CodeLayersRequest(ServiceRequest(SHOP))])
    libs, own = (tar_files(tar(runner, layer)) for layer in code.layers)
    for path, content in libs.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (found,) = importlib.metadata.distributions(path=[str(tmp_path / "app")])
    assert (found.metadata["Name"], found.version) == ("acme.Plug", "2.0")
    assert found.metadata["Summary"] == "Plugs."
    assert {(one.group, one.name, one.value) for one in found.entry_points} == {
        ("acme.plugins", "hello", "plug.impl:hello"),
        ("console_scripts", "plugctl", "plug.impl:hello"),
    }
    assert {str(path) for path in found.files or ()} == {
        "plug/__init__.py",
        "plug/impl.py",
        *(
            f"acme_plug-2.0.dist-info/{name}"
            for name in (
                "INSTALLER",
                "METADATA",
                "RECORD",
                "WHEEL",
                "entry_points.txt",
                "top_level.txt",
            )
        ),
    }
    assert b"from plug.impl import hello" in own["opt/venv/bin/plugctl"]
    assert not [path for path in own if "dist-info" in path]


def test_an_edit_of_a_distribution_leaves_its_metadata(runner: RuleRunner) -> None:
    write_plug(runner)
    before = {code.name: code for code in dependencies(runner).code}
    runner.write_files({"src/plug/impl.py": "def hello(): return 2\n"})
    after = {code.name: code for code in dependencies(runner).code}
    assert {name for name in after if after[name] != before[name]} == {"plug"}


def test_the_metadata_of_the_service_itself_is_in_its_layer(runner: RuleRunner) -> None:
    dist = """
python_distribution(name="dist", dependencies=[":shop"],
    provides=python_artifact(name="shop", version="1.2"))
"""
    own = SERVICE.replace('probe.py:main"', 'probe.py:main", dependencies=[":dist"]')
    runner.write_files({"src/shop/BUILD": own + dist})
    assert b"Version: 1.2" in tar_files(app(runner))["app/shop-1.2.dist-info/METADATA"]


def test_two_console_scripts_with_one_name_are_refused(runner: RuleRunner) -> None:
    write_plug(runner, **{"src/plug/BUILD": DISTRIBUTION.replace("plugctl", "healthcheck")})
    refused(runner, "/opt/venv/bin/healthcheck would start both shop.probe:main and plug.impl")


def test_files_lie_below_the_working_directory(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "src/shop/BUILD": SERVICE.replace(
                'probe.py:main"', 'probe.py:main", dependencies=[":conf", ":moved"]'
            )
            + "files(name='conf', sources=['conf/*'])\n"
            "relocated_files(name='moved', files_targets=[':conf'], src='src/shop/conf',"
            " dest='etc')\n",
            "src/shop/conf/a.txt": "text",
        }
    )
    code = runner.request(CodeLayers, [CodeLayersRequest(ServiceRequest(SHOP))])
    found = {
        path: text for one in code.layers for path, text in tar_files(tar(runner, one)).items()
    }
    assert found["app/src/shop/conf/a.txt"] == b"text"
    assert found["app/etc/a.txt"] == b"text"


def test_code_that_the_standard_library_hides_is_refused(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "src/statistics/BUILD": "python_sources()",
            "src/statistics/__init__.py": "",
            "src/shop/BUILD": "python_sources(dependencies=['src/statistics'])\n"
            + SERVICE.replace("python_sources()", ""),
        }
    )
    refused(runner, "statistics/__init__.py could not be imported", "Rename it")


def test_a_module_that_the_rust_parser_overlooks_is_named(runner: RuleRunner) -> None:
    write_plug(runner, **{"src/shop/BUILD": SERVICE})
    runner.write_files(
        {"src/shop/server.py": "import greet, plug.impl, os, words\ndef main(): ...\n"}
    )
    set_options(runner, "--python-infer-use-rust-parser")
    why = "shop/server.py, line 1, imports plug.impl as one of several"
    if CALL_BY_NAME:
        # Newer versions of Pants have no other parser.
        refused(runner, why, "in a statement of its own.")
        return
    refused(runner, why, "in a statement of its own, or set [python-infer].use_rust_parser")
    set_options(runner, "--no-python-infer-use-rust-parser")
    assert "app/shop/server.py" in tar_files(app(runner))


def test_type_stubs_are_left_out_but_for_those_that_a_layer_or_an_option_names(
    runner: RuleRunner, caplog: Any
) -> None:
    wheels = Path(runner.build_root, "wheels")
    stubs = [
        build_wheel(wheels, name, files={f"{name}/x.pyi": b""})
        for name in ("types_greet", "greet_stubs")
    ]
    write_lock(runner, *(locked(wheel) for wheel in stubs))
    runner.write_files(
        {
            "src/shop/stubs/BUILD": "\n".join(
                f"python_requirement(name={name!r}, requirements=['{name}==1.0'])\n"
                for name in ("types-greet", "greet-stubs")
            )
            + "venv_layer(name='typed', requirements=[':greet-stubs'])\n",
            "src/shop/BUILD": SERVICE.replace(
                'probe.py:main"',
                'probe.py:main", dependencies=["3rdparty:greet", "src/shop/stubs:types-greet",'
                ' "src/shop/stubs:greet-stubs"]',
            ),
        }
    )

    def installed() -> list[str]:
        layers = dependencies(runner).wheel_layers
        return sorted(wheel.name for layer in layers for wheel in layer.layer.wheels)

    with caplog.at_level("INFO"):
        assert installed() == ["greet", "words"]
    assert (
        "src/shop:app: its images do not contain greet-stubs, types-greet: type stubs"
        in caplog.text
    )
    set_options(runner, "--inseam-leave-out=+['!types-*']")
    assert installed() == ["greet", "types-greet", "words"]
    set_options(runner)
    address = Address("src/shop/stubs", target_name="typed")
    shared = runner.request(SharedLayer, [SharedLayerRequest(address)])
    assert [wheel.name for wheel in shared.wheels] == ["greet-stubs"]
    # Other tests import `greet`, which then has one owner again.
    runner.write_files({"src/shop/stubs/BUILD": ""})


def test_a_repository_without_resolves_works(runner: RuleRunner) -> None:
    wheels = Path(runner.build_root, "wheels")
    set_options(
        runner,
        "--no-python-enable-resolves",
        "--python-repos-indexes=[]",
        f"--python-repos-find-links=['file://{wheels}']",
    )
    (deps,) = dependencies(runner).layers
    # The wheel itself does not say that it needs `words`: only the lock of the tests does.
    assert [wheel.name for wheel in deps.layer.wheels] == ["greet"]


# --- Programs ---------------------------------------------------------------------------------


def write_service(runner: RuleRunner, fields: str, **files: str) -> None:
    build = f"python_sources()\npython_service(name='app', {fields})\n"
    runner.write_files({"src/shop/BUILD": build, **files})


def test_each_program_has_a_console_script_of_its_name(runner: RuleRunner) -> None:
    write_service(
        runner,
        "programs={'web': {'entry_point': 'shop.server:main', 'healthcheck_path': '/up'},"
        " 'worker': {'entry_point': 'worker.py:run', 'healthcheck': 'probe.py:main'},"
        " 'migrate': 'shop.migrate'}",
        **{
            "src/shop/worker.py": "def run(): ...\n",
            "src/shop/migrate.py": "print(1)\n",
        },
    )
    files = tar_files(app(runner))
    scripts = {path for path in files if path.startswith("opt/")}
    names = ("web", "healthcheck", "worker", "worker-healthcheck", "migrate")
    assert scripts == {f"opt/venv/bin/{name}" for name in names}
    assert b"from shop.worker import run" in files["opt/venv/bin/worker"]
    assert b"run_module('shop.migrate'" in files["opt/venv/bin/migrate"]
    assert b"GET /up HTTP/1.1" in files["opt/venv/bin/healthcheck"]
    assert b"from shop.probe import main" in files["opt/venv/bin/worker-healthcheck"]
    assert {"app/shop/worker.py", "app/shop/migrate.py"} <= set(files)


def test_a_service_in_a_folder_with_a_dash_is_started(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "src/my-shop/BUILD": "python_sources()\n"
            "python_service(name='app', entry_point='main.py:main')\n",
            "src/my-shop/main.py": "def main(): ...\n",
        }
    )
    address = Address("src/my-shop", target_name="app", generated_name="layers")
    code = runner.request(CodeLayers, [CodeLayersRequest(ServiceRequest(address))])
    files = tar_files(tar(runner, code.layers[-1]))
    assert b"import_module('my-shop.main').main()" in files["opt/venv/bin/entrypoint"]


def test_a_server_that_is_not_installed_is_named(runner: RuleRunner) -> None:
    write_service(runner, "entry_point='server.py:main', server='uvicorn'")
    refused(runner, "needs the distribution uvicorn", "--resolve=services")


def test_a_server_of_the_lock_is_installed_and_started(runner: RuleRunner) -> None:
    wheel = build_wheel(
        Path(runner.build_root, "wheels"),
        "uvicorn",
        files={"uvicorn/__main__.py": b"", "uvicorn/main.py": b""},
    )
    write_lock(runner, uvicorn=locked(wheel))
    write_service(
        runner,
        "entry_point='api.py:app', server='uvicorn'",
        **{
            "src/shop/api.py": "import words\nasync def app(scope, receive, send): ...\n",
            "3rdparty/server/BUILD": "python_requirement(requirements=['uvicorn==1.0'])",
        },
    )
    found = dependencies(runner)
    wheels = {wheel.name for layer in found.wheel_layers for wheel in layer.layer.wheels}
    assert wheels == {"uvicorn", "words"}
    script = tar_files(app(runner))["opt/venv/bin/entrypoint"]
    assert b"from uvicorn.main import main" in script
    assert b"'shop.api:app'" in script


def test_a_console_script_of_a_distribution_may_be_started(runner: RuleRunner) -> None:
    write_plug(runner)
    write_service(runner, "script='plugctl', dependencies=['src/plug:dist']")
    assert b"from plug.impl import hello" in tar_files(app(runner))["opt/venv/bin/plugctl"]
    write_service(runner, "script='other', dependencies=['src/plug:dist']")
    refused(runner, "`script='other'` is not a console script")


def test_writable_directories_belong_to_the_user_and_to_group_0(runner: RuleRunner) -> None:
    write_service(
        runner,
        "entry_point='server.py:main', user='1000:5', writable_dirs=['/var/lib/shop', '/app/data']",
    )
    with tarfile.open(fileobj=io.BytesIO(app(runner))) as archive:
        found = {info.name: info for info in archive}
    for path in ("var/lib/shop", "app/data"):
        assert found[path].isdir()
        assert (found[path].uid, found[path].gid, found[path].mode) == (1000, 0, 0o770)
    assert (found["var/lib"].uid, found["var/lib"].mode) == (0, 0o755)
    assert len(found) == len(set(found))


def test_images_of_other_targets_run_as_the_service_does(runner: RuleRunner) -> None:
    write_service(
        runner,
        "entry_point='server.py:main', user='1000', env={'A': '1', 'B': '2'}, working_dir='/srv'",
        **{
            "src/other/BUILD": "oci_image(name='a', layers=['src/shop:app#layers'])\n"
            "oci_image(name='b', layers=['src/shop:app#layers'], user='5', env={'B': '3'},"
            " working_dir='/x')\n",
        },
    )
    configs = []
    for name in ("a", "b"):
        target = runner.get_target(Address("src/other", target_name=name))
        service = runner.get_target(Address("src/shop", target_name="app", generated_name="oci"))
        configs.append(image._config(target, service))
    assert [(one.user, one.working_dir) for one in configs] == [("1000", "/srv"), ("5", "/x")]
    assert [(one.env["A"], one.env["B"]) for one in configs] == [("1", "2"), ("1", "3")]


@pytest.mark.parametrize("package", ["['oci', 'image']", "['image']"])
def test_images_with_one_name_are_refused_for_docker_too(runner: RuleRunner, package: str) -> None:
    other = "python_service(name='other', entry_point='shop.server:main')\n"
    runner.write_files({"src/shop/BUILD": SERVICE + other})
    set_options(runner, f"--inseam-package={package}")
    target = runner.get_target(Address("src/shop", target_name="app", generated_name="app"))
    error = failure(runner, GeneratedSources, GenerateAppLayer(_empty(runner), target))
    assert "src/shop:app and src/shop:other both build the image shop:latest" in error


@pytest.mark.parametrize(
    "fields, refused",
    [
        ("instructions=['ARG BASE_IMAGE=src/shop:app', 'FROM $BASE_IMAGE']", True),
        ("instructions=['arg BASE=\"//src/shop:app\"', 'FROM $BASE']", True),
        ("instructions=['ARG BASE', 'FROM $BASE'], extra_build_args=['BASE=src/shop:app']", True),
        ("source='Dockerfile.shop'", True),
        ("instructions=['ARG BASE_IMAGE=src/shop:app#image', 'FROM $BASE_IMAGE']", False),
        ("instructions=['ARG BASE=python:3.11', 'ARG A=src/shop:nothing', 'FROM $BASE']", False),
        ("source='Dockerfile'", False),
    ],
)
def test_a_dockerfile_that_starts_from_a_service_is_told_its_image(
    runner: RuleRunner, fields: str, refused: bool
) -> None:
    runner.write_files(
        {
            "src/derived/BUILD": f"docker_image(name='image', {fields})\n",
            "src/derived/Dockerfile": "FROM python:3.11\n",
            "src/derived/Dockerfile.shop": "ARG BASE_IMAGE=src/shop:app\nFROM $BASE_IMAGE\n",
        }
    )
    target = runner.get_target(Address("src/derived", target_name="image"))
    request = InferDockerfileDependencies(DockerfileFieldSet.create(target))
    if refused:
        error = failure(runner, InferredDependencies, request)
        assert "src/derived:image starts from src/shop:app, a `python_service`" in error
        assert "Write src/shop:app#image" in error
    else:
        assert not runner.request(InferredDependencies, [request]).include


def test_a_parametrized_service_is_built_for_each_parameter(runner: RuleRunner) -> None:
    write_service(
        runner, "entry_point='server.py:main', base=parametrize(a='//:base', b='//:base')"
    )
    for name in "ab":
        address = Address(
            "src/shop", target_name="app", generated_name="layers", parameters={"base": name}
        )
        code = runner.request(CodeLayers, [CodeLayersRequest(ServiceRequest(address))])
        assert "opt/venv/bin/entrypoint" in tar_files(tar(runner, code.layers[-1]))
        target = runner.get_target(address)
        snapshot = runner.request(GeneratedSources, [GenerateLayers(_empty(runner), target)])
        assert f"src/shop/app@base={name}.layers/app.tar" in snapshot.snapshot.files
