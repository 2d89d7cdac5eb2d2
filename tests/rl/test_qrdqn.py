"""QR-DQN: its targets against a plain loop, what it plays, and a run on disk."""

import dataclasses
import time

import mlx.core as mx
import numpy as np
import pytest

from mlx_drmario.cli import main
from mlx_drmario.cli import policy as policies
from mlx_drmario.nets.config import ReturnNetConfig
from mlx_drmario.nets.outcome import FACTS
from mlx_drmario.rl.afterstates import AfterstateRows
from mlx_drmario.rl.config import EnvConfig
from mlx_drmario.rl.qrdqn.config import QRDQNConfig, QRDQNRunConfig
from mlx_drmario.rl.qrdqn.replay import n_step
from mlx_drmario.rl.qrdqn.train import Learner, best_of, train
from mlx_drmario.rl.runs import checkpoint, listing, settings
from tests.training import Diary, HeldBetween, Holding, content, on_cpu, timeless

TINY = QRDQNRunConfig(
    name="tiny",
    compile=False,
    decisions=6 * 256,
    checkpoint_every=2,
    env=EnvConfig(num_envs=32, max_decisions=12),
    net=ReturnNetConfig(width=8, summary=16, quantiles=4, hidden=8),
    qrdqn=QRDQNConfig(horizon=8, replay=3, gradients=4, minibatch=64, steps=3, target_every=5, gamma=0.995),
)


def test_returns_of_several_steps_are_those_of_a_plain_loop():
    rng = np.random.default_rng(0)
    shape, steps, gamma = (12, 40), 3, 0.99
    reward, tau = rng.normal(size=shape).astype(np.float32), rng.integers(20, 90, shape, np.uint32)
    terminated = rng.random(shape) < 0.15
    truncated = ~terminated & (rng.random(shape) < 0.1)
    total, discount, usable = (
        column.reshape(shape) for column in n_step(reward, tau, terminated, truncated, steps, gamma)
    )
    assert not usable[-steps:].any() and 0.3 < usable.mean() < 0.8
    for t, n in np.argwhere(usable):
        expected, factor = 0.0, 1.0
        for j in range(steps):
            factor *= gamma ** int(tau[t + j, n])
            expected += factor * reward[t + j, n]
            assert not truncated[t + j, n]
            if terminated[t + j, n]:
                factor = 0.0
                break
        assert total[t, n] == pytest.approx(expected, rel=1e-4, abs=1e-6)
        assert discount[t, n] == pytest.approx(factor, rel=1e-4)
    for t, n in np.argwhere(~usable[:-steps]):  # each has a truncation before any end, within reach
        ends = [truncated[t + j, n] or terminated[t + j, n] for j in range(steps)]
        assert truncated[t + ends.index(True), n]


@pytest.fixture
def learner():
    made = Learner(TINY)
    for _ in range(3):
        made.iterate()
    return made


def test_targets_are_the_targets_networks_best_placement_later(learner):
    """Decision by decision, with the game's own observation and placements so many decisions later."""
    replay, at = learner.replay, learner.replay.usable[::7]
    learner.target.update(Learner(dataclasses.replace(TINY, seed=9)).model.parameters())
    made = learner.targets(at)
    horizon, games = 8 * 3, TINY.env.num_envs
    assert (replay.later(at) < horizon * games).all()
    for row, index in zip(made, at, strict=True):
        later = index + 3 * games
        columns = replay.after.take(np.array([later]))
        planes, scalars = (replay.columns[name][later : later + 1] for name in ("planes", "scalars"))
        _, _, quantiles = learner._of_placements(learner.target, planes, scalars, columns)
        best = quantiles[quantiles.mean(axis=1).argmax()]
        expected = replay.reward[index] + replay.discount[index] * best
        np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-5)
    assert (replay.discount[at] > 0).any()


def test_facts_are_those_of_the_placement_that_was_chosen(learner):
    """The reward of a decision follows from its facts, so both must be of the same placement."""
    replay = learner.replay
    at = np.arange(len(replay.columns["action"]))
    facts, reward = replay.facts(at), TINY.reward
    ended = np.where(facts[:, 5] > 0, reward.clear, np.where(facts[:, 6] > 0, reward.top_out, 0))
    expected = reward.virus * 4 * facts[:, 0] + reward.half * 8 * facts[:, 1] + reward.time * 256 * facts[:, 4] + ended
    np.testing.assert_allclose(replay.columns["reward"], expected, rtol=1e-4, atol=1e-4)


def test_it_plays_the_best_placement_but_for_the_random_ones(learner):
    games = learner.collector.games
    after = AfterstateRows.of(games, FACTS)
    log_probs, value = learner.act(games.planes, games.scalars, after)
    probability = np.exp(log_probs)
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-3)
    assert (probability[~games.legal] == 0).all()
    decision, action, quantiles = learner._of_placements(
        learner.model, games.planes, games.scalars, after.take(np.arange(games.num_envs))
    )
    for place in range(games.num_envs):
        mine = decision == place
        mean = quantiles[mine].mean(axis=1)
        assert probability[place].argmax() == action[mine][mean.argmax()]
        assert value[place] == pytest.approx(mean.max(), rel=1e-5)


def test_a_game_is_longer_than_the_steps_that_are_looked_ahead():
    with pytest.raises(ValueError, match=r"qrdqn\.steps must be less than env\.max_decisions = 3, got 3"):
        dataclasses.replace(TINY, env=dataclasses.replace(TINY.env, max_decisions=3), qrdqn=QRDQNConfig(steps=3))


def test_an_iteration_that_learns_nothing_tells_no_loss():
    waiting = dataclasses.replace(TINY, qrdqn=dataclasses.replace(TINY.qrdqn, horizon=2, replay=6, steps=7))
    learner = Learner(waiting)
    told = [learner.iterate() for _ in range(6)]
    learnt = ["loss/quantiles" in metrics for metrics in told]
    assert learnt == sorted(learnt) and not learnt[0] and learnt[-1]


def test_best_of_each():
    best, value = best_of(np.array([0, 0, 1, 2, 2]), np.array([1.0, 3.0, -2.0, 5.0, 4.0]), 3)
    assert best.tolist() == [1, 2, 3] and value.tolist() == [3, -2, 5]


def test_learning_lowers_the_loss_of_what_it_learns_from(learner):
    """On a fixed target network and a fixed batch."""
    at = learner.replay.usable[:64]
    columns, target = learner.replay.columns, mx.array(learner.targets(at))
    batch = [columns["planes"][at], columns["scalars"][at], columns["action"][at], learner.replay.facts(at)]
    losses = [float(learner.update(*map(mx.array, batch), target).item()) for _ in range(60)]
    assert losses[-1] < 0.6 * losses[0]


@on_cpu
def test_runs_repeat_and_go_on(tmp_path):
    for name in ("a", "b"):
        assert train(TINY, tmp_path / name).finished
    assert timeless(tmp_path / "a") == timeless(tmp_path / "b")
    assert all(row["stats/param_norm"] > 0 for row in timeless(tmp_path / "a"))
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert listing.summarize(tmp_path / "a").problems == []
    assert settings.kind_of(tmp_path / "a") is QRDQNRunConfig
    more = dataclasses.replace(TINY, decisions=8 * 256)
    games = checkpoint.load(tmp_path / "a").state["window"]["count"]
    went_on = Diary()
    assert train(more, tmp_path / "a", went_on, resume=True).finished
    assert went_on.snapshots[0].games >= games > 0, "games are counted from the beginning of the run"
    assert checkpoint.load(tmp_path / "a").decisions == 8 * 256
    policy, planes = policies.load(f"risk:0.5:{tmp_path / 'a'}")
    assert (policy.evaluator.returns, planes) == (True, "bitplane")


def test_callbacks_see_every_step_and_their_time_is_not_counted(tmp_path):
    diary, holding = Diary(), Holding()
    result = train(TINY, tmp_path / "run", diary)
    assert diary.snapshots[-1] == result.last and result.last.progress == 1.0
    assert result.last.decisions == diary.steps[0] * TINY.env.num_envs < result.last.frames
    learner = Learner(TINY, callback=holding)
    start = time.perf_counter()
    learner.iterate()
    assert holding.whole > 0 and 0 < learner.counters.seconds <= time.perf_counter() - start - holding.whole
    learner = Learner(TINY, callback=HeldBetween())
    assert all(learner.iterate()["perf/dps_decisions_total"] > 0 for _ in range(2)) and learner.counters.seconds > 0


def test_the_command(tmp_path, capsys):
    small = "--net.width 8 --net.summary 16 --env.num-envs 8 --env.max-decisions 12 --no-compile"
    run = tmp_path / "run"
    assert main(f"train qrdqn --decisions 256 --out {run} {small}".split()) == 0
    assert main(f"eval --policy {run} --seeds 3 --no-baselines --max-decisions 20".split()) == 0
    assert "level 0 HI, 3 validation games" in capsys.readouterr().out
    assert main(f"train resume {run}".split()) == 0
    assert "the budget of 256 decisions is spent" in capsys.readouterr().out
    assert main(f"train resume {run} --decisions 512".split()) == 0
    assert "changed decisions: 256 -> 512" in capsys.readouterr().err
    assert checkpoint.load(run).decisions == 512
    assert main(f"calibrate {run}".split()) == 1
    assert "foresees returns" in capsys.readouterr().err
    assert main(f"runs list {tmp_path}".split()) == 0
    assert "level 0 hi" not in capsys.readouterr().err
