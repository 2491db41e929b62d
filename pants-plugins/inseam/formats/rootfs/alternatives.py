"""Creates the links that update-alternatives(1) would create when packages are installed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inseam.formats.debian.alternatives import Alternative, alternatives_of
from inseam.formats.debian.deb import Deb
from inseam.formats.rootfs.links import by_path, resolve
from inseam.formats.rootfs.system_files import OWNER, merged
from inseam.formats.tar import Member

_LINKS = "etc/alternatives"


def with_alternatives(members: Sequence[Member], debs: Iterable[Deb]) -> list[Member]:
    """The members, and for each name the links to the best alternative among them.

    If a package has a file at the path of a link, the file stays.
    """
    files = by_path(members)
    best: dict[str, Alternative] = {}
    for deb in debs:
        for found in alternatives_of(deb.postinst):
            known = best.get(found.name)
            if _there(found.target, files) and (known is None or found.priority > known.priority):
                best[found.name] = found
    made: dict[str, Member] = {}
    for _, chosen in sorted(best.items()):
        for name, link, target in (
            (chosen.name, chosen.link, chosen.target),
            *((name, link, target) for link, name, target in chosen.followers),
        ):
            place = merged(link.strip("/"))
            if place in files or not _there(target, files):
                continue
            between = f"{_LINKS}/{name}"
            made.setdefault(between, Member(between, link=target, owner=OWNER))
            made.setdefault(place, Member(place, link=f"/{between}", owner=OWNER))
    return [*members, *made.values()]


def _there(path: str, files: dict[str, Member]) -> bool:
    return merged(resolve(merged(path.strip("/")), files) or "") in files
