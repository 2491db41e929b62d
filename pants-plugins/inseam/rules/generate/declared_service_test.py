from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.engine.target import InvalidFieldException

from inseam.plan.packaging import Artifact
from inseam.rules.generate.declared_service import DeclaredService

PROGRAMS = {"web": "shop.web:main", "worker": {"entry_point": "shop.work:run", "args": ["-v"]}}


def service(
    folder: str = "src/shop", parameters: dict[str, str] | None = None, **fields: Any
) -> DeclaredService:
    address = Address(folder, target_name="app", parameters=parameters)
    return DeclaredService(address, fields)


def options(base: str | None = "//:base", *package: Artifact) -> Any:
    return SimpleNamespace(base=base, package=package or (Artifact.oci,))


def test_an_entry_point_is_the_default_program_before_all_others() -> None:
    declared = service(entry_point="shop.server:main", programs=PROGRAMS, args=["x"])
    assert declared.default.name == "entrypoint"
    assert [program.name for program in declared.others] == ["web", "worker"]
    names = [declared.name_of(program) for program in (declared.default, *declared.others)]
    assert names == ["", "web", "worker"]
    assert declared.config(declared.default).cmd == ("x",)
    assert declared.config(declared.others[1]).cmd == ("-v",)


def test_the_first_program_stands_for_an_entry_point_with_the_probe_of_the_service() -> None:
    declared = service(programs=PROGRAMS, healthcheck_path="/up")
    assert (declared.default.name, declared.default.healthcheck_path) == ("web", "/up")
    assert [program.name for program in declared.others] == ["worker"]
    healthcheck = declared.config(declared.default).healthcheck
    assert healthcheck is not None
    assert healthcheck.command == ("/opt/venv/bin/healthcheck",)
    assert declared.probe_name(declared.others[0]) == "worker-healthcheck"


def test_each_program_has_a_health_check_and_probes_of_its_own() -> None:
    web = {"entry_point": "a:b", "healthcheck_path": "/up", "probes": {"readiness": "/ready"}}
    work = {"entry_point": "a:c", "healthcheck": "a:d", "healthcheck_options": {"interval": 60}}
    inside = {**web, "probes": {"exec": True}}
    declared = service(
        programs={"web": web, "work": work, "inside": inside},
        healthcheck_options={"start_period": 90},
    )
    programs = (declared.default, *declared.others)
    checks = [declared.config(program).healthcheck for program in programs]
    assert [(one.interval, one.start_period) for one in checks if one] == [
        (10, 90),
        (60, 5),
        (10, 5),
    ]
    assert [declared.probes(program)[:3] for program in programs] == [
        ("/up", "/ready", "/up"),
        ("", "", ""),
        ("", "", ""),
    ]
    assert declared.probes(programs[2]).exec


def test_a_script_is_the_default_program_and_has_no_entry_point() -> None:
    declared = service(script="celery", programs=PROGRAMS)
    assert (declared.default.name, declared.default.entry_point) == ("celery", "")
    assert [program.name for program in declared.others] == ["web", "worker"]
    assert declared.config(declared.default).entrypoint == ("/opt/venv/bin/celery",)


@pytest.mark.parametrize(
    "fields, env, ports",
    [
        ({}, {}, ()),
        ({"healthcheck_path": "/up"}, {"PORT": "8000"}, ()),
        ({"server": "uvicorn"}, {"PORT": "8000"}, ("8000",)),
        ({"server": "uvicorn", "ports": ["81/tcp"]}, {"PORT": "81"}, ("81/tcp",)),
        ({"server": "uvicorn", "env": {"PORT": "7"}}, {"PORT": "7"}, ("7",)),
        (
            {"server": "uvicorn", "workers": 2},
            {"PORT": "8000", "WEB_CONCURRENCY": "2"},
            ("8000",),
        ),
    ],
)
def test_servers_and_probes_have_a_port(
    fields: dict[str, Any], env: dict[str, str], ports: tuple[str, ...]
) -> None:
    declared = service(entry_point="shop.server:app", **fields)
    assert declared.env == env
    assert tuple(declared.config(declared.default).ports) == ports


@pytest.mark.parametrize(
    "folder, parameters, repository",
    [
        ("src/shop", None, "{directory}"),
        ("", None, "{name}"),
        ("src/shop", {"base": "//:new"}, "{directory}-new"),
        ("src/shop", {"image_tags": "a"}, "{directory}"),
    ],
)
def test_parameters_are_in_the_repository_unless_they_name_the_image(
    folder: str, parameters: dict[str, str] | None, repository: str
) -> None:
    assert service(folder, parameters, entry_point="a:b").repository == repository


@pytest.mark.parametrize(
    "own, option, base",
    [(":near", None, "//src/shop:near"), ("//:own", "//:base", "//:own"), (None, "//:x", "//:x")],
)
def test_the_base_is_that_of_the_field_before_that_of_the_option(
    own: str | None, option: str | None, base: str
) -> None:
    assert service(base=own).base(options(option)) == base


def test_without_a_base_both_ways_to_set_one_are_named() -> None:
    with pytest.raises(InvalidFieldException, match=r"src/shop:app has no `base`.*\[inseam\].base"):
        service().base(options(None))


def test_the_field_says_what_is_packaged_before_the_option() -> None:
    given = options("//:base", Artifact.oci, Artifact.pex)
    assert service().artifacts(given) == (Artifact.oci, Artifact.pex)
    assert service(package=["image"]).artifacts(given) == (Artifact.image,)


@pytest.mark.parametrize(
    "fields, why",
    [
        ({}, "starts nothing"),
        ({"entry_point": "a:b", "script": "c"}, "both an `entry_point` and a `script`"),
        ({"script": "c", "server": "uvicorn"}, "no `entry_point` that names its application"),
        ({"entry_point": "a:b", "workers": 2}, "has `workers`"),
        ({"entry_point": "a:b", "server": "uvicorn", "workers": 0}, "has `workers`"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(fields: dict[str, Any], why: str) -> None:
    declared = service(**fields)
    with pytest.raises(InvalidFieldException, match=f"^The target src/shop:app .*{why}"):
        [declared.config(program) for program in (*declared.others, declared.default)]


def test_a_program_has_one_probe() -> None:
    declared = service(entry_point="a:b", healthcheck="a:b", healthcheck_path="/x")
    with pytest.raises(
        InvalidFieldException, match="both a `healthcheck` and a `healthcheck_path`"
    ):
        declared.check_probes(declared.default)
