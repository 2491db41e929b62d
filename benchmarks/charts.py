"""Draws the results of the benchmarks, which they wrote with --json, as SVG pictures."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

# Inseam is dark, what it is compared with is light; both are told apart in print and by the
# colour-blind.
COLOURS = ("#9aa5b1", "#1f5fa8", "#6fa8dc")
_WIDTH, _LEFT, _RIGHT = 760, 230, 70  # pixels
_BAR, _GAP, _BETWEEN, _TOP = 16, 3, 16, 84
_FONT = 'font-family="Helvetica, Arial, sans-serif"'


@dataclass(frozen=True)
class Group:
    """Bars that belong together: what they are, and a value for each series."""

    name: str
    values: tuple[float, ...]


def bars(title: str, unit: str, series: Sequence[str], groups: Sequence[Group]) -> str:
    """A picture of horizontal bars, shorter is better; values have two decimals."""
    largest = max(value for group in groups for value in group.values)
    scale = (_WIDTH - _LEFT - _RIGHT) / largest
    parts = [_text(16, 28, title, size=17, weight="bold")]
    x = _LEFT
    for name, colour in zip(series, COLOURS):
        parts.append(f'<rect x="{x}" y="46" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(x + 18, 57, name))
        x += 30 + 7 * len(name)
    y = _TOP
    for group in groups:
        height = len(group.values) * (_BAR + _GAP) - _GAP
        parts.append(_text(_LEFT - 12, y + height / 2 + 4, group.name, anchor="end"))
        for value, colour in zip(group.values, COLOURS):
            width = max(1.0, value * scale)
            parts.append(
                f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>'
            )
            parts.append(_text(_LEFT + width + 6, y + _BAR - 4, f"{value:.2f} {unit}", size=12))
            y += _BAR + _GAP
        y += _BETWEEN - _GAP
    size = f'width="{_WIDTH}" height="{y}" viewBox="0 0 {_WIDTH} {y}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    background = f'<rect width="{_WIDTH}" height="{y}" fill="white"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", background, *parts, "</svg>", ""])


def _text(
    x: float, y: float, text: str, *, size: int = 13, weight: str = "normal", anchor: str = "start"
) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    style = f'font-size="{size}" font-weight="{weight}" fill="#222"'
    return f"<text {place} {_FONT} {style}>{escape(text)}</text>"


def edit_loop(result: dict[str, Any]) -> str:
    """One service with numpy, pandas and pyarrow."""
    kinds = ("uv", "oci", "image")
    groups = [
        Group(label, tuple(statistics.median(result["seconds"][f"{k}, {what}"]) for k in kinds))
        for what, label in (("edited", "one line edited"), ("unchanged", "nothing changed"))
    ]
    title = "From an edit to an image, one service with numpy, pandas and pyarrow"
    return bars(title, "s", ("uv Dockerfile", "Inseam #oci", "Inseam #image"), groups)


def monorepo(result: dict[str, Any]) -> str:
    """A monorepo against Dockerfiles for uv."""
    kinds = ("uv", "oci_image", "docker_image")
    groups = [
        Group(change, tuple(statistics.median(cells[kind]["seconds"]) for kind in kinds))
        for change, cells in result["against"]["changes"].items()
    ]
    title = f"All images of {result['against']['services']} services, after a change"
    return bars(title, "s", ("uv Dockerfiles, tuned", "Inseam #oci", "Inseam #image"), groups)


def growth(result: dict[str, Any]) -> str:
    """Monorepos of several sizes."""
    sizes = [one["services"] for one in result["alone"]]
    groups = [
        Group(
            change,
            tuple(
                statistics.median(one["changes"][change]["oci_image"]["seconds"])
                for one in result["alone"]
            ),
        )
        for change in result["alone"][0]["changes"]
    ]
    series = [f"{size} services" for size in sizes]
    return bars("All OCI images of a monorepo, after a change", "s", series, groups)


def cold_start(result: dict[str, Any]) -> str:
    """A container's first answer."""
    names = ("without", "with bytecode")
    values = tuple(statistics.median(result["seconds"][name]) for name in names)
    title = "From docker run to the first answer, numpy, pandas and pyarrow"
    series = ("without bytecode", "with bytecode (Inseam)")
    return bars(title, "s", series, [Group("reports", values)])


# By name: how it is drawn, of which benchmark, and what of its result that takes.
PICTURES = {
    "edit-loop": (edit_loop, "edit", "seconds"),
    "monorepo": (monorepo, "scale", "against"),
    "growth": (growth, "scale", "alone"),
    "cold-start": (cold_start, "cold", "seconds"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edit", type=Path, help="of edit_loop.py")
    parser.add_argument("--scale", type=Path, help="of monorepo_scale.py")
    parser.add_argument("--cold", type=Path, help="of cold_start.py")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder for the pictures")
    options = parser.parse_args()
    for name, (draw, source, part) in PICTURES.items():
        path = getattr(options, source)
        result = json.loads(path.read_text()) if path else {}
        if result.get(part):
            (options.out / f"{name}.svg").write_text(draw(result))


if __name__ == "__main__":
    main()
