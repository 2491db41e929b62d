"""The names of programs and images."""

from __future__ import annotations

from inseam.plan.tailor.naming import program_names, repositories


def test_programs_keep_their_names_unless_these_are_taken() -> None:
    given = [("Web.App", True), ("app", True), ("app", False), ("worker", False), ("worker", True)]
    assert program_names(given) == ["web-app", "web", "app-program", "worker", "worker2"]


def test_a_folder_names_its_image_if_it_says_something_and_nothing_else_has_its_name() -> None:
    folders = ["src/shop", "billing/py", "src/stock/cmd", "src/orders/cmd", "src/api", "fancy"]
    assert repositories(folders, ["old/stock/cmd"], {"fancy"}) == {
        "billing/py": "billing-py",
        "src/stock/cmd": "src-stock-cmd",
        "src/orders/cmd": "orders-cmd",
        "fancy": "fancy-service",
    }
