"""Finds the programs that a repository declares in targets, Dockerfiles, Procfiles and modules."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import Iterable, Iterator, Mapping, Union

from inseam.plan.syntax import Unreadable, parse
from inseam.plan.tailor.commands import Command, read_line, read_words
from inseam.plan.tailor.commands import Kind as Starts
from inseam.plan.tailor.declared import Binary, Declared, File, Image, Kind, LeftOut, Script
from inseam.plan.tailor.dockerfile import Container, read_dockerfile
from inseam.plan.tailor.frameworks import started_by
from inseam.plan.tailor.modules import Modules, imported
from inseam.plan.tailor.places import is_candidate, is_place
from inseam.plan.tailor.running import is_tool, needs_arguments
from inseam.plan.tailor.starting import Start, find_start

_Found = Union[Declared, LeftOut, None]
_PROCESS = re.compile(r"([A-Za-z0-9_-]+):\s*(.+)")
_MOST_LINES = 2000  # longest Procfile or shell script, in characters
_SETTINGS = "DJANGO_SETTINGS_MODULE"
_DOCKERFILE = re.compile(r"\.?(Dockerfile|Containerfile)\.?", re.IGNORECASE)
FUNCTIONS = {
    "python_aws_lambda_function": ("awslambdaric.__main__", 8080),
    "python_awslambda": ("awslambdaric.__main__", 8080),
    "python_google_cloud_function": ("functions_framework.__main__", 8080),
}


class Reader:
    """Reads declarations of programs; each module is read once."""

    def __init__(
        self,
        modules: Modules,
        binaries: Iterable[Binary] = (),
        scripts: Iterable[Script] = (),
        shell: Mapping[str, str] = {},
    ) -> None:
        """shell: the texts of shell scripts, by path."""
        self.modules = modules
        self.binaries = list(binaries)
        self.scripts = {one.name: one for one in scripts}
        self.unreadable: dict[str, str] = {}
        """Why modules cannot be parsed, by path."""
        self.used: set[str] = set()
        """The addresses of `pex_binary` targets that are in images."""
        self._shell: dict[str, list[str]] = {}
        self._texts = shell
        for path in shell:
            self._shell.setdefault(os.path.basename(path), []).append(path)
        self._starts: dict[str, Start | None] = {}

    def start(self, path: str) -> Start | None:
        """How a module starts a service, if it does."""
        if path not in self._starts:
            self._starts[path] = None
            try:
                text = self.modules.texts[path]
                self._starts[path] = find_start(text, path, self.modules.framework)
            except Unreadable as error:
                self.unreadable[path] = str(error)
        return self._starts[path]

    # Targets

    def binary(self, binary: Binary) -> Iterator[Declared | LeftOut]:
        """The program of a target, unless it is in an image."""
        if not binary.has_sources or binary.address in self.used:
            return
        if not is_place(f"{binary.folder}/x"):
            return
        found = self._of_binary(binary)
        if isinstance(found, Declared) and os.path.basename(found.path) == "manage.py":
            # Its services are wsgi.py and asgi.py.
            return
        if isinstance(found, Declared) and not found.start.is_sure:
            why = self._is_tool(found.path)
            if why:
                entry = f'entry_point="{os.path.basename(found.path)}", args=[...]'
                yield LeftOut(binary.address, why, f"python_service({entry})")
                return
        if found is not None:
            yield found

    def _is_tool(self, path: str) -> str:
        if not path or not is_candidate(path):
            return f"{path} is the name of a tool" if path else ""
        try:
            tree = parse(self.modules.texts[path])
            names = imported(tree, path)
            if is_tool(tree, names, "") or needs_arguments(tree, names, tree):
                return f"{path} reads a command line"
        except (Unreadable, RecursionError):
            return f"{path} cannot be read"
        return ""

    def _of_binary(self, binary: Binary) -> _Found:
        if binary.entry_point:
            module, _, function = binary.entry_point.partition(":")
            if binary.alias in FUNCTIONS:
                return self._function(binary, module, function)
            if module.endswith(".py"):
                path = f"{binary.folder}/{module}".lstrip("/")
                path = path if path in self.modules.texts else ""
            else:
                path = self._module(module, f"{binary.folder}/") or ""
            if path:
                return self._with(binary, path, self._run(path, function, binary.args))
            if started_by(module.partition(".")[0]):
                command = Command(Starts.SCRIPT, module.partition(".")[0], binary.args)
                return self._target_script(binary, command)
            return LeftOut(binary.address, f"its module {module!r} is not in the repository")
        if binary.script:
            started = read_words([binary.script, *binary.args])
            if started is None:
                return LeftOut(binary.address, f"{binary.script!r} is not given an application")
            return self._target_script(binary, started)
        return None

    def _target_script(self, binary: Binary, command: Command) -> _Found:
        found = self._command(command, Kind.BINARY, binary.address, f"{binary.folder}/")
        if isinstance(found, Declared):
            return self._with(binary, found.path, found.start, found.workers)
        return found

    def _with(
        self, binary: Binary, path: str, start: Start, workers: int | None = None
    ) -> Declared:
        if start.serves and not start.args:
            served = self.served(start, path)
            path, start = served if served else (path, start)
        return Declared(
            Kind.BINARY,
            binary.address,
            path,
            start,
            binary.folder,
            binary.name,
            binary.address,
            binary.dependencies,
            (*start.env, *binary.env),
            workers,
        )

    def _function(self, binary: Binary, module: str, function: str) -> _Found:
        """A cloud function, served by the cloud provider's own server."""
        beside = f"{binary.folder}/{module}".lstrip("/")
        path = beside if module.endswith(".py") else self._module(module, f"{binary.folder}/")
        if path is None or path not in self.modules.texts:
            return LeftOut(binary.address, f"its module {module!r} is not in the repository")
        runner, port = FUNCTIONS[binary.alias]
        is_google = runner.startswith("functions")
        args = (
            (f"--target={function}", "--source={path}")
            if is_google
            else (f"{{module}}.{function}",)
        )
        script = "functions-framework" if is_google else runner
        return self._with(binary, path, Start("", script=script, args=args, port=port))

    # Files

    def image(self, image: Image) -> Declared | LeftOut | None:
        """The program of a Dockerfile; None if it does not start Python, or starts nothing."""
        if not is_place(f"{image.folder}/x"):
            return None
        container = read_dockerfile(image.text)
        pexes = self._pexes(container.copied.values())
        self.used.update(one.address for one in pexes)
        near = f"{image.folder}/x"
        command = self._in_shell(container, near)
        name = _DOCKERFILE.sub("", os.path.basename(image.where)) if ":" not in image.where else ""
        found: _Found
        if command is None:
            return None
        if command.kind == Starts.PEX:
            found = self._pex(image, command, pexes)
        else:
            found = self._command(command, Kind.IMAGE, image.where, near)
        if not isinstance(found, Declared):
            return found
        settings = container.environment.get(_SETTINGS)
        ports = container.ports
        port = found.start.port or (ports[0] if len(ports) == 1 else None)
        return replace(
            found,
            kind=Kind.IMAGE,
            name=found.name or name,
            start=replace(found.start, port=port),
            env=(*found.env, *(((_SETTINGS, settings),) if settings else ())),
        )

    def _in_shell(self, container: Container, near: str) -> Command | None:
        """The command of a container, or the last recognised one in the script that it starts."""
        command = container.command
        if command is None or not command.name.endswith(".sh"):
            return command
        name = os.path.basename(command.name)
        sources = [
            source for path, source in container.copied.items() if os.path.basename(path) == name
        ]
        wanted = sources[-1].lstrip("./") if sources else name
        paths = self._shell.get(os.path.basename(wanted), [])
        found = [path for path in paths if path == wanted or path.endswith(f"/{wanted}")]
        beside = [path for path in found if os.path.dirname(path) == os.path.dirname(near)]
        if len(found) > 1:
            found = beside[:1]
        for path in found:
            text = self._texts[path].replace("\\\n", " ")
            for line in reversed(text.splitlines()[:_MOST_LINES]):
                inner = read_line(line, container.environment)
                if inner and not inner.name.endswith(".sh") and self._is_known(inner):
                    return inner
        return command

    def _is_known(self, command: Command) -> bool:
        is_script = command.kind == Starts.SCRIPT
        return not is_script or bool(started_by(command.name)) or command.name in self.scripts

    def _pexes(self, copied: Iterable[str]) -> list[Binary]:
        """The targets whose PEXes a Dockerfile names."""
        wanted = {one for one in copied if one.endswith(".pex")}
        return [one for one in self.binaries if one.output in wanted]

    def _pex(self, image: Image, command: Command, pexes: list[Binary]) -> _Found:
        stem = os.path.basename(command.name)
        named = [one for one in pexes if os.path.basename(one.output) == stem] or pexes
        found = [
            one
            for binary in named
            if binary.has_sources
            for one in [self._of_binary(binary._replace(args=(*binary.args, *command.args)))]
            if one is not None
        ]
        declared = [one for one in found if isinstance(one, Declared)]
        if len({(one.path, one.runs) for one in declared}) == 1:
            return declared[0]
        if found and not declared:
            return found[0]
        return LeftOut(
            image.where,
            f"it starts {command.name!r}, and it is not clear which pex_binary that is",
            'python_service(entry_point="...") next to its module',
        )

    def procfile(self, file: File) -> Iterator[Declared | LeftOut]:
        """The processes of a Procfile."""
        folder = os.path.dirname(file.path)
        for line in file.text.splitlines()[:_MOST_LINES]:
            process = _PROCESS.fullmatch(line.strip())
            if process is None or process[1] == "release":
                continue
            command = read_line(process[2])
            where = f"{file.path} ({process[1]})"
            found = self._command(command, Kind.PROCFILE, where, f"{folder}/x") if command else None
            if isinstance(found, Declared):
                yield replace(found, name=process[1])
            elif found is not None:
                yield found

    def script(self, script: Script) -> Iterator[Declared | LeftOut]:
        """A console script, if it runs until it is stopped."""
        found = self._of_script(script)
        if isinstance(found, Declared) and found.start.is_sure and is_place(found.path):
            yield found

    def _of_script(self, script: Script) -> Declared | None:
        module, _, function = script.entry_point.partition(":")
        path = self._module(module.strip(), f"{script.folder}/x")
        if path is None:
            return None
        function = function.partition("[")[0].strip()
        start = self._run(path, function, ())
        return Declared(Kind.SCRIPT, script.where, path, start, script.folder, script.name)

    def module(self, path: str) -> Declared | None:
        """The program in a module, according to the conventions of its framework."""
        start = self.start(path) if is_candidate(path) else None
        if start is None or (start.script == "streamlit" and "pages" in path.split("/")):
            return None
        if start.serves:
            served = self.served(start, path)
            if served is not None:
                path, start = served
        return Declared(Kind.MODULE, path, path, start, os.path.dirname(path), env=start.env)

    # Commands

    def served(self, start: Start, path: str) -> tuple[str, Start] | None:
        """The module and the application that another module runs by itself."""
        found = self.modules.split(start.serves.removesuffix("()"), path)
        if found is None or "." in found[1]:
            return None
        other, attribute = found
        known = self.start(other)
        function = attribute + ("()" if start.serves.endswith("()") else "")
        if known is None or not known.server or known.function.removesuffix("()") != attribute:
            return None
        return other, replace(known, function=function, port=start.port or known.port)

    def _module(self, name: str, near: str) -> str | None:
        """The path of the module that `python -m` runs."""
        name = name.replace("/", ".")
        return self.modules.find(f"{name}.__main__", near) or self.modules.find(name, near)

    def _file(self, name: str, near: str) -> str | None:
        """The path of a file in an image; its first folders may exist only in the image."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        parts[-1:] = [parts[-1].removesuffix(".py")] if parts else []
        for start in range(len(parts[:20])):
            found = self.modules.find(".".join(parts[start:]), near)
            if found is not None:
                return found
        return None

    def _run(self, path: str, function: str, args: tuple[str, ...]) -> Start:
        """How to run a module, or a function of it."""
        known = self.start(path)
        if known is not None and not args and (not function or not known.server):
            is_it = known.server or known.script or known.function in ("", function)
            if is_it or not function:
                return known
        sure = bool(known and known.is_sure) or bool(args)
        return Start(
            function,
            None,
            known.healthcheck_path if known and known.port and not known.server else None,
            known.port if known else None,
            known.imports if known else frozenset(),
            args=args,
            serves=known.serves if known else "",
            is_sure=sure,
        )

    def _command(self, command: Command, kind: Kind, where: str, near: str) -> _Found:
        folder = os.path.dirname(near)
        found = self._resolved(command, near)
        if isinstance(found, tuple):
            path, start = found
            return Declared(
                kind, where, path, start, folder, env=start.env, workers=command.workers
            )
        return LeftOut(where, found) if found else None

    def _resolved(self, command: Command, near: str) -> tuple[str, Start] | str:
        """The module that a command starts, and how; or why that is unknown; "" if it is not
        Python.
        """
        if command.kind == Starts.APPLICATION:
            return self._application(command, near)
        if command.kind == Starts.DJANGO:
            return self._django(command, near)
        if command.kind == Starts.SCRIPT:
            return self._script(command, near)
        if command.name.endswith(".sh"):
            return f"it starts {command.name!r}, which is not a known Python program"
        is_module = command.kind == Starts.MODULE
        find = self._module if is_module else self._file
        found = find(command.name, near)
        if found is None:
            return f"it starts {command.name!r}, which is not in the repository"
        start = self._run(found, "", command.args)
        if command.port and not start.args:
            start = replace(start, port=command.port)
        return found, start

    def _application(self, command: Command, near: str) -> tuple[str, Start] | str:
        module, _, attribute = command.name.partition(":")
        path = self.modules.find(module, near)
        if path is None:
            return f"it serves {command.name!r}, whose module is not in the repository"
        known = self.start(path)
        if not attribute:
            attribute = known.function if known and known.server else "application"
        function = attribute.removesuffix("()")
        fits = known is not None and known.server and known.function.removesuffix("()") == function
        health = known.healthcheck_path if known and fits else None
        imports = known.imports if known else frozenset()
        return path, Start(
            attribute, command.server, health, command.port, imports, args=command.args
        )

    def _django(self, command: Command, near: str) -> tuple[str, Start] | str:
        project = os.path.dirname(self._file(command.name, near) or near)
        found = [
            (path, start)
            for path in self.modules.named("wsgi")
            if path.startswith(f"{project}/" if project else "")
            for start in [self.start(path)]
            if start is not None and start.is_django
        ]
        if len(found) == 1:
            return found[0]
        return "it serves a Django project, but it is not clear which wsgi.py that is"

    def _script(self, command: Command, near: str) -> tuple[str, Start] | str:
        own = self.scripts.get(command.name)
        if own is not None:
            found = self._of_script(own)
            if found is None:
                return f"it starts {command.name!r}, whose module is not in the repository"
            start = found.start
            return found.path, replace(start, args=command.args) if command.args else start
        framework = started_by(command.name)
        if framework is None:
            return ""
        for word in command.args:
            name = word.rpartition("=")[2] if word.startswith("-") else word
            path = self._file(name, near) if name.endswith(".py") else None
            dotted = name.partition(":")[0]
            if path is None and re.fullmatch(r"[A-Za-z_][\w.]*", dotted):
                path = self.modules.find(dotted, near)
                split = self.modules.split(dotted, near) if path is None and "." in dotted else None
                path = path or (split[0] if split else None)
            if path is not None and is_place(path):
                return path, Start(
                    "",
                    script=command.name,
                    args=command.args,
                    port=framework.port,
                    healthcheck_path=framework.health,
                )
        return "", Start("", script=command.name, args=command.args, port=framework.port)
