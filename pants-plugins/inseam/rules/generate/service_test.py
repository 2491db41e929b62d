from __future__ import annotations

from typing import Any

import pytest
from pants.backend.docker.goals.publish import PublishDockerImageFieldSet
from pants.backend.python.goals.package_pex_binary import PexBinaryFieldSet
from pants.backend.python.target_types import (
    InterpreterConstraintsField,
    PexEntryPointField,
    PythonResolveField,
)
from pants.engine.addresses import Address, Addresses
from pants.engine.internals.parametrize import Parametrize
from pants.engine.internals.scheduler import ExecutionError
from pants.engine.target import (
    AllUnexpandedTargets,
    Dependencies,
    DependenciesRequest,
    DescriptionField,
    Tags,
    Target,
)
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.rules.generate.base import service_of
from inseam.rules.goals.package import LayersFieldSet
from inseam.rules.goals.publish import SkippedImageFieldSet
from inseam.rules.goals.publish import rules as rules_of_publish
from inseam.rules.rule_testing import BASE, declared, rule_runner, set_options
from inseam.targets.layer import ConsoleScript


@pytest.fixture(scope="module")
def module_runner() -> RuleRunner:
    return rule_runner(
        QueryRule(AllUnexpandedTargets, []),
        QueryRule(Addresses, [DependenciesRequest]),
        layers=False,
        objects={"parametrize": Parametrize},
    )


@pytest.fixture
def runner(module_runner: RuleRunner) -> RuleRunner:
    set_options(module_runner)
    module_runner.write_files({"BUILD": BASE, "src/shop/server.py": "", "src/shop/probe.py": ""})
    return module_runner


def small(**fields: Any) -> str:
    """The service with these fields instead or besides."""
    given = {"entry_point": "shop.server:main", **fields}
    return declared("python_service", name="app", **given)


SMALL = small()
LARGE = """
python_service(
    name="app",
    entry_point="shop.server:main",
    healthcheck="probe.py:main",
    dependencies=["//:extra"],
    resolve="other",
    interpreter_constraints=["CPython==3.13.*"],
    base=":own",
    layers=["//:numbers"],
    ports=[8000, "53/udp"],
    env={"GREETING": 'a "b" $c'},
    user="1000",
    args=["--level", "info"],
    image_tags=["1.0", "latest"],
    repository="shops/{name}",
    registries=["@mine"],
    skip_push=True,
    labels={"team": "shop"},
    tags=["slow"],
    description="Sells.",
)
"""


def get(runner: RuleRunner, name: str) -> Target:
    return runner.get_target(Address("src/shop", target_name="app", generated_name=name))


def values(target: Target) -> dict[str, Any]:
    return {field.alias: value.value for field, value in target.field_values.items()}


def entry_point(target: Target) -> str:
    value = target[PexEntryPointField].value
    assert value is not None
    return value.spec


def generated(runner: RuleRunner) -> dict[str, str]:
    """Names and types of the targets that `src/shop:app` stands for."""
    targets = runner.request(AllUnexpandedTargets, [])
    return {
        target.address.generated_name: target.alias
        for target in targets
        if target.address.spec_path == "src/shop"
        and target.address.target_name == "app"
        and target.address.generated_name
    }


def test_by_default_a_service_is_its_image_alone(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/BUILD": LARGE})
    set_options(runner, "--inseam-package=['oci']")
    assert generated(runner) == {
        "pex-sources": "_service_code",
        "healthcheck-sources": "_service_code",
        "layers": "_venv_layers",
        "oci": "oci_image",
    }
    # Pants packages and runs what looks like a PEX, unless it is told otherwise.
    code, layers = get(runner, "pex-sources"), get(runner, "layers")
    assert not PexBinaryFieldSet.is_applicable(code)
    assert not LayersFieldSet.is_applicable(layers)
    assert entry_point(code) == "shop.server:main"


@pytest.mark.parametrize(
    "package, expected",
    [
        (["oci", "pex"], {"pex", "layers", "oci"}),
        (["image"], {"pex-sources", "layers", "app", "deps", "image"}),
        (["pex", "layers"], {"pex", "layers"}),
    ],
)
def test_a_service_says_what_it_is_packaged_as(
    runner: RuleRunner, package: list[str], expected: set[str]
) -> None:
    runner.write_files({"src/shop/BUILD": small(package=package)})
    assert set(generated(runner)) == expected
    assert LayersFieldSet.is_applicable(get(runner, "layers")) == ("layers" in package)


def test_what_a_service_cannot_be_packaged_as_is_refused(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/BUILD": small(package=["zip"])})
    with pytest.raises(ExecutionError, match="package.*oci"):
        generated(runner)


def test_an_image_alone_is_the_one_that_is_published(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/BUILD": small(package=["image"])})
    assert values(get(runner, "image"))["skip_push"] is False


def test_a_declaration_stands_for_a_pex_layers_and_images(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/BUILD": SMALL})
    found = generated(runner)
    expected = {
        "pex": "pex_binary",
        "layers": "_venv_layers",
        "app": "_app_layer",
        "deps": "_deps_image",
        "image": "docker_image",
    }
    assert found.items() >= expected.items()
    assert "healthcheck" not in found
    runner.write_files({"src/shop/BUILD": LARGE})
    assert generated(runner) == {**found, "healthcheck": "pex_binary"}


def test_what_follows_from_the_smallest_declaration(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/BUILD": SMALL})
    layers, image = values(get(runner, "layers")), values(get(runner, "image"))
    assert layers["_base"] == ("//:base",)
    assert layers["_service"] == ("src/shop:app#pex",)
    assert values(get(runner, "deps"))["_base"] == "//:base"
    assert values(get(runner, "app"))["_layers"] == ("src/shop:app#layers",)
    assert image["repository"] == "{directory}"
    assert image["image_tags"] == ("latest",)
    assert image["output_path"] == "src.shop/app.docker-info.json"
    assert image["dependencies"] == ("src/shop:app#app",)
    text = "\n".join(image["instructions"])
    assert text.startswith(
        "ARG BASE_IMAGE=src/shop:app#deps\nFROM ${BASE_IMAGE}\nADD libs.tar /\nADD app.tar /\n"
    )
    # Docker takes files of two services for each other's where this is the same.
    assert image["context_root"] == "src/shop/app.layers"
    assert "USER 65532:65532" in text
    assert 'ENTRYPOINT ["/opt/venv/bin/entrypoint"]' in text
    for absent in ("HEALTHCHECK", "EXPOSE", "CMD", "RUN"):
        assert absent not in text
    pex = get(runner, "pex")
    assert values(pex)["output_path"] == "src.shop/app.pex"
    assert entry_point(pex) == "shop.server:main"


def test_every_field_goes_to_the_target_that_it_is_about(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/BUILD": LARGE})
    image = values(get(runner, "image"))
    assert image["image_tags"] == ("1.0", "latest")
    assert image["repository"] == "shops/{name}"
    assert image["registries"] == ("@mine",)
    assert image["skip_push"] is True
    assert dict(image["image_labels"]) == {"team": "shop"}
    lines = image["instructions"]
    assert r'GREETING="a \"b\" \$c"' in next(line for line in lines if line.startswith("ENV "))
    assert {"USER 1000", "EXPOSE 8000", "EXPOSE 53/udp", 'CMD ["--level", "info"]'} <= set(lines)
    assert any(line.startswith("HEALTHCHECK --interval=10s --timeout=2s") for line in lines)
    layers = values(get(runner, "layers"))
    assert layers["_service"] == ("src/shop:app#pex", "src/shop:app#healthcheck")
    assert layers["_layers"] == ("//:numbers",)
    assert layers["_base"] == ("//src/shop:own",)
    probe = get(runner, "healthcheck")
    assert entry_point(probe) == "probe.py:main"
    assert values(probe)["output_path"] == "src.shop/app-healthcheck.pex"
    for name in ("pex", "healthcheck"):
        assert get(runner, name)[PythonResolveField].value == "other"
        assert get(runner, name)[InterpreterConstraintsField].value == ("CPython==3.13.*",)
    assert get(runner, "pex")[Dependencies].value == ("//:extra",)
    assert get(runner, "healthcheck")[Dependencies].value is None
    for name in generated(runner):
        assert get(runner, name)[Tags].value == ("slow",)
        assert get(runner, name)[DescriptionField].value == "Sells."


def test_an_image_depends_on_neither_sources_nor_wheels(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/BUILD": LARGE})
    assert get(runner, "image")[Dependencies].value == ("src/shop:app#app",)
    for name in ("app", "layers"):
        request = DependenciesRequest(get(runner, name)[Dependencies])
        assert not runner.request(Addresses, [request])


def test_the_base_of_a_service_wins_over_the_option(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/BUILD": small(base="//docker/base:slim")})
    assert values(get(runner, "layers"))["_base"] == ("//docker/base:slim",)
    assert values(get(runner, "deps"))["_base"] == "//docker/base:slim"


def test_a_service_without_a_base_is_refused(runner: RuleRunner) -> None:
    set_options(runner, base="")
    runner.write_files({"src/shop/BUILD": SMALL})
    with pytest.raises(ExecutionError) as error:
        get(runner, "image")
    for text in ("src/shop:app", "no `base`", "[inseam].base", "a `debian_base` or a"):
        assert text in str(error.value)


@pytest.mark.parametrize(
    "field, text",
    [
        ({"ports": ["http"]}, "but contains 'http'"),
        ({"user": "root"}, "must be numeric"),
        ({"env": {"A": "x\ny"}}, "invalid variable 'A'"),
        ({"healthcheck": "probe"}, "must be `module:function`"),
        ({"prots": [8000]}, "prots"),
    ],
)
def test_a_bad_field_is_an_error_that_names_the_target(
    runner: RuleRunner, field: dict[str, Any], text: str
) -> None:
    runner.write_files({"src/shop/BUILD": small(**field)})
    with pytest.raises(ExecutionError) as error:
        get(runner, "image")
    assert "src/shop:app" in str(error.value)
    assert text in str(error.value)


def test_a_service_at_the_root_has_paths_and_names_of_its_own(runner: RuleRunner) -> None:
    runner.write_files({"BUILD": f"{BASE}\n{SMALL}", "shop/server.py": ""})
    made = {
        name: values(runner.get_target(Address("", target_name="app", generated_name=name)))
        for name in ("oci", "image", "pex")
    }
    assert [fields["output_path"] for fields in made.values()] == [
        "app.oci",
        "app.docker-info.json",
        "app.pex",
    ]
    # The root has no name, which "{directory}" would be.
    assert [made[name]["repository"] for name in ("oci", "image")] == ["{name}", "{name}"]


@pytest.mark.parametrize(
    ("fields", "by_pants"),
    [({}, False), ({"skip_push": True}, True), ({"package": ["image"]}, True)],
)
def test_an_image_is_skipped_in_words_of_its_own(
    runner: RuleRunner, fields: dict[str, Any], by_pants: bool
) -> None:
    rules_of_publish()
    runner.write_files({"src/shop/BUILD": small(**fields)})
    image = get(runner, "image")
    assert image.alias == "docker_image"
    assert PublishDockerImageFieldSet.is_applicable(image) is by_pants
    assert SkippedImageFieldSet.is_applicable(image) is not by_pants
    if not by_pants:
        skipped = SkippedImageFieldSet.create(image).skipped()
        assert skipped.names == ("src/shop:app#image",)
        # No option is set.
        assert skipped.description == "(src/shop:app#oci is published)"
        assert skipped.process is None


# --- Several programs -------------------------------------------------------------------------

PROGRAMS = """
python_service(
    name="app",
    programs={
        "web": {"entry_point": "shop.server:main", "healthcheck_path": "/health"},
        "worker": {"entry_point": "worker.py:main", "args": ["-v"], "healthcheck": "probe.py:main"},
        "migrate": "shop.migrate",
    },
    repository="shop",
)
"""


def test_programs_are_images_of_the_same_layers(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/BUILD": PROGRAMS})
    images = {name: values(get(runner, name)) for name in ("oci", "worker", "migrate")}
    assert {tuple(image["layers"]) for image in images.values()} == {("src/shop:app#layers",)}
    assert {name: image["entrypoint"] for name, image in images.items()} == {
        "oci": ("/opt/venv/bin/web",),
        "worker": ("/opt/venv/bin/worker",),
        "migrate": ("/opt/venv/bin/migrate",),
    }
    assert [image["repository"] for image in images.values()] == [
        "shop",
        "shop-worker",
        "shop-migrate",
    ]
    assert [image["healthcheck"] for image in images.values()] == [
        ("/opt/venv/bin/healthcheck",),
        ("/opt/venv/bin/worker-healthcheck",),
        None,
    ]
    assert images["worker"]["args"] == ("-v",)
    assert dict(images["migrate"]["env"]) == {"PORT": "8000"}
    layers = values(get(runner, "layers"))
    assert layers["_console_scripts"] == (
        ConsoleScript("web", "src/shop:app#pex"),
        ConsoleScript("healthcheck", probed_path="/health"),
        ConsoleScript("worker", "src/shop:app#worker-pex"),
        ConsoleScript("worker-healthcheck", "src/shop:app#worker-healthcheck"),
        ConsoleScript("migrate", "src/shop:app#migrate-pex"),
    )
    assert layers["_service"] == tuple(
        f"src/shop:app#{name}"
        for name in ("pex", "worker-pex", "worker-healthcheck", "migrate-pex")
    )
    assert values(get(runner, "worker"))["output_path"] == "src.shop/app-worker.oci"


def test_a_server_brings_its_requirement_port_and_workers(runner: RuleRunner) -> None:
    build = small(entry_point="shop.api:app", server="uvicorn", workers=3, healthcheck_path="/up")
    runner.write_files({"src/shop/BUILD": build})
    layers, image = values(get(runner, "layers")), values(get(runner, "oci"))
    assert layers["_console_scripts"] == (
        ConsoleScript("entrypoint", "src/shop:app#code", server="uvicorn"),
        ConsoleScript("healthcheck", probed_path="/up"),
    )
    assert layers["_service"] == ("src/shop:app#pex", "src/shop:app#code")
    assert entry_point(get(runner, "pex")) == "uvicorn"
    assert values(get(runner, "pex"))["args"] == ("shop.api:app",)
    assert entry_point(get(runner, "code")) == "shop.api:app"
    assert dict(image["env"]) == {"PORT": "8000", "WEB_CONCURRENCY": "3"}
    assert image["ports"] == ("8000",)
    assert "EXPOSE 8000" in values(get(runner, "image"))["instructions"]


@pytest.mark.parametrize(
    "server, args",
    [("uvicorn", ("--factory", "shop.web:make")), ("gunicorn", ("shop.web:make()",))],
)
@pytest.mark.parametrize(
    "fields", [{"entry_point": "web.py:make()"}, {"entry_point": "web.py:make", "factory": True}]
)
def test_a_server_calls_a_factory(
    runner: RuleRunner, server: str, args: tuple[str, ...], fields: dict[str, Any]
) -> None:
    runner.write_files({"src/shop/BUILD": small(server=server, **fields)})
    (script,) = values(get(runner, "layers"))["_console_scripts"]
    assert script == ConsoleScript("entrypoint", "src/shop:app#code", server, is_factory=True)
    assert entry_point(get(runner, "code")) == "web.py:make"
    given = values(get(runner, "pex"))["args"]
    assert tuple(one.replace("web:", "shop.web:") for one in given) == args


def test_a_console_script_is_started_with_its_arguments(runner: RuleRunner) -> None:
    build = small(entry_point=None, script="celery", args=["worker"])
    runner.write_files({"src/shop/BUILD": build})
    image = values(get(runner, "oci"))
    assert (image["entrypoint"], image["args"]) == (("/opt/venv/bin/celery",), ("worker",))
    layers = values(get(runner, "layers"))
    assert (layers["_scripts"], layers["_console_scripts"]) == (("celery",), ())


@pytest.mark.parametrize(
    "fields, text",
    [
        ("", "starts nothing"),
        ('entry_point="a:b", script="c"', "both an `entry_point` and a `script`"),
        ('script="c", server="uvicorn"', "no `entry_point` that names its application"),
        ('entry_point="a:b", workers=2', "`workers`"),
        ('entry_point="a:b()"', "Set `server`"),
        ('entry_point="a:b", factory=True', "Set `server`"),
        ('script="a", factory=True', "a `factory`, but no `entry_point`"),
        ('programs={"a": "b:c()"}', "Set `server`"),
        ('entry_point="a:b", healthcheck="a:b", healthcheck_path="/x"', "Remove one of them"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(
    runner: RuleRunner, fields: str, text: str
) -> None:
    runner.write_files({"src/shop/BUILD": f'python_service(name="app", {fields})'})
    with pytest.raises(ExecutionError, match=text) as error:
        get(runner, "image")
    assert "src/shop:app" in str(error.value)


def test_how_a_container_runs_goes_to_both_images(runner: RuleRunner) -> None:
    build = small(
        working_dir="/srv",
        writable_dirs=["/var/lib/shop"],
        volumes=["/var/lib/shop"],
        stop_signal="SIGQUIT",
        user="1000:5",
        labels={"a": "{b}", "c": "d"},
    )
    runner.write_files({"src/shop/BUILD": build})
    oci, image = values(get(runner, "oci")), values(get(runner, "image"))
    assert (oci["working_dir"], oci["volumes"]) == ("/srv", ("/var/lib/shop",))
    assert (oci["stop_signal"], oci["writable_dirs"]) == ("SIGQUIT", ("/var/lib/shop",))
    assert values(get(runner, "layers"))["_writable_dirs"] == ("1000:/var/lib/shop",)
    expected = {"WORKDIR /srv", 'VOLUME ["/var/lib/shop"]', "STOPSIGNAL SIGQUIT", "USER 1000:5"}
    assert expected <= set(image["instructions"])
    # Pants' docker backend looks for placeholders in labels that it passes to Docker.
    assert dict(oci["labels"]) == {"a": "{b}", "c": "d"}
    assert dict(image["image_labels"]) == {"c": "d"}
    assert 'LABEL "a"="{b}"' in image["instructions"]


# --- Parameters -------------------------------------------------------------------------------


def parametrized(runner: RuleRunner, fields: str) -> dict[str, Target]:
    """The `oci_image`s of a parametrized service, by address."""
    build = f'python_service(name="app", entry_point="shop.server:main", {fields})'
    runner.write_files({"src/shop/BUILD": build})
    targets = runner.request(AllUnexpandedTargets, [])
    return {
        target.address.spec: target
        for target in targets
        if target.address.spec_path == "src/shop" and target.address.generated_name == "oci"
    }


def test_a_parametrized_base_makes_images_with_names_and_paths_of_their_own(
    runner: RuleRunner,
) -> None:
    found = parametrized(runner, 'base=parametrize(prod="//:base", debug="//:debug")')
    assert set(found) == {f"src/shop:app#oci@base={name}" for name in ("prod", "debug")}
    debug = found["src/shop:app#oci@base=debug"]
    assert values(debug)["base"] == "//:debug"
    assert values(debug)["layers"] == ("src/shop:app#layers@base=debug",)
    assert values(debug)["repository"] == "{directory}-debug"
    assert values(debug)["output_path"] == "src.shop/app@base=debug.oci"
    assert str(service_of(debug.address)) == "src/shop:app@base=debug"


@pytest.mark.parametrize(
    ("field", "values_by_name"),
    [
        ("interpreter_constraints", {"old": ["CPython==3.11.*"], "new": ["CPython==3.13.*"]}),
        ("env", {"prod": {"LEVEL": "info"}, "test": {"LEVEL": "debug"}}),
        ("user", {"one": "1000", "two": "2000"}),
        ("ports", {"a": [8000], "b": [9000]}),
    ],
)
def test_whatever_is_parametrized_gives_images_of_different_names(
    runner: RuleRunner, field: str, values_by_name: dict[str, Any]
) -> None:
    given = ", ".join(f"{name}={value!r}" for name, value in values_by_name.items())
    found = parametrized(runner, f"{field}=parametrize({given})")
    assert set(found) == {f"src/shop:app#oci@{field}={name}" for name in values_by_name}
    images = [values(one) for one in found.values()]
    assert {image["repository"] for image in images} == {
        f"{{directory}}-{name}" for name in values_by_name
    }
    assert len({image["output_path"] for image in images}) == 2


def test_parametrized_tags_of_images_are_taken_as_they_are(runner: RuleRunner) -> None:
    found = parametrized(runner, 'image_tags=parametrize(a=["1"], b=["2"])')
    assert {values(one)["repository"] for one in found.values()} == {"{directory}"}
    assert {values(one)["image_tags"] for one in found.values()} == {("1",), ("2",)}


def test_parametrized_names_of_images_are_taken_as_they_are(runner: RuleRunner) -> None:
    found = parametrized(runner, 'repository=parametrize(a="two-a", b="two-b")')
    assert {values(one)["repository"] for one in found.values()} == {"two-a", "two-b"}


def test_resolves_may_be_parametrized(runner: RuleRunner) -> None:
    parametrized(runner, 'resolve=parametrize("services", "other")')
    for name in ("services", "other"):
        address = Address(
            "src/shop", target_name="app", generated_name="pex", parameters={"resolve": name}
        )
        assert runner.get_target(address)[PythonResolveField].value == name
