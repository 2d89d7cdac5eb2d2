"""Fits an evaluator: games first, then passes over their rows by minibatches, until the epochs are over.

A run is a pure function of (config, code, device, BLAS). The games are kept in the run directory (`DATA`), so a run
that goes on has the rows that it had; one that was killed among its games plays them again.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlx_drmario.evaluate import Policy
from mlx_drmario.nets.heads import Afterstates
from mlx_drmario.nets.quantile import frames_of, make_quantile_net, scaled
from mlx_drmario.rl.callback import Callback, Snapshot
from mlx_drmario.rl.evaluator import data
from mlx_drmario.rl.evaluator.config import EvaluatorConfig
from mlx_drmario.rl.evaluator.losses import outlook_loss
from mlx_drmario.rl.fit import RunResult, fit, kept, restore_kept
from mlx_drmario.rl.gradient import PARAM_NORM, make_update, norm_of
from mlx_drmario.rl.optimizer import adam, linear
from mlx_drmario.rl.rollout import observation_layout
from mlx_drmario.rl.runs import checkpoint, directory

Player = Callable[[], tuple[Policy, str]]
"""Makes a policy, and tells the plane set that it reads."""
DATA = "games.npz"
"""In the run directory: `data.Rows`."""
ITERATION = 100
"""Gradients of an iteration, of which the metrics are the mean."""
HELD_OUT = 20
"""One game of so many is not learnt from; the losses of its rows are the metrics `held_out/...`."""
LOSSES = ("state_quantiles", "state_clear", "placement_quantiles", "placement_clear")


def train(
    config: EvaluatorConfig,
    run: Path | str,
    player: Player,
    callback: Callback | None = None,
    *,
    resume: bool = False,
) -> RunResult:
    """Fit into directory `run`; `player` loads what `config.data.policy` names, if the run has no games yet.

    Raises what directory.prepare raises about the directory, what `player` raises, and ValueError when no rows to learn
    from came out of the games.
    """
    run, callback = Path(run), callback or Callback()
    with directory.prepare(run, config, resume):
        restored = checkpoint.resumed(run, resume)
        directory.record(run, config, restored.decisions if restored else 0)  # before the games, which take long
        rows = games_of(config, run, player, callback)
        return fit(Fit(config, rows, rows.plane_set, restored), config, run, callback)


def has_games(run: Path) -> bool:
    """Whether the games of a run are there: it needs their player no more."""
    return (run / DATA).exists()


def games_of(config: EvaluatorConfig, run: Path, player: Player, callback: Callback) -> data.Rows:
    """The rows of the run: read from it, or played and written there.

    Raises KeyboardInterrupt when the callback stops it meanwhile.
    """
    path = run / DATA
    if has_games(run):
        return data.Rows.load(path)
    (policy, planes), seed = player(), [config.seed, 1]

    def said(ended: int, games: int) -> None:
        callback.on_games(ended, games)
        if callback.should_stop():
            # Half of the games are of no use: the others are the longer ones.
            again = f"drmario train resume {shlex.quote(str(run))}"
            raise KeyboardInterrupt(f"stopped while games were played; `{again}` plays them again")

    rows = data.play(config.data, policy, planes, "training", seed, config.fit.steps, said)
    rows.save(path)
    return rows


class Fit:
    """One fit in memory."""

    def __init__(
        self, config: EvaluatorConfig, rows: data.Rows, planes: str, restored: checkpoint.Checkpoint | None = None
    ) -> None:
        """Begin, or go on from `restored`. Raises ValueError for no rows, or another network's checkpoint."""
        self.config, self.rows = config, rows
        self.layout = observation_layout(planes)
        # By seed, not by game: seeds are drawn with replacement, and a policy plays a seed the same when it meets it
        # again.
        held_out = (np.random.default_rng([config.seed, 3]).random(0x10000) < 1 / HELD_OUT)[rows.seed]
        self.learnt, self.held_out = (np.flatnonzero(rows.target & part) for part in (~held_out, held_out))
        if not len(self.learnt):
            raise ValueError(f"data.games is {config.data.games}, and they gave no rows to learn from")
        self.minibatch = min(config.fit.minibatch, len(self.learnt))
        self.per_epoch = len(self.learnt) // self.minibatch
        self.model = make_quantile_net(config.net, self.layout, config.seed)
        self.forecaster = make_quantile_net(config.net, self.layout, config.seed)  # the target network
        self.optimizer = adam(config.fit.learning_rate)
        self.optimizer.init(self.model.trainable_parameters())
        self.step, self.seconds, self.log_bytes = 0, 0.0, 0
        self.order: tuple[int, NDArray[np.int64]] = (-1, self.learnt)
        if restored is not None:
            self._restore(restored)
        mx.eval(self.model.state, self.forecaster.state, self.optimizer.state)
        self.update = make_update(self.model, self.optimizer, self._loss, config.compile)

    @property
    def steps(self) -> int:
        """Gradients of the whole run."""
        return self.per_epoch * self.config.fit.epochs

    @property
    def decisions(self) -> int:
        """Rows learnt from so far, every pass counted: the number of a checkpoint."""
        return self.step * self.minibatch

    @property
    def iterations(self) -> int:
        """Whole iterations so far."""
        return self.step // ITERATION

    @property
    def progress(self) -> float:
        """Share of the gradients, 0 to 1."""
        return min(1.0, self.step / self.steps)

    def snapshot(self, metrics: dict[str, float]) -> Snapshot:
        """What callbacks are told."""
        return Snapshot(
            decisions=self.decisions,
            frames=0,
            games=self.config.data.games,
            seconds=self.seconds,
            progress=self.progress,
            stage=None,
            metrics=metrics,
        )

    def iterate(self) -> dict[str, float]:
        """The next gradients, at most ITERATION; returns the metrics."""
        start, begun = time.perf_counter(), self.step
        rate, losses = 0.0, []
        while self.step < min(begun - begun % ITERATION + ITERATION, self.steps):
            if self.step % self.config.fit.target_every == 0:
                self.forecaster.update(self.model.parameters())
            rate = linear(self.config.fit.learning_rate, 0.0, self.step / self.steps)
            self.optimizer.learning_rate = mx.array(rate)
            losses.append(self.update(*self.batch(self._next(), self.config.fit.steps)))
            mx.eval(self.model.state, self.optimizer.state, losses[-1])
            self.step += 1
        taken = self.step - begun
        metrics = {f"loss/{name}": value for name, value in zip(LOSSES, np.mean(losses, axis=0).tolist(), strict=True)}
        if self.step % self.per_epoch < taken:
            metrics |= {f"held_out/{name}": value for name, value in self.held_out_losses().items()}
        seconds = time.perf_counter() - start
        self.seconds += seconds
        return {
            **metrics,
            PARAM_NORM: float(norm_of(self.model)),
            "stats/learning_rate": rate,
            "stats/progress": self.progress,
            "stats/epoch": self.step / self.per_epoch,
            "time/seconds": self.seconds,
            "perf/rows_per_second": taken * self.minibatch / seconds,
        }

    def held_out_losses(self) -> dict[str, float]:
        """The mean losses of the games that are not learnt from, against what happened in them; empty without any."""
        parts = [self.held_out[first : first + 1024] for first in range(0, len(self.held_out), 1024)]
        if not parts:
            return {}
        losses = [np.asarray(self._losses(*self.batch(part, steps=0))) for part in parts]
        own, cleared = self.rows.own, self.rows.cleared
        counts = [  # rows that every mean is over
            ((own & cleared)[part].sum(), own[part].sum(), cleared[part].sum(), len(part)) for part in parts
        ]
        mean = (np.array(losses) * counts).sum(axis=0) / np.maximum(np.sum(counts, axis=0), 1)
        return dict(zip(LOSSES, mean.tolist(), strict=True))

    def _next(self) -> NDArray[np.int64]:
        """The rows of the next minibatch; every epoch has an order of its own."""
        epoch, number = divmod(self.step, self.per_epoch)
        if self.order[0] != epoch:
            rng = np.random.default_rng([self.config.seed, 2, epoch])
            self.order = epoch, self.learnt[rng.permutation(len(self.learnt))]
        return self.order[1][number * self.minibatch : (number + 1) * self.minibatch]

    def batch(self, at: NDArray[np.int64], steps: int) -> list[mx.array]:
        """What `_losses` takes, of rows i64[B]: observation, placement, and what to say of them.

        With 0 steps the whole game gives one sample of the frames left. With more the forecaster's quantiles of the
        state so many decisions later, with the frames until there on top, stand for the rest (semi-Markov n-step
        targets); a game that was over by then gives what happened. Only situations of games that were cleared have
        times, which makes the later states those that are met *given that the game is cleared*, as the conditional
        quantiles need.
        """
        rows = self.rows
        planes, scalars = rows.observations(at)
        frames = mx.array(rows.frames[at].astype(np.float32))[:, None]
        cleared, tau = mx.array(rows.cleared[at]), mx.array(rows.tau[at].astype(np.float32))[:, None]
        chance = cleared.astype(mx.float32)
        if steps:
            later = mx.array(rows.later[at] >= 0)
            ahead = self.forecaster.of_state(
                self.forecaster.encode(
                    *(mx.array(column) for column in rows.observations(np.maximum(rows.later[at], 0)))
                )
            )
            between = mx.array(rows.between[at].astype(np.float32))[:, None]
            frames = mx.where(later[:, None], between + frames_of(ahead.quantiles), frames)
            chance = mx.where(later, mx.sigmoid(ahead.clear), chance)
        own, rest = mx.array(rows.own[at]), mx.maximum(frames - tau, 0)
        seen = [mx.array(column) for column in (planes, scalars, rows.action[at], rows.facts[at])]
        return [*seen, scaled(frames), scaled(rest), chance, cleared, own]

    def _losses(
        self,
        planes: mx.array,
        scalars: mx.array,
        action: mx.array,
        facts: mx.array,
        frames: mx.array,
        rest: mx.array,
        chance: mx.array,
        cleared: mx.array,
        own: mx.array,
    ) -> mx.array:
        """f32[4], LOSSES. The state's are over the rows in which the policy chose: it is asked how the policy does."""
        kappa, model = self.config.fit.kappa, self.model
        features = model.encode(planes, scalars)
        after = Afterstates(mx.arange(len(action)), action, facts)
        everything = mx.ones_like(own)
        state = outlook_loss(model.of_state(features), frames, chance, own, cleared, kappa)
        placement = outlook_loss(model.of_placements(features, after), rest, chance, everything, cleared, kappa)
        return mx.concatenate([state, placement])

    def _loss(self, *batch: mx.array) -> tuple[mx.array, mx.array]:
        """See `gradient.Loss`; the metrics are LOSSES."""
        losses = self._losses(*batch)
        return losses.sum(), losses

    def content(self, log_bytes: int) -> checkpoint.Content:
        """What a checkpoint holds; `log_bytes` is the length of the metrics that belong to it."""
        self.log_bytes = log_bytes
        state = {
            "counters": {"step": self.step, "seconds": self.seconds, "log_bytes": log_bytes},
            "forecaster": kept(self.forecaster),
        }
        return checkpoint.Content.of(self.decisions, self.model, self.optimizer, state, self.config.net, self.layout)

    def _restore(self, restored: checkpoint.Checkpoint) -> None:
        restored.restore(self.model, self.optimizer, self.config.net, self.layout)
        restore_kept(self.forecaster, restored.state["forecaster"])
        self.step, self.seconds, self.log_bytes = (
            restored.state["counters"][name] for name in ("step", "seconds", "log_bytes")
        )
