"""No build does more than to fill its own folder, whatever it tries, however it runs."""

from __future__ import annotations

import os
import re
import sys
import time
from typing import Iterator

import pytest

from inseam.programs.attacks_testing import ATTACKS, INSIDE, NOWHERE, USER
from inseam.programs.hostile_testing import NOBODY, Built, Form, Machine

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it is about Linux")

# Only root can try it as another user, too.
USERS = (0, NOBODY) if os.geteuid() == 0 else (os.geteuid(),)
FORMS = tuple(
    Form(user, builder, namespaces)
    for user in USERS
    for builder in (False, True)
    for namespaces in (True, False)
    # Only root enters a builder without them.
    if namespaces or not builder or user == 0
)
CONFINED, UNCONFINED = FORMS[0], Form(USERS[-1], builder=False, namespaces=False)
MEMORY, FILL = "--limit=memory=400000000", "--limit=disk=40000000"

# What a build does with the machine: its code, arguments of the program, and what that says.
USES = {
    "sleep": ("import time; time.sleep(600)", "--timeout=2", "took longer than 2 seconds"),
    "loop": ("while True: pass", "--timeout=2", r"2 seconds \(\[inseam\].build_timeout\)"),
    "stop": ("import signal; os.kill(0, signal.SIGSTOP)", "--timeout=2", "longer than 2 seconds"),
    "silence": (
        "os.close(1); os.close(2); import time; time.sleep(600)",
        "--timeout=2",
        "took longer than 2 seconds",
    ),
    "output": (
        "while True: os.write(1, b'x' * 10000)",
        "--limit=output=3000000",
        r"printed more than 3000000 bytes \(\[inseam\].build_limits, key 'output'\)",
    ),
    "memory": (
        "x = []\nwhile True: x.append(b'x' * 50_000_000)",
        MEMORY,
        "MemoryError|used more than 400000000 bytes of memory",
    ),
    "memory of many": (
        "import time\nfor _ in range(4): os.fork()\nx = b'x' * 100_000_000; time.sleep(60)",
        MEMORY,
        r"used more than 400000000 bytes of memory \(\[inseam\].build_limits, key 'memory'\)",
    ),
    "fork bomb": (
        "import time\nwhile True:\n    try: os.fork()\n    except OSError: time.sleep(0.01)",
        "--limit=processes=100",
        r"had more than 100 processes \(\[inseam\].build_limits, key 'processes'\)",
    ),
    "disk": (
        "for n in range(2000): open(f'f{n}', 'wb').write(b'x' * 10_000_000)",
        FILL,
        r"wrote more than 40000000 bytes \(\[inseam\].build_limits, key 'disk'\)",
    ),
    "a large file": ("open('f', 'wb').truncate(1 << 40)", FILL, "File too large"),
    "open files": ("x = [open('/dev/null') for _ in range(50_000)]", "", "Too many open files"),
}
# What a build leaves: its code, arguments of the program, and what that says; "" for success.
LEFT = {
    "pipe": ("os.mkfifo(os.path.join(directory, name))", "", "is not a regular file"),
    "socket": (
        "os.mknod(os.path.join(directory, name), 0o140666)",
        "",
        "is not a regular file",
    ),
    "folder": ("os.mkdir(os.path.join(directory, name))", "", "is not a regular file"),
    "endless wheel": (
        "os.symlink('/dev/zero', os.path.join(directory, name))",
        "",
        "is not a regular file",
    ),
    "wheel of the host": (
        "os.symlink('/etc/passwd', os.path.join(directory, name))",
        "",
        "is not a regular file",
    ),
    "nothing": ("pass", "", "the build made no wheel"),
    "two wheels": ("good(); good(os.path.join(directory, 'y-1-py3-none-any.whl'))", "", "several"),
    "bad name": (
        "good(os.path.join(directory, 'x\\x1b[31m\\n.whl'))",
        "",
        r"made 'x\\x1b\[31m\\n.whl', which is not the name of a wheel",
    ),
    "no zip": ("leave(name, 'PK')", "", "which is not a wheel"),
    "sparse wheel": (
        "open(os.path.join(directory, name), 'wb').truncate(5_000_000_000)",
        "",
        r"a wheel of 5000000000 bytes \(\[inseam\].build_limits, key 'wheel'\)",
    ),
    "bomb": (
        "good()\nwith zipfile.ZipFile(os.path.join(directory, name), 'a', 8) as wheel:\n"
        "    wheel.writestr('y', bytes(30_000_000))",
        "--limit=wheel=20000000",
        r"with more than 20000000 bytes \(\[inseam\].build_limits, key 'wheel'\)",
    ),
    "requirements by a pipe": (
        "good(); os.mkfifo(os.path.join(directory, 'requires.json'))",
        "",
        "'requires.json' is not a regular file",
    ),
    "endless requirements": (
        "good(); os.symlink('/dev/zero', os.path.join(directory, 'requires.json'))",
        "",
        "'requires.json' is not a regular file",
    ),
    "requirements of the host": (
        "good(); os.symlink('/etc/passwd', os.path.join(directory, 'requires.json'))",
        "",
        "'requires.json' is not a regular file",
    ),
    "no JSON": ("leave('requires.json', '{]')", "", "not a list of requirements:\n.*{]"),
    "numbers": ("leave('requires.json', '[7]')", "", "not a list of requirements"),
    "a text": ("leave('requires.json', '\"x\"')", "", "not a list of requirements"),
    "lines": ("leave('requires.json', '[\"a\\\\nb\"]')", "", "not a list of requirements"),
    "depth": ("leave('requires.json', '[' * 900_000)", "", "not a list of requirements"),
    "large": ("leave('requires.json', ' ' * 2_000_000 + '[]')", "", "not a list of requirements"),
    "many": (
        "leave('requires.json', str(['a'] * 20_000).replace(\"'\", '\"'))",
        "",
        r"20000 requirements, more than 500 \(\[inseam\].build_limits, key 'requirements'\)",
    ),
    "a link instead of the folder": (
        "os.rename(directory, 'old'); os.symlink('/etc', directory)",
        "",
        "the build replaced its folder for results",
    ),
    "a file instead of the folder": (
        "os.rename(directory, 'old'); open(directory, 'w')",
        "",
        "the build replaced its folder for results",
    ),
    "a daemon": ("import attacks; attacks.ATTACKS['leave_a_daemon'].run(on); good()", "", ""),
}


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    made = Machine()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def namespaces(request: pytest.FixtureRequest, machine: Machine) -> None:
    """Skips what needs namespaces where the kernel gives this user none."""
    form = getattr(request.node, "callspec", None)
    form = form.params.get("form", CONFINED) if form else CONFINED
    if form.namespaces and not machine.has_namespaces:
        pytest.skip("this kernel gives no namespaces")


def build(machine: Machine, form: Form, code: str, *arguments: str) -> Built:
    """Builds, and compares the host before and after."""
    before = machine.host.state()
    built = machine.build(form, code, *filter(None, arguments))
    after = machine.host.state()
    for kind, found in before.items():
        assert after[kind] == found, kind
    assert "\x1b" not in built.text
    assert "root:x:0" not in built.text
    return built


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_nothing_gets_out(machine: Machine, form: Form) -> None:
    code = "import attacks; attacks.main('target.json'); good()\nraise SystemExit('end')"
    built = build(machine, form, code)
    assert f"TRIED {len(ATTACKS)}\n" in built.text, built.text
    came = dict(re.findall(r"CAME (\w+) (.*)", built.text))
    confined = form.namespaces or form.user == 0
    possible = {
        name
        for name, attack in ATTACKS.items()
        if attack.possible == INSIDE or (attack.possible == USER and not confined)
    }
    assert set(came) <= possible
    assert set(came.values()) == {"done"}
    assert len([name for name in ATTACKS if ATTACKS[name].possible == NOWHERE]) > 90


@pytest.mark.parametrize("form", (CONFINED, UNCONFINED), ids=str)
@pytest.mark.parametrize("use", USES)
def test_a_build_that_takes_too_much_is_ended(machine: Machine, form: Form, use: str) -> None:
    code, arguments, said = USES[use]
    start = time.monotonic()
    built = build(machine, form, code, arguments)
    assert built.code != 0
    assert re.search(said, built.text), built.text
    assert time.monotonic() - start < 100


@pytest.mark.parametrize("left", LEFT)
def test_what_a_build_leaves_is_not_trusted(machine: Machine, left: str) -> None:
    code, arguments, said = LEFT[left]
    prepared = (
        "import json; from attacks import Target; on = Target(**json.load(open('target.json')))"
    )
    start = time.monotonic()
    built = build(machine, CONFINED, f"{prepared}\n{code}", arguments)
    assert re.search(said, built.text), built.text
    assert (built.code == 0) == (said == "")
    assert time.monotonic() - start < 100


def test_what_a_build_prints_is_escaped_cut_and_marked(machine: Machine) -> None:
    code = r"print('\x1b]0;owned\x07', 'x' * 50_000, flush=True); raise SystemExit(1)"
    built = build(machine, CONFINED, code)
    assert "| \\x1b]0;owned\\x07 xxx" in built.text
    assert len(built.text) < 5000


@pytest.mark.parametrize("user", USERS)
def test_without_namespaces_nothing_runs_unless_that_is_allowed(
    machine: Machine, user: int
) -> None:
    refused = Form(user, builder=False, namespaces=False, allowed=False)
    built = build(machine, refused, "good()")
    assert built.code == 1
    assert "there are none here. Allow them: " in built.text
    assert "[inseam].allow_unconfined_builds = true" in built.text
    built = build(machine, Form(user, builder=False, namespaces=False), "good()")
    assert built.code == 0
    assert re.search(r"The build is not confined: \| (bwrap: |bubblewrap does not)", built.text)


def test_a_user_enters_no_builder_without_namespaces(machine: Machine) -> None:
    built = build(machine, Form(USERS[-1] or NOBODY, builder=True, namespaces=False), "good()")
    assert built.code == 1
    assert "the builder's root filesystem cannot be entered" in built.text


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_an_ordinary_build_works(machine: Machine, form: Form) -> None:
    """Processes, threads, pipes, pairs of sockets, and a shell."""
    code = """\
import concurrent.futures, multiprocessing, socket, subprocess, tempfile, asyncio
assert subprocess.check_output("echo $((1 + 1))", shell=True) == b"2\\n"
assert subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True).stdout == b"1\\n"
pair = socket.socketpair()
pair[0].send(b"x"); assert pair[1].recv(1) == b"x"
asyncio.new_event_loop().close()
with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
    assert list(pool.map(abs, [-1, -2])) == [1, 2]
with tempfile.TemporaryFile() as file: file.write(b"x")
open("/dev/null", "w").write("x"); assert open("/dev/zero", "rb").read(1) == b"\\0"
good()"""
    built = build(machine, form, code)
    assert (built.code, built.files) == (0, ("built.json", "wheel/x-1-py3-none-any.whl")), built
