"""`drmario runs`: what it prints is what is on disk, and broken directories are described, not crashed on."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from mlx_drmario.cli import main
from mlx_drmario.rl.ppo.config import PPORunConfig
from mlx_drmario.rl.ppo.train import train
from mlx_drmario.rl.runs.listing import summarize
from mlx_drmario.rl.runs.metrics import read_metrics
from mlx_drmario.rl.runs.settings import kind_of, read_any
from mlx_drmario.settings import ABSENT, difference, flatten
from tests.training import StopAfter


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory) -> Path:
    """Runs `a` and `b`, which differ in seed and learning rate; `a` was evaluated, `b` is half done."""
    from mlx_drmario.nets.config import NetConfig
    from mlx_drmario.rl.config import EnvConfig
    from mlx_drmario.rl.ppo.config import PPOConfig, PPORunConfig

    root = tmp_path_factory.mktemp("runs")
    first = PPORunConfig(
        decisions=4 * 64,
        shards=1,
        compile=False,
        env=EnvConfig(num_envs=16, max_decisions=12),
        net=NetConfig(encoder="mlp", head="dense", width=8),
        ppo=PPOConfig(horizon=4, minibatch=64, epochs=1),
    )
    train(first, root / "a")
    (root / "a" / "evaluation.json").write_text(json.dumps({"trained": {"clear_rate": 0.125}, "random": {}}))
    second = dataclasses.replace(first, seed=9, ppo=dataclasses.replace(first.ppo, learning_rate=0.5))
    train(second, root / "b", StopAfter(2))
    return root


@pytest.fixture
def runs(two_runs, tmp_path) -> Path:
    """A copy to break."""
    return shutil.copytree(two_runs, tmp_path / "runs", symlinks=True)


def line(text: str, start: str) -> str:
    return next(row for row in text.splitlines() if row.startswith(start))


def test_list(runs, capsys):
    (runs / "empty").mkdir()
    (runs / ".hidden").mkdir()
    assert main(["runs", "list", str(runs)]) == 0
    out = capsys.readouterr().out
    assert line(out, "a ").split() == ["a", "0", "hi", "mlp/dense", "0", "256", "100%", "0.0%", "12.5%"]
    assert line(out, "b ").split() == ["b", "0", "hi", "mlp/dense", "9", "128", "50%", "0.0%", "-"]
    assert "no config.json; no environment.json; no metrics.jsonl; no checkpoint" in line(out, "empty ")
    assert "\n2 runs; " in out  # a directory without one is listed all the same
    assert main(["runs", "list", str(runs / "nowhere")]) == 1
    assert "nowhere is no directory" in capsys.readouterr().err


def test_info(runs, capsys):
    assert main(["runs", "info", str(runs / "a")]) == 0
    out = capsys.readouterr().out
    assert "4 iterations, 100.0% of the budget" in out
    last = read_metrics(runs / "a")[-1]
    for key, value in last.items():
        shown = line(out, f"  {key} ").split()[1].replace(",", "")
        assert float(shown) == pytest.approx(value, rel=1e-4)
    assert line(out, "  ppo.learning_rate ").split()[1] == "0.002"
    assert line(out, "  clear_rate ").split()[1] == "0.125"
    assert "problems" not in out


def test_compare(runs, capsys):
    assert main(["runs", "compare", str(runs / "a"), str(runs / "b")]) == 0
    differing, last, evaluation = capsys.readouterr().out.split("\n\n")[1:]
    assert [row.split() for row in differing.splitlines()[1:]] == [
        ["seed", "0", "9"],
        ["ppo.learning_rate", "0.002", "0.5"],
    ]
    assert line(last, "  step ").split() == ["step", "256", "128"]
    assert line(last, "  loss/value ").split()[2] == f"{read_metrics(runs / 'b')[-1]['loss/value']:.5g}"
    assert line(evaluation, "  clear_rate ").split() == ["clear_rate", "0.125", "-"]
    assert main(["runs", "compare", str(runs / "a"), str(runs / "a")]) == 0
    assert "settings that differ: none" in capsys.readouterr().out


BREAKS = {
    "config.json is not a JSON object": lambda run: (run / "config.json").write_bytes(b'{"seed": \xff'),
    "config.json: Is a directory": lambda run: ((run / "config.json").unlink(), (run / "config.json").mkdir()),
    "metrics.jsonl: Is a directory": lambda run: ((run / "metrics.jsonl").unlink(), (run / "metrics.jsonl").mkdir()),
    "best.jsonl: Is a directory": lambda run: ((run / "best.jsonl").unlink(), (run / "best.jsonl").mkdir()),
    "there is no setting 'sede'": lambda run: (run / "config.json").write_text('{"sede": 3}'),
    "ppo should be an object": lambda run: (run / "config.json").write_text('{"ppo": 3}'),
    "config.json: ": lambda run: (run / "config.json").write_text('{"keep": "three"}'),
    "no environment.json": lambda run: (run / "environment.json").unlink(),
    "no metrics.jsonl": lambda run: (run / "metrics.jsonl").unlink(),
    "metrics.jsonl: 2 damaged lines": lambda run: (run / "metrics.jsonl").write_text('{"step"\n{"step": "x"}\n'),
    "evaluation.json is not a JSON object": lambda run: (run / "evaluation.json").write_text("[1]"),
    "no checkpoint": lambda run: shutil.rmtree(run / "checkpoints"),
    "model.safetensors does not match": lambda run: next(run.glob("checkpoints/step_*/model*")).write_bytes(b""),
    "manifest.json is not an object": lambda run: next(run.glob("checkpoints/step_*/manif*")).write_text("[]"),
}


@pytest.mark.parametrize("problem", BREAKS)
def test_broken_runs_are_described(runs, capsys, problem):
    broken = runs / "a"
    BREAKS[problem](broken)
    assert main(["runs", "info", str(broken)]) == 1
    assert problem in capsys.readouterr().out
    assert main(["runs", "list", str(runs)]) == 0
    listed = capsys.readouterr().out
    assert line(listed, "a ") and line(listed, "b ")
    if "match" not in problem and "manifest" not in problem:  # `list` does not hash checkpoints
        assert problem in line(listed, "a ")
    assert main(["runs", "compare", str(broken), str(runs / "b")]) == 0


def test_a_line_that_is_being_written_is_no_problem(runs):
    with open(runs / "a" / "metrics.jsonl", "a") as file:
        file.write('{"step": 99')
    summary = summarize(runs / "a")
    assert (summary.iterations, summary.last["step"], summary.problems) == (4, 256, [])


def test_damaged_rows_are_left_out(runs):
    before = read_metrics(runs / "a")
    with open(runs / "a" / "metrics.jsonl", "ab") as file:
        file.write(b'\x00\x00\x00\n{"loss/value": 1.0}\n')
    assert read_metrics(runs / "a") == before


def test_an_older_config_gets_the_defaults(runs):
    (runs / "a" / "config.json").write_text('{"seed": 3}')
    summary = summarize(runs / "a")
    assert summary.problems == []
    assert (summary.settings["seed"], summary.settings["ppo.epochs"]) == (3, 3)


def test_difference():
    before = flatten({"a": 1, "b": {"c": 2, "d": {"e": None}}, "same": [1]})
    assert before == {"a": 1, "b.c": 2, "b.d.e": None, "same": [1]}
    after = {"a": 1, "b.c": 3, "same": [1], "new": 0}
    assert difference(before, after) == {"b.c": (2, 3), "b.d.e": (None, ABSENT), "new": (ABSENT, 0)}


def test_info_names_the_best_checkpoint(runs, capsys):
    assert main(["runs", "info", str(runs / "a")]) == 0
    assert "best: best_000000000256, compared 1 times" in capsys.readouterr().out
    weights = runs / "a" / "checkpoints" / "best" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert main(["runs", "info", str(runs / "a")]) == 1
    assert "best_000000000256 is damaged" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "shown"), [({}, "0 hi"), ({"env.last_level": 5}, "0-5 hi"), ({"curriculum.enabled": True}, "ladder")]
)
def test_what_a_run_trains_on(runs, capsys, changes, shown):
    file = runs / "a" / "config.json"
    config = json.loads(file.read_text())
    for key, value in changes.items():
        group, name = key.split(".")
        config[group][name] = value
    file.write_text(json.dumps(config))
    assert main(["runs", "list", str(runs)]) == 0
    assert line(capsys.readouterr().out, "a ").split("mlp/dense")[0].removeprefix("a").strip() == shown


def test_a_place_for_runs_that_cannot_be_made_is_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").symlink_to(tmp_path / "not mounted")
    assert main(["train", "level0", "--decisions", "4096"]) == 1
    assert "runs is runs; it must be a directory, and a file is in the way" in capsys.readouterr().err


def test_metrics_that_were_lost_are_missed(runs, capsys):
    file = runs / "a" / "metrics.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[: whole.index(b"\n") + 1])
    (said,) = summarize(runs / "a").problems
    assert said.startswith("metrics.jsonl has lost rows: ")
    assert main(["runs", "info", str(runs / "a")]) == 1 and said in capsys.readouterr().out


def test_brackets_without_end_are_damaged_settings(tmp_path):
    """Deeper than Python reads: the app's menu, and all that lists runs, goes on."""
    (tmp_path / "config.json").write_text("[" * 100_000)
    assert kind_of(tmp_path) is PPORunConfig
    with pytest.raises(ValueError, match=r"config\.json is not of this version or damaged: "):
        read_any(tmp_path)
