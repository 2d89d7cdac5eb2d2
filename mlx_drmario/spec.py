"""What arrays look like: shapes, value ranges and the meaning of every plane, scalar and number, in one place.

The names of planes and scalars belong to the compiled core; this page says what they mean. docs/environments.md is
written from it.
"""

import math
import operator
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlx_drmario import PublicView

ROWS, COLS = 16, 8
CELLS = ROWS * COLS
"""cells of a bottle, index = row * 8 + col, row 0 on top"""
ACTIONS = 4 * CELLS
"""placements: action = orientation * 128 + row * 8 + col, where (row, col) is the cell of the first half and the
orientation says where the second half lies: 0 right, 1 below, 2 left, 3 above"""
UNREACHABLE = 65_535
"""frames_to_lock of a placement that cannot be reached"""
EMPTY = 0xFF
"""bottle byte of an empty cell"""
TOP, BOTTOM, LEFT_HALF, RIGHT_HALF, SINGLE, CLEARING, VIRUS = 0x40, 0x50, 0x60, 0x70, 0x80, 0xB0, 0xD0
"""kinds of bottle bytes; a byte is kind + colour"""
COLORS = ("yellow", "red", "blue")
"""names of the colours 0, 1, 2"""

MAX_LEVEL = 24
SPEED_NAMES = ("low", "med", "hi")
"""names of the speeds 0, 1, 2"""
PLANE_SETS = ("bitplane", "extended")
SCALAR_MAX = 40.0
"""no scalar is greater (most lie in 0..1) or below 0"""

TITLE, OPTIONS, SETUP, PLAY = 0, 1, 3, 4
"""`mode` on the title and options screens, in the frame before a level is made, and in play"""
FALL, RESOLVE, HANDOVER = 0, 1, 3
"""p1_next_action while a capsule falls under the player's control, while the bottle settles after its lock, and in the
frame between the appearance of the next one and the player's control of it"""

A, B, DOWN, LEFT, RIGHT = 0x80, 0x40, 0x04, 0x02, 0x01
"""bits of a controller byte that play uses"""
DIRECTIONS = {"-": 0, "left": LEFT, "right": RIGHT, "down": DOWN}
TURNS = {"-": 0, "A": A, "B": B, "A+B": A | B}
BUTTONS: tuple[int, ...] = tuple(turn | way for turn in TURNS.values() for way in DIRECTIONS.values())
"""controller byte of each action of DrMario-v0: action = 4 * turn + direction, in the order of TURNS and DIRECTIONS.
Down held together with left or right does nothing in the game, so these are all that differ without left+right."""


def _each_color(stem: str, meaning: str) -> dict[str, str]:
    return {f"{stem}_{color}": f"{color} {meaning}" for color in COLORS}


PLANES: dict[str, str] = {
    **_each_color("virus", "virus"),
    **_each_color("half", "capsule half"),
    "empty": "nothing here",
    "linked": "half whose partner is still attached",
    "legal_right": "the first half can land here with the second to its right",
    "legal_below": "the first half can land here with the second below",
    "legal_left": "the first half can land here with the second to its left",
    "legal_above": "the first half can land here with the second above",
    "link_right": "half whose partner is to its right",
    "link_left": "half whose partner is to its left",
    "link_below": "half whose partner is below",
    "link_above": "half whose partner is above",
    **_each_color("falling", "half of the falling capsule"),
    **_each_color("preview", "half of the next capsule, where it will appear"),
}
"""meaning of each observation plane; every plane is 1 where this holds and 0 elsewhere"""

SCALARS: dict[str, str] = {
    **_each_color("first", "first half of the capsule"),
    **_each_color("second", "second half of the capsule"),
    **_each_color("preview_first", "first half of the next capsule"),
    **_each_color("preview_second", "second half of the next capsule"),
    "level/20": "level",
    "speed_low": "speed LOW",
    "speed_med": "speed MED",
    "speed_hi": "speed HI",
    "speed_ups/49": "speed-ups so far",
    "gravity_threshold/40": "frames that a capsule rests in a row before it falls on",
    "viruses_left/84": "viruses left",
    "frame_parity": "lowest bit of the frame counter, which decides in which frames down counts",
    "capsules/256": "capsules thrown so far",
    "gravity_counter/40": "frames since the capsule last fell",
    "das/16": "auto-repeat counter of left and right",
}
"""meaning of each scalar; the part after a slash is what the number is divided by"""


def from_bcd(value: Any) -> Any:
    """Two decimal digits in a byte -> number; a number or an array."""
    return (value >> 4) * 10 + (value & 0x0F)


LONGEST = 2**30
"""Decisions or frames that a game may be limited to; the core refuses more decisions as well (bind_decisions.cpp)."""


def whole(name: str, value: Any, low: int, high: int) -> int:
    """The value of an argument, of any integer type; ValueError that names it for what is none in low..high."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or not low <= number <= high:
        raise ValueError(f"{name} is {value!r}; it must be a whole number in {low}..{high}")
    return number


def check_one_player(view: "PublicView", who: str) -> None:
    """ValueError for games of two players, which `who` does not play."""
    if view.players != 1:
        raise ValueError(f"view has games of {view.players} players, {who} plays games of one")


def check_level(level: int) -> int:
    """The level itself; ValueError for what is none in 0..24."""
    return whole("level", level, 0, MAX_LEVEL)


def parse_levels(text: str) -> tuple[int, ...]:
    """Levels in the order given: "3", "0-5" (both ends included) or "0,5,10-12".

    Raises ValueError for anything else, for a level outside 0..24, and for a level named twice.
    """
    levels: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,3})\s*(?:-\s*([0-9]{1,3})\s*)?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last <= MAX_LEVEL:
            raise ValueError(f"levels is {text!r}; give levels from 0 to {MAX_LEVEL} such as '3', '0-5' or '0,5,10-12'")
        levels += range(first, last + 1)
    for level in levels:
        if levels.count(level) > 1:
            raise ValueError(f"levels is {text!r}, which names level {level} twice; name each level once")
    return tuple(levels)


def speed_number(speed: int | str) -> int:
    """0, 1 or 2 for a speed given as a number or as "low", "med" or "hi" in any case; ValueError for anything else."""
    if isinstance(speed, str) and speed.lower() in SPEED_NAMES:
        return SPEED_NAMES.index(speed.lower())
    try:
        return whole("speed", speed, 0, 2)
    except ValueError:
        raise ValueError(f"speed is {speed!r}; it must be 0, 1, 2 or one of {', '.join(SPEED_NAMES)}") from None


def parse_speeds(text: str) -> tuple[int, ...]:
    """Speeds by name, separated by commas: "low,hi" is 0, 2. ValueError for other names, or one that comes twice."""
    names = text.split(",")
    if not set(names) <= set(SPEED_NAMES) or len(set(names)) < len(names):
        raise ValueError(f"speeds must be distinct names of {', '.join(SPEED_NAMES)}, got {text!r}")
    return tuple(SPEED_NAMES.index(name) for name in names)


def percent(share: float, digits: int = 1) -> str:
    """A share as a percentage, with more digits where so few would make it none or all: "100.0%" is all."""
    while 0 < share < 1 and f"{share:.{digits}%}" in (f"{0:.{digits}%}", f"{1:.{digits}%}"):
        digits += 1
    return f"{share:.{digits}%}"


def counted(number: int, thing: str, ending: str = "s") -> str:
    """`1 game`, `1,000 games`; `ending` is that of the plural."""
    return f"{number:,} {thing}{'' if number == 1 else ending}"


def clock(seconds: float | None) -> str:
    """`3:07`, `4:00:00`; dashes for a time that is not known, or without an end."""
    if seconds is None or math.isinf(seconds):
        return "-:--"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def placement_words(action: int, capsule: tuple[int, int]) -> str:
    """A placement in words: the colours from left to right or from top to bottom, the columns and the row.

    Columns count from 1 on the left, rows from 1 at the floor. capsule: colours of its first and second half.
    """
    orientation, cell = divmod(action, ROWS * COLS)
    row, column = divmod(cell, 8)
    bottom = ROWS - row - (orientation == 1)
    column -= orientation == 2
    columns = f"{column + 1}-{column + 2}" if orientation in (0, 2) else f"{column + 1}"
    first, second = ("YRB"[color] for color in (capsule if orientation < 2 else capsule[::-1]))
    return f"{first}{'━┃━┃'[orientation]}{second} col {columns} row {bottom}"
