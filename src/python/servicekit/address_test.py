"""How HOST and PORT are read, by services and by probes."""

import subprocess
import sys

import pytest

from servicekit import healthcheck
from servicekit.address import parse_host, parse_port, reachable
from servicekit.lifecycle import StartupError
from servicekit.listener import bind
from servicekit.routes import Routes
from servicekit.settings import Settings, SettingsError
from servicekit.testing import serving

BAD_PORTS = ["", "0", "+8000", "8_000", " 8000 ", "8000\n", "٨٠٠٠", "-1", "65536", "8e3", "9" * 99]
BAD_HOSTS = ["", " ", "0.0.0.0 ", "a b", "bücher", "a\nb", "\x00"]


def ask(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> int:
    monkeypatch.setattr("os.environ", {variable: value})
    return healthcheck.main(["--timeout", "0.01"])


@pytest.mark.parametrize(
    ("variable", "value"),
    [*(("PORT", text) for text in BAD_PORTS), *(("HOST", text) for text in BAD_HOSTS)],
)
def test_what_the_service_refuses_the_probe_refuses(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], variable: str, value: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({variable: value})
    assert ask(monkeypatch, variable, value) == 2
    assert str(refused.value) in capfd.readouterr().err
    with pytest.raises(ValueError, match=r"^must be "):
        (parse_port if variable == "PORT" else parse_host)(value)


@pytest.mark.parametrize("value", ["1", "8000", "08000", "65535"])
def test_what_the_service_accepts_the_probe_accepts(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    assert Settings.from_environment({"PORT": value}).port == int(value)
    assert ask(monkeypatch, "PORT", value) in (0, 1)


def test_the_probe_asks_where_the_service_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    for host in (
        "0.0.0.0",
        "127.0.0.1",
        "127.0.0.2",
        "localhost",
        *(["::", "::1"] if ipv6() else []),
    ):
        with serving(Routes(), host=host) as client:
            monkeypatch.setattr("os.environ", {"HOST": host, "PORT": str(client.port)})
            assert healthcheck.main([]) == 0, host
            assert healthcheck.main(["--port", str(client.port)]) == 0, host


def ipv6() -> bool:
    """Whether this machine has an IPv6 address to listen on."""
    try:
        bind("::1", 0).close()
    except StartupError:
        return False
    return True


def test_a_service_that_listens_elsewhere_is_not_taken_for_this_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(Routes(), host="127.0.0.1") as client:
        monkeypatch.setattr("os.environ", {"HOST": "127.0.0.2", "PORT": str(client.port)})
        assert healthcheck.main([]) == 1


def test_addresses_that_stand_for_all_are_reached_on_the_loopback_interface() -> None:
    assert [reachable(host) for host in ("0.0.0.0", "::", "10.0.0.7", "::1")] == [
        "127.0.0.1",
        "::1",
        "10.0.0.7",
        "::1",
    ]


def test_reading_an_address_imports_nothing() -> None:
    program = "import sys; before = set(sys.modules); import servicekit.address;"
    program += "print(sorted(set(sys.modules) - before))"
    path = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    shown = subprocess.run(
        [sys.executable, "-Sc", program], env=path, capture_output=True, text=True
    )
    assert shown.stdout == "['servicekit', 'servicekit.address']\n"
