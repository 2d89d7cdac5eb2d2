"""The laws of the learner, on rollouts that were really collected: each of these fails when the learner is wrong.

The games' own story is told by an observer, which sees every position before games are restarted; what the learner
makes of a rollout is compared with what that story and a scalar computation say.
"""

import dataclasses
from typing import NamedTuple

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten, tree_map, tree_unflatten

from mlx_drmario import rewards
from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.heads import Afterstates
from mlx_drmario.rl.afterstates import AfterstateRows
from mlx_drmario.rl.callback import Callback
from mlx_drmario.rl.config import REWARD
from mlx_drmario.rl.distribution import entropy
from mlx_drmario.rl.ppo import losses
from mlx_drmario.rl.ppo.config import PPOConfig, PPORunConfig
from mlx_drmario.rl.ppo.learner import Learner
from tests.rl import reference_ppo
from tests.training import legal_of

GAMMA, LAMBDA = 0.997, 0.6


class Step(NamedTuple):
    """What happened to the N games of a shard in one decision."""

    value: np.ndarray
    reward: np.ndarray
    tau: np.ndarray
    ended: np.ndarray
    cut: np.ndarray
    planes: np.ndarray  # after the decision: the game's own last observation where it is over
    scalars: np.ndarray


class Story(Callback):
    """Keeps what every shard's games went through."""

    def __init__(self, shards: int, limit: int) -> None:
        self.limit = limit
        self.steps: list[list[Step]] = [[] for _ in range(shards)]
        self.value: list[np.ndarray] = [np.empty(0)] * shards

    def before_step(self, games, action, log_prob, value, part=0):
        assert games.legal[np.arange(games.num_envs), action].all()
        self.value[part] = value.copy()

    def after_step(self, games, part=0):
        reward = rewards.compute(REWARD, games)["total"]
        ended = games.ended.copy()
        cut = ~ended & (games.decisions == self.limit)
        columns = (games.tau, ended, cut, games.planes, games.scalars)
        self.steps[part].append(Step(self.value[part], reward, *(column.copy() for column in columns)))


def opinionated(learner: Learner) -> None:
    """Fresh networks are almost uniform and value everything alike; make this one differ by position and placement."""

    factors = {"head.first": 150.0, "head.second": 150.0, "head.score.weight": 1500.0, "value.weight": 12.0}

    def scaled(name: str, weight: mx.array) -> mx.array:
        gain = mx.arange(1.0, weight.size + 1) / 8
        return gain if name == "head.gain" else weight * factors.get(name, 1.0)

    weights = [(name, scaled(name, weight)) for name, weight in tree_flatten(learner.model.parameters())]
    learner.model.update(tree_unflatten(weights))
    mx.eval(learner.model.parameters())


NETS = {
    "outcome": NetConfig(encoder="axial", head="outcome", width=8, depth=1, summary=16),
    "dense": NetConfig(encoder="mlp", head="dense", width=24, depth=1),
}


class Played(NamedTuple):
    learner: Learner
    story: Story
    rollouts: list  # (Rollout, f32[2, T, N]) of each shard


@pytest.fixture(scope="module", params=["outcome", "dense"])
def played(request):
    """The second rollout of two shards (so games do not begin with it), in which games end and are cut."""
    config = PPORunConfig(
        shards=2,
        compile=False,
        env=dataclasses.replace(PPORunConfig().env, num_envs=48, max_decisions=25),
        net=NETS[request.param],
        ppo=PPOConfig(horizon=32, minibatch=192, epochs=1, gamma=GAMMA, gae_lambda=LAMBDA),
    )
    story = Story(2, config.env.max_decisions)
    with Learner(config, callback=story) as learner:
        opinionated(learner)
        for _ in range(2):
            for steps in story.steps:
                steps.clear()
            rollouts = learner.shards.map(lambda shard: shard.collect(learner.model.parameters()))
        assert all(rollout.truncated.any() and rollout.terminated.any() for rollout, _ in rollouts)
        yield Played(learner, story, rollouts)


def judge(learner: Learner, planes: np.ndarray, scalars: np.ndarray) -> np.ndarray:
    """The network's values f32[B]."""
    return np.asarray(learner.model.value_of(mx.array(planes), mx.array(scalars)))


def test_stored_rows_are_what_the_network_says_again(played):
    """Before any step the ratio is 1 and KL 0: log-probability and value of every row are those of its placement."""
    for rollout, _ in played.rollouts:
        columns = rollout.planes, rollout.scalars, legal_of(rollout.after)
        flat = [column.reshape(-1, *column.shape[2:]) for column in columns]
        action, log_prob, value = (column.reshape(-1) for column in (rollout.action, rollout.log_prob, rollout.value))
        after = None
        if rollout.after:
            rows = AfterstateRows.join(rollout.after).take(np.arange(len(action)))
            after = Afterstates(*map(mx.array, rows))
        log_probs, values = map(np.asarray, played.learner.model(*map(mx.array, flat), after))
        assert log_probs[flat[2]].std() > 0.5 and values.std() > 0.05
        np.testing.assert_allclose(log_probs[np.arange(len(action)), action], log_prob, atol=2e-4)
        np.testing.assert_allclose(values, value, atol=1e-4)


def test_the_first_minibatch_has_no_kl(played):
    """The same through the code that trains: rows, afterstates and actions of a minibatch belong together."""
    weights = played.learner.model.parameters()
    played.learner._prepare(played.rollouts)
    for metrics, _ in played.learner.shards.map(lambda shard: shard.differentiate(weights, 0.0)):
        named = dict(zip(losses.METRICS, np.asarray(metrics).tolist(), strict=True))
        assert abs(named["stats/approx_kl"]) < 1e-6
        assert named["stats/clip_fraction"] == 0


def test_bootstrap_values_are_those_of_the_games_own_observations(played):
    for shard, (rollout, _), steps in zip(
        played.learner.shards.shards, played.rollouts, played.story.steps, strict=True
    ):
        games = shard.frontier.games
        now = judge(played.learner, games.planes, games.scalars)
        assert now.std() > 0.05
        np.testing.assert_allclose(rollout.last_value, now, atol=1e-5)
        for t, step in enumerate(steps):
            np.testing.assert_array_equal(rollout.truncated[t], step.cut)
            np.testing.assert_array_equal(rollout.terminated[t], step.ended)
            if step.cut.any():
                own = judge(played.learner, step.planes[step.cut], step.scalars[step.cut])
                np.testing.assert_allclose(rollout.final_value[t, step.cut], own, atol=1e-5)
            assert (rollout.final_value[t, ~step.cut] == 0).all()


def trajectory_advantages(learner: Learner, steps: list[Step], n: int, last: float) -> np.ndarray:
    """Game by game through environment n: GAE by its recursion, in double precision, a scalar at a time."""
    advantages = np.zeros(len(steps))
    following, carried = last, 0.0  # value and advantage of what comes next in the same game
    for t in reversed(range(len(steps))):
        step = steps[t]
        if step.ended[n]:
            following, carried = 0.0, 0.0
        elif step.cut[n]:
            following, carried = float(judge(learner, step.planes[n : n + 1], step.scalars[n : n + 1])[0]), 0.0
        discount = GAMMA ** int(step.tau[n])
        error = discount * (float(step.reward[n]) + following) - float(step.value[n])
        advantages[t] = error + discount * LAMBDA * carried
        following, carried = float(step.value[n]), advantages[t]
    return advantages


def test_advantages_follow_each_games_own_trajectory(played):
    for shard, (_, estimates), steps in zip(
        played.learner.shards.shards, played.rollouts, played.story.steps, strict=True
    ):
        games = shard.frontier.games
        last = judge(played.learner, games.planes, games.scalars)
        expected = np.stack(
            [trajectory_advantages(played.learner, steps, n, float(last[n])) for n in range(len(last))], axis=1
        )
        assert expected.std() > 0.1
        np.testing.assert_allclose(estimates[0], expected, atol=1e-4)
        value = np.stack([step.value for step in steps])
        np.testing.assert_allclose(estimates[1], expected + value, atol=1e-4)


def test_what_is_learned_from_is_what_was_played(played):
    """Rows of a minibatch: each decision once an epoch, its advantage normalised over the rollouts of all shards."""
    learner = played.learner
    variance = learner._prepare(played.rollouts)
    value = np.stack([rollout.value for rollout, _ in played.rollouts])
    target = np.stack([estimates[1] for _, estimates in played.rollouts])
    assert variance == pytest.approx(1 - np.var(target - value) / np.var(target), rel=1e-4)
    everything = np.stack([estimates[0] for _, estimates in played.rollouts]).astype(np.float64)
    for shard, (rollout, estimates) in zip(learner.shards.shards, played.rollouts, strict=True):
        batches = list(shard.minibatches)
        assert [len(rows) for _, _, rows in batches] == [96] * 8
        assert sorted(np.concatenate([rows for _, _, rows in batches])) == list(range(32 * 24))
        flat, after, _ = batches[0]
        np.testing.assert_array_equal(after.action[after.first[:-1] + flat.rank], rollout.action.reshape(-1))
        np.testing.assert_array_equal(flat.log_prob, rollout.log_prob.reshape(-1))
        normalised = (estimates[0] - everything.mean()) / everything.std()
        np.testing.assert_allclose(flat.advantage, normalised.reshape(-1), atol=1e-4)
        np.testing.assert_array_equal(flat.target, estimates[1].reshape(-1))


def test_a_step_goes_along_the_mean_of_the_shards_gradients(played):
    learner = played.learner
    weights = learner.model.parameters()
    generators = [shard.shuffle.bit_generator.state for shard in learner.shards.shards]
    learner._prepare(played.rollouts)
    parts = learner.shards.map(lambda shard: shard.differentiate(weights, 0.01))
    for shard, generator in zip(learner.shards.shards, generators, strict=True):
        shard.shuffle.bit_generator.state = generator  # the same minibatch again
    learner._prepare(played.rollouts)
    steps = []
    apply, learner.apply = learner.apply, lambda gradient: steps.append(gradient) or mx.zeros((2,))
    metrics = learner._step(0.01)
    learner.apply = apply
    np.testing.assert_allclose(metrics[:5], np.mean([np.asarray(part[0]) for part in parts], axis=0), rtol=1e-5)
    for (name, found), *each in zip(tree_flatten(steps[0]), *(tree_flatten(part[1]) for part in parts), strict=True):
        expected = np.mean([np.asarray(leaf) for _, leaf in each], axis=0)
        np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-4, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("played", ["dense"], indirect=True)
def test_loss_and_gradient_equal_plain_numpy(played):
    """After weights have moved (ratios on both sides of the clip), against a gradient worked out by hand."""
    learner, entropy_weight = played.learner, 0.05
    before = learner.model.parameters()
    rng = np.random.default_rng(0)
    moved = tree_map(lambda w: w + mx.array(rng.normal(0, 0.03, w.shape).astype(np.float32)), before)
    learner._prepare(played.rollouts)
    shard = learner.shards.shards[0]
    flat, after, rows = next(shard.minibatches)
    shard.minibatches = iter([(flat, after, rows)])
    metrics, gradient = shard.differentiate(moved, entropy_weight)

    _, planes, scalars, *others = (column[rows] for column in flat)
    rollout, _ = played.rollouts[0]
    legal, action = legal_of(rollout.after).reshape(-1, 512)[rows], rollout.action.reshape(-1)[rows]
    planes, scalars = map(np.asarray, canonical(learner, planes, scalars))
    inputs = np.concatenate([planes.reshape(len(rows), -1), scalars], axis=1).astype(np.float64)
    weights = {name: np.asarray(weight, np.float64) for name, weight in tree_flatten(moved)}
    parts, expected = reference_ppo.loss_and_gradient(
        weights, inputs, legal, action, *others, entropy_weight=entropy_weight, value_weight=0.5, clip=0.2
    )
    learner.model.update(before)
    assert 0.05 < parts["clipped"] < 0.95
    np.testing.assert_allclose(np.asarray(metrics), list(parts.values()), rtol=2e-3, atol=1e-5)
    found = dict(tree_flatten(gradient))
    assert found.keys() == expected.keys()
    for name, leaf in found.items():
        scale = np.abs(expected[name]).max()
        assert scale > 1e-4
        np.testing.assert_allclose(np.asarray(leaf), expected[name], atol=2e-3 * scale, err_msg=name)


def canonical(learner: Learner, planes: np.ndarray, scalars: np.ndarray):
    """The observation as the encoder sees it; that relabelling is tested in test_nets.py."""
    from mlx_drmario.nets.symmetry import canonicalize

    return canonicalize(mx.array(planes), mx.array(scalars), learner.layout)


def test_more_entropy_is_less_loss_and_the_gradient_seeks_it():
    ppo = PPOConfig()
    logits = mx.array(np.random.default_rng(0).normal(0, 2, (8, 512)).astype(np.float32))
    decision, zero = mx.repeat(mx.arange(8), 512), mx.zeros((8,))

    def loss(logits: mx.array, weight: float) -> mx.array:
        log_probs = logits - mx.logsumexp(logits, axis=1, keepdims=True)
        new, of_rows = log_probs[:, 0], entropy(log_probs.reshape(-1), decision, 8)
        return losses.ppo_loss(ppo, new, of_rows, zero, mx.stop_gradient(new), zero, zero, mx.array(weight))[0]

    def entropy_of(logits: mx.array) -> float:
        p = np.exp(np.asarray(logits, np.float64))
        p /= p.sum(axis=1, keepdims=True)
        return float(-(p * np.log(p)).sum(axis=1).mean())

    assert loss(logits, 0.1).item() == pytest.approx(-0.1 * entropy_of(logits), rel=1e-4)
    step = logits - 10 * mx.grad(loss)(logits, 0.1)
    assert entropy_of(step) > entropy_of(logits) + 0.01


def test_schedules_reach_the_optimiser_and_the_loss(tiny):
    """Both fall linearly over the budget; the run's counters say where it is."""
    with Learner(tiny) as learner:
        for done in (0, 3):
            learner.counters.decisions = done * tiny.decisions // 6
            metrics = learner.iterate()
            assert metrics["stats/progress"] == pytest.approx(learner.counters.decisions / tiny.decisions)
            rate = 2e-3 + (1e-4 - 2e-3) * done / 6
            assert metrics["stats/learning_rate"] == pytest.approx(rate)
            assert learner.optimizer.learning_rate.item() == pytest.approx(rate)
            assert metrics["stats/entropy_weight"] == pytest.approx(0.01 + (0.001 - 0.01) * done / 6)


def test_an_iteration_accounts_for_what_happened(tiny):
    """Counters, rewards and episodes of two shards against the games' own story; all update steps were taken."""
    tiny = dataclasses.replace(tiny, shards=2)
    story = Story(2, tiny.env.max_decisions)
    with Learner(tiny, callback=story) as learner:
        for iteration in (1, 2, 3):
            for steps in story.steps:
                steps.clear()
            before = learner.counters.frames
            metrics = learner.iterate()
            steps = [step for part in story.steps for step in part]
            assert learner.counters.frames - before == sum(int(step.tau.sum()) for step in steps)
            assert (learner.counters.decisions, learner.counters.iterations) == (256 * iteration, iteration)
            mean = np.mean([step.reward for step in steps])
            assert metrics["reward/total"] == pytest.approx(mean, abs=1e-5)
            terms = [value for name, value in metrics.items() if name.startswith("reward/") and name != "reward/total"]
            assert sum(terms) == pytest.approx(mean, abs=1e-5)
            assert learner.optimizer.state["step"].item() == iteration * tiny.ppo.epochs * 256 // tiny.ppo.minibatch
            assert all(next(shard.minibatches, None) is None for shard in learner.shards.shards)
        assert metrics["episode/count"] > 0
