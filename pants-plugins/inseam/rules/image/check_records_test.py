from __future__ import annotations

from inseam.rules.image.check_records import RecordCheck, check_records
from inseam.rules.image.contents_testing import contents, wheel
from inseam.rules.rule_testing import run_mocked


def test_wheels_with_a_wrong_record_are_named() -> None:
    image = contents(wheel("right"), wheel("wrong", amended="RECORD does not list a.py."))
    result = run_mocked(check_records, [RecordCheck(image)], {})
    (finding,) = result.findings
    assert finding.key == "amended-record:wrong-1.0-py3-none-any.whl"
    assert str(finding).startswith("src/shop:app: RECORD does not list a.py. [")
