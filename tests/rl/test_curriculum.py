"""Stages below level 0 are exact; games count for their own stage, in the order of their starts; resume is bitwise."""

import dataclasses

import numpy as np
import pytest

from mlx_drmario import Decisions, seeds, stats
from mlx_drmario.rl.config import CurriculumConfig, Stage
from mlx_drmario.rl.curriculum import Curriculum, ReorderBuffer, SequentialTest
from mlx_drmario.rl.ppo.config import PPORunConfig
from mlx_drmario.rl.ppo.learner import Learner
from mlx_drmario.rl.ppo.train import train
from mlx_drmario.rl.rollout import Collector, remove_viruses
from mlx_drmario.rl.runs import checkpoint
from mlx_drmario.rl.runs.metrics import read_metrics
from mlx_drmario.settings import from_json, to_json
from mlx_drmario.spec import VIRUS
from tests.training import StopAfter, content, on_cpu, timeless


@pytest.fixture
def easy(tiny: PPORunConfig) -> PPORunConfig:
    """Stages that a policy which knows nothing passes within a few iterations."""
    curriculum = CurriculumConfig(
        enabled=True, speeds="low,med,hi", last_level=1, threshold=0.001, alpha=0.5, games=50_000, replay=0.5
    )
    env = dataclasses.replace(tiny.env, max_decisions=30)
    return dataclasses.replace(tiny, decisions=16 * 256, env=env, curriculum=curriculum)


def viruses(games: Decisions) -> np.ndarray:
    return (games.state["p1_bottle"] & 0xF0 == VIRUS).sum(axis=1)


@pytest.mark.parametrize("keep", [1, 2, 3, 4])
def test_removing_viruses_touches_nothing_else(keep):
    rng = np.random.default_rng(keep)
    games = Decisions(num_envs=8, threads=1)
    games.reset(0, 2, rng.integers(2, 65536, 8))
    for seed in range(5):
        games.step(games.sample_legal(seed))
    mask = (np.arange(8) % 2 == 0) | games.ended
    games.reset(0, 2, rng.integers(2, 65536, 8), mask=mask)
    names = ("planes", "scalars", "legal", "frames_to_lock", "decisions", "frames", "ended")
    before, state, digest = {name: getattr(games, name).copy() for name in names}, games.state.copy(), games.digest()
    remove_viruses(games, mask, keep, rng)
    assert not mask.all() and (games.decisions[~mask] == 5).all()
    for name in names:
        np.testing.assert_array_equal(getattr(games, name)[~mask], before[name][~mask])
    np.testing.assert_array_equal(games.digest()[~mask], digest[~mask])
    assert (viruses(games)[mask] == keep).all() and (games.viruses_left[mask] == keep).all()
    for name in set(state.dtype.names) - {"p1_bottle", "p1_virus_left_bcd"}:
        np.testing.assert_array_equal(games.state[name], state[name])
    now, then = games.state["p1_bottle"], state["p1_bottle"]
    assert (then[now != then] & 0xF0 == VIRUS).all() and (now[now != then] == 0xFF).all()

    fresh = Decisions(num_envs=8, threads=1)  # the same positions, set directly
    fresh.set_state(games.state.copy())
    np.testing.assert_array_equal(fresh.digest()[mask], games.digest()[mask])
    for seed in range(8):
        action = games.sample_legal(seed)
        games.step(action)
        fresh.step(action)
        np.testing.assert_array_equal(fresh.digest()[mask], games.digest()[mask])
        np.testing.assert_array_equal(fresh.cleared[mask], games.cleared[mask])


def test_few_viruses_are_what_the_collector_starts(tiny):
    collector = Collector(tiny.env, tiny.reward, 8, (0,))
    collector.restart(Stage(0, "low", 2))
    assert (viruses(collector.games) == 2).all() and (collector.games.state["p1_speed_setting"] == 0).all()
    assert len(np.unique(collector.games.state["p1_bottle"], axis=0)) > 20
    collector.restart(Stage(3, "hi"))
    assert (viruses(collector.games) == 16).all()
    collector.restart(Stage(3, "hi", last_level=5))
    assert set(viruses(collector.games)) == {16, 20, 24}


def test_games_start_on_training_seeds_alone(tiny):
    """Their capsules and bottles are those of training seeds; none is a validation or test game."""

    def layouts(split: str) -> set[bytes]:
        games = Decisions(num_envs=len(seeds.SPLITS[split]))
        games.reset(0, 2, seeds.seeds(split))
        return {row["reserve"].tobytes() + row["p1_bottle"].tobytes() for row in games.state}

    collector = Collector(dataclasses.replace(tiny.env, num_envs=512), tiny.reward, 8, (0,))
    started = {row["reserve"].tobytes() + row["p1_bottle"].tobytes() for row in collector.games.state}
    assert len(started) > 400
    assert started <= layouts("training")
    assert not started & (layouts("validation") | layouts("test"))


def test_ladder():
    assert CurriculumConfig(viruses=3, last_level=1, speeds="low,hi").stages() == [
        Stage(0, "low", 3),
        Stage(0, "hi", 3),
        Stage(0, "low"),
        Stage(0, "hi"),
        Stage(1, "low"),
        Stage(1, "hi"),
    ]
    assert len(CurriculumConfig().stages()) == 3 + 21
    assert CurriculumConfig(viruses=4, last_level=0).stages() == [Stage(0, "hi")]


def test_outcomes_come_in_the_order_of_starts():
    """Games of random length whose outcome decides their length: what is handed out is still start order."""
    rng = np.random.default_rng(0)
    order, handed, started = ReorderBuffer(4), [], []
    outcome, left = np.zeros(4, bool), np.zeros(4, int)
    done = np.ones(4, bool)
    for step in range(400):
        for n in np.flatnonzero(done):
            outcome[n] = rng.random() < 0.5
            left[n] = rng.integers(1, 3) if outcome[n] else rng.integers(5, 20)
            started.append(bool(outcome[n]))
        left -= 1
        done = left == 0
        handed += order.finish(done, outcome)
        if step % 50 == 0:
            again = ReorderBuffer(4)
            again.load(order.state())
            order = again
    assert len(handed) > 100
    assert handed == started[: len(handed)]
    assert len(started) - len(handed) < 60


def test_trial_passes_when_certified_and_else_starts_again():
    config = CurriculumConfig(threshold=0.5, alpha=0.1, games=100)
    test = SequentialTest(config)
    needed = stats.fewest_trials(0.5, config.error(1))
    for n in range(needed):
        assert not test.passed and test.games == n
        test.add(True)
    assert test.passed and test.lower_bound >= 0.5 - 1e-9
    test.add(False)
    assert test.games == test.cleared == needed
    failing = SequentialTest(config)
    for _ in range(201):
        failing.add(False)
    assert (failing.attempt, failing.games, failing.passed) == (3, 1, False)
    assert sum(config.error(attempt) for attempt in range(1, 10_000)) < config.alpha


def test_batches_are_pure_and_stages_advance(easy):
    """Every rollout holds one stage's level and virus counts, and a stage counts only games begun in it."""
    with Learner(easy) as learner:
        curriculum, shard = learner.curriculum, learner.shards.shards[0]
        assert isinstance(curriculum, Curriculum)
        replays, advanced = 0, True
        for _ in range(60):
            before, counted = curriculum.passed, curriculum.test.games
            task = curriculum.next()
            stage = task.stage
            rollout, _ = shard.collect(learner.model.parameters(), task)
            begun = rollout.episodes["decisions"][0] == 1  # after the first decision of the rollout
            if task.replayed:
                replays += 1
                assert curriculum.stages.index(stage) < before == curriculum.passed
                assert curriculum.test.games == counted
            else:
                assert stage == curriculum.stage
                assert task.fresh == advanced == begun.all()
                curriculum.count(rollout.episodes)
                advanced = curriculum.passed != before and curriculum.passed < len(curriculum.stages)
                if advanced:
                    assert (curriculum.test.games, curriculum.order.head) == (0, 0)
            most = rollout.planes[:, :, :3].sum(axis=(2, 3, 4)).max()
            assert most == (stage.viruses or 4 * (stage.level + 1))
            speed = learner.layout.scalar_names.index(f"speed_{stage.speed}")
            assert (rollout.scalars[:, :, speed] == 1).all()
        assert curriculum.passed >= 2
        assert replays >= 2


@on_cpu
@pytest.mark.parametrize("stop", [1, 7, 11])
def test_resume_is_bitwise(easy, tmp_path, stop):
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    train(easy, straight)
    train(easy, broken, StopAfter(stop))
    train(easy, broken, resume=True)
    assert content(straight) == content(broken)
    assert timeless(straight) == timeless(broken)
    rows = timeless(straight)
    assert {"curriculum/stage", "curriculum/lower_bound", "curriculum/games"} <= rows[0].keys()
    assert rows[-1]["curriculum/stage"] >= 1


def test_off_leaves_no_trace(tiny, tmp_path):
    train(dataclasses.replace(tiny, decisions=256), tmp_path / "run")
    assert not any(name.startswith("curriculum") for name in checkpoint.load(tmp_path / "run").state)
    assert not any(name.startswith("curriculum") for name in read_metrics(tmp_path / "run")[0])


def test_config(easy):
    assert from_json(to_json(easy), PPORunConfig) == easy
    for changes, message in (
        ({"threshold": 0.99, "games": 100}, r"curriculum\.games must be at least \d+, the fewest that can certify"),
        ({"threshold": 1.0}, r"curriculum\.threshold"),
        ({"alpha": 0.0}, r"curriculum\.alpha"),
        ({"viruses": 5}, r"curriculum\.viruses"),
        ({"last_level": 25}, r"curriculum\.last_level"),
        ({"speeds": "hi,fast"}, r"curriculum\.speeds"),
        ({"speeds": "hi,hi"}, r"curriculum\.speeds"),
        ({"replay": 1.0}, r"curriculum\.replay"),
    ):
        with pytest.raises(ValueError, match=message):
            CurriculumConfig(**changes)
