"""Afterstates of the rollouts are the engine's; the head that reads them is symmetric and blind to padding."""

import dataclasses
import itertools

import mlx.core as mx
import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario import seeds
from mlx_drmario.baselines import RandomLegal
from mlx_drmario.nets.afterstate import FACTS, PLANES, Afterstates, cell_planes, permutation_index
from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.nets.policy import ActorCritic, make_policy
from mlx_drmario.rl import checkpoint
from mlx_drmario.rl.afterstates import AfterstateRows, padded
from mlx_drmario.rl.train import Trainer, train
from tests.recolor import one_colored, recolored

NETS = (
    NetConfig(encoder="mlp", head="afterstate", width=32, depth=1),
    NetConfig(encoder="axial", head="outcome", width=8, depth=1, summary=16),
)


@pytest.fixture(scope="module")
def games() -> dm.Decisions:
    """48 games in the middle of play, some of them over."""
    games = dm.Decisions(num_envs=48)
    games.reset(5, 2, seeds.seeds("training", 48))
    player = RandomLegal(0)
    for _ in range(11):
        games.step(player.act(games))
    return games


@pytest.fixture(scope="module", params=NETS, ids=lambda net: net.head)
def policy(games, request) -> ActorCritic:
    """A network with opinions: fresh ones are almost uniform."""
    model = make_policy(request.param, ObservationLayout(games.plane_names, games.scalar_names), seed=3)
    if request.param.head == "afterstate":
        model.update({"head": {"score": {"weight": 1000 * model.head.score.weight}}})
    else:
        weights = {"first": 100 * model.head.first, "second": 100 * model.head.second}
        model.update({"head": {**weights, "gain": mx.arange(1.0, len(FACTS) + 1) / model.head.PACE}})
    return model


def log_probs(policy, planes, scalars, legal, rows) -> np.ndarray:
    after = Afterstates(*map(mx.array, rows))
    return np.asarray(policy(mx.array(planes), mx.array(scalars), mx.array(legal), after)[0])


def test_rows_are_the_engines(games):
    rows, after = AfterstateRows.of(games), games.afterstates()
    assert games.ended.any() and not games.ended.all()
    assert rows.first[-1] == len(after.env) == games.legal.sum()
    order = np.random.default_rng(0).permutation(48)[:20]
    decision, action, bottle, facts = rows.take(order)
    at = 0
    for b, n in enumerate(order):
        mine = np.flatnonzero(after.env == n)
        here = slice(at, at := at + len(mine))
        assert (decision[here] == b).all()
        np.testing.assert_array_equal(action[here], np.flatnonzero(games.legal[n]))
        np.testing.assert_array_equal(bottle[here], after.bottle[mine])
        for column, name in enumerate(FACTS):
            name, _, unit = name.partition("/")
            np.testing.assert_array_equal(facts[here, column], getattr(after, name)[mine] / np.float32(unit or 1))
    assert at == len(action)


def test_joined_parts_are_one_after_the_other(games):
    rows = AfterstateRows.of(games)
    joined = AfterstateRows.join([rows, rows, rows])
    for part in range(3):
        for a, b in zip(joined.take(np.arange(48) + 48 * part), rows.take(np.arange(48)), strict=True):
            np.testing.assert_array_equal(a, b)


def test_planes_are_those_of_the_observation(games):
    """A bottle's planes by table = what the engine writes for it, in the game's own colours."""
    assert games.plane_names[: len(PLANES)] == PLANES
    own = int(permutation_index(mx.array([[0, 1, 2]])).item())
    planes = cell_planes()[own][games.state["p1_bottle"]].transpose(0, 2, 1).reshape(48, len(PLANES), 16, 8)
    np.testing.assert_array_equal(planes, games.planes[:, : len(PLANES)])


@pytest.mark.parametrize("rename", [(1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_recoloring_changes_nothing(games, policy, rename):
    """Renaming the colours of observation and afterstates alike leaves every probability as it is, bit for bit."""
    planes = recolored(games.planes, games.plane_names, rename)
    scalars = recolored(games.scalars, games.scalar_names, rename)
    decision, action, bottle, facts = AfterstateRows.of(games).take(np.arange(48))
    color = bottle & 0x0F
    renamed = np.where(bottle == 0xFF, bottle, (bottle & 0xF0) | np.array([*rename, *range(3, 16)], np.uint8)[color])
    assert (renamed != bottle).any()
    before = log_probs(policy, games.planes, games.scalars, games.legal, (decision, action, bottle, facts))
    after = log_probs(policy, planes, scalars, games.legal, (decision, action, renamed, facts))
    ordered = ~one_colored(games) | (rename == (1, 2, 0))  # else nothing tells the other two colours apart
    assert ordered.sum() > 24 and before[games.legal].std() > 0.3
    assert (before == after)[ordered].all()


def test_padding_changes_nothing(games, policy):
    rows = AfterstateRows.of(games).take(np.arange(48))
    more = padded(rows, 48)
    assert len(more[0]) > len(rows[0]) and len(more[0]) % 64 == 0 and len(more[0]) <= 1.125 * len(rows[0]) + 64
    inputs = (games.planes, games.scalars, games.legal)
    np.testing.assert_allclose(log_probs(policy, *inputs, rows), log_probs(policy, *inputs, more), rtol=1e-5, atol=1e-6)


def test_the_best_placement_is_chosen_in_parts_too(games, policy, monkeypatch):
    """Many games are judged part by part, to bound the memory; the choice is the same."""
    player = checkpoint.NetworkPolicy(policy, "argmax", 0)
    whole = player.act(games)
    monkeypatch.setattr(policy, "most_decisions", 5)
    np.testing.assert_array_equal(player.act(games), whole)
    assert games.legal[np.arange(48), whole][~games.ended].all()
    with pytest.raises(ValueError, match="after must hold"):
        policy(mx.array(games.planes), mx.array(games.scalars), mx.array(games.legal))


@pytest.mark.parametrize("fact", range(len(FACTS)))
def test_outcomes_are_added_to_the_scores_of_their_placements(games, fact):
    """With a weight for one fact, log-probabilities of shift_score move by that fact, up to the normalisation."""
    layout = ObservationLayout(games.plane_names, games.scalar_names)
    model = make_policy(NETS[1], layout, seed=4)
    rows = AfterstateRows.of(games).take(np.arange(48))
    inputs = (games.planes, games.scalars, games.legal)
    before = log_probs(model, *inputs, rows)
    plain = make_policy(dataclasses.replace(NETS[1], head="shift_score"), layout, seed=4)
    np.testing.assert_array_equal(before, plain(*map(mx.array, inputs))[0])
    model.head.gain = mx.where(mx.arange(len(FACTS)) == fact, 2 / model.head.PACE, 0.0)
    moved = log_probs(model, *inputs, rows) - before
    decision, action, _, facts = rows
    expected = 2 * facts[:, fact] - moved[decision, action]  # how much the normalisation took from the whole decision
    for n in np.flatnonzero(~games.ended):
        assert np.ptp(expected[decision == n]) < 1e-4


def test_bottles_are_copied_for_heads_that_read_them_only(games, policy):
    whole = AfterstateRows.of(games)
    lean = AfterstateRows.of(games, bottles=False)
    assert lean.bottle.shape == (len(whole.action), 0)
    if not policy.needs_bottles:
        inputs = (games.planes, games.scalars, games.legal)
        one, two = (log_probs(policy, *inputs, padded(rows.take(np.arange(48)), 48)) for rows in (whole, lean))
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(("head", "cells"), [("afterstate", 128), ("outcome", 0)])
def test_rollouts_keep_the_afterstates_of_their_decisions(tiny, head, cells):
    net = dataclasses.replace(tiny.net, head=head)
    with Trainer(dataclasses.replace(tiny, net=net)) as trainer:
        rollout, _ = trainer.team.shards[0].collect(trainer.model.parameters(), None)
        for t, n in itertools.product((0, 3, 7), (0, 31)):
            _, action, bottle, _ = rollout.after[t].take(np.array([n]))
            np.testing.assert_array_equal(action, np.flatnonzero(rollout.legal[t, n]))
            assert bottle.shape == (len(action), cells)


@pytest.mark.parametrize("head", ["afterstate", "outcome"])
def test_resume_is_bitwise(tiny, tmp_path, head):
    tiny = dataclasses.replace(tiny, shards=2, net=dataclasses.replace(tiny.net, head=head))
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    train(tiny, straight)
    seen: list[object] = []
    train(tiny, broken, seen.append, lambda: len(seen) >= 2)
    train(tiny, broken, resume=True)
    one, two = (checkpoint.weights_digest(checkpoint.load_policy(run).model) for run in (straight, broken))
    assert one == two
