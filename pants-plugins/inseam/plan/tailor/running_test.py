"""Signs of a service and of a tool, in the text of a module."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest

from inseam.plan.tailor.running import (
    imported_packages,
    is_command,
    is_tool,
    needs_arguments,
    runs_on,
)

IMPORTS = {
    "argparse": "argparse",
    "argv": "sys.argv",
    "click": "click",
    "command": "click.command",
    "eventlet": "eventlet",
    "sys": "sys",
    "uvicorn": "uvicorn",
    "wsgi": "eventlet.wsgi",
}


def parse(text: str) -> ast.Module:
    return ast.parse(dedent(text))


def names(module: ast.Module) -> dict[str, str]:
    """What the names of imports stand for that a module uses."""
    used = {node.id for node in ast.walk(module) if isinstance(node, ast.Name)}
    return {name: IMPORTS[name] for name in used if name in IMPORTS}


@pytest.mark.parametrize(
    "text",
    [
        "uvicorn.run(app)",
        "wsgi.server(eventlet.listen(address), app)",
        "HTTPServer(address, Handler).serve_forever()",
        "async def main():\n    await asyncio.start_server(f, port=1)",
        "web.run_app(app)",
        "channel.start_consuming()",
        "while True:\n    work()\n    time.sleep(5)",
        "while 1:\n    for one in queue:\n        break\n    poll()",
        "while 1:\n    try:\n        f(s.recv(9))\n    except KeyboardInterrupt:\n        break",
        "while 1:\n    try:\n        f(s.recv(9))\n    except (E, SystemExit):\n        return",
        "while not stop.is_set():\n    work()",
    ],
)
def test_what_only_a_service_does(text: str) -> None:
    module = parse(text)
    assert runs_on(module, names(module), imported_packages(names(module)))


@pytest.mark.parametrize(
    "text",
    [
        "main()",
        "subprocess.run(command)",
        "asyncio.run(main())",
        # Until there is something, or no more of it.
        "while True:\n    if ready():\n        break\n    time.sleep(1)",
        "def wait():\n    while 1:\n        sleep(1)\n        if ready():\n            return",
        "while 1:\n    try:\n        f(s.recv(9))\n    except EOFError:\n        break",
        "while True:\n    time.sleep(1)\n    yield 1",
        "while True:\n    entries.append(read(iterator))",
        "while not done:\n    time.sleep(1)",
    ],
)
def test_what_tools_do_too(text: str) -> None:
    module = parse(text)
    assert not runs_on(module, names(module), imported_packages(names(module)))


@pytest.mark.parametrize(
    "text, name",
    [
        ("argparse.ArgumentParser()", "main"),
        ("run(sys.argv[1:])", "main"),
        ("run(argv)", "main"),
        ("config.parse_args()", "main"),
        ("if input('Sure? ') == 'y': run()", "main"),
        ("run()", "bootstrap"),
        ("run()", "build_index"),
        ("run()", "Migrate-Users"),
    ],
)
def test_signs_of_a_tool(text: str, name: str) -> None:
    module = parse(text)
    assert is_tool(module, names(module), name)


@pytest.mark.parametrize("name", ["main", "builder", "server", "initial", "__main__", "app_setup"])
def test_a_module_that_could_be_both_is_no_tool(name: str) -> None:
    module = parse("def main(argv=None, parse=None):\n    parse(argv, sys.path)")
    assert not is_tool(module, names(module) | {"argv": "argv"}, name)


@pytest.mark.parametrize(
    "decorators, command",
    [
        ("@click.command()", True),
        ("@command", True),
        ("@click.group(invoke_without_command=True)\n@click.pass_context", True),
        ("@click.group()", False),
        ("@click.pass_context", False),
        ("@other.command()", False),
    ],
)
def test_click_calls_a_command_with_what_it_has_read(decorators: str, command: bool) -> None:
    module = parse(f"{decorators}\ndef main(level): ...")
    assert is_command(module.body[0], names(module)) is command


@pytest.mark.parametrize(
    "text, needs",
    [
        ("def main(): ...", False),
        ("def main():\n    argparse.ArgumentParser().add_argument('-p', '--port')", False),
        ("def main():\n    argparse.ArgumentParser().add_argument('x', nargs='?')", False),
        ("def main():\n    argparse.ArgumentParser().add_argument('x', nargs='+')", True),
        ("def main():\n    argparse.ArgumentParser().add_argument('x')", True),
        ("def main():\n    argparse.ArgumentParser().add_argument('-x', required=True)", True),
        ("def main():\n    argparse.ArgumentParser().add_subparsers()", True),
        ("@click.command()\n@click.option('-x', '--port')\ndef main(port): ...", False),
        ("@click.command()\n@click.option('-x', required=True)\ndef main(x): ...", True),
        ("@click.command()\n@click.argument('x')\ndef main(x): ...", True),
        ("@click.command()\n@click.argument('x', nargs=-1)\ndef main(x): ...", False),
        ("@click.command()\n@click.argument('x', required=False)\ndef main(x): ...", False),
        # What it starts is a matter of its commands.
        ("def main(): cli()\n@click.group()\ndef cli(): ...", True),
    ],
)
def test_what_a_program_has_to_be_told(text: str, needs: bool) -> None:
    module = parse(text)
    assert needs_arguments(module, names(module), module.body[0]) is needs


def test_the_arguments_of_other_command_lines_are_not_understood() -> None:
    module = parse("def main():\n    typer.run(serve)")
    assert needs_arguments(module, {"typer": "typer"}, module.body[0])
