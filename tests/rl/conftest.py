"""Settings small enough to train for a few iterations in a second, and games to look at."""

import pytest

import mlx_drmario as dm  # before mlx.core: it loads the fast BLAS
from mlx_drmario import seeds
from mlx_drmario.baselines import RandomLegal
from mlx_drmario.nets.config import NetConfig
from mlx_drmario.rl.config import EnvConfig
from mlx_drmario.rl.ppo.config import PPOConfig, PPORunConfig


@pytest.fixture
def tiny() -> PPORunConfig:
    """Six iterations of 32 games x 8 decisions; games are cut short so that truncation happens too."""
    return PPORunConfig(
        name="tiny",
        decisions=6 * 256,
        checkpoint_every=2,
        shards=1,
        env=EnvConfig(num_envs=32, max_decisions=12),
        net=NetConfig(encoder="axial", head="shift_score", width=8, depth=1, summary=16),
        ppo=PPOConfig(horizon=8, minibatch=128, epochs=2),
    )


@pytest.fixture(scope="module")
def games() -> dm.Decisions:
    """48 games in the middle of play, some of them over."""
    games = dm.Decisions(num_envs=48)
    games.reset(5, 2, seeds.seeds("training", 48))
    player = RandomLegal(0)
    for _ in range(11):
        games.step(player.act(games.view))
    return games
