"""Games that are tried again: from where they go on, that they are learnt from, and that they count as no games."""

import dataclasses

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario.rl.clone.config import RETRY_DECISIONS
from mlx_drmario.rl.clone.retries import BACK, OF_A_GAME, position_of
from mlx_drmario.rl.clone.train import Learner, resolve, train
from mlx_drmario.rl.runs import checkpoint
from tests.rl.test_clone import TINY, only_shard

LONG = dataclasses.replace(
    TINY,
    env=dataclasses.replace(TINY.env, level=18, last_level=20, max_decisions=60),
    clone=dataclasses.replace(TINY.clone, teacher="1ply", horizon=64, random_moves=0.9, retries=16),
)
"""Games that are lost within a rollout, mostly by chance"""


@pytest.fixture
def played():
    """A shard after a rollout of games that are lost, that rollout, and the state before every decision [T, N]."""
    shard = only_shard(LONG)
    shard.followed = 1.0
    rollout = shard._play(shard.collector)
    return shard, rollout, np.stack(shard.states)


def test_positions_are_of_lost_games_shortly_before(played):
    """Each is the state before one of the last decisions of a lost game, and no decision is there twice."""
    shard, rollout, states = played
    shard.retries.most = 10_000
    shard.retries.learn(rollout, states)
    ended = rollout.episodes
    lost = np.argwhere(ended["done"] & ~ended["cleared"])
    assert len(lost) > 5
    seen = {}
    for t, n in lost:
        for k in range(min(BACK, t + 1, ended["decisions"][t, n])):
            seen[states[t - k, n].tobytes()] = (t, n)
    found = [seen[position.tobytes()] for position in shard.retries.pool]
    assert len({position.tobytes() for position in shard.retries.pool}) == len(found)
    assert all(found.count((t, n)) == min(OF_A_GAME, t + 1, ended["decisions"][t, n]) for t, n in map(tuple, lost))


def test_games_that_are_too_long_count_as_lost(played):
    shard, rollout, states = played
    cut = np.zeros_like(rollout.truncated)
    cut[-1, :3] = True
    rollout.episodes["done"], rollout.episodes["cleared"] = cut, False
    rollout.episodes["decisions"][-1, :3] = 30
    shard.retries.learn(rollout, states)
    assert len(shard.retries.pool) == 3 * OF_A_GAME
    rollout.episodes["cleared"] = cut
    shard.retries.learn(rollout, states)
    assert len(shard.retries.pool) == 3 * OF_A_GAME


def test_the_latest_positions_are_kept(played):
    shard, rollout, states = played
    shard.retries.pool = states[:40].reshape(-1)
    rollout.episodes["done"], rollout.episodes["cleared"] = False, False
    rollout.episodes["done"][50, 0] = True
    rollout.episodes["decisions"][50, 0] = 50
    shard.retries.learn(rollout, states)
    assert len(shard.retries.pool) == shard.retries.most
    newest = {state.tobytes() for state in states[11:51, 0]}
    assert {position.tobytes() for position in shard.retries.pool[-OF_A_GAME:]} <= newest
    assert shard.retries.pool[-OF_A_GAME - 1].tobytes() == states[39, -1].tobytes()


def test_games_go_on_from_positions(played):
    shard, _, states = played
    retries = shard.retries
    retries.pool = states[:0, 0]
    before = retries.collector.games.digest()
    retries.place()
    np.testing.assert_array_equal(retries.collector.games.digest(), before)
    retries.pool = states[30]
    retries.place()
    placed = [state.tobytes() for state in position_of(retries.collector.games)]
    assert set(placed) <= {state.tobytes() for state in states[30]} and len(set(placed)) > 5


def test_they_are_learnt_from_and_counted_as_decisions_but_not_as_games():
    with Learner(resolve(dataclasses.replace(LONG, shards=1))) as learner:
        first = learner.iterate()
        shard = learner.shards.shards[0]
        assert len(shard.retries.pool)
        games = shard.collector.rollout.episodes["done"].sum()
        assert first["episode/count"] == games
        assert learner.decisions == 64 * 16 + RETRY_DECISIONS * 16
        assert first["stats/agreement"] == pytest.approx(np.mean(shard.agreed[:64])) != np.mean(shard.agreed)
        assert len(shard.agreed) == 64 + RETRY_DECISIONS
        assert learner.counters.gradients == 4 * learner.decisions // 64
        second = learner.iterate()
        assert second["episode/count"] == games + shard.collector.rollout.episodes["done"].sum()
        positions = dm.Decisions(num_envs=len(shard.retries.pool))
        positions.set_state(shard.retries.pool, shard.retries.pool["reserve"])
        shown = {planes.tobytes() for planes in positions.planes}
        assert all(planes.tobytes() in shown for planes in shard.retries.collector.rollout.planes[0])
        learnt = sum(rollout.action.size for rollout in (shard.collector.rollout, shard.retries.collector.rollout))
        assert learner.decisions == 2 * learnt


def test_a_run_of_an_older_version_does_not_go_on(tmp_path):
    """Its checkpoints hold no positions, though its config, read now, wants some."""
    config = dataclasses.replace(TINY, decisions=128, clone=dataclasses.replace(TINY.clone, retries=0))
    train(config, tmp_path / "run")
    restored = checkpoint.load(tmp_path / "run")
    with pytest.raises(ValueError, match="is of an older version, whose runs cannot go on in this one"):
        Learner(resolve(TINY), restored)


def test_none_are_tried_again():
    none = dataclasses.replace(LONG, clone=dataclasses.replace(LONG.clone, retries=0), shards=1)
    with Learner(resolve(none)) as learner:
        learner.iterate()
        assert learner.decisions == 64 * 16 and learner.shards.shards[0].retries is None
        assert "retries" not in learner.shards.shards[0].state()
