from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pants.engine.addresses import Address
from pants.testutil.rule_runner import RuleRunner

from inseam.compat import digest_subset_to_digest, get_digest_contents
from inseam.formats.python.standard import remedy
from inseam.formats.python.wheel_testing import build_wheel
from inseam.rules.image.check_modules import (
    ModuleCheck,
    ModulesRequest,
    check_modules,
    missing_modules,
)
from inseam.rules.image.checks import ImageFindings
from inseam.rules.image.contents_testing import APP, contents, digest, wheel
from inseam.rules.rule_testing import MINOR, locked, run_mocked
from inseam.rules.service_testing import (
    app,
    debian_base,
    dependencies,
    fixtures,
    refused,
    service_build,
    write_lock,
)

module_runner, runner = fixtures


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
    runner.write_files({"src/shop/BUILD": service_build(dependencies=["3rdparty/tools"])})
    assert "distutils" not in dependencies(runner).missing_modules
    app(runner)


IMAGE = replace(contents(wheel("one")), missing_modules=("imp", "cgi"))


def findings(*imports: str) -> ImageFindings:
    """What is found if the only layer of wheels has these imports."""
    text = "".join(f"{one}\n" for one in imports).encode()
    mocks: dict[Any, Any] = {
        digest_subset_to_digest: lambda _: digest("5"),
        get_digest_contents: lambda _: [SimpleNamespace(content=text)],
    }
    request = ModulesRequest(APP, IMAGE.wheel_layers, IMAGE.missing_modules, "3.13")
    found: ImageFindings = run_mocked(missing_modules, [request], mocks)
    return found


def test_each_missing_module_is_one_finding_with_its_files_and_what_brings_it() -> None:
    first, second = findings(
        "imp old.whl old.py", "cgi a.whl a.py", "cgi a.whl b c.py", "telnetlib a.whl t.py"
    ).findings
    assert (first.place, second.place) == ("cgi", "imp")
    assert first.text == (
        "the base's Python 3.13 does not have cgi, which a.py of a.whl, b c.py of a.whl import."
    )
    assert second.text.endswith("imp, which old.py of old.whl imports.")
    assert (first.fix, second.fix) == (remedy("cgi", "3.13"), remedy("imp", "3.13"))
    assert first.address == str(APP)


def test_of_many_files_three_are_named() -> None:
    (found,) = findings(*(f"imp a.whl {number}.py" for number in range(5))).findings
    assert "0.py of a.whl, 1.py of a.whl, 2.py of a.whl, and 2 more files import." in found.text
    assert "3.py" not in found.text


def test_an_image_that_lacks_nothing_or_has_no_wheels_is_not_read() -> None:
    for image in (replace(IMAGE, missing_modules=()), replace(IMAGE, layers=())):
        assert run_mocked(check_modules, [ModuleCheck(image)], {}) == ImageFindings()


def test_the_wheels_of_an_image_are_checked_for_the_python_of_its_base() -> None:
    asked = []

    def check(request: ModulesRequest) -> ImageFindings:
        asked.append(request)
        return ImageFindings()

    run_mocked(check_modules, [ModuleCheck(IMAGE)], {missing_modules: check})
    assert asked == [ModulesRequest(APP, IMAGE.wheel_layers, ("imp", "cgi"), "3.11")]
