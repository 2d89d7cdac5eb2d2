"""What of a learner is in a checkpoint, and how one goes on from it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from mlx.utils import tree_flatten, tree_unflatten

from mlx_drmario.rl.episodes import EpisodeWindow
from mlx_drmario.rl.ppo.config import PPORunConfig
from mlx_drmario.rl.runs.checkpoint import Checkpoint, Content

if TYPE_CHECKING:
    from mlx_drmario.rl.ppo.learner import Learner


def content(learner: Learner, log_bytes: int) -> Content:
    """References and copies, which stay as they are while training goes on; every process must call this.

    `log_bytes` is the length of the metrics that belong to it.
    """
    learner.counters.log_bytes = log_bytes
    shards = learner.processes.gather_objects([shard.state() for shard in learner.shards.shards])
    state: dict[str, Any] = {
        "counters": dataclasses.asdict(learner.counters),
        "window": {"games": learner.window.games.copy(), "count": learner.window.count},
        "games": games_of(learner.config),
        "shards": {str(index): shard for index, shard in enumerate(shards)},
    }
    if learner.curriculum:
        state["curriculum"] = learner.curriculum.state()
    return Content(
        decisions=learner.counters.decisions,
        model=dict(tree_flatten(learner.model.parameters())),
        optimizer=dict(tree_flatten(learner.optimizer.state)),
        state=state,
        net=learner.config.net,
        layout=learner.layout,
    )


def restore(learner: Learner, restored: Checkpoint, fresh_games: bool = False) -> None:
    """Take over weights and optimiser; games and their accounts, too, if they are what the config asks for.

    With `fresh_games` they start anew all the same.

    Raises ValueError when the checkpoint belongs to another network.
    """
    config, state = learner.config, restored.state
    restored.require(config.net, learner.layout)
    learner.model.load_weights(list(restored.model.items()))
    learner.optimizer.state = tree_unflatten(list(restored.optimizer.items()))
    games = games_of(config)
    same = state["games"] == games and not fresh_games
    if learner.curriculum and state["games"]["curriculum"] == games["curriculum"]:
        learner.curriculum.load(state["curriculum"])
        if not same:
            learner.curriculum.restart()
    if same:
        learner.window = EpisodeWindow(state["window"]["games"].copy(), state["window"]["count"])
        for index, shard in zip(learner.indices, learner.shards.shards, strict=True):
            shard.load(state["shards"][str(index)], learner.curriculum)


def games_of(config: PPORunConfig) -> dict[str, Any]:
    """What must be equal for the games of a checkpoint to go on: what they are, and how shards share them."""
    env = dataclasses.asdict(config.env)
    del env["threads"]  # never changes a result
    stages = dataclasses.asdict(config.curriculum) if config.curriculum.enabled else None
    return {"env": env, "shards": config.shards, "curriculum": stages}
