"""Choosing by risk: costs by hand, what the rules say is believed, and names on the command line."""

import dataclasses

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

from mlx_drmario import Decisions, seeds
from mlx_drmario.cli import policy as policies
from mlx_drmario.evaluate import evaluate
from mlx_drmario.nets.config import QuantileNetConfig
from mlx_drmario.nets.outcome import FACTS
from mlx_drmario.nets.quantile import make_quantile_net
from mlx_drmario.positions import Position
from mlx_drmario.rl.afterstates import AfterstateRows
from mlx_drmario.rl.evaluator.forecast import Evaluator, Forecast
from mlx_drmario.rl.evaluator.player import CLEARED, LOST, TAU, TOP_OUT, RiskPolicy, cost, known, return_cost
from mlx_drmario.rl.player import load_policy
from mlx_drmario.rl.rollout import observation_layout
from mlx_drmario.rl.runs import checkpoint

NET = QuantileNetConfig(width=8, summary=16, quantiles=8, hidden=8)


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return Evaluator(make_quantile_net(NET, observation_layout("bitplane"), seed=4))


@pytest.mark.parametrize("count", [0, 3])
def test_forecasts_of_any_number_of_states(evaluator, count):
    """None too: a filter that nothing passes is no error."""
    games = Decisions(num_envs=3, threads=1)
    games.reset(5, 2, np.arange(3) + 7)
    planes, scalars = games.planes[:count], games.scalars[:count]
    columns = AfterstateRows.of(games, FACTS).take(np.arange(count))
    first = np.searchsorted(columns[0], np.arange(count + 1))
    for said, rows in (
        (evaluator.states(planes, scalars), count),
        (evaluator.placements(planes, scalars, (first, columns)), len(columns[0])),
    ):
        assert said.clear.shape == (rows,) and said.frames.shape == (rows, NET.quantiles)


def test_costs_by_hand():
    said = Forecast(np.array([1.0, 0.5]), np.array([[100.0, 300.0], [100.0, 300.0]]))
    assert cost(said, 1.0).tolist() == [200, 100 + LOST / 2]
    assert cost(said, 0.5) == pytest.approx([300, LOST])
    assert cost(said, 0.75) == pytest.approx([(300 * 2 + 100) / 3, (LOST * 2 + 300) / 3])
    assert cost(said, 1.5) == pytest.approx([100, 200])  # the best half
    assert cost(said, 1.75) == pytest.approx([100, 100])


def test_costs_of_returns_by_hand():
    returns = np.array([[1.0, 2.0, 3.0, 6.0]])
    assert [return_cost(returns, risk)[0] for risk in (1.0, 0.5, 0.25, 1.5, 1.75)] == [-3, -1.5, -1, -4.5, -6]


def test_fear_costs_more_than_hope():
    rng = np.random.default_rng(0)
    said = Forecast(rng.random(50), np.sort(rng.uniform(0, 9_000, (50, 16)), axis=1))
    costs = np.stack([cost(said, risk) for risk in (0.05, 0.3, 0.7, 1.0, 1.3, 1.9)])
    assert (np.diff(costs, axis=0) <= 1e-6).all() and (costs[0] > costs[-1]).all()


def test_what_the_rules_say_is_believed():
    facts = np.zeros((3, len(FACTS)), np.float32)
    facts[:, TAU] = np.array([64, 32, 100]) / 256
    facts[1, CLEARED], facts[2, TOP_OUT] = 1, 1
    said = known(Forecast(np.full(3, 0.9), np.full((3, 2), 500.0)), facts)
    assert said.clear.tolist() == [0.9, 1, 0]
    assert said.frames.tolist() == [[564, 564], [32, 32], [600, 600]]


@pytest.mark.parametrize("risk", [0.1, 1.0, 1.9])
def test_it_takes_the_least_cost_of_the_legal_placements(evaluator, risk):
    games = Decisions(5, threads=1)
    games.reset(3, 2, seeds.seeds("training", 5))
    games.step(games.sample_legal(1))
    chosen, _, foreseen = RiskPolicy(evaluator, risk).act_with_details(games.view)
    for place in range(5):
        rows = AfterstateRows.of(games, FACTS)
        decision, actions, facts = rows.take(np.array([place]))
        planes, scalars = games.planes[place : place + 1], games.scalars[place : place + 1]
        said = evaluator.placements(planes, scalars, (np.array([0, len(actions)]), (decision, actions, facts)))
        costs = cost(known(said, facts), risk)
        row = list(actions).index(chosen[place])
        assert costs[row] == pytest.approx(costs.min(), rel=1e-6)
        np.testing.assert_allclose(foreseen[place], known(said, facts).frames[row], rtol=1e-4)


def test_games_end_legally_and_ended_ones_are_left_alone(evaluator):
    result = evaluate(RiskPolicy(evaluator), level=0, speed=2, seeds=seeds.seeds("training", 6), max_decisions=40)
    assert (result.cleared | result.top_out | result.truncated).all()


def test_it_clears_the_bottle_when_it_can(evaluator):
    """A placement that ends the game by clearing it costs its own frames, which nothing the network hopes for beats."""
    games = Decisions(1, threads=1)
    games.reset(0, 2, seeds.seeds("training", 1))
    state = games.state.copy()
    Position("drawn", "r....... r....... R.......", capsule="RY").fill(state[0])
    games.set_state(state)
    wins = games.afterstates()
    assert wins.cleared.any()
    chosen = RiskPolicy(evaluator).act(games.view)[0]
    assert chosen in wins.action[wins.cleared]


def test_names(evaluator, tmp_path):
    content = checkpoint.Content(
        decisions=1,
        model=dict(tree_flatten(evaluator.model.parameters())),
        optimizer={"step": mx.array(1)},
        state={},
        net=NET,
        layout=evaluator.layout,
    )
    run = tmp_path / "run"
    checkpoint.save(run, content, keep=1)
    for name, risk in ((str(run), 1.0), (f"risk:0.25:{run}", 0.25)):
        policy, planes = policies.load(name)
        assert isinstance(policy, RiskPolicy) and (policy.risk_tau, planes) == (risk, "bitplane")
        policies.check(name)
    for wrong in (f"risk:2:{run}", f"risk:x:{run}", f"risk:{run}"):
        with pytest.raises(ValueError, match="policy is"):
            policies.check(wrong)
    with pytest.raises(ValueError, match="holds the network of an evaluator, which plays as 'risk:1:"):
        load_policy(run)
    with pytest.raises(ValueError, match="trained on planes"):
        RiskPolicy(evaluator).act(Decisions(1, "extended", threads=1).view)
    assert dataclasses.asdict(checkpoint.load_weights(run).net) == dataclasses.asdict(NET)
