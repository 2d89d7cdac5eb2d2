"""Rewards, computed from the event columns of a decision (or of a frame); the rules know nothing of them.

Every term is reported separately, so that a curve can show what a policy is really paid for.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from mlx_drmario import files
from mlx_drmario.ranges import Range, check_ranges
from mlx_drmario.settings import STRICT

Column = NDArray[Any]


class Events(Protocol):
    """What happened to N players, as the engine tells it (`dm.event_names()`): columns of shape [N], or [N, 2].

    `Decisions` is one, for the decisions that ended in its last step; so is `Batch.events` as a record array, for the
    frames of its last run.
    """

    @property
    def tau(self) -> Column: ...
    @property
    def capsules(self) -> Column: ...
    @property
    def viruses_cleared(self) -> Column: ...
    @property
    def halves_cleared(self) -> Column: ...
    @property
    def runs_after_first(self) -> Column: ...
    @property
    def passes_after_first(self) -> Column: ...
    @property
    def cleared(self) -> Column: ...
    @property
    def top_out(self) -> Column: ...


Amount = Annotated[float, Range(-1_000_000, 1_000_000)]


@dataclass(frozen=True)
class RewardConfig:
    """What each event pays. Costs are negative numbers."""

    virus: Amount = 0.1
    """per virus cleared"""
    half: Amount = 0.0
    """per capsule half cleared"""
    combo: Amount = 0.0
    """per run beyond the first cleared by one capsule"""
    cascade: Amount = 0.0
    """per clearing pass beyond the first that one capsule sets off"""
    clear: Amount = 1.0
    """once, when the last virus is cleared"""
    top_out: Amount = -1.0
    """once, when a new capsule finds its place taken"""
    time: Amount = -0.0001
    """per frame"""
    decision: Amount = 0.0
    """per capsule placed"""

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        check_ranges(self, "reward.")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "RewardConfig":
        """A config from names and numbers; names left out keep their default.

        Raises:
            ValueError: an unknown name, or a value that is not a finite number.
        """
        unknown = sorted(set(values) - set(TERMS), key=str)
        if unknown:
            raise ValueError(f"unknown reward {unknown[0]!r}; the rewards are {', '.join(TERMS)}")
        return cls(**values)

    @classmethod
    def from_json(cls, path: str | Path) -> "RewardConfig":
        """Read a JSON object of names and numbers.

        Raises:
            OSError: the file cannot be read.
            ValueError: not JSON, not an object, or not acceptable to `from_mapping`; names the file.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=_each_once)
            if not isinstance(values, dict):
                raise ValueError(f"expected a JSON object of rewards, found {type(values).__name__}")
            return cls.from_mapping(values)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def to_json(self, path: str | Path) -> None:
        """Write every term, readable by `from_json`; raises OSError, and a file that was there stays whole then."""
        files.write_text(Path(path), json.dumps(asdict(self), indent=2) + "\n")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; ValueError for one that gives a name twice."""
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise ValueError(f"{name!r} is given twice")
        values[name] = value
    return values


TERMS: tuple[str, ...] = tuple(field.name for field in fields(RewardConfig))


def compute(config: RewardConfig, events: Events) -> dict[str, NDArray[np.float32]]:
    """The reward of one step of N games, f32[N] for each name in `TERMS` and their sum under "total"."""
    return weigh(config, counts(events))


def counts(events: Events) -> dict[str, Column]:
    """How often each term of the reward is due: a column for each name in `TERMS`."""
    return {
        "virus": events.viruses_cleared,
        "half": events.halves_cleared,
        "combo": events.runs_after_first,
        "cascade": events.passes_after_first,
        "clear": events.cleared,
        "top_out": events.top_out,
        "time": events.tau,
        "decision": events.capsules,
    }


def weigh(config: RewardConfig, due: Mapping[str, Column]) -> dict[str, NDArray[np.float32]]:
    """Counts times what each pays: f32[N] for each name in `TERMS`, each of which `due` must hold, and "total".

    Terms are added in their order, whatever N is (`sum` of one game adds them in pairs, which rounds otherwise).
    """
    paid = np.zeros((len(TERMS), *np.shape(due[TERMS[0]])), np.float32)  # [terms, N]
    for name, row in zip(TERMS, paid, strict=True):
        if amount := getattr(config, name):
            np.multiply(due[name], amount, out=row, dtype=np.float32)
    return {**dict(zip(TERMS, paid, strict=True)), "total": reduce(np.add, paid)}
