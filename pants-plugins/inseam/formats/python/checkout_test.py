from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.formats.python import git as git_module
from inseam.formats.python.checkout import check_out
from inseam.formats.python.repository import Revision, parse_revision
from inseam.formats.python.source import unpack
from inseam.formats.python.source_tree import fingerprint
from inseam.programs import fetch_checkout


def git(folder: Path, *argv: str) -> str:
    settings = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    settings += ["-c", "protocol.file.allow=always"]
    return subprocess.run(
        ["git", *settings, *argv], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def committed(folder: Path, *texts: str) -> Path:
    """A repository with a commit for each text of the file `sub/file`."""
    (folder / "sub").mkdir(parents=True)
    git(folder, "init", "--quiet")
    for text in texts:
        (folder / "sub/file").write_text(text)
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "--message", text)
    return folder


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a tag v1, and a commit behind it."""
    folder = committed(tmp_path / "repository", "one", "two")
    git(folder, "tag", "v1", "HEAD~1")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return folder


def revision(repository: Path, name: str = "", below: str = "") -> Revision:
    at = f"@{name}" if name else ""
    return parse_revision(f"file://{repository}{at}#subdirectory={below}", "x")


def test_a_commit_is_checked_out_without_its_history(repository: Path, tmp_path: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD~1")
    check_out("gp", revision(repository, commit, "sub"), "", tmp_path / "x.tar", local=True)
    project = unpack(tmp_path / "x.tar", tmp_path / "out")
    assert [path.name for path in project.iterdir()] == ["sub"]
    assert (project / "sub/file").read_text() == "one"


def test_a_tag_must_have_the_files_that_were_locked(repository: Path, tmp_path: Path) -> None:
    git(repository, "checkout", "--quiet", "v1")
    locked = fingerprint(repository / "sub")
    tag = revision(repository, "v1", "sub")
    check_out("gp", tag, locked, tmp_path / "x.tar", local=True)
    os.rename("checkout", "before")
    with pytest.raises(Failure, match="whose files are not those that were locked"):
        check_out("gp", tag, "0" * 64, tmp_path / "y.tar", local=True)


def test_a_checkout_may_be_locked_as_its_archive(repository: Path, tmp_path: Path) -> None:
    locked = fingerprint(repository, "git_pkg")
    check_out("git-pkg", revision(repository), locked, tmp_path / "x.tar", local=True)
    os.rename("checkout", "before")
    with pytest.raises(Failure, match="whose files are not those that were locked"):
        check_out("other", revision(repository), locked, tmp_path / "y.tar", local=True)


def test_what_git_says_is_shown(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"git could not fetch v2 from file:///.*\n\| .*v2"):
        check_out("gp", revision(repository, "v2"), "", tmp_path / "x.tar", local=True)


def test_folders_of_this_machine_are_read_only_if_that_is_allowed(
    repository: Path, tmp_path: Path
) -> None:
    with pytest.raises(Failure, match=r"set \[inseam\].allow_file_repositories"):
        check_out("gp", revision(repository), "", tmp_path / "x.tar", local=False)
    failed, _ = git_module.attempt(Path(), "ls-remote", f"file://{repository}")
    assert "'file' not allowed" in failed


def test_submodules_are_checked_out_as_git_leaves_them(repository: Path, tmp_path: Path) -> None:
    inner = committed(tmp_path / "inner", "inner")
    middle = committed(tmp_path / "middle", "middle")
    git(middle, "submodule", "--quiet", "add", "../inner", "lib/inner")
    git(middle, "commit", "--quiet", "--message", "submodule")
    git(repository, "submodule", "--quiet", "add", "--name", "odd", str(middle.as_uri()), "lib/m")
    git(repository, "commit", "--quiet", "--message", "submodule")
    git(tmp_path, "clone", "--quiet", "--recurse-submodules", str(repository), "cloned")
    locked = fingerprint(tmp_path / "cloned")
    assert (tmp_path / "cloned/lib/m/lib/inner/sub/file").read_text() == "inner"
    check_out("gp", revision(repository), locked, tmp_path / "x.tar", local=True)
    assert inner.exists()


@pytest.mark.parametrize(
    "url, update",
    [
        ("ext::sh -c touch% TOUCHED", ""),
        ("--upload-pack=TOUCH", ""),
        ("ssh://-oProxyCommand=TOUCH/x", ""),
        ("https://h.invalid/x", "!touch TOUCHED"),
        ("/etc", ""),
    ],
)
def test_submodules_run_nothing(
    repository: Path, tmp_path: Path, script: Path, url: str, update: str
) -> None:
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{'a' * 40},lib")
    text = f'[submodule "lib"]\npath = lib\nurl = "{url.replace("TOUCH", str(script))}"\n'
    (repository / ".gitmodules").write_text(text + (f"update = {update}\n" if update else ""))
    git(repository, "add", ".gitmodules")
    git(repository, "commit", "--quiet", "--message", "submodule")
    with pytest.raises(Failure, match="submodule 'lib'|h.invalid"):
        check_out("gp", revision(repository), "", tmp_path / "x.tar", local=True)
    assert not touched(script)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A program that records in a file next to it that it ran."""
    path = tmp_path / "script"
    path.write_text(f"#!/bin/sh\ntouch {tmp_path}/TOUCHED\n")
    path.chmod(0o755)
    return path


def touched(script: Path) -> bool:
    return any(script.parent.rglob("TOUCHED"))


@pytest.mark.parametrize(
    "source",
    [
        "file://REPO@--upload-pack=SCRIPT",
        "file://REPO@--upload-pack=SCRIPT#subdirectory=sub",
        "file://REPO@+--upload-pack=SCRIPT",
        "--upload-pack=SCRIPT",
        "ext::SCRIPT",
        "git+ext::SCRIPT@main",
        "ext::sh%20-c%20SCRIPT@main",
        "ssh://-oProxyCommand=SCRIPT/x@main",
        "ssh://-oProxyCommand=SCRIPT@host/x@main",
        "ssh://%2DoProxyCommand=SCRIPT@host/x@main",
        "ssh://host:-oProxyCommand=SCRIPT/x@main",
        "ssh://host/%0ax@main",
        "https://[host/x@main",
        "-oProxyCommand=SCRIPT:x@main",
        "fd::17/x@main",
        "http://h.invalid/x@main",
        "git://h.invalid/x@main",
        "file://h.invalid/REPO@main",
        "REPO@main",
        "file:REPO/../..@a..b",
        "file://REPO@main~1",
        "file://REPO@refs/heads/x.lock",
        "file://REPO@@{u}",
        "file://REPO@v1#subdirectory=/etc",
        "file://REPO@v1#subdirectory=../..",
        "file://REPO@v1#subdirectory=a%00b",
        "file://REPO@v1#subdirectory=-C",
        "file://REPO@\x1b[2J",
        "https://h.invalid/x?y@main",
        "https:///x@main",
        "https://[::1/x@main",
    ],
)
def test_what_a_lock_names_runs_nothing(
    repository: Path, tmp_path: Path, script: Path, source: str
) -> None:
    source = source.replace("REPO", str(repository)).replace("SCRIPT", str(script))
    with pytest.raises(Failure, match="gp has no usable|subdirectory of gp"):
        fetch_checkout.main(
            ["--name=gp", f"--source={source}", "--allow-files", f"--out={tmp_path}/x.tar"]
        )
    assert not touched(script)


def test_neither_hooks_nor_filters_nor_configurations_run_anything(
    repository: Path, tmp_path: Path, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = tmp_path / "template/hooks"
    template.mkdir(parents=True)
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        (template / hook).symlink_to(script)
        (repository / ".git/hooks").mkdir(exist_ok=True)
        (repository / ".git/hooks" / hook).symlink_to(script)
    (repository / ".gitattributes").write_text("* filter=own text eol=crlf\n")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "attributes")
    settings = (
        f'[init]\ntemplateDir = {template.parent}\n[filter "own"]\nsmudge = {script}\n'
        f"[core]\nfsmonitor = {script}\nhooksPath = {template}\n"
        f"[uploadpack]\npackObjectsHook = {script}\n"
    )
    with open(repository / ".git/config", "a", encoding="utf-8") as file:
        file.write(settings)
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.gitconfig").write_text(settings)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", str(tmp_path / "home/.gitconfig"))
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(template.parent))
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "ext:file")
    git_module._access.cache_clear()
    commit = git(repository, "rev-parse", "HEAD")
    for path in tmp_path.rglob("TOUCHED"):
        path.unlink()  # The settings are the test's git's own, too.
    check_out("gp", revision(repository, commit), "", tmp_path / "x.tar", local=True)
    assert not touched(script)
    failed, _ = git_module.attempt(Path(), "ls-remote", f"ext::{script}")
    assert "'ext' not allowed" in failed


def test_the_users_settings_say_how_servers_are_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".gitconfig").write_text(
        '[credential "https://h.invalid"]\nhelper = store\n[http]\nproxy = http://p\n'
        '[url "https://h.invalid/"]\ninsteadOf = ssh://h.invalid/\n[alias]\nx = !touch x\n'
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    git_module._access.cache_clear()
    shown = git_module.git(tmp_path, "config", "--list")
    git_module._access.cache_clear()
    assert "credential.https://h.invalid.helper=store" in shown
    assert "url.https://h.invalid/.insteadof=ssh://h.invalid/" in shown
    assert "http.proxy=http://p" in shown
    assert "alias" not in shown


@pytest.mark.parametrize(
    "url",
    [
        "https://me:secret@host.invalid/x@main",
        "ssh://git@host.invalid:2222/~me/x.git@release/1.0+x",
        "git+https://[::1]:8080/x@" + "a" * 64 + "#egg=a&subdirectory=./lib/",
        "https://host.invalid/@scope/x@v1",
    ],
)
def test_ordinary_revisions_are_read(url: str) -> None:
    found = parse_revision(url, "x")
    assert parse_revision(found.url, "x") == found
    assert found.subdirectory in ("", "lib")
