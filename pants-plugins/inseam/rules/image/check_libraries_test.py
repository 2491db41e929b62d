from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.engine.env_vars import EnvironmentVars
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.compat import environment_vars_subset
from inseam.formats.debian.deb_testing import elf_bytes
from inseam.formats.failure import Failure
from inseam.formats.python.wheel_testing import build_wheel
from inseam.rules.base.base import locked_base
from inseam.rules.image.build import Packaged, PackagedRequest
from inseam.rules.image.check_libraries import (
    LikelyPackages,
    LikelyPackagesRequest,
    likely_packages,
)
from inseam.rules.image_testing import OCI, add_base, base, client_env, service, write_repository
from inseam.rules.programs.host import executed_on_host
from inseam.rules.rule_testing import (
    failure,
    lock_text,
    locked,
    rule_runner,
    run_mocked,
    set_options,
)
from inseam.tools.registry_testing import Registry

BOOST = "boost-1.0-py3-none-any.whl"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry(tmp_path_factory.mktemp("libraries") / "registry")


@pytest.fixture(scope="module")
def module_runner(registry: Registry) -> RuleRunner:
    """A repository whose service needs a wheel that needs libgomp, and psycopg."""
    runner = rule_runner(QueryRule(Packaged, [PackagedRequest]))
    write_repository(runner, registry)
    wheels = Path(runner.build_root, "wheels")
    library = elf_bytes(needed=["libc.so.6", "libgomp.so.1"])
    boost = build_wheel(
        wheels, "boost", files={"boost/_boost.so": library, "boost/__init__.py": b""}
    )
    psycopg = build_wheel(wheels, "psycopg", files={"psycopg/__init__.py": b""})
    libc = "usr/lib/libc.so.6"
    whole = add_base(registry, libc, "usr/lib/libgomp.so.1", "usr/lib/libpq.so.5")
    runner.write_files(
        {
            "services.lock": lock_text([locked(boost), locked(psycopg)]),
            "3rdparty/BUILD": "\n".join(
                f"python_requirement(name={name!r}, requirements=['{name}==1.0'])"
                for name in ("boost", "psycopg")
            ),
            "BUILD": base("base", add_base(registry, libc)) + base("whole", whole),
            "src/shop/server.py": "import boost\nimport psycopg\ndef main(): ...\n",
        }
    )
    return runner


@pytest.fixture
def runner(module_runner: RuleRunner, registry: Registry) -> RuleRunner:
    set_options(module_runner, env=client_env(registry))
    module_runner.write_files({"src/shop/BUILD": service()})
    return module_runner


REQUEST = PackagedRequest(OCI, (), "shop.oci")
ERROR = "--inseam-finding-severities={'missing-library': 'error'}"


def found(runner: RuleRunner) -> dict[str, str]:
    """The texts of what is shown about the image, by library."""
    findings = runner.request(Packaged, [REQUEST]).findings
    ours = [one for one in findings if one.address == "src/shop:app"]
    assert {one.id for one in ours} <= {"missing-library"}
    return {one.place: str(one) for one in ours}


def test_a_missing_library_is_a_warning_that_names_wheel_and_library(runner: RuleRunner) -> None:
    shown = found(runner)
    assert set(shown) == {"libgomp.so.1", "libpq.so.5"}
    assert f"{BOOST} needs libgomp.so.1 (for /opt/venv/" in shown["libgomp.so.1"]
    assert "boost/_boost.so)" in shown["libgomp.so.1"]
    assert "which neither the wheels nor the base //:base have." in shown["libgomp.so.1"]
    assert "psycopg loads libpq.so.5 at run time" in shown["libpq.so.5"]


def test_an_option_makes_it_an_error(runner: RuleRunner, registry: Registry) -> None:
    set_options(runner, ERROR, env=client_env(registry))
    why = failure(runner, Packaged, REQUEST)
    assert f"{BOOST} needs libgomp.so.1" in why
    assert "[missing-library:libgomp.so.1]" in why


def test_an_unknown_severity_or_finding_is_an_error(runner: RuleRunner, registry: Registry) -> None:
    for value in ("{'missing-lib': 'error'}", "{'missing-library': 'fatal'}"):
        set_options(runner, f"--inseam-finding-severities={value}", env=client_env(registry))
        assert "[inseam].finding_severities" in failure(runner, Packaged, REQUEST)


def test_a_target_allows_a_library_with_a_reason(runner: RuleRunner, registry: Registry) -> None:
    set_options(runner, ERROR, env=client_env(registry))
    allowed = {"missing-library:libgomp.so.*": "not used", "missing-library:libpq.so.5": "tested"}
    runner.write_files({"src/shop/BUILD": service(allowed_findings=allowed)})
    assert found(runner) == {}


def test_an_allowance_that_matches_nothing_is_reported(
    runner: RuleRunner, registry: Registry
) -> None:
    allowed = {"missing-library": "not used", "missing-module:imp": "guarded"}
    runner.write_files({"src/shop/BUILD": service(allowed_findings=allowed)})
    findings = runner.request(Packaged, [REQUEST]).findings
    (finding,) = (one for one in findings if one.address == "src/shop:app")
    assert (finding.id, finding.place) == ("unused-allowance", "missing-module:imp")
    assert "(guarded)" in str(finding)


def test_a_base_that_has_the_libraries_is_enough(runner: RuleRunner, registry: Registry) -> None:
    set_options(runner, ERROR, env=client_env(registry))
    runner.write_files({"src/shop/BUILD": service(base="//:whole")})
    assert found(runner) == {}


def test_options_say_what_is_not_needed(runner: RuleRunner, registry: Registry) -> None:
    set_options(
        runner,
        ERROR,
        "--inseam-ignored-libraries=+['libgomp.so.*']",
        "--inseam-runtime-libraries={'psycopg': []}",
        env=client_env(registry),
    )
    assert found(runner) == {}
    ignored = "--inseam-finding-severities={'missing-library': 'ignore'}"
    set_options(runner, ignored, env=client_env(registry))
    assert found(runner) == {}


def likely(run: Any) -> LikelyPackages:
    base = SimpleNamespace(
        packages_path="base/packages.ini", lock_path="locks/a.json", release="bookworm",
        architecture="amd64",
    )  # fmt: skip
    request = LikelyPackagesRequest(Address("base"), "linux/amd64", ("libgomp.so.1", "odd.so"))
    options = SimpleNamespace(debian_allow_expired=False)
    mocks: dict[Any, Any] = {
        locked_base: lambda *_: base,
        environment_vars_subset: lambda *_: EnvironmentVars(),
        executed_on_host: run,
    }
    found: LikelyPackages = run_mocked(likely_packages, [request, options], mocks)
    return found


def test_without_an_index_the_policy_names_the_package() -> None:
    def unreachable(*_: Any) -> Any:
        raise Failure("no network")

    found = likely(unreachable)
    assert found.packages == (("libgomp.so.1", "libgomp1"),)
    assert "base/packages.ini" in found.hint
    assert "generate-lockfiles --resolve=a" in found.hint
