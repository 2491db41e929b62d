"""What each program ships, which is what its results are cached by: an edit of a module runs the
programs that ship it again, and no others."""

from __future__ import annotations

import pytest
from pants.engine.fs import FileContent

from inseam.rules.programs import modules as rules_programs
from inseam.rules.programs.modules import program_names, program_sources

FILES = "files foreign_text regular"
IMAGE = f"""
    distribution failure {FILES} records oci/config oci/descriptor oci/documents oci/layer
    oci/layout oci/metadata schema
"""
STORE = f"{IMAGE} tools/own tools/prune tools/store tar"
ENGINES = f"{STORE} tools/client tools/docker tools/load tools/podman oci/reference"
PYTHON = f"cpython failure {FILES} python/bytecode python/venv tar"
CONFLICTS = (
    f"{PYTHON} python/conflicts python/entry_point python/installed python/shared_path"
    " python/sources"
)
LAYER = f"distribution failure {FILES} oci/descriptor oci/layer tar"
FOLDER = "failure folder foreign_text regular tar"
INDEX = f"""
    debian/archive debian/control debian/index debian/mirror debian/package debian/release
    debian/signature debian/suite debian/version download failure {FILES} numbers schema tar xz
"""

# The modules of `formats` by program. Adding one here says that editing it may repeat those
# programs' work: of `rootfs` for every base, of `install_wheel` for every wheel.
FORMATS = {
    "build_tools": f"""
        debian/alternatives debian/archive debian/control debian/deb debian/libraries
        debian/package debian/relations debian/version elf failure {FILES}
        glibc names numbers python/archive python/installed
        rootfs/alternatives rootfs/archive rootfs/build rootfs/checks rootfs/interpreter
        rootfs/links rootfs/loader_cache rootfs/metadata rootfs/slim rootfs/start rootfs/stdlib
        rootfs/system_files cpython schema tar untar xz
    """,
    "build_wheel": f"{FOLDER} elf {FILES} limits tools/bubblewrap tools/confined tools/nobody"
    " tools/processes tools/root tools/supervised tools/system_calls tools/unconfined"
    " python/build_environment python/build_result python/frontend python/repack python/requires"
    " python/source rootfs/start rootfs/unpacked untar xz python/checked_wheel python/wheel_errors"
    " python/zip_files",
    "check_code": CONFLICTS,
    "check_debs": f"{INDEX} debian/lock debian/request debian/sources debian/updates",
    "code": f"{PYTHON} {LAYER} compression python/code python/entry_point python/installed"
    " python/launchers python/named_modules python/servers python/sources python/standard"
    " python/stdlib python/termination",
    "compare_layers": CONFLICTS,
    "compile_programs": f"failure {FILES} python/bytecode python/module_archive tar",
    "compile_rootfs": "cpython debian/archive debian/control debian/package debian/version failure"
    f" {FILES} python/bytecode python/installed rootfs/bytecode rootfs/metadata schema"
    " tar",
    "compile_stdlib": f"{LAYER} oci/flatten python/base_bytecode python/bytecode untar xz",
    "compress": f"{LAYER} compression",
    "data": f"{PYTHON} {LAYER} python/sources",
    "export": STORE,
    "fetch_archive": f"download failure {FILES} locked_file numbers",
    "fetch_checkout": "failure foreign_text names python/checkout python/git python/repository"
    " python/source_tree regular tar",
    "fetch_deb": f"{INDEX} debian/fetch debian/sources",
    "fetch_indexed": f"download failure {FILES} locked_file numbers python/index_page",
    "fetch_wheel": f"download failure {FILES} locked_file numbers",
    "find_files": f"download failure {FILES} numbers python/index_page",
    "find_packages": f"{INDEX} debian/libraries",
    "install_programs": "failure",
    "install_wheel": f"{PYTHON} distribution elf python/installed python/shared_path"
    " python/standard python/wheel python/wheel_facts python/checked_wheel python/wheel_errors"
    " python/wheel_tree python/zip_files records",
    "interpreter": f"{FOLDER} cpython elf {FILES} oci/flatten python/bytecode python/module_archive"
    " rootfs/links rootfs/slim rootfs/start rootfs/tree untar xz",
    "load": ENGINES,
    "lock_debs": f"{INDEX} debian/closure debian/lock debian/relations debian/request",
    "merge": f"{PYTHON} {LAYER} python/installed python/libraries python/merge python/shared_path"
    " python/wheel_tree records",
    "pack_source": "failure foreign_text python/source_tree regular",
    "pull": f"{IMAGE} cpython oci/base_facts oci/flatten oci/foreign tools/pull tools/registry"
    " oci/reference tar untar xz",
    "push": f"{STORE} tools/attachments tools/push tools/registry oci/reference",
    "rebase": f"{STORE} foreign_text numbers oci/assemble oci/foreign oci/rebase schema",
    "rootfs": f"""
        cpython debian/alternatives debian/archive debian/control debian/deb debian/libraries
        debian/package debian/relations debian/version elf failure {FILES}
        glibc names numbers python/archive python/installed
        rootfs/alternatives rootfs/archive rootfs/build rootfs/checks rootfs/interpreter
        rootfs/links rootfs/loader_cache rootfs/metadata rootfs/slim rootfs/stdlib
        rootfs/system_files schema tar untar xz
    """,
    "run_image": f"{ENGINES} numbers tools/run",
    "sbom.programs.cyclonedx": f"failure {FILES} records sbom/bill",
    "unpack": f"failure {FILES} python/zip_files tar",
    "wheel_requires": f"failure {FILES} python/requires python/zip_files tar",
}
# Those whose arguments are all positional; the others read theirs with `arguments`.
WITHOUT_OPTIONS = (
    "compile_programs",
    "compile_rootfs",
    "fetch_archive",
    "fetch_wheel",
    "install_wheel",
    "pack_source",
    "run_image",
    "sbom.programs.cyclonedx",
    "unpack",
    "wheel_requires",
)


def modules(program: str) -> set[str]:
    """The modules of formats and programs that a program ships, as "formats/tar"."""
    prefix, suffix = f"{rules_programs.PROGRAMS}/inseam/", ".py"
    return {
        file.path[len(prefix) : -len(suffix)]
        for file in program_sources(program)
        if file.path.startswith(prefix) and not file.path.endswith("__init__.py")
    }


def test_every_program_is_listed() -> None:
    assert sorted(FORMATS) == list(program_names())


@pytest.mark.parametrize("program", program_names())
def test_a_program_ships_these_modules(program: str) -> None:
    formats = {
        name if name.startswith(("sbom/", "tools/")) else f"formats/{name}"
        for name in FORMATS[program].split()
    }
    if program not in WITHOUT_OPTIONS:
        formats.add("formats/arguments")
    own = program.replace(".", "/") if "." in program else f"programs/{program}"
    assert modules(program) == {"programs/__main__", own, *formats}


def edited(monkeypatch: pytest.MonkeyPatch, path: str) -> set[str]:
    """The programs whose version changes when the module at this path is edited."""

    def versions() -> dict[str, str]:
        sources = program_sources.__wrapped__
        return {name: rules_programs.version_of(sources(name)) for name in program_names()}

    read = rules_programs._source

    def source(module: str) -> tuple[str, bytes]:
        found, content = read(module)
        return found, content + b"# edited\n" if found == path else content

    before = versions()
    monkeypatch.setattr(rules_programs, "_source", source)
    after = versions()
    return {name for name in before if before[name] != after[name]}


@pytest.mark.parametrize(
    "path, programs",
    [
        (
            "formats/download.py",
            {
                "check_debs",
                "fetch_archive",
                "fetch_deb",
                "fetch_indexed",
                "fetch_wheel",
                "find_files",
                "find_packages",
                "lock_debs",
            },
        ),
        ("formats/compression.py", {"code", "compress"}),
        ("tools/registry.py", {"pull", "push"}),
        ("formats/rootfs/slim.py", {"build_tools", "interpreter", "rootfs"}),
        ("formats/failure.py", set(program_names())),
    ],
)
def test_an_edit_runs_again_what_ships_the_module(
    monkeypatch: pytest.MonkeyPatch, path: str, programs: set[str]
) -> None:
    assert edited(monkeypatch, f"inseam/{path}") == programs


def test_the_order_and_the_paths_of_files_are_part_of_a_version() -> None:
    one, other = FileContent("a", b"b"), FileContent("ab", b"")
    assert rules_programs.version_of([one]) != rules_programs.version_of([other])
