"""`drmario bench`: what it refuses, what it measures, and that comparing commits leaves nothing behind."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mlx_drmario import seeds
from mlx_drmario.cli import bench, main
from mlx_drmario.cli.bench import against, cases, instructions, learning
from mlx_drmario.evaluate import evaluate as evaluate_games
from mlx_drmario.nets.config import NetConfig
from mlx_drmario.rl.ppo.config import PRESETS, PPOConfig, PPORunConfig
from mlx_drmario.rl.ppo.learner import Learner
from mlx_drmario.rl.ppo.train import resolve

from ..conftest import ROOT


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf"])
def test_refuses_to_measure_for_no_time(seconds, capsys):
    assert main(["bench", f"--seconds={seconds}"]) == 2
    out, err = capsys.readouterr()
    assert err == f"drmario bench: --seconds must be more than 0 and at most 86,400, got {float(seconds)}\n"
    assert out == ""


def test_refuses_a_result_file_before_the_work(tmp_path, capsys):
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in (tmp_path / "nowhere" / "a.json", folder):
        assert main(["bench", "--json", str(path)]) == 2
        out, err = capsys.readouterr()
        assert str(path) in err and err.count("\n") == 1
        assert out == "" and not path.is_file()


FORSAKEN = """
import sys
from pathlib import Path
from mlx_drmario.cli import bench

def measured(_):
    print("a line", flush=True)
    return [bench.Line("name", "unit", 1.0, 1.0, 1.0, 1.0)]

bench.measure_all = measured
sys.exit(bench.run(bench.BenchConfig(json=Path(sys.argv[1]))))
"""


def test_what_is_measured_is_kept_though_nobody_reads(tmp_path):
    path, (read, write) = tmp_path / "a.json", os.pipe()
    os.close(read)
    command = [sys.executable, "-c", FORSAKEN, str(path)]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(path.read_text())["lines"]


def test_compares_two_result_files(tmp_path, capsys):
    paths = [str(tmp_path / name) for name in ("before.json", "after.json")]
    for path, rate in zip(paths, (10.0, 25.0), strict=True):
        Path(path).write_text(json.dumps({"lines": [{"name": "something", "rate": rate}]}))
    assert main(["bench", "--compare", *paths]) == 0
    assert "2.50" in capsys.readouterr().out
    Path(paths[0]).write_text("{}")
    assert main(["bench", "--compare", *paths]) == 1
    assert "before.json is no result file" in capsys.readouterr().err
    assert main(["bench", "--compare", *paths, "--against", "HEAD"]) == 2


def test_learning_refuses_what_does_not_go_with_it(capsys):
    for others in (["--learning", "--against", "HEAD"], ["--level", "5"], ["--learning", "--compare", "a", "b"]):
        assert main(["bench", *others]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_time_to_strength_ends_when_it_is_reached_or_the_budget_spent(monkeypatch):
    net = NetConfig(encoder="mlp", head="dense", width=8)
    env = dataclasses.replace(PPORunConfig().env, num_envs=16, max_decisions=8, level=3)
    ppo = PPOConfig(horizon=8, minibatch=64, epochs=1)
    config = PPORunConfig(seed=7, decisions=5 * 128, compile=False, net=net, env=env, ppo=ppo)
    seen = []
    shares = iter([0.25, 0.5, 0.75])

    def clear_rate(learner, games):
        seen.append((learner.counters.decisions, games))
        return next(shares)

    spent = learning.reach(config, cleared=0.9, games=4, between=256)
    assert (spent.seed, spent.decisions, spent.enough) == (7, 5 * 128, False)
    assert 0 <= spent.cleared < 0.9 and spent.wall > 0 and spent.cpu > 0
    monkeypatch.setattr(learning, "clear_rate", clear_rate)
    reached = learning.reach(config, cleared=0.5, games=4, between=256)
    assert seen == [(256, 4), (512, 4)]
    assert (reached.decisions, reached.cleared, reached.enough) == (512, 0.5, True)


def test_clear_rate_is_that_of_validation_games_at_the_learners_level(monkeypatch):
    asked = {}

    def evaluate(policy, **settings):
        asked.update(settings)
        return evaluate_games(policy, **settings)

    env = dataclasses.replace(PPORunConfig().env, num_envs=16, level=1, last_level=2, speed="med")
    net, ppo = NetConfig(encoder="mlp", head="dense", width=8), PPOConfig(horizon=4, minibatch=64)
    monkeypatch.setattr("mlx_drmario.evaluate.evaluate", evaluate)
    with Learner(resolve(PPORunConfig(compile=False, env=env, net=net, ppo=ppo))) as learner:
        assert 0 <= learning.clear_rate(learner, 4) <= 1
    assert (asked["level"], asked["speed"], asked["planes"]) == (2, 1, "bitplane")
    assert (seeds.split_of(asked["seeds"]) == "validation").all() and len(asked["seeds"]) == 4


def test_a_level_is_learnt_with_those_below():
    assert learning.config_for(0, 3) == dataclasses.replace(PRESETS["level0"], seed=3)
    five = learning.config_for(5, 3)
    assert (five.seed, five.env.level, five.env.last_level, five.net.head) == (3, 0, 5, "features")


def test_the_median_run_of_five():
    def run(wall: float, enough: bool = True) -> learning.Reached:
        return learning.Reached(0, wall, 2 * wall, 1000, 0.96, enough)

    text = learning.median([run(50), run(10), run(30), run(1, False), run(20)], 0)
    assert "after 30 s (60 CPU s" in text
    assert "not reached" in learning.median([run(50), run(1, False), run(30), run(1, False), run(2, False)], 0)


def test_a_line_counts_what_was_done():
    done = 0

    def work() -> float:
        nonlocal done
        done += 3
        return 3.0

    line = bench.measure("work", "units/s", 0.01, work)
    assert line.low <= line.rate <= line.high
    assert line.cpu_rate > 0
    effort = cases.time_work(work, 0.01)
    assert effort.wall >= 0.01 and effort.units % 3 == 0 and effort.cpu <= effort.wall * 2


@pytest.mark.parametrize("case", [case for case in cases.CASES if "4096" not in case.name], ids=lambda case: case.name)
def test_every_case_does_work(case):
    work = case.make()
    assert work() > 0
    assert work() > 0


@pytest.fixture
def checkout(tmp_path):
    """A git checkout with two commits."""
    root = tmp_path / "checkout"
    root.mkdir()
    identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    against.git(root, "init", "--quiet")
    for text in ("one", "two"):
        (root / "file").write_text(text)
        against.git(root, "add", "file")
        against.git(root, *identity, "commit", "--quiet", "-m", text)
    return root


def count_worktrees(root: Path) -> int:
    return against.git(root, "worktree", "list").count("\n") + 1


def test_worktrees_are_gone_afterwards(checkout):
    commits = [against.commit_of(checkout, name) for name in ("HEAD~1", "HEAD")]
    with pytest.raises(KeyError), against.worktrees(checkout, commits) as trees:
        assert [(tree / "file").read_text() for tree in trees] == ["one", "two"]
        assert count_worktrees(checkout) == 3
        raise KeyError
    assert count_worktrees(checkout) == 1
    assert not any(tree.parent.exists() for tree in trees)


def test_worktrees_are_gone_after_an_interrupt(checkout):
    code = (
        "import sys, signal; from pathlib import Path; from mlx_drmario.cli.bench import against\n"
        "root = Path(sys.argv[1])\n"
        "with against.worktrees(root, [against.commit_of(root, 'HEAD')]) as trees:\n"
        "    print(trees[0], flush=True); signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(checkout)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        tree = Path(process.stdout.readline().strip())
        assert tree.is_dir() and count_worktrees(checkout) == 2
        os.kill(process.pid, signal.SIGINT)
    assert process.returncode != 0
    assert not tree.exists() and count_worktrees(checkout) == 1


def test_refuses_a_commit_that_is_none(checkout):
    with pytest.raises(ValueError, match="--against is 'nothing', allowed is a commit of the checkout"):
        against.commit_of(checkout, "nothing")


def test_a_repository_around_the_installed_package_is_not_its_own(checkout, monkeypatch):
    package = checkout / "site-packages" / "mlx_drmario"
    package.mkdir(parents=True)
    monkeypatch.setattr(against.mlx_drmario, "__file__", str(package / "__init__.py"))
    with pytest.raises(ValueError, match="--against needs mlx_drmario in a git checkout of its own, got it in"):
        against.run("HEAD", 0.1)
    assert count_worktrees(checkout) == 1


def test_two_workers_take_turns():
    workers = [against.Worker(None), against.Worker(None)]
    try:
        case = next(case for case in cases.CASES if case.name.startswith("observation"))
        result = against.contest(case.name, case.unit, workers, 0.4)
        assert isinstance(result, against.Contest)
        assert result.low <= result.ratio <= result.high
        assert result.before > 0 and result.after > 0
        assert "cannot: KeyError" in str(against.contest("no such case", "", workers, 0.1))
    finally:
        for worker in workers:
            worker.close()


def test_a_worker_measures_no_other_package(tmp_path):
    worker = against.Worker(tmp_path)
    try:
        with pytest.raises(OSError, match="the measuring process ended"):
            worker.measure(cases.CASES[0].name, 0.01)
    finally:
        worker.close()


@pytest.mark.slow
def test_counts_instructions_the_same_twice():
    first, second = instructions.per_decision(None), instructions.per_decision(None)
    if first is None or second is None:
        pytest.skip("neither perf nor valgrind can count here")
    assert 5_000 < first[0] < 500_000
    assert first[0] == pytest.approx(second[0], rel=0.003)


@pytest.mark.slow
def test_a_commit_against_itself(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(against, "count", lambda sites: {})
    before = count_worktrees(ROOT)
    assert main(["bench", "--against", "HEAD", "--seconds", "0.2", "--json", str(tmp_path / "a.json")]) == 0
    result = json.loads((tmp_path / "a.json").read_text())
    assert result["before"] == result["after"]
    assert [case["name"] for case in result["cases"]] == [case.name for case in cases.CASES]
    assert count_worktrees(ROOT) == before
