"""What a trained network tells evaluation and screens."""

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario import seeds
from mlx_drmario.baselines import Greedy, RandomLegal
from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.heads import ILLEGAL
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.nets.policy import make_policy
from mlx_drmario.rl.player import NetworkPolicy


@pytest.fixture(scope="module")
def games() -> dm.Decisions:
    """32 games in the middle of play, some of them over."""
    games = dm.Decisions(num_envs=32)
    games.reset(5, 2, seeds.seeds("training", 32))
    player = RandomLegal(0)
    while games.ended.sum() < 8:
        games.step(player.act(games.view))
    return games


@pytest.mark.parametrize("head", ["outcome", "dense"])
def test_details_are_what_the_choice_was_made_by(games, head):
    layout = ObservationLayout(games.plane_names, games.scalar_names)
    policy = NetworkPolicy(make_policy(NetConfig(head=head, width=8, summary=16), layout, seed=1))
    action, log_probs, value = policy.act_with_details(games.view)
    np.testing.assert_array_equal(policy.act(games.view), action)
    running = ~games.ended
    assert running.any() and not running.all()
    np.testing.assert_array_equal(action[running], log_probs[running].argmax(axis=1))
    assert games.legal[np.arange(32), action][running].all()
    np.testing.assert_allclose(np.exp(log_probs[running]).sum(axis=1), 1, rtol=1e-5)
    assert (log_probs[~games.legal] == ILLEGAL).all()
    assert (value[running] != 0).all() and value.dtype == log_probs.dtype == np.float32
    assert (action[~running] == 0).all() and (value[~running] == 0).all() and (log_probs[~running] == ILLEGAL).all()


def test_games_of_two_players_are_refused():
    rounds = dm.Decisions(2, players=2)
    layout = ObservationLayout(rounds.plane_names, rounds.scalar_names)
    for policy in (Greedy(), NetworkPolicy(make_policy(NetConfig(head="dense", width=8, summary=16), layout, seed=1))):
        with pytest.raises(ValueError, match="view has games of 2 players, the policy plays games of one"):
            policy.act(rounds.view)


def test_sampling_follows_the_probabilities_and_its_seed(games):
    layout = ObservationLayout(games.plane_names, games.scalar_names)
    model = make_policy(NetConfig(head="dense", width=8, summary=16), layout, seed=1)
    one, same, other = (NetworkPolicy(model, "sample", seed) for seed in (1, 1, 2))
    drawn = [one.act(games.view) for _ in range(50)]
    np.testing.assert_array_equal(drawn, [same.act(games.view) for _ in range(50)])
    assert any((a != other.act(games.view)).any() for a in drawn)
    n = int(np.flatnonzero(~games.ended)[0])
    assert len({int(a[n]) for a in drawn}) > 5  # a fresh policy is nearly uniform
    assert all(games.legal[n, a[n]] for a in drawn)
