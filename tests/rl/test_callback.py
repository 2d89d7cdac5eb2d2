"""What a run tells its callback and what it does when asked; resuming with other games."""

import dataclasses
import json
import pickle
import subprocess
import sys
import time

import numpy as np
import pytest

from mlx_drmario.cli import main
from mlx_drmario.rl.callback import Snapshot
from mlx_drmario.rl.config import BestConfig, CurriculumConfig, Stage
from mlx_drmario.rl.ppo.learner import Learner
from mlx_drmario.rl.ppo.train import train
from mlx_drmario.rl.runs import checkpoint
from mlx_drmario.rl.runs.metrics import read_metrics
from mlx_drmario.rl.runs.settings import read_config
from tests.training import Diary, HeldBetween, Holding, StopAfter, content, on_cpu, timeless


def test_a_run_tells_everything(tiny, tmp_path):
    run, diary = tmp_path / "run", Diary()
    config = dataclasses.replace(tiny, shards=2, best=BestConfig(games=64, every=2), keep=9)
    result = train(config, run, diary)
    assert [s.decisions for s in diary.snapshots] == [256 * i for i in range(1, 7)]
    assert [s.metrics for s in diary.snapshots] == [
        {key: value for key, value in row.items() if key != "step"} for row in read_metrics(run)
    ]
    last = diary.snapshots[-1]
    assert last == result.last and last.progress == 1.0 and last.stage == Stage(0, "hi")
    assert last.frames > 256 * 6 and last.games == last.metrics["episode/count"]
    assert [path.name for path in diary.checkpoints] == [f"step_{n:012d}" for n in (512, 1024, 1536)]
    assert [row["decisions"] for row in diary.evaluations] == [1024, 1536]
    assert diary.evaluations == [json.loads(line) for line in (run / "best.jsonl").read_text().splitlines()]
    assert {row["split"] for row in diary.evaluations} == {"validation"}
    assert diary.steps == {0: 6 * 8, 1: 6 * 8}
    paid = 256 * sum(snapshot.metrics["reward/total"] for snapshot in diary.snapshots)
    assert sum(diary.paid.values()) == pytest.approx(paid, abs=1e-4)


@on_cpu
def test_what_is_asked_for_is_done_and_changes_nothing_else(tiny, tmp_path):
    config = dataclasses.replace(tiny, best=BestConfig(games=64, every=99), keep=9, checkpoint_every=99)
    plain, asked = tmp_path / "plain", tmp_path / "asked"
    train(config, plain)
    diary = Diary(checkpoint_after=1, evaluation_after=3)
    train(config, asked, diary)
    assert [checkpoint.number(path) for path in diary.checkpoints] == [256, 768, 1536]
    assert [row["decisions"] for row in diary.evaluations] == [768, 1536]
    assert [checkpoint.number(path) for path in checkpoint.available(plain)] == [1536]
    assert content(plain) == content(asked)
    assert timeless(plain) == timeless(asked)


def test_snapshots_travel_and_need_no_mlx():
    snapshot = Snapshot(1, 2, 3, 4.0, 0.5, Stage(0, "hi", viruses=1), {"loss/value": 0.25})
    assert pickle.loads(pickle.dumps(snapshot)) == snapshot
    code = (
        "import sys, pickle; import mlx_drmario.rl.callback, mlx_drmario.rl.ppo.config, mlx_drmario.rl.runs.listing;"
        f"pickle.loads({pickle.dumps(snapshot)!r}); print(any(name.startswith('mlx.') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("changes", [{"level": 3, "speed": "low"}, {"num_envs": 64}, {"last_level": 2}])
def test_resuming_with_other_games_keeps_what_was_learned(tiny, tmp_path, changes):
    run = tmp_path / "run"
    train(tiny, run, StopAfter(2))
    before = checkpoint.load(run)
    config = dataclasses.replace(tiny, env=dataclasses.replace(tiny.env, **changes))
    with Learner(config, restored=before) as learner:
        assert (learner.counters.decisions, learner.counters.iterations) == (512, 2)
        assert learner.counters.frames == before.state["counters"]["frames"]
        for name, weight in before.model.items():
            value = learner.model
            for key in name.split("."):
                value = value[int(key)] if isinstance(value, list) else value[key]
            np.testing.assert_array_equal(np.asarray(value), np.asarray(weight))
        assert learner.optimizer.state["step"].item() == before.optimizer["step"].item() > 0
        games = learner.shards.shards[0].frontier.games
        assert games.num_envs == config.env.num_envs and (games.decisions == 0).all() and (games.frames == 0).all()
        started = games.state["p1_bottle"].copy()
        assert learner.window.count == 0
    with Learner(tiny) as fresh:
        first = fresh.shards.shards[0].frontier.games.state["p1_bottle"]
        assert (first[:8] != started[:8]).any(axis=1).all()  # not the games that the run began with
    train(dataclasses.replace(config, decisions=512 + 2 * config.decisions_per_iteration), run, resume=True)
    assert checkpoint.load(run).decisions == 512 + 2 * config.decisions_per_iteration
    assert read_config(run).env == config.env


def test_the_same_games_can_start_anew(tiny, tmp_path):
    run = tmp_path / "run"
    train(tiny, run, StopAfter(2))
    before = checkpoint.load(run)
    with Learner(tiny, restored=before) as same, Learner(tiny, restored=before, fresh_games=True) as anew:
        assert same.shards.shards[0].frontier.games.decisions.any()
        assert not anew.shards.shards[0].frontier.games.decisions.any() and anew.window.count == 0
        assert anew.counters == same.counters


def test_time_that_a_callback_holds_the_run_up_is_not_counted(tiny, tmp_path):
    holding = Holding()
    with Learner(tiny, callback=holding) as learner:
        start = time.perf_counter()
        metrics = learner.iterate()
        wall = time.perf_counter() - start
    assert 0 < learner.counters.seconds <= wall - holding.whole
    assert metrics["perf/rollout_seconds"] + metrics["perf/update_seconds"] == pytest.approx(learner.counters.seconds)
    assert metrics["perf/dps_decisions_total"] == pytest.approx(tiny.decisions_per_iteration / learner.counters.seconds)
    with Learner(tiny, callback=HeldBetween()) as learner:
        for _ in range(2):
            metrics = learner.iterate()
            assert metrics["perf/dps_decisions_total"] > 0 and metrics["perf/rollout_seconds"] > 0
    assert -1000 < learner.counters.seconds < -900  # as if so much had passed between the two
    train(tiny, tmp_path / "run", holding := Holding())
    assert holding.whole > 0  # the loop asks


@on_cpu
def test_resuming_with_other_games_repeats(tiny, tmp_path):
    """Straight after the change = stopped once more in between, bit for bit."""
    config = dataclasses.replace(tiny, decisions=5 * 256, env=dataclasses.replace(tiny.env, level=2))
    for name in ("one", "two"):
        train(tiny, tmp_path / name, StopAfter(2))
    train(config, tmp_path / "one", resume=True)
    train(config, tmp_path / "two", StopAfter(1), resume=True)
    train(config, tmp_path / "two", resume=True)
    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert timeless(tmp_path / "one") == timeless(tmp_path / "two")


def test_a_curriculum_keeps_its_stages_when_the_number_of_games_changes(tiny, tmp_path):
    curriculum = CurriculumConfig(enabled=True, last_level=1, threshold=0.001, alpha=0.5, games=50_000, replay=0.4)
    env = dataclasses.replace(tiny.env, max_decisions=30)
    tiny = dataclasses.replace(tiny, decisions=14 * 256, env=env, curriculum=curriculum)
    train(tiny, tmp_path / "run")
    before = checkpoint.load(tmp_path / "run")
    passed = before.state["curriculum"]["passed"]
    assert passed >= 1
    more = dataclasses.replace(tiny, env=dataclasses.replace(env, num_envs=64))
    with Learner(more, restored=before) as learner:
        assert learner.curriculum.passed == passed and learner.curriculum.order.next == 64
        assert learner.curriculum.next().fresh
    other = dataclasses.replace(tiny, curriculum=dataclasses.replace(curriculum, last_level=0))
    with Learner(other, restored=before) as learner:
        assert learner.curriculum.passed == 0  # another ladder begins at its foot


def test_other_games_from_the_command_line(tiny, tmp_path, capsys):
    run = tmp_path / "run"
    train(tiny, run, StopAfter(1))
    assert main(["train", "resume", str(run), "--env.level", "4", "--env.num-envs", "16", "--decisions", "512"]) == 0
    errors = capsys.readouterr().err
    for line in ("changed env.level: 0 -> 4", "changed env.num_envs: 32 -> 16", "changed decisions: 1536 -> 512"):
        assert line in errors
    assert (read_config(run).env.level, checkpoint.load(run).decisions) == (4, 512)
    assert main(["train", "resume", str(run), "--env.level", "99", "--dry-run"]) == 2
    assert "env.level must be between 0 and 24, got 99" in capsys.readouterr().err
