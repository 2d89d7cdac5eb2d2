"""`drmario play`: play in the terminal."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlx_drmario.cli.game import GameSeed
from mlx_drmario.cli.shown import show
from mlx_drmario.files import check_directory
from mlx_drmario.ranges import Level, check_ranges

if TYPE_CHECKING:
    from mlx_drmario.tui.screens.play import DuelScreen, PlayScreen


@dataclass(frozen=True)
class PlayConfig:
    """Play by hand. Alone: arrows move and drop, x (or up) and z turn. Two players: a d s move and drop, f g turn; and
    arrows, comma and full stop. Space pauses, r plays the game again, n the next, q quits, ? lists the keys.

    In a terminal with the kitty keyboard protocol a button is held as long as its key. Others do not tell when a key is
    released: there a press holds its button for a few frames (left and right 4, down 6, turns 1), and holding a key
    relies on the terminal's own key repeat.
    """

    level: Level = 0
    """virus level, 0 to 24"""
    speed: Literal["low", "med", "hi"] = "low"
    """speed setting"""
    players: Literal[1, 2] = 1
    """alone, or two on one keyboard"""
    seed: GameSeed | None = None
    """game, 2 to 65535, 0x for hexadecimal (a state of the console's random generator); by default a random one"""
    capture: Path | None = None
    """keep every game in trace files in this directory (docs/traces.md)"""

    def __post_init__(self) -> None:
        check_ranges(self)


def run(config: PlayConfig) -> int:
    """Show the app until it is quit; 2 without a terminal. Raises ValueError for a level or seed that cannot be."""
    return show("play", lambda: screen(config))


def screen(config: PlayConfig) -> "PlayScreen | DuelScreen":
    """The screen of the app; makes the directory of `--capture`."""
    from itertools import chain

    import numpy as np

    from mlx_drmario import seeds
    from mlx_drmario.spec import speed_number
    from mlx_drmario.tui.screens.play import DuelScreen, PlayScreen

    if config.capture is not None:
        check_directory("--capture", config.capture)
    rng = np.random.default_rng()
    drawn = iter(lambda: int(seeds.sample("training", rng, 1)[0]), None)
    first = [] if config.seed is None else [config.seed]
    kind = PlayScreen if config.players == 1 else DuelScreen
    return kind(config.level, speed_number(config.speed), chain(first, drawn), config.capture)
