"""Situations of games that were played to the end, with what became of them.

Everything is drawn from one generator, so the same settings, seed and split give the same rows. Games of the training
split are for learning, of the validation split for calibration.

Axis letters: R rows, C planes, S scalars, F facts.
"""

from __future__ import annotations

import dataclasses
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlx_drmario import Decisions, files, seeds
from mlx_drmario.evaluate import Policy
from mlx_drmario.nets.outcome import FACTS
from mlx_drmario.rl.afterstates import facts_of
from mlx_drmario.rl.evaluator.config import GamesConfig
from mlx_drmario.rl.rollout import observation_layout
from mlx_drmario.spec import CELLS, COLS, PLANE_SETS, ROWS, parse_levels, parse_speeds

GAMES = 512
"""Games played side by side; another number is other random placements."""

Said = Callable[[int, int], None]
"""Told (games that ended, games wanted) after every step."""


@dataclass(frozen=True)
class Rows:
    """R situations, what was done there, and how the game went on."""

    planes: NDArray[np.uint8]
    """u8[R, C * 16]: the planes, eight cells per byte (numpy.packbits)"""
    scalars: NDArray[np.float32]
    """f32[R, S]"""
    action: NDArray[np.int32]
    """i32[R]"""
    facts: NDArray[np.float32]
    """f32[R, F]: what the action did (nets.outcome.FACTS)"""
    tau: NDArray[np.uint32]
    """u32[R]: frames it took"""
    own: NDArray[np.bool_]
    """bool[R]: the policy's own choice, not a random one"""
    frames: NDArray[np.uint32]
    """u32[R]: from here to the end of the game, `tau` included"""
    cleared: NDArray[np.bool_]
    """bool[R]: the game was cleared"""
    later: NDArray[np.int64]
    """i64[R]: the row `steps` decisions later; -1 where the game was over by then, or none was asked for"""
    between: NDArray[np.uint32]
    """u32[R]: frames until there; 0 without one"""
    target: NDArray[np.bool_]
    """bool[R]: one of the rows drawn to learn from; the others are only somebody's `later`"""
    game: NDArray[np.int64]
    """i64[R]: number of the game: rows of one are dependent"""
    level: NDArray[np.uint8]
    speed: NDArray[np.uint8]
    seed: NDArray[np.uint16]
    decision: NDArray[np.uint16]
    """u16[R]: capsules placed before"""

    def __len__(self) -> int:
        return len(self.action)

    @property
    def num_planes(self) -> int:
        """C"""
        return 8 * self.planes.shape[1] // CELLS

    @property
    def plane_set(self) -> str:
        """The set that the planes are of, told by their number."""
        return next(name for name in PLANE_SETS if observation_layout(name).num_planes == self.num_planes)

    def observations(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """planes u8[B, C, 16, 8] and scalars f32[B, S] of some rows."""
        planes = np.unpackbits(self.planes[rows], axis=1).reshape(len(rows), self.num_planes, ROWS, COLS)
        return planes, self.scalars[rows]

    def save(self, path: Path) -> None:
        """Write an .npz that `load` reads, whole or not at all."""
        with files.replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **vars(self))

    @classmethod
    def load(cls, path: Path) -> Rows:
        """Raises OSError for a file that cannot be read, ValueError for one that is none of these, or damaged."""
        try:
            with open(path, "rb") as file, np.load(file) as arrays:
                return cls(**{field.name: arrays[field.name] for field in dataclasses.fields(cls)})
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"{path} is damaged ({error}); remove it, and the games are played again") from None


def play(
    config: GamesConfig,
    policy: Policy,
    planes: str,
    split: str,
    seed: list[int],
    steps: int = 0,
    said: Said | None = None,
) -> Rows:
    """Play `config.games` games of a split to the end and keep `config.rows` situations of each (fewer of short ones).

    `planes` is the plane set that the policy reads; `steps` asks for the situations so many decisions after the kept
    ones. Raises what the policy raises.
    """
    player = _Player(config, planes, split, seed)
    drawn = _Drawn(config.rows, steps, np.random.default_rng([*seed, 1]))
    while player.ended < config.games:
        player.step(policy)
        for game in player.finished():
            drawn.add(game)
        if said is not None:
            said(player.ended, config.games)
    if not drawn.end:
        raise ValueError(f"games is {config.games}, and none of them got as far as what is kept of it; play more")
    return drawn.rows()


class _Player:
    """Games side by side, with the history of each.

    Every game that is begun is played to its end: the first so many to end would be the short ones.
    """

    def __init__(self, config: GamesConfig, planes: str, split: str, seed: list[int]) -> None:
        rng = self.rng = np.random.default_rng(seed)
        count, levels = config.games, np.array(parse_levels(config.levels), np.uint8)
        speeds = np.array(parse_speeds(config.speeds), np.uint8)
        self.level = levels[np.arange(count) % len(levels)]
        self.speed = rng.choice(speeds, count)
        self.seed = seeds.sample(split, rng, count)
        self.clock = rng.integers(0, 256, count, np.uint8)
        self.share = rng.uniform(0, config.random_moves, count)  # of random placements before `first`
        longest = 8 + 8 * self.level.astype(np.int64)  # about as long as games of a level are
        self.disturbed = rng.random(count) < config.disturbed
        self.first = np.where(self.disturbed, rng.integers(0, longest), 0)  # decision kept; random if disturbed
        self.history: dict[int, dict[str, Any] | None] = {}  # of games that ended, until they are taken
        self.ended = self.taken = 0

        places = min(GAMES, count)
        self.games = Decisions(places, planes, max_decisions=config.max_decisions)
        self.facts = np.empty((places, len(FACTS)), np.float32)  # of the last step
        shape = (config.max_decisions, places)
        self.columns: dict[str, NDArray[Any]] = {
            "planes": np.zeros((*shape, len(self.games.plane_names) * CELLS // 8), np.uint8),
            "scalars": np.zeros((*shape, len(self.games.scalar_names)), np.float32),
            "action": np.zeros(shape, np.int32),
            "facts": np.zeros((*shape, len(FACTS)), np.float32),
            "tau": np.zeros(shape, np.uint32),
            "own": np.zeros(shape, np.bool_),
        }
        self.number = np.zeros(places, np.int64)  # of the game in each place
        self.begun = 0
        self._start(np.arange(places))

    def step(self, policy: Policy) -> None:
        """One decision of every game that is going on."""
        games, at = self.games, np.flatnonzero(~self.games.ended)
        decided, number = games.decisions[at].astype(np.int64), self.number[at]
        chosen = policy.act(games.view)[at]
        random = games.sample_legal(int(self.rng.integers(2**63)))[at]
        first = self.first[number]
        at_random = (decided < first) & (self.rng.random(len(at)) < self.share[number])
        at_random |= (decided == first) & self.disturbed[number]
        action = np.zeros(games.num_envs, np.int32)
        action[at] = np.where(at_random, random, chosen)
        packed = np.packbits(games.planes[at].reshape(len(at), -1), axis=1)
        seen = {"planes": packed, "scalars": games.scalars[at], "action": action[at], "own": action[at] == chosen}
        games.step(action)
        seen |= {"tau": games.tau[at], "facts": facts_of(games, self.facts)[at]}
        for name, column in seen.items():
            self.columns[name][decided, at] = column
        over = at[games.ended[at]]
        for place in over.tolist():
            self._finish(place)
        self._start(over[: len(self.level) - self.begun])

    def _finish(self, place: int) -> None:
        """Keep the history of a game that ended, if it got as far as what is to be kept."""
        number, decisions = int(self.number[place]), int(self.games.decisions[place])
        self.ended += 1
        first = int(self.first[number])
        self.history[number] = None
        if first < decisions:
            game = {name: column[first:decisions, place].copy() for name, column in self.columns.items()}
            game |= {name: getattr(self, name)[number] for name in ("level", "speed", "seed")}
            self.history[number] = {**game, "number": number, "first": first, "cleared": self.games.cleared[place]}

    def finished(self) -> Iterator[dict[str, Any]]:
        """The histories that were kept, each once, in the order of the games' numbers."""
        while self.taken in self.history:
            game = self.history.pop(self.taken)
            self.taken += 1
            if game is not None:
                yield game

    def _start(self, places: NDArray[np.int64]) -> None:
        """The next games, in these places."""
        if not len(places):
            return
        self.number[places] = self.begun + np.arange(len(places))
        self.begun += len(places)
        mask = np.zeros(self.games.num_envs, np.bool_)
        mask[places] = True
        drawn = (self.level, self.speed, self.seed, self.clock)
        level, speed, seed, clock = (column[self.number] for column in drawn)
        self.games.reset(level, speed, seed, clock, mask=mask)


class _Drawn:
    """Some situations of every game, and what the columns of `Rows` say of them."""

    def __init__(self, count: int, steps: int, rng: np.random.Generator) -> None:
        self.count, self.steps, self.rng = count, steps, rng
        self.columns: dict[str, list[NDArray[Any]]] = {field.name: [] for field in dataclasses.fields(Rows)}
        self.end = 0  # rows so far

    def add(self, game: dict[str, Any]) -> None:
        """Draw from the next game."""
        steps, length = self.steps, len(game["tau"])
        target = np.zeros(length, np.bool_)
        target[self.rng.permutation(length)[: self.count]] = True
        target[0] |= not game["own"][0]  # the few random placements tell of all that the policy would not do
        kept = target.copy()
        if steps:
            kept[steps:] |= target[:-steps]
        at = np.flatnonzero(kept)
        place = np.full(length + steps, -1)  # of a decision among the kept rows
        place[at] = self.end + np.arange(len(at))
        before = np.concatenate([[0], np.cumsum(game["tau"], dtype=np.int64)])
        later = place[at + steps] if steps else np.full(len(at), -1)
        self.end += len(at)
        made = {name: game[name][at] for name in ("planes", "scalars", "action", "facts", "tau", "own")}
        made |= {
            "frames": (before[-1] - before[at]).astype(np.uint32),
            "later": later,
            "between": np.where(later >= 0, before[np.minimum(at + steps, length)] - before[at], 0).astype(np.uint32),
            "target": target[at],
            "decision": (game["first"] + at).astype(np.uint16),
        }
        constant = {"cleared": np.bool_(game["cleared"]), "game": np.int64(game["number"])}
        constant |= {name: game[name] for name in ("level", "speed", "seed")}
        made |= {name: np.full(len(at), value) for name, value in constant.items()}
        for name, column in made.items():
            self.columns[name].append(column)

    def rows(self) -> Rows:
        """All that were drawn."""
        return Rows(**{name: np.concatenate(parts) for name, parts in self.columns.items()})
