"""Recorded games as lines for time travel: each is played again, so that every position can be gone on from."""

from dataclasses import replace
from pathlib import Path

import numpy as np

import mlx_drmario as dm
from mlx_drmario.rl.config import REWARD
from mlx_drmario.traces import storage
from mlx_drmario.traces.games import ALTERED, Games, altered
from mlx_drmario.tui.choices import describe
from mlx_drmario.tui.protocol import Choice, Line

_UNKNOWN = -30.0
"""log-probability of a placement that is not among those that the trace keeps"""


class Recording:
    """A trace file."""

    def __init__(self, path: Path) -> None:
        """Raises FileNotFoundError or ValueError for what is no trace, ValueError for one of two players."""
        self.path = path
        table = storage.episodes(path)
        if table.players != 1:
            raise ValueError(f"path is {path}, of two players; the app shows games of one, `drmario trace html` others")
        self.count = len(table)
        if not self.count:
            raise ValueError(f"path is {path}, which holds no game")

    def line(self, episode: int) -> Line:
        """A game from its first decision to its end. Raises ValueError when it cannot be played again."""
        games = storage.read(self.path, episode, episode + 1)
        if len(altered(games)):
            raise ValueError(f"path is {self.path}, a damaged trace: {ALTERED.format(episode)}")
        if games.episode["buttons"][0]:
            which = f"game {episode + 1} of {self.path}"
            raise ValueError(f"{which} was played by buttons; the app shows placements, `drmario trace html` others")
        return line_of(games, f"{self.path.name} · game {episode + 1} of {self.count}")


def line_of(games: Games, name: str) -> Line:
    """The first episode of `games`."""
    play = dm.Decisions(num_envs=1, threads=1)
    play.set_state(games.start[:1])
    rows = games.decisions_of(0)
    states, frames = [play.state[0].copy()], [0]
    choices: list[Choice | None] = []
    for row in range(rows.start, rows.stop):
        action = games.decision["action"][row : row + 1].astype(np.int32)
        choices.append(_choice(games, row, play, action))
        play.step(action)
        states.append(play.state[0].copy())
        frames.append(int(play.frames[0]))
    return Line(
        states=np.array(states, play.state.dtype),
        choices=(*choices, None),
        frames=np.array(frames, np.uint32),
        name=name,
        seed=int(games.episode["seed"][0]) or None,
    )


def _choice(games: Games, row: int, play: dm.Decisions, action: np.ndarray) -> Choice:
    """What the policy said then, as far as it was kept."""
    top, chances = games.decision["top_action"][row], games.decision["top_log_prob"][row]
    known = (top >= 0) & np.isfinite(chances)
    log_probs = None
    if known.any():
        log_probs = np.full((1, 512), _UNKNOWN, np.float32)
        log_probs[0, top[known]] = chances[known]
    value = games.decision["value"][row : row + 1]
    choice = describe(play, action, log_probs, value if np.isfinite(value).all() else None, REWARD)[0]
    band = games.decision["value_band"][row]
    quantiles = tuple(np.sort(band).tolist()) if np.isfinite(band).all() else None
    return replace(choice, entropy=None, quantiles=quantiles)  # entropy: most probabilities were not kept
