"""What a bottle byte looks like in a terminal: glyphs, and styles from the theme's variables."""

import os
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from mlx_drmario.render import GLYPHS, cell_letters
from mlx_drmario.spec import BOTTOM, CLEARING, LEFT_HALF, RIGHT_HALF, SINGLE, TOP, VIRUS

EMPTY_CLASS = 0
"""A cell's class: 0 empty, 1 + c a half of colour c, 4 + c a virus, 7 + c a cell that is being cleared."""
CLASSES = 10
# Four columns and two rows per cell, for the bottle in focus.
_LARGE = {
    TOP: ("▗██▖", "▐██▌"),
    BOTTOM: ("▐██▌", "▝██▘"),
    LEFT_HALF: ("▗███", "▝███"),
    RIGHT_HALF: ("███▖", "███▘"),
    SINGLE: ("▗██▖", "▝██▘"),
    CLEARING: ("╭──╮", "╰──╯"),
    VIRUS: ("▚◕◕▞", "▞▔▔▚"),
}


def _class_of(byte: int) -> int:
    kind, color = byte & 0xF0, byte & 0x0F
    if color > 2 or kind not in GLYPHS:
        return EMPTY_CLASS
    return {VIRUS: 4, CLEARING: 7}.get(kind, 1) + color


CLASS_OF = np.array([_class_of(byte) for byte in range(256)], np.uint8)
"""u8[256]: the class of every bottle byte"""


def _glyphs(byte: int) -> str:
    return GLYPHS[byte & 0xF0]


def _large_glyphs(byte: int) -> tuple[str, str]:
    return _LARGE[byte & 0xF0]


def _large_letters(byte: int) -> tuple[str, str]:
    """Where colours are greys: which one it is."""
    return f" {cell_letters(byte)} ", "    "


class Palette:
    """Styles of one theme: tables, because a wall looks up thousands of cells for every picture."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        """variables: `App.theme_variables`."""
        value = {name: Color.parse(variables[name]).rich_color for name in _USED}
        self._value = value
        self.bottle, self.screen = value["bottle"], value["background"]
        halves = [value[f"capsule-{color}"] for color in range(3)]
        viruses = [value[f"virus-{color}"] for color in range(3)]
        classes = [self.bottle, *halves, *viruses, *[value["clearing"]] * 3]
        self.pairs = [self._pair(upper, lower) for upper in classes for lower in classes]
        """[100]: glyph and style of one character that shows two cells, at 10 x upper class + lower class"""
        dot = Style(color=value["bottle-dot"], bgcolor=self.bottle)
        solid = [self._solid(byte, classes[CLASS_OF[byte]]) for byte in range(256)]
        empty = CLASS_OF == EMPTY_CLASS
        small, large = (cell_letters, _large_letters) if "NO_COLOR" in os.environ else (_glyphs, _large_glyphs)
        self.cells = [(" ·", dot) if empty[b] else (small(b), solid[b]) for b in range(256)]
        """[256]: two characters for one cell"""
        self.large_cells = [
            (("    ", dot), ("  · ", dot)) if empty[b] else tuple((line, solid[b]) for line in large(b))
            for b in range(256)
        ]
        """[256][2]: four characters of both lines of one cell"""
        self.ghosts = [Style(color=color, bgcolor=self.bottle) for color in halves]
        """[3]: of a cell where a half of this colour is to land"""
        self.rim = Style(color=value["bottle-rim"], bgcolor=self.bottle)

    def style(self, name: str, background: str = "background", bold: bool = False) -> Style:
        """Text in a theme colour."""
        return Style(color=self._value[name], bgcolor=self._value[background], bold=bold)

    def text(self, name: str, bold: bool = False) -> Style:
        """Text in a theme colour on whatever ground there is."""
        return Style(color=self._value[name], bold=bold)

    def _pair(self, upper: RichColor, lower: RichColor) -> tuple[str, Style]:
        if upper == lower:
            return " ", Style(bgcolor=upper)
        return "▀", Style(color=upper, bgcolor=lower)

    def _solid(self, byte: int, color: RichColor) -> Style:
        """A virus is a filled cell with eyes, everything else a shape on the bottle's ground."""
        if byte & 0xF0 == VIRUS:
            return Style(color=RichColor.parse("#ffffff"), bgcolor=color)
        return Style(color=color, bgcolor=self.bottle)


_USED = (
    *(f"capsule-{color}" for color in range(3)),
    *(f"virus-{color}" for color in range(3)),
    *("clearing", "bottle", "bottle-dot", "bottle-rim", "foreground", "accent", "success", "error", "warning"),
    *("background", "panel", "primary", "secondary"),
)


@lru_cache(maxsize=32)
def _palette(items: tuple[tuple[str, str], ...]) -> Palette:
    return Palette(dict(items))


def palette(variables: Mapping[str, str]) -> Palette:
    """The palette of an app's `theme_variables`, made once for each theme."""
    return _palette(tuple((name, variables[name]) for name in _USED))


def joined(parts: list[tuple[str, Style]]) -> list[Segment]:
    """Glyphs with styles as segments; neighbours of one style share an escape code."""
    segments: list[Segment] = []
    run, style = "", parts[0][1]
    for glyph, its in parts:
        if its is style:
            run += glyph
        else:
            segments.append(Segment(run, style))
            run, style = glyph, its
    segments.append(Segment(run, style))
    return segments
