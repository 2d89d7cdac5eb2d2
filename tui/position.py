"""One game as a screen shows it: plain values read from a row of the engine's state."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlx_drmario.render import drawn
from mlx_drmario.spec import CELLS, FALL, HANDOVER, SPEED_NAMES, from_bcd

PLAYING, CLEARED, TOP_OUT = 0, 1, 2
OUTCOMES = ("playing", "cleared", "top out")


@dataclass(frozen=True, eq=False)
class Position:
    """What a player sees of a game. The capsules that have not been shown are not in it."""

    cells: NDArray[np.uint8]
    """u8[128]: the bottle with the falling capsule in it"""
    capsule: tuple[int, int]
    """colours of the falling capsule, left and right as it appeared"""
    falling: bool
    """whether a capsule falls"""
    preview: tuple[int, int]
    level: int
    speed: int
    speed_ups: int
    viruses: int
    outcome: int
    """PLAYING, CLEARED or TOP_OUT"""
    frames: int = 0
    decisions: int = 0
    seed: int | None = None

    @classmethod
    def of(cls, state: Any, seat: int = 1, *, frames: int = 0, decisions: int = 0, seed: int | None = None) -> Self:
        """Read player `seat` (1 or 2) of one row of `Batch.state` or `Decisions.state`."""

        def number(name: str) -> int:
            return int(state[f"p{seat}_{name}"])

        return cls(
            cells=drawn(np.atleast_1d(state), seat)[0],
            capsule=(number("pill_color_l"), number("pill_color_r")),
            falling=number("next_action") in (FALL, HANDOVER),
            preview=(number("next_color_l"), number("next_color_r")),
            level=number("level"),
            speed=number("speed_setting"),
            speed_ups=number("speed_ups"),
            viruses=int(from_bcd(number("virus_left_bcd"))),
            outcome=outcome_of(number("virus_left_bcd"), number("fail_flag")),
            frames=frames,
            decisions=decisions,
            seed=seed,
        )

    @property
    def title(self) -> str:
        return f"level {self.level} {SPEED_NAMES[self.speed].upper()}"


def outcome_of(viruses_bcd: int, failed: int) -> int:
    """PLAYING, CLEARED or TOP_OUT."""
    if viruses_bcd == 0:
        return CLEARED
    return TOP_OUT if failed else PLAYING


def action_cells(action: int) -> list[int]:
    """The cells of both halves of a placement, first half first; a half above the top row is left out."""
    orientation, cell = divmod(action, CELLS)
    second = cell + (1, 8, -1, -8)[orientation]
    return [cell, second] if 0 <= second < CELLS else [cell]
