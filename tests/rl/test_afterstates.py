"""Afterstates of the rollouts are the engine's; the outcome head is symmetric and blind to padding."""

import dataclasses

import mlx.core as mx
import numpy as np
import pytest

from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.heads import Afterstates
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.nets.outcome import FACTS
from mlx_drmario.nets.policy import ActorCritic, make_policy
from mlx_drmario.observer import Observer
from mlx_drmario.rl.afterstates import AfterstateRows, padded
from mlx_drmario.rl.ppo.learner import Learner
from mlx_drmario.rl.ppo.train import train
from tests.recolor import one_colored, recolored
from tests.training import StopAfter, content, legal_of, on_cpu

NET = NetConfig(encoder="axial", head="outcome", width=8, depth=1, summary=16)


@pytest.fixture(scope="module")
def policy(games) -> ActorCritic:
    """A network with opinions: fresh ones are almost uniform."""
    model = make_policy(NET, ObservationLayout(games.plane_names, games.scalar_names), seed=3)
    weights = {"first": 100 * model.head.first, "second": 100 * model.head.second}
    model.update({"head": {**weights, "gain": mx.arange(1.0, len(FACTS) + 1) / NET.outcome_scale}})
    return model


def log_probs(policy, planes, scalars, legal, rows) -> np.ndarray:
    after = Afterstates(*map(mx.array, rows))
    return np.asarray(policy(mx.array(planes), mx.array(scalars), mx.array(legal), after)[0])


def test_rows_are_the_engines(games):
    rows, after = AfterstateRows.of(games, FACTS), games.afterstates()
    assert games.ended.any() and not games.ended.all()
    assert rows.first[-1] == len(after.env) == games.legal.sum()
    order = np.random.default_rng(0).permutation(48)[:20]
    decision, action, facts = rows.take(order)
    at = 0
    for b, n in enumerate(order):
        mine = np.flatnonzero(after.env == n)
        here = slice(at, at := at + len(mine))
        assert (decision[here] == b).all()
        np.testing.assert_array_equal(action[here], np.flatnonzero(games.legal[n]))
        for column, name in enumerate(FACTS):
            name, _, unit = name.partition("/")
            np.testing.assert_array_equal(facts[here, column], getattr(after, name)[mine] / np.float32(unit or 1))
    assert at == len(action)


def test_joined_parts_are_one_after_the_other(games):
    rows = AfterstateRows.of(games, FACTS)
    joined = AfterstateRows.join([rows, rows, rows])
    for part in range(3):
        for a, b in zip(joined.take(np.arange(48) + 48 * part), rows.take(np.arange(48)), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("rename", [(1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_recoloring_changes_nothing(games, policy, rename):
    """Renaming the colours of the observation leaves every probability as it is, bit for bit."""
    planes = recolored(games.planes, games.plane_names, rename)
    scalars = recolored(games.scalars, games.scalar_names, rename)
    rows = AfterstateRows.of(games, FACTS).take(np.arange(48))
    before = log_probs(policy, games.planes, games.scalars, games.legal, rows)
    after = log_probs(policy, planes, scalars, games.legal, rows)
    ordered = ~one_colored(games) | (rename == (1, 2, 0))  # else nothing tells the other two colours apart
    assert ordered.sum() > 24 and before[games.legal].std() > 0.3
    assert (before == after)[ordered].all()


def test_padding_changes_nothing(games, policy):
    rows = AfterstateRows.of(games, FACTS).take(np.arange(48))
    more = padded(rows, 48)
    assert len(more[0]) > len(rows[0]) and len(more[0]) % 64 == 0 and len(more[0]) <= 1.125 * len(rows[0]) + 64
    inputs = (games.planes, games.scalars, games.legal)
    np.testing.assert_allclose(log_probs(policy, *inputs, rows), log_probs(policy, *inputs, more), rtol=1e-5, atol=1e-6)


def test_without_afterstates_it_says_so(games, policy):
    with pytest.raises(ValueError, match="after must hold"):
        policy(mx.array(games.planes), mx.array(games.scalars), mx.array(games.legal))


@pytest.mark.parametrize("fact", range(len(FACTS)))
def test_outcomes_are_added_to_the_scores_of_their_placements(games, fact):
    """With a weight for one fact, log-probabilities of shift_score move by that fact, up to the normalisation."""
    layout = ObservationLayout(games.plane_names, games.scalar_names)
    model = make_policy(NET, layout, seed=4)
    rows = AfterstateRows.of(games, FACTS).take(np.arange(48))
    inputs = (games.planes, games.scalars, games.legal)
    before = log_probs(model, *inputs, rows)
    plain = make_policy(dataclasses.replace(NET, head="shift_score"), layout, seed=4)
    np.testing.assert_array_equal(before, plain(*map(mx.array, inputs))[0])
    model.head.gain = mx.where(mx.arange(len(FACTS)) == fact, 2 / NET.outcome_scale, 0.0)
    moved = log_probs(model, *inputs, rows) - before
    decision, action, facts = rows
    expected = 2 * facts[:, fact] - moved[decision, action]  # how much the normalisation took from the whole decision
    for n in np.flatnonzero(~games.ended):
        assert np.ptp(expected[decision == n]) < 1e-4


class Masks(Observer):
    """Keeps what is legal at every step."""

    def __init__(self) -> None:
        self.masks: list[np.ndarray] = []

    def before_step(self, games, *_) -> None:
        self.masks.append(games.legal.copy())


def test_rollouts_keep_the_afterstates_of_their_decisions(tiny):
    net = dataclasses.replace(tiny.net, head="outcome")
    with Learner(dataclasses.replace(tiny, net=net)) as learner:
        seen = Masks()
        learner.shards.shards[0].frontier.observer = seen
        rollout, _ = learner.shards.shards[0].collect(learner.model.parameters())
        np.testing.assert_array_equal(legal_of(rollout.after), seen.masks)


@on_cpu
def test_resume_is_bitwise(tiny, tmp_path):
    tiny = dataclasses.replace(tiny, shards=2, net=dataclasses.replace(tiny.net, head="outcome"))
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    train(tiny, straight)
    train(tiny, broken, StopAfter(2))
    train(tiny, broken, resume=True)
    assert content(straight) == content(broken)


def test_rank_is_the_place_of_an_action_among_a_decisions_rows():
    rng = np.random.default_rng(0)
    legal = rng.random((20, 512)) < 0.1
    rows = AfterstateRows.of_legal(legal)
    action = np.array([rng.choice(np.flatnonzero(row)) for row in legal], np.int32)
    rank = rows.rank(action)
    assert rank.max() > 5
    np.testing.assert_array_equal(rows.action[rows.first[:-1] + rank], action)
