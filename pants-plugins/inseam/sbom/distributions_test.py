from __future__ import annotations

import pytest

from inseam.formats.python.wheel_facts import Licence
from inseam.sbom.bill import LicenceClaim
from inseam.sbom.distributions import distribution_requirements, licence_claim

MARKERS = {"python_version": "3.11", "sys_platform": "linux"}


@pytest.mark.parametrize(
    "licence, claim, said_by",
    [
        (Licence("MIT", "text"), LicenceClaim("MIT"), "License-Expression"),
        (
            Licence(
                "",
                "BSD",
                ("License :: OSI Approved", "License :: OSI Approved :: Apache Software License"),
            ),
            LicenceClaim(names=("Apache Software License",)),
            "Classifier",
        ),
        (Licence("", "BSD-3-Clause"), LicenceClaim(names=("BSD-3-Clause",)), "License"),
        (Licence(), LicenceClaim(), ""),
    ],
)
def test_a_licence_is_taken_from_the_field_that_says_it_best(
    licence: Licence, claim: LicenceClaim, said_by: str
) -> None:
    assert licence_claim(licence) == (claim, said_by)


def test_only_what_is_in_the_image_and_whose_marker_holds_is_needed() -> None:
    found = distribution_requirements(
        {
            "app": ["Words>=1", "gone", "old; python_version < '3.9'", "not a requirement!"],
            "words": ["app", "words"],
            "old": [],
        },
        {},
        MARKERS,
    )
    assert found == {
        "pypi:app": ("pypi:words",),
        "pypi:words": ("pypi:app",),
        "pypi:old": (),
    }


def test_extras_count_where_something_asks_for_them() -> None:
    requires = {
        "app": ["web[fast]"],
        "web": ["loop; extra == 'fast'", "docs; extra == 'docs'"],
        "loop": [],
        "docs": [],
    }
    found = distribution_requirements(requires, {}, MARKERS)
    assert found["pypi:web"] == ("pypi:loop",)
    found = distribution_requirements(requires, {"web": ["docs"]}, MARKERS)
    assert found["pypi:web"] == ("pypi:docs", "pypi:loop")
