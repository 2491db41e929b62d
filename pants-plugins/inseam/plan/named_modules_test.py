from __future__ import annotations

from typing import NamedTuple

import pytest

from inseam.formats.python.named_modules import Named
from inseam.plan.named_modules import missing_modules, module_named, modules_named

KNOWN = {
    "shop",
    "shop.urls",
    "shop.items",
    "shop.items.apps",
    "shop.items.models",
    "shop.items.models_test",
    "shop.items.migrations",
    "shop.items.migrations.first",
    "shop.items.views",
    "bare.models",
}
LOADS = ("apps", "models", "migrations")


@pytest.mark.parametrize(
    "name, module",
    [
        ("shop.urls", "shop.urls"),
        ("shop.urls.patterns", "shop.urls"),
        ("shop", "shop"),
        ("shop.urls.a.b", ""),
        ("django.urls", ""),
        ("sho", ""),
    ],
)
def test_a_string_names_a_module_or_something_in_one(name: str, module: str) -> None:
    assert module_named(name, KNOWN) == module


def test_a_word_in_a_text_is_not_taken_for_a_package() -> None:
    assert module_named("shop.yaml", KNOWN, least=2) == ""
    assert module_named("shop.urls", KNOWN, least=2) == "shop.urls"


@pytest.mark.parametrize("name", ["shop.items", "shop.items.apps.ItemsConfig"])
def test_of_an_application_its_parts_are_loaded(name: str) -> None:
    found = modules_named([Named(1, name, LOADS)], KNOWN)
    parts = {one for one in KNOWN if one.startswith("shop.items.")}
    parts -= {"shop.items.views", "shop.items.models_test"}
    assert set(found) == parts | ({"shop.items"} if name == "shop.items" else set())


def test_an_application_may_be_a_namespace_package() -> None:
    assert modules_named([Named(1, "bare", LOADS)], KNOWN) == ("bare.models",)


def test_other_strings_name_nothing_more() -> None:
    named = [Named(1, "shop.items"), Named(2, "shop.urls"), Named(3, "json")]
    assert modules_named(named, KNOWN) == ("shop.items", "shop.urls")


class Mention(NamedTuple):
    path: str
    name: str


def test_what_the_image_has_is_not_missing() -> None:
    urls, again = Mention("a.py", "shop.urls.patterns"), Mention("b.py", "shop.urls")
    items, text = Mention("a.py", "shop.items"), Mention("a.toml", "shop.toml")
    paths = {"shop/__init__.py", "shop/items/__init__.py"}
    assert missing_modules([urls, again, items, text], KNOWN, paths) == {"shop.urls": urls}
    assert missing_modules([urls, again], KNOWN, {*paths, "shop/urls.py"}) == {}
    assert missing_modules([Mention("a.py", "json")], KNOWN, ()) == {}
