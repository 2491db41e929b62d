"""Writes the metadata of a first-party distribution: its .dist-info directory."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import plain
from inseam.formats.python.entry_point import EntryPoint
from inseam.formats.python.zip_files import DAMAGED, files_in, read_file

# Arguments of setuptools' setup(), and the corresponding fields of METADATA (PyPA core metadata
# specification), in the order in which setuptools writes them.
_SINGLE = {
    "description": "Summary",
    "url": "Home-page",
    "download_url": "Download-URL",
    "author": "Author",
    "author_email": "Author-email",
    "maintainer": "Maintainer",
    "maintainer_email": "Maintainer-email",
    "license": "License",
}
_WHEEL = "Wheel-Version: 1.0\nGenerator: inseam\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_SCRIPT = re.compile(r"\s*(?P<module>[^:\s]+)\s*:\s*(?P<attribute>[^\s\[]+)\s*(\[.*\])?\s*")


class DistInfo(NamedTuple):
    """The metadata of a distribution."""

    folder: str
    """Name of its .dist-info directory."""
    files: Mapping[str, bytes]
    """The files in that directory, by name."""
    scripts: tuple[EntryPoint, ...]
    """Its console scripts."""


def dist_info(arguments: Mapping[str, Any], modules: Iterable[str]) -> DistInfo:
    """The metadata of a distribution, as setuptools would write it.

    arguments: those of setup(), with entry points as lists of lines by group. modules: paths of its
    files, as they are imported.
    """
    name, version = str(arguments["name"]), str(arguments.get("version") or "0.0.0")
    files = {"METADATA": _metadata(name, version, arguments), "WHEEL": _WHEEL}
    groups: Mapping[str, Iterable[str]] = arguments.get("entry_points") or {}
    if groups:
        files["entry_points.txt"] = "\n".join(
            f"[{group}]\n" + "".join(f"{line}\n" for line in sorted(groups[group]))
            for group in sorted(groups)
        )
    modules = sorted(modules)
    top = sorted({path.partition("/")[0].partition(".")[0] for path in modules})
    files["top_level.txt"] = "".join(f"{one}\n" for one in top)
    content = {path: text.encode() for path, text in files.items()}
    return _complete(_folder(name, version), content, modules)


def dist_info_of_wheel(path: str, content: bytes) -> tuple[DistInfo, tuple[str, ...]]:
    """The metadata in a wheel, and the paths of its other files.

    Raises Failure for a file that is not a wheel with Python modules only.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as wheel:
            files = {info.filename: read_file(wheel, info) for info in files_in(wheel)}
    except DAMAGED as error:
        raise Failure(f"{path} is not a usable wheel: {plain(str(error))}") from error
    folders = {name.partition("/")[0] for name in files if ".dist-info/" in name}
    if len(folders) != 1 or any(".data/" in name for name in files):
        raise Failure(
            f"{path} contains files other than modules and one .dist-info directory. A"
            " distribution with scripts, headers or data files cannot be used from its sources:"
            " publish it, and add it to the requirements."
        )
    (folder,) = folders
    info = {
        name[len(folder) + 1 :]: data
        for name, data in sorted(files.items())
        if name.startswith(f"{folder}/") and not name.endswith(("/RECORD", "/direct_url.json"))
    }
    modules = sorted(name for name in files if not name.startswith(f"{folder}/"))
    return _complete(folder, info, modules), tuple(modules)


def _folder(name: str, version: str) -> str:
    """PyPA "Recording installed projects": both parts normalised, dashes become underscores."""
    plain = re.sub(r"[-_.]+", "_", name).lower()
    return f"{plain}-{version.replace('-', '_')}.dist-info"


def _metadata(name: str, version: str, arguments: Mapping[str, Any]) -> str:
    fields = [("Metadata-Version", "2.1"), ("Name", name), ("Version", version)]
    fields += [
        (field, str(arguments[argument]))
        for argument, field in _SINGLE.items()
        if arguments.get(argument)
    ]
    urls = arguments.get("project_urls") or {}
    fields += [("Project-URL", f"{label}, {url}") for label, url in urls.items()]
    keywords = arguments.get("keywords")
    if keywords:
        text = keywords if isinstance(keywords, str) else ",".join(keywords)
        fields.append(("Keywords", text))
    fields += [("Classifier", line) for line in arguments.get("classifiers") or ()]
    if arguments.get("python_requires"):
        fields.append(("Requires-Python", str(arguments["python_requires"])))
    if arguments.get("long_description_content_type"):
        kind = str(arguments["long_description_content_type"])
        fields.append(("Description-Content-Type", kind))
    fields += [("Requires-Dist", str(line)) for line in arguments.get("install_requires") or ()]
    for extra, lines in (arguments.get("extras_require") or {}).items():
        fields.append(("Provides-Extra", extra))
        fields += [("Requires-Dist", _for_extra(str(line), extra)) for line in lines]
    head = "".join(
        f"{field}: {value}\n".replace("\n", "\n        ").rstrip(" ") for field, value in fields
    )
    body = arguments.get("long_description")
    return f"{head}\n{body}" if body else head


def _for_extra(requirement: str, extra: str) -> str:
    requirement, _, marker = requirement.partition(";")
    condition = f'extra == "{extra}"'
    if marker.strip():
        condition = f"({marker.strip()}) and {condition}"
    return f"{requirement.strip()}; {condition}"


def _complete(folder: str, files: Mapping[str, bytes], modules: Iterable[str]) -> DistInfo:
    """Adds INSTALLER and RECORD. First-party modules are in RECORD without hash and size, as PEP
    376 allows, so that editing them does not change the metadata.
    """
    written = {**files, "INSTALLER": b"inseam\n"}
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    lines = {
        **{f"{folder}/{name}": _hashed(data) for name, data in written.items()},
        **{path: ("", "") for path in modules},
        f"{folder}/RECORD": ("", ""),
    }
    for path in sorted(lines):
        rows.writerow((path, *lines[path]))
    written["RECORD"] = text.getvalue().encode()
    entry_points = files.get("entry_points.txt", b"").decode("utf-8", "replace")
    return DistInfo(folder, written, tuple(_scripts(entry_points)))


def _hashed(data: bytes) -> tuple[str, str]:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    return f"sha256={digest}", str(len(data))


def _scripts(text: str) -> Iterable[EntryPoint]:
    group = ""
    for line in text.splitlines():
        if line.strip().startswith("["):
            group = line.strip()[1:-1].strip()
        elif group in ("console_scripts", "gui_scripts") and "=" in line:
            name, _, reference = line.partition("=")
            match = _SCRIPT.fullmatch(reference)
            if match:
                yield EntryPoint(name.strip(), match["module"], match["attribute"])
