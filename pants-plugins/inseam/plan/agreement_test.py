from __future__ import annotations

import pytest

from inseam.formats.failure import Failure
from inseam.plan.agreement import allows, check_constraints, check_lock_python


@pytest.mark.parametrize(
    "constraints, allowed",
    [
        (["CPython==3.11.*"], True),
        (["==3.11.*"], True),
        (["CPython>=3.9,<3.12"], True),
        (["CPython==3.9.*", "CPython==3.11.*"], True),
        (["CPython>=3.9, !=3.11.2"], False),
        (["CPython==3.12.*"], False),
        (["CPython<3.11"], False),
        (["PyPy==3.11.*"], False),
        (["CPython[free-threaded]==3.11.*"], True),
        (["CPython"], True),
        ([], False),
    ],
)
def test_one_of_the_constraints_has_to_allow_the_python_of_the_base(
    constraints: list[str], allowed: bool
) -> None:
    assert allows(constraints, "3.11.2") is allowed


def test_code_for_another_python_is_refused_by_target_constraint_and_base() -> None:
    constraints = {"src/a.py": ["CPython==3.12.*"], "src/b.py": ["CPython==3.11.*"]}
    with pytest.raises(Failure) as error:
        check_constraints(constraints, "docker/base:debian", "3.11.2")
    text = str(error.value)
    assert "the base docker/base:debian has Python 3.11.2" in text
    assert "src/a.py needs CPython==3.12.*" in text
    assert "src/b.py" not in text
    check_constraints({"src/b.py": ["CPython==3.11.*"]}, "docker/base:debian", "3.11.2")


def test_of_many_targets_some_are_named() -> None:
    constraints = {f"src/{number:02}.py": [">=3.12"] for number in range(30)}
    with pytest.raises(Failure) as error:
        check_constraints(constraints, "//:base", "3.11.2")
    assert "src/09.py" in str(error.value)
    assert "and 20 more" in str(error.value)


def test_a_lock_for_another_python_is_refused_with_the_next_step() -> None:
    check_lock_python([], "services", "3.11.2")
    check_lock_python(["CPython<3.13,>=3.9"], "services", "3.11.2")
    with pytest.raises(Failure, match="made for CPython==3.12.*") as error:
        check_lock_python(["CPython==3.12.*"], "services", "3.11.2")
    assert str(error.value).endswith("./pants generate-lockfiles --resolve=services")
