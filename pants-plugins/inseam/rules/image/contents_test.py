from __future__ import annotations

from inseam.formats.oci.config import ImageConfig
from inseam.rules.image.contents import frozen_config
from inseam.rules.image.contents_testing import contents, wheel


def test_a_configuration_becomes_a_value_that_rules_can_be_asked_by() -> None:
    config = ImageConfig(env={"A": "1"}, labels={"team": "shop"}, annotations={"x": "y"})
    frozen = frozen_config(config)
    assert frozen == frozen_config(config._replace(env={"A": "1"}))
    assert hash(frozen) == hash(frozen_config(config))
    assert (frozen.env["A"], frozen.labels["team"], frozen.annotations["x"]) == ("1", "shop", "y")


def test_contents_are_a_value() -> None:
    one, same = contents(wheel("greet"), wheel("words")), contents(wheel("greet"), wheel("words"))
    assert one == same
    assert hash(one) == hash(same)
    assert one != contents(wheel("greet"))


def test_distributions_are_those_of_the_layers_that_have_some() -> None:
    found = contents(wheel("greet"), wheel("words"))
    assert [one.wheel.name for one in found.wheels] == ["greet", "words"]
    assert [layer.name for layer in found.wheel_layers] == ["deps"]
    assert contents().wheel_layers == ()
    assert found.platform == "linux/amd64"
