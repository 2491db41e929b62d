"""Finds what is proposed for a repository whose files a test gives as values."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from inseam.plan.tailor.choosing import Known, choose, uncovered
from inseam.plan.tailor.declared import Binary, Declared, File, Image, LeftOut, Script
from inseam.plan.tailor.modules import Modules
from inseam.plan.tailor.proposal import Surroundings, propose
from inseam.plan.tailor.reading import Reader


def proposals(
    files: Mapping[str, str],
    *,
    binaries: Iterable[Binary] = (),
    scripts: Iterable[Script] = (),
    known: Known = Known(),
    around: Surroundings = Surroundings(["src", ""]),
) -> tuple[dict[str, dict[str, Any]], list[LeftOut]]:
    """The fields of the proposals, by address, and what is left out.

    files: modules, Dockerfiles, Procfiles and shell scripts, by path.
    """
    modules = {path: text.encode() for path, text in files.items() if path.endswith(".py")}
    shell = {path: text for path, text in files.items() if path.endswith(".sh")}
    reader = Reader(Modules(modules), binaries, scripts, shell)
    found: list[Declared | LeftOut | None] = []
    for path, text in files.items():
        folder, _, name = path.rpartition("/")
        if "Dockerfile" in name:
            found.append(reader.image(Image(path, folder, text)))
        elif name == "Procfile":
            found += reader.procfile(File(path, text))
    for binary in reader.binaries:
        found += reader.binary(binary)
    for script in reader.scripts.values():
        found += reader.script(script)
    found += [reader.module(path) for path in modules]
    chosen = choose((one for one in found if isinstance(one, Declared)), known, around.dotted)
    proposed, unwritten = propose(chosen, around)
    left_out = uncovered([one for one in found if isinstance(one, LeftOut)], chosen, ())
    fields = {f"{one.folder}:{one.name}": dict(one.fields) for one in proposed}
    return fields, [*left_out, *unwritten]
