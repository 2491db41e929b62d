from __future__ import annotations

import pytest

from inseam.formats.python.named_modules import loaded_modules, mentioned_modules


def loaded(text: str) -> list[str]:
    return [one.name for one in loaded_modules(text.encode())]


@pytest.mark.parametrize(
    "text, names",
    [
        ('os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")', ["shop.settings"]),
        ('os.environ["DJANGO_SETTINGS_MODULE"] = "settings"', ["settings"]),
        ('ROOT_URLCONF = "shop.urls"', ["shop.urls"]),
        ('WSGI_APPLICATION: str = "shop.wsgi.application"', ["shop.wsgi.application"]),
        ('MIDDLEWARE = ["shop.auth.Middleware"]\n', ["shop.auth.Middleware"]),
        ('MIDDLEWARE += ["shop.more.M"]\n', ["shop.more.M"]),
        (
            'TEMPLATES = [{"BACKEND": "a.b", "OPTIONS": {"context_processors": ["shop.ctx.f"]}}]',
            ["a.b", "shop.ctx.f"],
        ),
        (
            'DATABASES = {"default": {"ENGINE": "shop.db", "NAME": "shop"}}',
            ["shop.db"],
        ),
        ('urlpatterns = [path("x/", include("shop.items.urls"))]', ["shop.items.urls"]),
        ('LOGGING = {"handlers": {"a": {"class": "shop.log.H", "x": "shop.y"}}}', ["shop.log.H"]),
        ('app = Celery("shop", include=["shop.tasks"])', ["shop.tasks"]),
        ('app.conf.imports = ("shop.tasks", "more")', ["more", "shop.tasks"]),
        ('app.conf.update(include=["shop.tasks"], other=["shop.no"])', ["shop.tasks"]),
        ('app.config_from_object("shop.celeryconfig")', ["shop.celeryconfig"]),
        ('config.set_main_option("script_location", "shop:migrations")', ["shop.migrations"]),
    ],
)
def test_what_frameworks_load(text: str, names: list[str]) -> None:
    assert loaded(text) == names


@pytest.mark.parametrize(
    "text",
    [
        "",
        'os.environ.setdefault("OTHER", "shop.settings")  # DJANGO_SETTINGS_MODULE',
        'x.imports = ["shop.tasks"]',
        'SETTINGS = ["shop.items"]',
        'INSTALLED_APPS = [f"shop.{name}"]',
        'INSTALLED_APPS = ["not a name", "1.2"]',
        "INSTALLED_APPS = [",
        "print 'INSTALLED_APPS'",
        "INSTALLED_APPS = " + "(" * 3000 + ")" * 3000,
        "INSTALLED_APPS = ['shop.items']\n" + "#" * (1 << 20),
    ],
)
def test_what_names_no_module_or_cannot_be_read(text: str) -> None:
    assert loaded(text) == []


def test_a_source_that_is_not_utf8_is_not_read() -> None:
    assert loaded_modules(b"INSTALLED_APPS = ['\xff']") == ()


def test_of_applications_django_loads_more_than_the_package() -> None:
    (found,) = loaded_modules(b"\nINSTALLED_APPS = ['shop.items']\n")
    assert (found.line, found.name) == (2, "shop.items")
    assert {"models", "migrations", "management"} <= set(found.loads)
    (found,) = loaded_modules(b"app.autodiscover_tasks(['shop.items'])")
    assert found.loads == ("tasks",)


def mentioned(path: str, text: str) -> list[tuple[int, str]]:
    return [(one.line, one.name) for one in mentioned_modules(path, text.encode())]


@pytest.mark.parametrize(
    "text, names",
    [
        ('x = 1\nimportlib.import_module("shop.plug")', [(2, "shop.plug")]),
        ('__import__("plug")', [(1, "plug")]),
        ("import_module(name)", []),
        ('import_module(".plug", __package__)', []),
        (
            'dictConfig({"formatters": {"a": {"()": "shop.log.F"}}, "x": "shop.no"})',
            [(1, "shop.log.F")],
        ),
    ],
)
def test_what_code_may_load(text: str, names: list[tuple[int, str]]) -> None:
    assert mentioned("shop/a.py", text) == names


def test_dotted_names_in_configuration_are_told_where_they_come_first() -> None:
    text = (
        "plugins = [\"shop.plug:make\", 'shop.other']  # shop.comment\n"
        "again: shop.plug\nurl: https://shop.example/x.y\nfile: a/shop.txt\n"
    )
    assert mentioned("shop/a.toml", text) == [(1, "shop.plug"), (1, "shop.other")]
    assert mentioned("shop/a.yaml", text) == mentioned("shop/a.yml", text)
    assert mentioned("shop/a.txt", text) == []
    assert mentioned("shop/a.yaml", "x.y\n" * 10 + "z" * (1 << 20)) == []
