"""Settings of a training run: frozen dataclasses, one help line per field, no MLX (the command line imports this)."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

from mlx_drmario.nets.config import NetConfig
from mlx_drmario.rewards import RewardConfig
from mlx_drmario.spec import SPEED_NAMES
from mlx_drmario.stats import fewest_trials

REWARD = RewardConfig(virus=1.0, half=0.05, clear=2.0, top_out=-1.0)
"""Default reward of training: halves pay a little, so that clearing anything is found before clearing viruses is."""

ABSENT = "(absent)"
"""What `difference` reports for a key that one side does not have."""

SpeedName = Literal["low", "med", "hi"]
SPEEDS: dict[str, int] = {name: number for number, name in enumerate(SPEED_NAMES)}


@dataclass(frozen=True)
class EnvConfig:
    """The games to train on."""

    level: int = 0
    """Virus level, 0 to 24."""
    last_level: int | None = None
    """Every game's level is drawn from `level` to this; by default all games are of one level."""
    speed: SpeedName = "hi"
    """Speed setting."""
    num_envs: int = 256
    """Games played side by side, by all shards together."""
    max_decisions: int = 128
    """A game that is still going after this many decisions is truncated (its value is bootstrapped)."""
    planes: Literal["bitplane", "extended"] = "bitplane"
    """Observation planes."""
    threads: int = 0
    """Engine threads of every shard; 0 divides the cores among the shards. Never changes a result."""

    def __post_init__(self) -> None:
        if not 0 <= self.level <= 24:
            raise ValueError(f"env.level must be between 0 and 24, got {self.level}")
        if self.last_level is not None and not self.level <= self.last_level <= 24:
            raise ValueError(f"env.last_level must be between env.level = {self.level} and 24, got {self.last_level}")
        if self.speed not in SPEEDS:
            raise ValueError(f"env.speed must be one of {', '.join(SPEEDS)}, got {self.speed!r}")
        for name in ("num_envs", "max_decisions"):
            if getattr(self, name) < 1:
                raise ValueError(f"env.{name} must be at least 1, got {getattr(self, name)}")

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
    viruses: int = 1
    """Viruses of the first stage: 1, 2 or 3 are level 0 with the others removed, 4 is level 0."""
    last_level: int = 20
    """Level of the last stage."""
    speeds: str = "hi"
    """Speeds of every stage, from the first to the last, with commas: low,med,hi makes three stages of each."""
    threshold: float = 0.9
    """A stage is passed when its clear rate (of the sampling policy) is certified to lie above this."""
    alpha: float = 0.05
    """Chance at most that a stage is passed although no game's chance to be cleared was above the threshold."""
    games: int = 2000
    """Games after which the test of a stage forgets and starts again, as the policy of its first games is outdated."""
    replay: float = 0.2
    """Share of rollouts that are played in a stage passed earlier, against forgetting."""

    ATTEMPTS: ClassVar[int] = 1000
    """Attempts at one stage that must be able to succeed, or the config is refused."""

    def __post_init__(self) -> None:
        if not 1 <= self.viruses <= 4:
            raise ValueError(f"curriculum.viruses must be between 1 and 4, got {self.viruses}")
        if not 0 <= self.last_level <= 24:
            raise ValueError(f"curriculum.last_level must be between 0 and 24, got {self.last_level}")
        names = self.speeds.split(",")
        if not set(names) <= SPEEDS.keys() or len(set(names)) < len(names):
            raise ValueError(f"curriculum.speeds must be distinct names of {', '.join(SPEEDS)}, got {self.speeds!r}")
        for name in ("threshold", "alpha"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise ValueError(f"curriculum.{name} must lie strictly between 0 and 1, got {getattr(self, name)}")
        if not 0.0 <= self.replay < 1.0:
            raise ValueError(f"curriculum.replay must be at least 0 and less than 1, got {self.replay}")
        least = fewest_trials(self.threshold, self.error(self.ATTEMPTS))
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
class PPOConfig:
    """The learning algorithm."""

    horizon: int = 16
    """Decisions per game and rollout."""
    epochs: int = 3
    """Passes over each rollout."""
    minibatch: int = 512
    """Decisions per gradient; must divide num_envs * horizon."""
    learning_rate: float = 2e-3
    """Step size at the start; `optimizer.schedule` takes it to `final_learning_rate` over the budget."""
    final_learning_rate: float = 1e-4
    """Step size at the end of the budget (not used by a constant schedule)."""
    gamma: float = 0.999
    """Discount per video frame (not per decision)."""
    gae_lambda: float = 0.9
    """GAE's lambda per decision."""
    clip: float = 0.2
    """PPO's clipping range of the probability ratio."""
    entropy: float = 0.01
    """Weight of the entropy bonus at the start; falls linearly to `final_entropy`."""
    final_entropy: float = 0.001
    """Weight of the entropy bonus at the end of the budget."""
    value: float = 0.5
    """Weight of the value loss."""
    max_grad_norm: float = 0.5
    """Gradients are scaled down to this global norm."""

    def __post_init__(self) -> None:
        for name in ("horizon", "epochs", "minibatch"):
            if getattr(self, name) < 1:
                raise ValueError(f"ppo.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("gamma", "gae_lambda"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"ppo.{name} must be between 0 and 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class OptimizerConfig:
    """How gradients become weights. Step sizes and gradient clipping are in `ppo`."""

    kind: Literal["adam", "adamw"] = "adam"
    """adam, or adamw: Adam with weight decay that does not pass through its moments."""
    weight_decay: float = 0.0
    """AdamW: every step scales all weights, biases included, by 1 - learning rate * this."""
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    """Course of the learning rate over the budget: constant, or down to the final one on a line or half a cosine."""
    warmup: int = 0
    """Iterations over which a factor on the learning rate rises from near 0 to 1; 0 starts at full size."""
    accumulate: int = 1
    """Minibatches whose mean gradient makes one step: that many times the batch in the memory of one."""
    ema: float = 0.0
    """Decay per step of averaged weights, which evaluation then uses (0.999 is common); 0 keeps none."""

    def __post_init__(self) -> None:
        if self.kind not in ("adam", "adamw"):
            raise ValueError(f"optimizer.kind must be adam or adamw, got {self.kind!r}")
        if self.schedule not in ("constant", "linear", "cosine"):
            raise ValueError(f"optimizer.schedule must be constant, linear or cosine, got {self.schedule!r}")
        if self.weight_decay < 0:
            raise ValueError(f"optimizer.weight_decay must not be negative, got {self.weight_decay}")
        if self.weight_decay and self.kind != "adamw":
            raise ValueError(f"optimizer.weight_decay needs optimizer.kind adamw, got {self.kind}")
        if self.warmup < 0:
            raise ValueError(f"optimizer.warmup must not be negative, got {self.warmup}")
        if self.accumulate < 1:
            raise ValueError(f"optimizer.accumulate must be at least 1, got {self.accumulate}")
        if not 0.0 <= self.ema < 1.0:
            raise ValueError(f"optimizer.ema must be at least 0 and less than 1, got {self.ema}")


@dataclass(frozen=True)
class BestConfig:
    """Which checkpoint is the best: a new one must beat the best so far in a certified comparison (rl/best.py)."""

    games: int = 256
    """Validation games that both play, rounded up to batches of 64; 0 looks for no best checkpoint."""
    every: int = 5
    """Checkpoints between two challenges; the last one always challenges."""
    alpha: float = 0.05
    """Chance at most that any checkpoint of the run is promoted although it neither clears more nor is faster."""

    def __post_init__(self) -> None:
        if self.games < 0:
            raise ValueError(f"best.games must not be negative, got {self.games}")
        if self.every < 1:
            raise ValueError(f"best.every must be at least 1, got {self.every}")
        if not 0.0 < self.alpha < 1.0:
            raise ValueError(f"best.alpha must lie strictly between 0 and 1, got {self.alpha}")


@dataclass(frozen=True)
class TrainConfig:
    """One training run."""

    out: Path | None = None
    """Run directory; by default runs/<name>-<date>-<time>."""
    name: str = "level0"
    """Name of the run (the preset's name unless given)."""
    seed: int = 0
    """Seed of weights, games and sampling."""
    decisions: int = 500_000
    """Budget in decisions over all games; not used when `minutes` is given."""
    minutes: float = 0.0
    """Budget in minutes of wall-clock time instead. Schedules then follow the clock, so runs are not repeatable."""
    checkpoint_every: int = 20
    """Iterations (rollout + update) between checkpoints."""
    keep: int = 3
    """Checkpoints kept."""
    shards: int = 0
    """Parts that games and minibatches are divided into; each has its own thread, or its own process under `mlx.launch`
    (docs/training.md). 0: one per process, but at least 2 on a CPU."""
    compile: bool = True
    """Compile the update step with mx.compile."""
    wandb: bool = False
    """Also log to Weights & Biases, offline, into RUN/wandb (needs `pip install wandb`; upload with `wandb sync`)."""
    overwrite: bool = False
    """Replace the run directory when it holds a run; the last 3 replaced ones are kept as RUN.bak1 to RUN.bak3."""
    env: EnvConfig = field(default_factory=EnvConfig)
    net: NetConfig = field(default_factory=NetConfig)
    ppo: PPOConfig = field(default_factory=PPOConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    reward: RewardConfig = REWARD
    curriculum: CurriculumConfig = field(default_factory=CurriculumConfig)
    best: BestConfig = field(default_factory=BestConfig)

    def __post_init__(self) -> None:
        batch = self.env.num_envs * self.ppo.horizon
        if batch % self.ppo.minibatch:
            raise ValueError(
                f"ppo.minibatch must divide env.num_envs * ppo.horizon = {batch}, got {self.ppo.minibatch}"
            )
        if batch // self.ppo.minibatch % self.optimizer.accumulate:
            raise ValueError(
                f"optimizer.accumulate must divide the {batch // self.ppo.minibatch} minibatches of an epoch, "
                f"got {self.optimizer.accumulate}"
            )
        sizes = (self.ppo.minibatch, self.env.num_envs)
        if self.shards < 0 or (self.shards and any(size % self.shards for size in sizes)):
            raise ValueError(
                f"shards must be 0 or divide both ppo.minibatch = {sizes[0]} and env.num_envs = {sizes[1]}, "
                f"got {self.shards}"
            )
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")
        if self.curriculum.enabled and self.env.last_level is not None:
            raise ValueError(f"env.last_level must not be given with a curriculum, got {self.env.last_level}")
        for name in ("decisions", "checkpoint_every", "keep"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.minutes < 0:
            raise ValueError(f"minutes must not be negative, got {self.minutes}")

    @property
    def decisions_per_iteration(self) -> int:
        return self.env.num_envs * self.ppo.horizon


def to_json(config: TrainConfig) -> str:
    """Serialise every field."""
    return json.dumps(dataclasses.asdict(config), indent=2, default=str) + "\n"


def from_json(text: str) -> TrainConfig:
    """Rebuild a config; missing keys take their defaults, ValueError names keys that no field has."""
    data = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError(f"a config must be a JSON object, got {type(data).__name__}")
    parts = {
        "env": EnvConfig,
        "net": NetConfig,
        "ppo": PPOConfig,
        "optimizer": OptimizerConfig,
        "reward": RewardConfig,
        "curriculum": CurriculumConfig,
        "best": BestConfig,
    }
    for key, cls in parts.items():
        data[key] = _build(cls, data.get(key, {}), prefix=f"{key}.")
    if data.get("out") is not None:
        data["out"] = Path(data["out"])
    return _build(TrainConfig, data)


def _build(cls: type, data: Any, prefix: str = "") -> Any:
    if not isinstance(data, dict):
        raise ValueError(f"{prefix.rstrip('.')} must be a JSON object, got {type(data).__name__}")
    unknown = data.keys() - {f.name for f in dataclasses.fields(cls)}
    if unknown:
        raise ValueError(f"config holds unknown keys {sorted(prefix + key for key in unknown)}")
    return cls(**data)


def flatten(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys, as on the command line: {"ppo": {"gamma": 0.9}} becomes {"ppo.gamma": 0.9}."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The keys whose values differ, with both values; `ABSENT` stands in where one side has no such key."""
    keys = [*before, *(key for key in after if key not in before)]
    pairs = {key: (before.get(key, ABSENT), after.get(key, ABSENT)) for key in keys}
    return {key: (old, new) for key, (old, new) in pairs.items() if old != new}


PRESETS: dict[str, TrainConfig] = {
    "level0": TrainConfig(name="level0"),
    # Uncompiled: on a machine that never ran it, g++ would take 10 to 40 of the demo's 180 seconds to win 4 %.
    "demo": TrainConfig(name="demo", minutes=3.0, compile=False, best=BestConfig(games=0)),
    # The highest levels take several hundred capsules.
    "ladder": TrainConfig(
        name="ladder", decisions=50_000_000, env=EnvConfig(max_decisions=512), curriculum=CurriculumConfig(enabled=True)
    ),
    # A Mac's or an NVIDIA GPU wants large batches and plain convolutions. Not tuned: no GPU was at hand.
    "gpu": TrainConfig(
        name="gpu",
        decisions=20_000_000,
        env=EnvConfig(num_envs=2048, last_level=5),
        net=NetConfig(encoder="residual", width=64, depth=4),
        ppo=PPOConfig(minibatch=4096, learning_rate=1e-3),
        optimizer=OptimizerConfig(kind="adamw", weight_decay=0.01, ema=0.999),
    ),
}
"""Starting points of `drmario train`; every option given overrides its field."""


@dataclass(frozen=True)
class DemoConfig:
    """Train on level 0 HI, then play test games against two baselines."""

    minutes: float = 3.0
    """minutes of training"""
    games: int = 500
    """test games to play"""
    seed: int = 0
    """seed of weights, games and sampling"""
    out: Path | None = None
    """run directory; by default runs/demo-<date>-<time>"""
    overwrite: bool = False
    """replace the run directory when it holds a run; the last 3 replaced ones are kept as RUN.bak1 to RUN.bak3"""

    def __post_init__(self) -> None:
        if not self.minutes > 0:
            raise ValueError(f"minutes must be positive, got {self.minutes}")
        if not 1 <= self.games <= 4096:
            raise ValueError(f"games must be between 1 and 4096 (the test split), got {self.games}")
