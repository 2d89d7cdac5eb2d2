"""Looks over the shoulder of a run in training: pictures, progress, pause, time travel. A `Callback`, in the worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario.evaluate import FRAME_RATE
from mlx_drmario.observer import Observer
from mlx_drmario.rl.callback import Callback, Snapshot
from mlx_drmario.rl.config import Stage
from mlx_drmario.rl.ppo.config import PPORunConfig
from mlx_drmario.spec import counted
from mlx_drmario.tui.gate import Gate
from mlx_drmario.tui.link import Link
from mlx_drmario.tui.part import Explainer, Part
from mlx_drmario.tui.protocol import (
    FASTEST,
    MAX_GAMES,
    Boards,
    Line,
    Note,
    Picture,
    Progress,
    Rates,
)

if TYPE_CHECKING:
    from mlx_drmario.tui.protocol import Trainable


class Onlooker(Callback):
    """Costs next to nothing while no picture is asked for: a copy of the games' states per step."""

    def __init__(self, config: Trainable, link: Link, pace: float = FASTEST) -> None:
        """config: resolved, so that the number of shards is known."""
        self._config, self._link = config, link
        self._parts = [Part() for _ in range(config.shards)]
        self._gate = Gate(pace)
        self._game = 0
        self._painting = threading.Lock()
        self._explainer = Explainer(config.reward)
        self._stop = self._checkpoint = self._evaluation = False
        self._last: Progress | None = None
        self._speedup = SpeedUp(config) if isinstance(config, PPORunConfig) else None  # one without a teacher
        self.on_begin: Callable[[], None] = lambda: None
        self.recorder = Observer()
        """sees every step too"""

    def successor(self, config: Trainable) -> Onlooker:
        """For the same run with another config; a run that was paused waits at its first decision."""
        new = Onlooker(config, self._link, self._gate.pace)
        new.pause(self._gate.paused)
        new._last = self._last
        new.look(self._game)  # there may be fewer games
        new._evaluation = self._evaluation
        return new

    # --- commands, from another thread ---

    def pause(self, on: bool) -> None:
        self._gate.pause(on)

    def step(self) -> None:
        self._gate.step()

    def set_pace(self, pace: float) -> None:
        self._gate.set_pace(pace)

    def look(self, game: int) -> None:
        self._game = min(game, self._config.env.num_envs - 1, MAX_GAMES - 1)

    def stop(self) -> None:
        """End after this iteration."""
        self._stop = True
        self._gate.open()

    def wish_checkpoint(self) -> None:
        self._checkpoint = True

    def wish_evaluation(self) -> None:
        self._evaluation = True

    def repeat(self) -> None:
        """Say how far the run is once more, to an app that has just attached."""
        if self._last is not None:
            self._link.report(self._last)

    # --- Callback ---

    def should_stop(self) -> bool:
        return self._stop or self._link.stop.is_set()

    def wants_checkpoint(self) -> bool:
        wanted, self._checkpoint = self._checkpoint, False
        return wanted

    def wants_evaluation(self) -> bool:
        wanted, self._evaluation = self._evaluation, False
        if wanted:
            self._link.report(Note("the newest checkpoint plays against the best one ..."))
        return wanted

    def held_seconds(self) -> float:
        return self._gate.waited(len(self._parts))

    def on_checkpoint(self, path: Path) -> None:
        self._link.report(Note(f"saved {path.name}", "good"))

    def on_evaluation(self, comparison: dict[str, object]) -> None:
        self._link.report(Note(comparison_words(comparison), "good" if comparison["promoted"] else "info"))

    def on_iteration(self, snapshot: Snapshot) -> None:
        metrics = snapshot.metrics
        self._last = Progress(
            decisions=snapshot.decisions,
            frames=snapshot.frames,
            games=snapshot.games,
            seconds=snapshot.seconds,
            progress=snapshot.progress,
            stage=stage_words(snapshot.stage or self._config.env.stage),
            metrics=metrics,
        )
        self._link.report(self._last)
        playing, updating = metrics["perf/rollout_seconds"], metrics["perf/update_seconds"]
        stepping = max(part.stepping for part in self._parts)
        for part in self._parts:
            part.stepping = 0.0
        whole = playing + updating
        speedup = self._speedup.of(self._config.decisions_per_iteration / playing) if self._speedup else None
        self._link.report(
            Rates(
                games=self._config.env.num_envs,
                frames=metrics["perf/sps_frames_total"],
                decisions=metrics["perf/dps_decisions_total"],
                speedup=speedup,
                environment=stepping / whole,
                policy=max(0.0, playing - stepping) / whole,
                update=updating / whole,
            )
        )

    def on_gradient(self) -> None:
        self._offer(learning=True)

    # --- Observer, in the threads of the shards ---

    def before_step(
        self,
        games: dm.Decisions,
        action: NDArray[Any],
        log_prob: NDArray[Any] | None,
        value: NDArray[Any] | None,
        part: int = 0,
    ) -> None:
        mine = self._parts[part]
        if mine.games is None and part == 0:
            self.on_begin()
        with mine.lock:
            if mine.games is not games:  # the first step, or games of another stage
                mine.begin(games)
            mine.remember(action, log_prob, value)
        self._offer()
        self._gate.wait(part, self._offer)
        self.recorder.before_step(games, action, log_prob, value, part)
        mine.since = time.perf_counter()

    def after_step(self, games: dm.Decisions, part: int = 0) -> None:
        mine = self._parts[part]
        mine.stepping += time.perf_counter() - mine.since
        self.recorder.after_step(games, part)
        with mine.lock:
            mine.note_ends()
        if self._gate.pace != FASTEST:
            self._gate.rest(float(games.tau.mean()) / FRAME_RATE)

    def on_rewards(self, terms: Mapping[str, NDArray[Any]], part: int = 0) -> None:
        with self._parts[part].lock:
            self._parts[part].earn(terms)

    # --- pictures ---

    def _offer(self, learning: bool = False) -> None:
        """Make the picture that was asked for, of all shards: one that has played its part of an iteration waits for
        the others, which a pause may hold."""
        if not self._link.wanted or not self._painting.acquire(blocking=False):
            return  # nobody looks, or another thread is at it
        try:
            if all(part.past for part in self._parts):  # every shard has begun
                self._link.publish(lambda: self._picture(learning))
        finally:
            self._painting.release()

    def _first(self, part: int) -> int:
        """Number of the first game of a shard; others may not have begun."""
        return part * (self._config.env.num_envs // self._config.shards)

    def _picture(self, learning: bool) -> Picture:
        game, shares, focus = self._game, list[Boards](), None
        for part, mine in enumerate(self._parts):
            with mine.lock:
                shares.append(mine.look())
                if 0 <= (n := game - self._first(part)) < mine.size:
                    focus = mine.focus(n, self._explainer)
        assert focus is not None
        joined = [np.concatenate([getattr(share, name) for share in shares])[:MAX_GAMES] for name in _COLUMNS]
        return Picture(Boards(*joined), game, *focus, self._gate.paused, self._gate.pace, learning)

    def line(self, game: int) -> Line | None:
        """A game from its first decision on, as far as it is remembered."""
        for part, mine in enumerate(self._parts):
            if 0 <= (n := game - self._first(part)) < min(mine.size, MAX_GAMES):
                return mine.line(n, f"game {game + 1}", self._explainer)
        return None


_COLUMNS = ("cells", "level", "viruses", "outcome")


class SpeedUp:
    """How much faster many games are played than one alone: policy and engine, without the update."""

    SECONDS, TIMES = 0.1, 4

    def __init__(self, config: PPORunConfig) -> None:
        self._config = config
        self._single, self._measured = 0.0, 0

    def of(self, decisions_per_second: float) -> float:
        """Against the best of a few moments in which one game was played, one after each of the first iterations."""
        if self._measured < self.TIMES:
            self._single, self._measured = max(self._single, self._measure()), self._measured + 1
        return decisions_per_second / self._single

    def _measure(self) -> float:
        from mlx_drmario.nets.policy import make_policy
        from mlx_drmario.rl.player import NetworkPolicy
        from mlx_drmario.rl.rollout import observation_layout

        planes = self._config.env.planes
        policy = NetworkPolicy(make_policy(self._config.net, observation_layout(planes), 0), "sample")
        games = dm.Decisions(num_envs=1, planes=planes, threads=1)
        start, made = time.perf_counter(), 0
        while (spent := time.perf_counter() - start) < self.SECONDS:
            if made == 0 or games.ended[0]:
                games.reset(self._config.env.level, 2, 0x8988)
            games.step(policy.act(games.view))
            made += 1
        return made / spent


def comparison_words(row: dict[str, object]) -> str:
    """A line of best.jsonl in short."""
    if not row["games"]:
        return f"{row['decisions']} is the first best checkpoint"
    words = "the new best" if row["promoted"] else "not certified to be better"
    return f"{words}: cleared {row['candidate_cleared']} of {row['games']}, the best so far {row['best_cleared']}"


def stage_words(stage: Stage) -> str:
    """What the games of a stage are."""
    speed = stage.speed.upper()
    if stage.viruses is not None:
        return f"{counted(stage.viruses, 'virus', 'es')} {speed}"
    return f"level {stage.level}{'' if stage.last_level is None else f' to {stage.last_level}'} {speed}"
