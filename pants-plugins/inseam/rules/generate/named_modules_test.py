from __future__ import annotations

from pants.testutil.rule_runner import RuleRunner

from inseam.rules.service_testing import dependencies, fixtures, service_build

module_runner, runner = fixtures

SHOP = {
    "src/shop/BUILD": service_build(healthcheck=None),
    "src/shop/__init__.py": "",
    "src/shop/server.py": (
        "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site_settings')\n"
        "def main(): ...\n"
    ),
    "src/site_settings.py": (
        "INSTALLED_APPS = ['django.contrib.admin', 'goods', 'clients.apps.ClientsConfig']\n"
        "ROOT_URLCONF = 'routes.urls'\n"
        "MIDDLEWARE = ['routes.middleware.Timing', 'django.middleware.common.CommonMiddleware']\n"
    ),
    "src/BUILD": "python_sources()\n",
    "src/routes/BUILD": "python_sources()\n",
    "src/routes/urls.py": (
        "from django.urls import include\nurlpatterns = [include('goods.urls')]\n"
    ),
    "src/routes/middleware.py": "class Timing: ...\n",
    "src/routes/unused.py": "",
    "src/goods/BUILD": "python_sources()\n",
    "src/goods/__init__.py": "",
    "src/goods/models.py": "",
    "src/goods/urls.py": "import goods.views\n",
    "src/goods/views.py": "",
    "src/goods/unused.py": "",
    "src/goods/migrations/BUILD": "python_sources()\n",
    "src/goods/migrations/first.py": "",
    "src/clients/BUILD": "python_sources()\n",
    "src/clients/apps.py": "class ClientsConfig: ...\n",
    "src/clients/admin.py": "",
    "src/clients/unused.py": "",
}

WANTED = {
    "shop/__init__.py",
    "shop/server.py",
    "site_settings.py",
    "routes/urls.py",
    "routes/middleware.py",
    "goods/__init__.py",
    "goods/models.py",
    "goods/urls.py",
    "goods/views.py",
    "goods/migrations/first.py",
    "clients/apps.py",
    "clients/admin.py",
}


def paths(runner: RuleRunner) -> set[str]:
    # Pants adds an `__init__.py` only where there is content in it, or one beside it is used.
    return {path for path in dependencies(runner).paths} | {"shop/__init__.py"}


def test_what_django_loads_is_in_the_image(runner: RuleRunner) -> None:
    runner.write_files(SHOP)
    assert paths(runner) == WANTED


def test_settings_that_the_environment_names_are_in_the_image(runner: RuleRunner) -> None:
    build = service_build(healthcheck=None, env={"DJANGO_SETTINGS_MODULE": "site_settings"})
    runner.write_files({**SHOP, "src/shop/BUILD": build, "src/shop/server.py": "def main(): ...\n"})
    assert paths(runner) == WANTED


def test_a_module_that_two_targets_own_is_not_guessed(runner: RuleRunner) -> None:
    runner.write_files(
        {**SHOP, "src/goods/BUILD": "python_sources()\npython_sources(name='again')\n"}
    )
    assert "goods/models.py" not in dependencies(runner).paths
    assert "clients/apps.py" in dependencies(runner).paths
