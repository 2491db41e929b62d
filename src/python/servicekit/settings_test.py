"""How settings come from the environment."""

from dataclasses import FrozenInstanceError, dataclass, fields
from typing import Annotated

import pytest

from servicekit.settings import Range, Settings, SettingsError


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings()
    assert Settings().host == "0.0.0.0"
    assert Settings().port == 8000


def test_each_setting_has_the_variable_of_its_name() -> None:
    environment = {
        "HOST": "::1",
        "PORT": "80",
        "LOG_LEVEL": "DEBUG",
        "DRAIN_DELAY": "2.5",
        "OTHER": "?",
    }
    settings = Settings.from_environment(environment)
    assert (settings.host, settings.port) == ("::1", 80)
    assert (settings.log_level, settings.drain_delay) == ("debug", 2.5)


def test_settings_cannot_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]


@pytest.mark.parametrize("variable", [each.name.upper() for each in fields(Settings)])
@pytest.mark.parametrize("value", ["", "   "])
def test_an_empty_value_is_refused_for_every_setting(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable} must "):
        Settings.from_environment({variable: value})


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("PORT", "http", "PORT must be a whole number from 1 to 65535, not 'http'"),
        ("PORT", "65536", "PORT must be a whole number from 1 to 65535, not '65536'"),
        ("PORT", "80.0", "PORT must be a whole number from 1 to 65535, not '80.0'"),
        (
            "MAX_CONNECTIONS",
            "0",
            "MAX_CONNECTIONS must be a whole number from 1 to 100000, not '0'",
        ),
        ("DRAIN_DELAY", "nan", "DRAIN_DELAY must be a number from 0 to 3600, not 'nan'"),
        ("DRAIN_DELAY", "-1", "DRAIN_DELAY must be a number from 0 to 3600, not '-1'"),
        ("DRAIN_DELAY", "inf", "DRAIN_DELAY must be a number from 0 to 3600, not 'inf'"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(
    variable: str, value: str, message: str
) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.from_environment({variable: value})
    assert str(error.value) == message


def test_a_wrong_choice_is_told_the_choices() -> None:
    with pytest.raises(SettingsError, match=r"LOG_LEVEL must be one of debug, info, .*not 'loud'"):
        Settings.from_environment({"LOG_LEVEL": "loud"})


def test_a_service_adds_its_own_settings() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Mine(Settings):
        cache_entries: Annotated[int, Range(1, 20)] = 10

    assert Mine.from_environment({"CACHE_ENTRIES": "20", "PORT": "1"}) == Mine(
        cache_entries=20, port=1
    )
