from __future__ import annotations

from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.engine.target import Field, InvalidFieldException

from inseam.wheels_from_source.targets import BuildEnvField, ConfigSettingsField

ADDRESS = Address("3rdparty", target_name="wheel")


def test_variables_and_settings_are_taken() -> None:
    given = {"CFLAGS": "-O2", "_x1": ""}
    assert dict(BuildEnvField(given, ADDRESS).value or {}) == given
    assert ConfigSettingsField(["--a=b=c"], ADDRESS).value == ("--a=b=c",)


@pytest.mark.parametrize(
    "field, raw",
    [
        *((BuildEnvField, {name: "x"}) for name in ("", "a=b", "1a", "a b", "a\0", "a-b")),
        (BuildEnvField, {"a": "\0"}),
        (ConfigSettingsField, ["a"]),
        (ConfigSettingsField, ["a=\0"]),
    ],
)
def test_what_no_process_can_receive_is_refused(field: type[Field], raw: Any) -> None:
    with pytest.raises(
        InvalidFieldException, match=f"`{field.alias}` field in target 3rdparty:whe"
    ):
        field(raw, ADDRESS)
