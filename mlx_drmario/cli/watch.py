"""`drmario watch`: watch a policy play in the terminal."""

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from mlx_drmario.cli.game import GameSeed
from mlx_drmario.cli.policy import NAMES
from mlx_drmario.cli.shown import show
from mlx_drmario.ranges import Level, Range, check_ranges

if TYPE_CHECKING:
    from mlx_drmario.tui.screens.live import LiveScreen


@dataclass(frozen=True)
class WatchConfig:
    """Watch a policy play, frame by frame at the console's speed, slower or faster. The key ? lists the others."""

    policy: Annotated[str, tyro.conf.arg(help=NAMES)] = "greedy"
    level: Level = 0
    """virus level, 0 to 24"""
    speed: Literal["low", "med", "hi"] = "hi"
    """speed setting"""
    games: Annotated[int, Range(1, 256)] = 1
    """games side by side, 1 to 256"""
    split: Literal["test", "validation", "training"] = "test"
    """where the games come from"""
    seed: GameSeed | None = None
    """the first game, 2 to 65535, 0x for hexadecimal (a state of the console's random generator); by default the first
    of the split"""
    pace: Annotated[float, Range(0.25, inf)] = 1.0
    """frames per 1/60 second at the start: 0.25, 0.5, 1, 2, 4, 8, 16, 64 or inf"""

    def __post_init__(self) -> None:
        check_ranges(self)


def run(config: WatchConfig) -> int:
    """Show the app until it is quit; 2 without a terminal. Raises ValueError for a policy or level that cannot be."""
    first = screen(config)
    return show("watch", lambda: first)


def screen(config: WatchConfig) -> "LiveScreen":
    """The screen of the app. Raises ValueError for a policy or level that cannot be."""
    from functools import partial

    from mlx_drmario import seeds
    from mlx_drmario.cli import policy as policies
    from mlx_drmario.spec import speed_number
    from mlx_drmario.tui.protocol import WatchJob
    from mlx_drmario.tui.screens.live import LiveScreen
    from mlx_drmario.tui.session import Session

    first = [] if config.seed is None else [config.seed]
    job = WatchJob(
        partial(policies.load, config.policy),
        name=config.policy,
        level=config.level,
        speed=speed_number(config.speed),
        seeds=(*first, *seeds.seeds(config.split).tolist()),
        games=config.games,
        pace=config.pace,
    )
    policies.check(config.policy)
    return LiveScreen(Session(job), config.policy, view="grid" if config.games > 1 else "focus")
