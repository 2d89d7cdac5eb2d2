"""An ensemble plays by the mean of its members' distributions."""

from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

import mlx_drmario as dm
from mlx_drmario import seeds
from mlx_drmario.cli import main
from mlx_drmario.cli import policy as policies
from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.ensemble import Ensemble
from mlx_drmario.nets.heads import ILLEGAL, Afterstates
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.nets.outcome import FACTS
from mlx_drmario.nets.policy import ActorCritic, make_policy
from mlx_drmario.rl.afterstates import AfterstateRows
from mlx_drmario.rl.runs import checkpoint


@pytest.fixture(scope="module")
def games() -> dm.Decisions:
    games = dm.Decisions(num_envs=48)
    games.reset(4, 2, seeds.seeds("training", 48))
    return games


def network(seed: int, planes: str = "bitplane", **settings) -> ActorCritic:
    """A network with opinions: fresh ones are almost uniform."""
    games = dm.Decisions(num_envs=1, planes=planes)
    net = NetConfig(**{"encoder": "mlp", "head": "dense", "width": 16, **settings})
    model = make_policy(net, ObservationLayout(games.plane_names, games.scalar_names), seed)
    model.update({"head": {"score": {"weight": 5000 * model.head.score.weight}}} if net.head == "dense" else {})
    return model


def outputs(model, games: dm.Decisions) -> tuple[np.ndarray, np.ndarray]:
    after = Afterstates(*map(mx.array, AfterstateRows.of(games, FACTS).take(np.arange(games.num_envs))))
    log_probs, value = model(mx.array(games.planes), mx.array(games.scalars), mx.array(games.legal), after)
    return np.asarray(log_probs), np.asarray(value)


def write(run: Path, model: ActorCritic, net: NetConfig) -> Path:
    weights = dict(tree_flatten(model.parameters()))
    checkpoint.save(run, checkpoint.Content(1, weights, net, model.layout, {}, {}), keep=1)
    return run


def test_mean_by_the_definition(games):
    members = [network(seed) for seed in range(3)]
    singles = [outputs(member, games) for member in members]
    log_probs, value = outputs(Ensemble(members), games)
    expected = np.exp(np.stack([single[0] for single in singles]).astype(float).mean(axis=0))
    expected = expected / expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(log_probs), expected, rtol=1e-4, atol=1e-7)
    assert (log_probs[~games.legal] == ILLEGAL).all()
    np.testing.assert_allclose(value, np.mean([single[1] for single in singles], axis=0), rtol=1e-5, atol=1e-6)


def test_one_member_is_itself(games):
    member = network(0)
    alone = outputs(Ensemble([member]), games)[0]
    np.testing.assert_allclose(alone, outputs(member, games)[0], rtol=1e-5, atol=1e-5)


def test_from_the_command_line(games, tmp_path, capsys):
    """Different heads in one ensemble."""
    settings = [{"head": "dense"}, {"head": "shift_score", "encoder": "axial", "width": 8}, {"head": "outcome"}]
    models = [network(seed, **given) for seed, given in enumerate(settings)]
    runs = [
        write(tmp_path / str(i), model, NetConfig(**{"encoder": "mlp", "width": 16, **given}))
        for i, (model, given) in enumerate(zip(models, settings, strict=True))
    ]
    listed = ",".join(map(str, runs))
    policy, planes = policies.load(f"ensemble:{listed}")
    assert planes == "bitplane"
    assert (policy.act(games.view) == outputs(Ensemble(models), games)[0].argmax(axis=1)).all()
    arguments = ["eval", "--policy", f"ensemble:{listed}", "--seeds", "4", "--max-decisions", "5", "--no-baselines"]
    assert main(arguments) == 0
    assert main(["eval", "--policy", f"ensemble:{runs[0]},nowhere"]) == 2
    assert "'nowhere' in it is no directory of a run or checkpoint" in capsys.readouterr().err
    assert main(["eval", "--policy", "ensemble:"]) == 2
    assert "policy is 'ensemble:', in which the directory of a run is missing" in capsys.readouterr().err


def test_bad_members():
    with pytest.raises(ValueError, match="at least one"):
        Ensemble([])
    with pytest.raises(ValueError, match="same observations"):
        Ensemble([network(0), network(1, planes="extended")])
