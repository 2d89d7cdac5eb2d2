"""Draws a game, as text or as pixels. Everything here is drawn from shapes and letters of our own.

A `Scene` holds what a picture needs; `text` and `rgb` are pure functions of it. What a cell looks like in a terminal
(`GLYPHS`) is so in the Textual app as well, whose themes have colours of their own.
"""

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlx_drmario.spec import (
    BOTTOM,
    CLEARING,
    COLS,
    FALL,
    HANDOVER,
    LEFT_HALF,
    RIGHT_HALF,
    ROWS,
    SINGLE,
    SPEED_NAMES,
    TOP,
    VIRUS,
    from_bcd,
)

RGB = tuple[int, int, int]
Image = NDArray[np.uint8]

COLORS: tuple[RGB, RGB, RGB] = ((242, 201, 61), (231, 76, 70), (74, 134, 240))  # yellow, red, blue
BACKGROUND: RGB = (18, 20, 27)
GLASS: RGB = (96, 104, 128)
DOT: RGB = (52, 57, 72)
INK: RGB = (222, 226, 236)


@dataclass(frozen=True)
class Scene:
    """What a picture of one game shows."""

    bottle: NDArray[np.uint8]
    """u8[128], cells as in `spec`, with the falling capsule already drawn in"""
    preview: tuple[int, int] | None = None
    """colours of the next capsule, left and right"""
    title: str = ""
    """one short line above the bottle"""
    viruses: int | None = None
    frames: int | None = None
    capsules: int | None = None

    def __post_init__(self) -> None:
        if self.bottle.shape != (ROWS * COLS,) or self.bottle.dtype != np.uint8:
            raise ValueError(f"bottle is {self.bottle.dtype}{self.bottle.shape}; it must be uint8({ROWS * COLS},)")


def scene(state: Any, *, frames: int | None = None, capsules: int | None = None) -> Scene:
    """The scene of player 1 in one row of `Batch.state` or `Decisions.state`."""
    bottle = drawn(np.atleast_1d(state))[0]
    return Scene(
        bottle=bottle,
        preview=(int(state["p1_next_color_l"]), int(state["p1_next_color_r"])),
        title=f"level {int(state['p1_level'])} {SPEED_NAMES[int(state['p1_speed_setting'])].upper()}",
        viruses=int(from_bcd(state["p1_virus_left_bcd"])),
        frames=frames,
        capsules=capsules,
    )


def drawn(states: NDArray[np.void], seat: int = 1) -> NDArray[np.uint8]:
    """u8[N, 128]: the bottles of player `seat` in a structured array [N], with the falling capsules in them; a half
    above the top row is left out."""
    cells = states[f"p{seat}_bottle"].copy()
    phase = states[f"p{seat}_next_action"]
    rows = np.flatnonzero((phase == FALL) | (phase == HANDOVER))
    if not rows.size:
        return cells
    x, y, rotation, first, second_color = (
        states[f"p{seat}_pill_{name}"][rows].astype(np.int64) for name in ("x", "y", "rotation", "color_l", "color_r")
    )
    base_cell = (ROWS - 1 - y) * COLS + x
    upright = rotation % 2 == 1
    swapped = rotation >= 2
    base, other = np.where(swapped, second_color, first), np.where(swapped, first, second_color)
    cells[rows, base_cell] = np.where(upright, BOTTOM, LEFT_HALF) + base
    second = np.where(upright, base_cell - COLS, base_cell + 1)
    inside = (second >= 0) & (second < ROWS * COLS)
    cells[rows[inside], second[inside]] = (np.where(upright, TOP, RIGHT_HALF) + other)[inside]
    return cells


# --- text ------------------------------------------------------------------------------------------------------------

_PLAIN = {TOP: "^{}", BOTTOM: "v{}", LEFT_HALF: "({}", RIGHT_HALF: "{})", SINGLE: "'{}", CLEARING: "x{}"}
GLYPHS = {TOP: "▟▙", BOTTOM: "▜▛", LEFT_HALF: "▐█", RIGHT_HALF: "█▌", SINGLE: "▐▌", CLEARING: "◇◇", VIRUS: "••"}
"""two characters for every kind of cell; those of a virus are the eyes in a filled cell"""


def cell_style(byte: int) -> tuple[str, RGB, RGB]:
    """Two characters, their colour and their background for one bottle byte."""
    kind, color = byte & 0xF0, byte & 0x0F
    if color >= len(COLORS) or kind not in GLYPHS:
        return " ·", DOT, BACKGROUND
    if kind == VIRUS:
        return GLYPHS[kind], BACKGROUND, COLORS[color]
    return GLYPHS[kind], COLORS[color], BACKGROUND


def cell_letters(byte: int) -> str:
    """Two characters for one bottle byte without colour: Y*, R*, B* viruses; (r b) a lying capsule; 'y a single."""
    kind, color = byte & 0xF0, byte & 0x0F
    if color >= len(COLORS) or kind not in (*_PLAIN, VIRUS):
        return " ."
    return "YRB"[color] + "*" if kind == VIRUS else _PLAIN[kind].format("yrb"[color])


def caption(view: Scene) -> str:
    """The counters of a scene on one line, as far as known."""
    parts = (("viruses", view.viruses), ("frames", view.frames), ("capsules", view.capsules))
    return "  ".join(f"{name} {value}" for name, value in parts if value is not None)


def text(view: Scene, color: bool | None = None) -> str:
    """The scene as lines of text: title, preview, bottle, counters.

    color: escape codes or plain letters; by default coloured unless NO_COLOR is set (https://no-color.org) or the
    terminal is a dumb one. Colours are exact where COLORTERM promises that, else the nearest of the terminal's 256.
    """
    color = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb" if color is None else color
    draw = _paint if color else cell_letters
    preview = "" if view.preview is None else "".join(draw(byte) for byte in _preview_bytes(view.preview))
    lines = [view.title, f"next {preview}", "+" + "-" * 2 * COLS + "+"]
    lines += ["|" + "".join(draw(int(byte)) for byte in row) + "|" for row in view.bottle.reshape(ROWS, COLS)]
    lines += [lines[2], caption(view)]
    return "\n".join(lines) + "\n"


def _paint(byte: int) -> str:
    glyph, front, back = cell_style(byte)
    return f"\x1b[38;{_code(front)};48;{_code(back)}m{glyph}\x1b[0m"


def _code(color: RGB) -> str:
    """A colour as terminals take it: exactly, or the nearest of 6 x 6 x 6 whose parts are 0, 95, 135, ..., 255."""
    if os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        return "2;" + ";".join(map(str, color))
    r, g, b = (0 if part < 48 else 1 if part < 115 else (part - 35) // 40 for part in color)
    return f"5;{16 + 36 * r + 6 * g + b}"


def _preview_bytes(colors: tuple[int, int]) -> tuple[int, int]:
    return LEFT_HALF + colors[0], RIGHT_HALF + colors[1]


# --- pixels ----------------------------------------------------------------------------------------------------------

# 3x5 letters, one row of three bits after the other from the top left.
_FONT = dict(
    zip(
        "0123456789VFC ",
        (
            *(0b111101101101111, 0b010110010010111, 0b111001111100111, 0b111001111001111, 0b101101111001001),
            *(0b111100111001111, 0b111100111101111, 0b111001010010010, 0b111101111101111, 0b111101111001111),
            *(0b101101101101010, 0b111100110100100, 0b111100100100111, 0),
        ),
        strict=True,
    )
)


def rgb(view: Scene, cell: int = 16) -> Image:
    """The scene as pixels, u8[18 * cell, 14 * cell, 3]: the bottle, and beside it the next capsule and the counters
    V(iruses), F(rames), C(apsules).

    Raises:
        ValueError: cell below 8 pixels.
    """
    if cell < 8:
        raise ValueError(f"cell is {cell}; a cell needs at least 8 pixels")
    picture = np.empty(((ROWS + 2) * cell, (COLS + 6) * cell, 3), np.uint8)
    picture[:] = BACKGROUND
    rim = max(1, cell // 8)
    picture[cell - rim : -cell + rim, cell - rim : (COLS + 1) * cell + rim] = GLASS
    sprites = _sprites(cell)
    cells = sprites[view.bottle].reshape(ROWS, COLS, cell, cell, 3)
    picture[cell:-cell, cell : (COLS + 1) * cell] = cells.swapaxes(1, 2).reshape(ROWS * cell, COLS * cell, 3)
    side = (COLS + 2) * cell
    if view.preview is not None:
        left, right = _preview_bytes(view.preview)
        picture[2 * cell : 3 * cell, side : side + 2 * cell] = np.concatenate([sprites[left], sprites[right]], axis=1)
    counters = (("V", view.viruses), ("F", view.frames), ("C", view.capsules))
    scale = cell // 8
    for line, (letter, value) in enumerate(counters):
        if value is not None:
            words = _letters(f"{letter} {value % 100_000}", scale)
            top = (5 + line) * cell
            picture[top : top + words.shape[0], side : side + words.shape[1]][words] = INK
    return picture


def _letters(words: str, scale: int) -> NDArray[np.bool_]:
    """The pixels of a line of `_FONT` letters, bool[5 * scale, 4 * scale * len(words)]."""
    mask = np.zeros((5, 4 * len(words)), np.bool_)
    for index, letter in enumerate(words):
        bits = [int(bit) for bit in f"{_FONT[letter]:015b}"]
        mask[:, 4 * index : 4 * index + 3] = np.reshape(bits, (5, 3))
    return mask.repeat(scale, axis=0).repeat(scale, axis=1)


@lru_cache(maxsize=8)
def _sprites(size: int) -> Image:
    """The picture of every bottle byte, u8[256, size, size, 3], drawn four times as fine and averaged."""
    fine = 4 * size
    y, x = np.mgrid[0:fine, 0:fine] / (fine - 1) * 2 - 1  # -1 .. 1 across the cell
    sprites = np.empty((256, fine, fine, 3), np.float32)
    sprites[:] = BACKGROUND
    sprites[:, np.hypot(x, y) < 0.12] = DOT
    for kind in GLYPHS:
        inside, dark = _shape(kind, x, y)
        shade = np.where(inside, 1.0 - 0.22 * (x + y) / 2, 0.0)[..., None]
        for color, value in enumerate(COLORS):
            body = np.where(inside[..., None], np.clip(np.array(value) * shade, 0, 255), BACKGROUND)
            sprites[kind + color] = np.where(dark[..., None], BACKGROUND, body)
    return sprites.reshape(256, size, 4, size, 4, 3).mean(axis=(2, 4)).round().astype(np.uint8)


def _shape(kind: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where a cell of this kind is filled, and where it is cut out again, over coordinates -1..1."""
    none = np.zeros(x.shape, np.bool_)
    radius, reach = np.hypot(x, y), 0.86
    if kind == VIRUS:  # a star with two eyes
        spiky = radius < 0.74 + 0.16 * np.cos(8 * np.arctan2(y, x))
        eyes = np.hypot(np.abs(x) - 0.3, y + 0.12) < 0.17
        return spiky, eyes
    if kind == CLEARING:  # a ring
        return (radius < reach) & (radius > 0.55), none
    # A half: a disc, drawn out to the edge of the cell on the side of its partner.
    toward = {LEFT_HALF: x, RIGHT_HALF: -x, TOP: y, BOTTOM: -y}.get(kind)
    if toward is None:
        return radius < reach, none
    across = y if kind in (LEFT_HALF, RIGHT_HALF) else x
    return np.where(toward > 0, np.abs(across) < reach, radius < reach), none
