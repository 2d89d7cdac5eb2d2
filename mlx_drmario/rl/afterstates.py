"""What every legal placement would do, as ragged arrays: every decision has its own number of placements.

What `Decisions.afterstates()` resolves is copied once into these rows, joined over a rollout, and cut into minibatches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlx_drmario import Afterstates, Decisions, PublicView, features, preview_features
from mlx_drmario.nets.heads import Columns
from mlx_drmario.nets.outcome import FACTS
from mlx_drmario.spec import ACTIONS


def facts_of(happened: Decisions | Afterstates, out: np.ndarray) -> np.ndarray:
    """Write what happened on the way to afterstates, or in the last step of games, into f32[N, F or more]: the FACTS,
    as its first columns. Returns `out`."""
    for column, name in enumerate(FACTS):
        fact, _, unit = name.partition("/")
        np.divide(getattr(happened, fact), np.float32(unit or 1), out=out[:, column], casting="unsafe")
    return out


@dataclass(frozen=True)
class AfterstateRows:
    """The legal placements of D decisions, resolved: the rows first[d] to first[d + 1] belong to decision d."""

    first: np.ndarray  # i64[D + 1]
    action: np.ndarray  # i32[M]
    facts: np.ndarray  # f32[M, F]

    @classmethod
    def of(cls, games: Decisions | PublicView, facts: Sequence[str]) -> AfterstateRows:
        """Resolve every legal placement of every running game; ended games have no rows.

        `facts` names the columns, FACTS alone or with FEATURES and PREVIEW of the board afterwards (nets/features.py).
        """
        after = games.afterstates()
        counts = np.bincount(after.env, minlength=games.num_envs)
        told = np.empty((len(after.action), len(facts)), np.float32)
        facts_of(after, told)
        if len(facts) > len(FACTS):
            counted = features(after.bottle), preview_features(after.bottle, games.public["preview"][after.env])
            units = np.array([name.partition("/")[2] for name in facts[len(FACTS) :]], np.float32)
            np.divide(np.concatenate(counted, axis=1), units, out=told[:, len(FACTS) :], casting="unsafe")
        return cls(np.concatenate([[0], np.cumsum(counts)]), after.action.copy(), told)

    @classmethod
    def of_legal(cls, legal: np.ndarray) -> AfterstateRows:
        """The placements of legal bool[D, 512] alone, without facts."""
        decision, action = np.nonzero(legal)
        first = np.searchsorted(decision, np.arange(len(legal) + 1))
        return cls(first, action.astype(np.int32), np.empty((len(action), 0), np.float32))

    @classmethod
    def join(cls, parts: Sequence[AfterstateRows]) -> AfterstateRows:
        """The decisions of all parts, one part after the other."""
        ends = np.cumsum([0, *(part.first[-1] for part in parts)])
        return cls(
            np.concatenate([[0], *(part.first[1:] + end for part, end in zip(parts, ends, strict=False))]),
            np.concatenate([part.action for part in parts]),
            np.concatenate([part.facts for part in parts]),
        )

    def rank(self, action: np.ndarray) -> np.ndarray:
        """i32[D]: which of a decision's rows is that of action i32[D], which must be among them."""
        start, end = self.first[:-1], self.first[1:]
        decision = np.repeat(np.arange(len(start)), end - start)
        keys = decision * ACTIONS + self.action  # ascending: the rows of a decision are sorted by action
        return (np.searchsorted(keys, np.arange(len(start)) * ACTIONS + action) - start).astype(np.int32)

    def take(self, decisions: np.ndarray) -> Columns:
        """The rows of `decisions` (indices i64[B], in any order), which become decisions 0 to B - 1."""
        rows, counts = self.rows(decisions), self.first[decisions + 1] - self.first[decisions]
        return np.repeat(np.arange(len(decisions), dtype=np.int32), counts), self.action[rows], self.facts[rows]

    def rows(self, decisions: np.ndarray) -> np.ndarray:
        """The numbers i64[M] of the rows that `take` takes."""
        start, counts = self.first[decisions], self.first[decisions + 1] - self.first[decisions]
        end = np.cumsum(counts)
        return np.repeat(start - (end - counts), counts) + np.arange(counts.sum())


def padded(columns: Columns, batch: int) -> Columns:
    """Add rows of decision `batch` (which heads ignore) up to a round number, so that few shapes are ever compiled.

    At most an eighth is padding, from 512 rows up.
    """
    rows = len(columns[0])
    unit = max(64, 1 << max(0, rows.bit_length() - 4))
    more = -rows % unit
    decision, action, facts = columns
    return (
        np.concatenate([decision, np.full(more, batch, np.int32)]),
        np.concatenate([action, np.zeros(more, action.dtype)]),
        np.concatenate([facts, np.zeros((more, facts.shape[1]), facts.dtype)]),
    )
