"""Potential-based shaping: what it adds telescopes, and nothing is added without it."""

import dataclasses
import itertools
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

from mlx_drmario.nets.config import QuantileNetConfig
from mlx_drmario.nets.quantile import make_quantile_net
from mlx_drmario.observer import Observer
from mlx_drmario.rewards import RewardConfig
from mlx_drmario.rl.config import EnvConfig
from mlx_drmario.rl.evaluator.potential import FramesToGo
from mlx_drmario.rl.ppo.config import ShapingConfig
from mlx_drmario.rl.ppo.train import train
from mlx_drmario.rl.rollout import Collector, observation_layout
from mlx_drmario.rl.runs import checkpoint
from mlx_drmario.rl.runs.metrics import read_metrics
from mlx_drmario.rl.runs.settings import read_config
from mlx_drmario.settings import to_json
from tests.training import StopAfter, legal_of

GAMMA = 0.995


class AnyLegal:
    """An actor that plays at random."""

    def act(self, planes, scalars, after):
        return np.where(legal_of([after])[0], 0.0, -1e9).astype(np.float32), np.zeros(len(planes), np.float32)

    def value(self, planes, scalars):
        return np.zeros(len(planes), np.float32)


class Weighed:
    """A potential that every cell and scalar moves."""

    gamma = GAMMA

    def __call__(self, planes, scalars):
        rng = np.random.default_rng(0)
        flat = planes.reshape(len(planes), -1)
        return (flat @ rng.normal(size=flat.shape[1]) + scalars @ rng.normal(size=scalars.shape[1])).astype(np.float32)


def test_what_shaping_adds_to_a_game_is_its_first_potential_with_a_minus():
    """Whatever was played, of whatever durations; so no policy gains on another by it."""
    config, plain = EnvConfig(num_envs=12, max_decisions=500), RewardConfig()
    potential = Weighed()
    shaped, bare = (
        Collector(config, plain, 70, (1, 2), potential=given).collect(AnyLegal()) for given in (potential, None)
    )
    np.testing.assert_array_equal(shaped.action, bare.action)
    added = shaped.reward - bare.reward
    discount = np.power(GAMMA, shaped.tau.astype(np.float64))
    games = 0
    for n in range(12):
        starts = [0, *(np.flatnonzero(shaped.terminated[:, n]) + 1)]
        for first, last in itertools.pairwise(starts):
            factors = np.cumprod(discount[first:last, n])
            begin = potential(shaped.planes[first : first + 1, n], shaped.scalars[first : first + 1, n])[0]
            assert (factors * added[first:last, n]).sum() == pytest.approx(-begin, rel=1e-3, abs=1e-3)
            games += 1
    assert games > 12
    assert shaped.terms["env"] == pytest.approx(bare.terms["total"], rel=1e-5)
    assert shaped.terms["total"] == pytest.approx(shaped.terms["env"] + shaped.terms["shape"], rel=1e-3)
    np.testing.assert_allclose(shaped.episodes["total"], bare.episodes["total"], atol=1e-3)  # what games are worth


class LastSeen(Observer):
    """Keeps the observation after every step, before games start anew."""

    def after_step(self, games, part=0):
        self.seen = games.planes.copy(), games.scalars.copy()


def test_a_truncated_game_keeps_the_potential_of_its_own_last_situation():
    config, potential, observer = EnvConfig(num_envs=4, max_decisions=3), Weighed(), LastSeen()
    rollout = Collector(config, RewardConfig(), 3, (1, 2), potential=potential, observer=observer).collect(AnyLegal())
    assert rollout.truncated[2].all()
    bare = Collector(config, RewardConfig(), 3, (1, 2)).collect(AnyLegal())
    factors = np.cumprod(np.power(GAMMA, rollout.tau.astype(np.float64)), axis=0)
    added = (factors * (rollout.reward - bare.reward)).sum(axis=0)
    expected = factors[-1] * potential(*observer.seen) - potential(rollout.planes[0], rollout.scalars[0])
    np.testing.assert_allclose(added, expected, rtol=1e-3, atol=1e-3)


@pytest.fixture
def evaluator(tmp_path):
    net, layout = QuantileNetConfig(width=8, summary=16, quantiles=4, hidden=8), observation_layout("bitplane")
    model = make_quantile_net(net, layout, seed=2)
    weights = dict(tree_flatten(model.parameters()))
    run = tmp_path / "evaluator"
    checkpoint.save(run, checkpoint.Content(1, weights, net, layout, {"step": mx.array(1)}, {}), keep=1)
    return run


def test_a_shaped_run_logs_what_it_adds(evaluator, tiny, tmp_path):
    shaped = dataclasses.replace(tiny, decisions=512, shaping=ShapingConfig(evaluator, weight=0.5))
    train(shaped, tmp_path / "run")
    rows = read_metrics(tmp_path / "run")
    for row in rows:
        assert row["reward/total"] == pytest.approx(row["reward/env"] + row["reward/shape"], abs=1e-4)
        assert abs(row["reward/shape"]) > 1e-4
    train(dataclasses.replace(tiny, decisions=512), tmp_path / "plain")
    first, plain = rows[0], read_metrics(tmp_path / "plain")[0]
    assert first["reward/env"] == pytest.approx(plain["reward/total"], abs=1e-6)  # the same games
    assert "reward/shape" not in plain


def test_what_cannot_shape_is_refused_before_a_run_is_begun(evaluator, tiny, tmp_path):
    run, extended = tmp_path / "run", dataclasses.replace(tiny.env, planes="extended")
    for config, problem in (
        (dataclasses.replace(tiny, shaping=ShapingConfig(tmp_path / "no")), "no is no directory"),
        (dataclasses.replace(tiny, shaping=ShapingConfig(evaluator), env=extended), "reads other planes"),
    ):
        with pytest.raises(ValueError, match=f"^shaping.evaluator is .*{problem}"):
            train(config, run)
        assert not run.exists()
    with pytest.raises(ValueError, match=r"^ppo.gamma must be at least 0.9 with shaping.evaluator, got 0.8$"):
        dataclasses.replace(tiny, shaping=ShapingConfig(evaluator), ppo=dataclasses.replace(tiny.ppo, gamma=0.8))


def test_a_shaped_run_goes_on_from_wherever_it_is_resumed(evaluator, tiny, tmp_path, monkeypatch):
    """Also one of an earlier version, which has the evaluator's path as it was given: from where it was started."""
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(tmp_path)
    shaped = dataclasses.replace(tiny, compile=False, shaping=ShapingConfig(Path("evaluator")))
    train(shaped, run, StopAfter(1))
    assert read_config(run).shaping.evaluator == evaluator
    earlier = dataclasses.replace(read_config(run), shaping=shaped.shaping)
    monkeypatch.chdir(elsewhere)
    train(read_config(run), run, StopAfter(1), resume=True)
    (run / "config.json").write_text(to_json(earlier))
    monkeypatch.chdir(tmp_path)
    train(read_config(run), run, StopAfter(1), resume=True)
    assert read_config(run).shaping.evaluator == evaluator
    assert len(read_metrics(run)) == 3


def test_a_potential_is_frames_to_go_with_a_minus(evaluator):
    potential = FramesToGo(evaluator, 0.5, GAMMA)
    collector = Collector(EnvConfig(num_envs=3), RewardConfig(), 2, (1, 2))
    planes, scalars = collector.games.planes, collector.games.scalars
    said = potential.evaluator.states(planes, scalars)
    expected = -0.0005 * (said.clear * said.frames.mean(axis=1) + (1 - said.clear) * 20_000)
    np.testing.assert_allclose(potential(planes, scalars), expected, rtol=1e-5)
    assert potential(planes[:0], scalars[:0]).shape == (0,)
