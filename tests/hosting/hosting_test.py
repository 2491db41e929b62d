"""Compares workflows, forms and hooks with the commands, files and versions that they name."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomllib
import yaml

WORKFLOWS = sorted(Path(".github/workflows").glob("*.yml"))
TEMPLATES = sorted(Path(".github/ISSUE_TEMPLATE").glob("*.yml"))
FORMS = [path for path in TEMPLATES if path.stem != "config"]
PROJECT = Path("pants-plugins/pyproject.toml")


def read(path: Path | str) -> Any:
    return yaml.safe_load(Path(path).read_text())


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = read(path)["jobs"]
    return found


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in jobs(path).values():
        yield from job["steps"]


def step(path: Path, action: str) -> dict[str, Any]:
    (found,) = (one for one in steps(path) if one.get("uses", "").startswith(f"{action}@"))
    return found


def commands() -> Iterator[str]:
    """The commands of workflows, of hooks, and of the script that CI runs."""
    for path in WORKFLOWS:
        for one in steps(path):
            yield from one.get("run", "").splitlines()
    for repository in read(".pre-commit-config.yaml")["repos"]:
        yield from (hook["entry"] for hook in repository["hooks"])
    script = Path(".ci/run").read_text()
    yield from re.findall(r"^section (.*)$", script, re.MULTILINE)


@pytest.mark.parametrize("command", commands())
def test_a_command_runs_a_program_of_this_repository(command: str) -> None:
    words = [word for word in shlex.split(command) if word != "sudo"]
    assert words[0] in (
        "./pants",
        ".ci/run",
        ".ci/tools",
        ".ci/docker-engine",
        ".ci/changed",
        ".ci/check-release",
    )
    assert os.access(words[0], os.X_OK)
    goals = [word for word in words[1:] if re.fullmatch("[a-z]+", word)]
    if words[0] == "./pants":
        assert set(goals) <= {"check", "fmt", "lint", "package", "test"}
        assert goals


def test_ci_tests_everything_once() -> None:
    tests = [line for line in commands() if line.startswith("./pants test")]
    assert tests == ["./pants test ::"]


def test_ci_runs_what_a_person_runs() -> None:
    assert [one["run"] for one in steps(Path(".github/workflows/ci.yml")) if "run" in one] == [
        "sudo .ci/tools",
        ".ci/run",
    ]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit_and_name_their_version(path: Path) -> None:
    used = [line.split("uses: ")[1] for line in path.read_text().splitlines() if "uses: " in line]
    assert len(used) == len([one for one in steps(path) if "uses" in one])
    for action in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_jobs_have_the_pythons_that_the_build_needs(path: Path) -> None:
    launcher = re.search(r"inseam_python (\S+) ", Path("pants").read_text())
    services = re.search(r'interpreter_constraints = \["CPython==(.*)\.\*"\]', pants_toml())
    assert launcher
    assert services
    given = step(path, "actions/setup-python")["with"]["python-version"].split()
    assert given == [launcher[1], services[1]]


def pants_toml() -> str:
    """The section [python] of pants.toml."""
    return Path("pants.toml").read_text().partition("\n[python]\n")[2].partition("\n[")[0]


def test_only_the_job_that_publishes_may_identify_itself_and_it_runs_no_code_of_ours() -> None:
    release = Path(".github/workflows/release.yml")
    for path in WORKFLOWS:
        assert read(path)["permissions"] == {"contents": "read"}
    allowed = {
        f"{path.stem}.{name}": job["permissions"]
        for path in WORKFLOWS
        for name, job in jobs(path).items()
        if "permissions" in job
    }
    assert allowed == {"release.publish": {"id-token": "write"}}
    publish = jobs(release)["publish"]
    assert (publish["needs"], publish["environment"]) == ("build", "release")
    assert not [one for one in publish["steps"] if "run" in one]
    assert not [one for one in publish["steps"] if "checkout" in one["uses"]]


def test_a_tag_publishes_what_the_distribution_target_writes() -> None:
    path = Path(".github/workflows/release.yml")
    # YAML 1.1 reads the key `on` as true.
    assert read(path)[True] == {"push": {"tags": ["v*"]}}
    assert {"run": "./pants package pants-plugins:dist"} in list(steps(path))
    declared = re.search(
        r'python_distribution\(\s*name="dist",\s*provides=python_artifact\(name="(\w+)"\).*'
        r'output_path="",',
        Path("pants-plugins/BUILD").read_text(),
        re.DOTALL,
    )
    assert declared
    sent, got = step(path, "actions/upload-artifact"), step(path, "actions/download-artifact")
    assert sent["with"]["path"] == f"dist/{declared[1]}-*"
    assert sent["with"]["name"] == got["with"]["name"]
    published = step(path, "pypa/gh-action-pypi-publish")["with"]
    assert published == {"packages-dir": got["with"]["path"]}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_asks_for_something(path: Path) -> None:
    form = read(path)
    assert form.keys() == {"name", "description", "labels", "body"}
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in fields} <= {"textarea", "input", "dropdown", "checkboxes"}
    names = [field["id"] for field in fields]
    assert len(set(names)) == len(names)
    assert all(field["attributes"]["label"] for field in fields)
    assert any(field.get("validations") == {"required": True} for field in fields)


def test_both_kinds_of_issues_have_a_form() -> None:
    assert [path.stem for path in FORMS] == ["bug", "feature"]
    assert read(".github/ISSUE_TEMPLATE/config.yml") == {"blank_issues_enabled": False}


def test_hooks_need_no_other_repository() -> None:
    repositories = read(".pre-commit-config.yaml")["repos"]
    assert [one["repo"] for one in repositories] == ["local"]
    for hook in repositories[0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].startswith("./pants --changed-since=HEAD ")
        assert hook["pass_filenames"] is False


def test_every_file_has_an_owner() -> None:
    lines = Path(".github/CODEOWNERS").read_text().splitlines()
    rules = [line.split() for line in lines if line and not line.startswith("#")]
    assert rules[0][0] == "*"
    assert all(owner.startswith("@") for _, *owners in rules for owner in owners)
    assert len(rules[0]) > 1


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A repository in which the version of the project can be released."""
    for path in (Path(".ci/check-release"), PROJECT):
        (tmp_path / path).parent.mkdir()
        shutil.copy(path, tmp_path / path)
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n## [{project()['version']}]\n")
    return tmp_path


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(PROJECT.read_text())["project"]
    return found


def checked(release: Path, tag: str, **env: str) -> str:
    """What the check prints: "" if the tag can be released."""
    result = subprocess.run(
        [release / ".ci/check-release", tag],
        env={"PATH": os.environ["PATH"], **env},
        cwd=release,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode == 0) == (not result.stderr)
    return result.stderr


def test_a_release_needs_the_tag_of_its_version(release: Path) -> None:
    version = project()["version"]
    assert checked(release, f"v{version}") == ""
    assert f"has version {version}: change one of them" in checked(release, "v99.0")


def test_a_release_needs_an_entry_in_the_changelog(release: Path) -> None:
    (release / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n")
    assert "move the entries of Unreleased" in checked(release, f"v{project()['version']}")


def test_a_release_comes_from_the_repository_that_the_project_names(release: Path) -> None:
    tag, source = f"v{project()['version']}", project()["urls"]["Source"]
    server, owner, name = source.rsplit("/", 2)
    here = {"GITHUB_SERVER_URL": server, "GITHUB_REPOSITORY": f"{owner}/{name}"}
    assert checked(release, tag, **here) == ""
    elsewhere = {**here, "GITHUB_REPOSITORY": "another/inseam"}
    assert f'Source = "{source}", but this repository is' in checked(release, tag, **elsewhere)


def test_the_addresses_of_the_project_are_of_one_repository() -> None:
    urls = project()["urls"]
    assert urls.keys() == {"Source", "Documentation", "Changelog", "Issues"}
    assert all(url.startswith(urls["Source"]) for url in urls.values())
