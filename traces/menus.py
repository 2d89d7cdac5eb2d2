"""What the rules do not say about the title and options screens; the command line offers it as options."""

from dataclasses import dataclass
from typing import Annotated

from mlx_drmario.ranges import Range, check_ranges

Music = Annotated[int, Range(0, 2)]
"""An entry of the options screen's music row."""


@dataclass(frozen=True)
class Menus:
    """What is assumed about the program before a game starts. Check these first when a movie does not stay in sync."""

    power_on_counter: Annotated[int, Range(0, 255)] = 0
    """frame counter of the program in frame 0 of a movie"""
    title_frame: Annotated[int, Range(0, 2_047)] = 150
    """frames from power-on (or reset) until the title reads Start; the demo begins in frame 2,048"""
    settle: Annotated[int, Range(0, 36_000)] = 20
    """frames of the options screen before the first button"""
    gap: Annotated[int, Range(2, 600)] = 4
    """frames from one press of a button to the next: it is up in between, or the console sees no second press"""
    first_level: Annotated[int, Range(0, 20)] = 0
    """virus level shown first"""
    first_speed: Annotated[int, Range(0, 2)] = 1
    """speed shown first: 0 LOW, 1 MED, 2 HI"""
    first_music: Music = 0
    """entry of the music row shown first"""
    music_off: Music = 2
    """entry of the music row that is silent: with music the console can lose buttons (docs/rules.md 17.1) and needs one
    frame more to set up some games (17.2)"""
    one_cursor: bool = True
    """two players: one cursor for both, moved by player 1; else each has one"""

    def __post_init__(self) -> None:
        check_ranges(self, "menus.")
