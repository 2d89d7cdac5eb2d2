"""Settings that every run has, whatever it learns with: frozen dataclasses, one help line per field, no MLX.

An algorithm adds a group of its own by a subclass: of `RunConfig` (ppo/config.py), or of `BudgetConfig` or
`DirectoryConfig` when it has no use for the rest (clone/config.py, evaluator/config.py).
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast

from mlx_drmario.nets.config import NetConfig
from mlx_drmario.ranges import Count, Error, Fraction, Level, Minutes, Range, Seed, check_ranges
from mlx_drmario.rewards import RewardConfig
from mlx_drmario.settings import STRICT
from mlx_drmario.spec import parse_speeds
from mlx_drmario.stats import fewest_trials

REWARD = RewardConfig(virus=1.0, half=0.05, clear=2.0, top_out=-1.0)
"""Default reward of training: halves pay a little, so that clearing anything is found before clearing viruses is."""

NAME = r"\w[\w +=.-]{0,99}"
"""What the name of a run, which becomes the name of a directory, may be (a regular expression). A comma would part the
members of an ensemble."""

SpeedName = Literal["low", "med", "hi"]


@dataclass(frozen=True)
class EnvConfig:
    """The games to train on."""

    level: Level = 0
    """Virus level, 0 to 24."""
    last_level: Level | None = None
    """Every game's level is drawn from `level` to this; by default all games are of one level."""
    speed: SpeedName = "hi"
    """Speed setting."""
    num_envs: Annotated[int, Range(1, 65_536)] = 256
    """Games played side by side, by all shards together."""
    max_decisions: Count = 128
    """A game that is still going after this many decisions is truncated (its value is bootstrapped)."""
    planes: Literal["bitplane", "extended"] = "bitplane"
    """Observation planes."""
    threads: Annotated[int, Range(0, 256)] = 0
    """Engine threads of every shard; 0 divides the cores among the shards. Never changes a result."""

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        check_ranges(self, "env.")
        if self.last_level is not None and self.last_level < self.level:
            raise ValueError(f"env.last_level must be between env.level = {self.level} and 24, got {self.last_level}")

    def share(self, shards: int) -> EnvConfig:
        """The games of one of so many shards."""
        cores = max(1, (os.cpu_count() or 1) // shards)
        return dataclasses.replace(self, num_envs=self.num_envs // shards, threads=self.threads or cores)

    @property
    def stage(self) -> Stage:
        """The games that a run without a curriculum plays."""
        return Stage(self.level, self.speed, last_level=self.last_level)


@dataclass(frozen=True)
class Stage:
    """What the games of a rollout are."""

    level: int
    speed: SpeedName
    viruses: int | None = None
    """Level 0 with all but this many viruses removed; None leaves the level as it is."""
    last_level: int | None = None
    """Every game's level is drawn from `level` to this; None is `level` alone."""


@dataclass(frozen=True)
class CurriculumConfig:
    """Easy games first; the next stage starts when a sequential test has certified the clear rate."""

    enabled: bool = False
    """Train on a ladder of stages; `env.level` and `env.speed` are not used then."""
    viruses: Annotated[int, Range(1, 4)] = 1
    """Viruses of the first stage: 1, 2 or 3 are level 0 with the others removed, 4 is level 0."""
    last_level: Level = 20
    """Level of the last stage."""
    speeds: str = "hi"
    """Speeds of every stage, from the first to the last, with commas: low,med,hi makes three stages of each."""
    threshold: Fraction = 0.9
    """A stage is passed when its clear rate (of the sampling policy) is certified to lie above this."""
    alpha: Error = 0.05
    """Chance at most that a stage is passed although no game's chance to be cleared was above the threshold."""
    games: Count = 2000
    """Games after which the test of a stage forgets and starts again, as the policy of its first games is outdated."""
    replay: Annotated[float, Range(0, 1, without="high")] = 0.2
    """Share of rollouts that are played in a stage passed earlier, against forgetting."""

    ATTEMPTS: ClassVar[int] = 1000
    """Attempts at one stage that must be able to succeed, or the config is refused."""

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        check_ranges(self, "curriculum.")
        try:
            parse_speeds(self.speeds)
        except ValueError as error:
            raise ValueError(f"curriculum.{error}") from None
        try:
            least = fewest_trials(self.threshold, self.error(self.ATTEMPTS))
        except ValueError as error:
            raise ValueError(f"curriculum.threshold is {self.threshold}: {error}") from None
        if self.games < least:
            raise ValueError(
                f"curriculum.games must be at least {least}, the fewest that can certify a clear rate of "
                f"{self.threshold} in attempt {self.ATTEMPTS}, got {self.games}"
            )

    def error(self, attempt: int) -> float:
        """Share of `alpha` that attempt 1, 2, ... at a stage may spend; all of them together spend alpha."""
        return self.alpha / (attempt * (attempt + 1))

    def stages(self) -> list[Stage]:
        """The ladder, easiest first."""
        speeds = [cast(SpeedName, name) for name in self.speeds.split(",")]
        few = [Stage(0, speed, count) for count in range(self.viruses, 4) for speed in speeds]
        return few + [Stage(level, speed) for level in range(self.last_level + 1) for speed in speeds]


@dataclass(frozen=True)
class BestConfig:
    """Which checkpoint is the best: a new one must beat the best so far in a certified comparison (runs/best.py)."""

    games: Annotated[int, Range(0, 1_000_000)] = 256
    """Validation games after which a comparison ends, with the batch that reaches them. Batches are of some 64, as
    many of every level. 0 looks for no best checkpoint."""
    every: Count = 5
    """Checkpoints between two challenges; the last one always challenges."""
    alpha: Error = 0.05
    """Chance at most that any checkpoint of the run is promoted although it neither clears more nor is faster."""

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        check_ranges(self, "best.")


@dataclass(frozen=True)
class DirectoryConfig:
    """What whatever leaves a run directory has."""

    out: Path | None = None
    """Run directory; by default runs/<name>-<date>-<time>."""
    name: str = "level0"
    """Name of the run (the preset's name unless given), without "/"."""
    seed: Seed = 0
    """Seed of weights, games and sampling."""
    checkpoint_every: Count = 20
    """Iterations (rollout + update) between checkpoints."""
    keep: Count = 3
    """Checkpoints kept."""
    compile: bool = True
    """Compile the update step with mx.compile."""
    overwrite: bool = False
    """Replace the run directory when it holds a run; the last 3 replaced ones are kept as RUN.bak1 to RUN.bak3."""

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        check_ranges(self)
        if not re.fullmatch(NAME, self.name):
            raise ValueError(
                "name must be 1 to 100 letters, digits, spaces and any of _-+=. (a letter, digit or _ first), "
                f"got {self.name!r}"
            )


LARGEST = 2**24
"""Decisions of a rollout: more than any memory holds."""


def check_rollout(num_envs: int, horizon: int, name: str) -> None:
    """ValueError for a rollout that no machine could hold; `name` is the horizon's."""
    if num_envs * horizon > LARGEST:
        raise ValueError(f"env.num_envs * {name} must be at most {LARGEST:,} decisions, got {num_envs * horizon:,}")


@dataclass(frozen=True)
class BudgetConfig(DirectoryConfig):
    """What runs that play while they learn have."""

    decisions: Annotated[int, Range(1, 10**15)] = 500_000
    """Budget in decisions over all games; not used when `minutes` is given."""
    minutes: Minutes = 0.0
    """Budget in minutes of wall-clock time instead. Schedules then follow the clock, so runs are not repeatable."""
    env: EnvConfig = field(default_factory=EnvConfig)

    replaces: ClassVar[Mapping[str, Mapping[str, Any]]] = {"decisions": {"minutes": 0.0}}
    """what a setting that is given puts out of use, and how (`settings.layered`)"""

    def spent(self, decisions: int, seconds: float) -> float:
        """Share of the budget, 0 to 1, that so many decisions, or so many seconds, are."""
        return min(1.0, seconds / (60 * self.minutes) if self.minutes else decisions / self.decisions)


@dataclass(frozen=True)
class RunConfig(BudgetConfig):
    """One training run, without its algorithm."""

    shards: Annotated[int, Range(0, 256)] = 0
    """Parts that games and minibatches are divided into; each has its own thread, or its own process under `mlx.launch`
    (docs/training.md). 0: one per process, on a CPU at least 2 if that divides both."""
    net: NetConfig = field(default_factory=NetConfig)
    reward: RewardConfig = REWARD
    curriculum: CurriculumConfig = field(default_factory=CurriculumConfig)
    best: BestConfig = field(default_factory=BestConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shards and self.env.num_envs % self.shards:
            raise ValueError(f"shards must be 0 or divide env.num_envs = {self.env.num_envs}, got {self.shards}")
        if self.curriculum.enabled and self.env.last_level is not None:
            raise ValueError(f"env.last_level must not be given with a curriculum, got {self.env.last_level}")
