from __future__ import annotations

from inseam.formats.python.shared_path import CLASH, EQUAL, HIDDEN, NOT_READ, SharedPath
from inseam.plan.shared_paths import describe_clashes, label

SITE = "opt/venv/lib/python3.11/site-packages"
A, B, C = (f"{name}-1.0-py3-none-any.whl" for name in ("a_b", "beta", "c"))
CHAINS = {"a-b": ("the service",), "beta": ("the service", "app 1.0", "mid 2.0")}


def path(name: str, why: str = CLASH, kept: str = A, other: str = B) -> SharedPath:
    return SharedPath(f"{SITE}/{name}", kept, other, why)


def told(*paths: SharedPath) -> str:
    return describe_clashes(paths, CHAINS, "src/shop:app", "web")


def test_what_an_image_can_have_is_not_refused() -> None:
    assert told(path("LICENSE", NOT_READ), path("x/__init__.py", EQUAL)) == ""


def test_a_clash_names_both_chains_and_all_ways_out() -> None:
    text = told(*(path(f"{name}.py") for name in "zyxw"))
    assert text.splitlines() == [
        "a-b 1.0 and beta 1.0 both install w.py, x.py, y.py and 1 more files, with different"
        " content.",
        "  src/shop:app -> a-b 1.0",
        "  src/shop:app -> app 1.0 -> mid 2.0 -> beta 1.0",
        "Do one of these:",
        "  - choose whose file images get: prefer={'w.py': 'a-b'} in src/shop:app, or"
        " prefer={'beta': 'a-b'} for all files that both install;",
        "  - leave one of them out of all images, if nothing imports it: add 'beta' to"
        " [inseam].leave_out in pants.toml;",
        "  - pin a version of one of them that does not install the file, or stop requiring one,"
        " and lock again: ./pants generate-lockfiles --resolve=web",
    ]


def test_the_order_of_paths_and_wheels_does_not_matter() -> None:
    paths = (path("x.py"), path("y.py", kept=B, other=A), path("z.py", other=C))
    assert told(*paths) == told(*reversed(paths))
    assert told(*paths).count("different content") == 2


def test_of_many_clashes_some_are_told() -> None:
    paths = [path("x.py", other=f"d{n}-1.0-py3-none-any.whl") for n in range(5)]
    assert told(*paths).count("different content") == 3
    assert told(*paths).endswith("2 more pairs of distributions clash.")


def test_a_preference_that_the_order_of_layers_defeats_says_so() -> None:
    text = told(path("x.py", HIDDEN, kept=B, other=A))
    assert text.splitlines()[-1] == (
        "The layer of beta 1.0 lies above that of the distribution that `prefer` names, and hides"
        " its file. Change the order of `layers`."
    )
    assert "prefer={" not in text


def test_what_is_not_a_wheel_has_its_own_name() -> None:
    assert label(A) == "a-b 1.0"
    assert label("the venv") == "the venv"
