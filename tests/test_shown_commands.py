"""The commands that are shown to go on with a run do what they say when its path holds a blank."""

import json
import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

import mlx_drmario as dm  # noqa: F401 (before mlx.core: it loads the fast BLAS)
from mlx_drmario.cli import demo, main, policy, training
from mlx_drmario.rl.callback import Callback
from mlx_drmario.rl.evaluator.config import EvaluatorConfig
from mlx_drmario.rl.evaluator.train import games_of

METRICS = {"episode/clear_rate": 0.0}


@pytest.fixture
def run(tmp_path):
    run = tmp_path / "my run"
    run.mkdir()
    return run


def ended(run, finished):
    """How a run ended, as `train` and what fits say it."""
    last = SimpleNamespace(metrics=METRICS, progress=0.5, decisions=1, frames=1, games=1, seconds=1.0)
    return SimpleNamespace(run=run, checkpoint="checkpoint", best=None, last=last, finished=finished, first=True)


def shown(text):
    """The words of every command in a text that names a run."""
    lines = re.findall(r"^ +((?:drmario|tensorboard) .*)$", text, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize("kind", ["level0", "evaluator", "qrdqn"])
def test_what_a_run_ends_with(kind, finished, run, monkeypatch, capsys):
    monkeypatch.setattr(training, "train", lambda *_: ended(run, finished))
    assert main(["train", kind, "--out", str(run)]) == (0 if finished else 130)
    commands = shown(capsys.readouterr().out)
    assert commands and all(command[-1] == str(run) for command in commands)


@pytest.mark.parametrize("finished", [False, True])
def test_what_the_demo_ends_with(finished, run, monkeypatch, capsys):
    monkeypatch.setattr(training, "train", lambda *_: ended(run, finished))
    monkeypatch.setattr(demo, "play_test_games", lambda *_: {})
    assert main(["demo", "--out", str(run), "--minutes", "20.5"]) == (0 if finished else 130)
    commands = shown(capsys.readouterr().out)
    assert len(commands) == (4 if finished else 1) and all(str(run) in command for command in commands)
    longer = ["--minutes", "30.5"] if finished else []  # those of the whole run: 20.5 are spent
    assert ["drmario", "train", "resume", str(run), *longer] in commands


@pytest.mark.parametrize("name", ["greedy", "random", "memory", "best", "search:1ply", "risk:1", "ensemble:a"])
@pytest.mark.parametrize("command", ["train level0", "train qrdqn", "demo"])
def test_a_run_that_is_called_like_a_policy_is_named_by_its_path(command, name, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    played = []
    monkeypatch.setattr(training, "train", lambda *_: ended(Path(name), True))
    monkeypatch.setattr(demo, "play_test_games", lambda settings, games, policy: played.append(policy) or {})
    Path(name).mkdir()
    assert main([*command.split(), "--out", name]) == 0
    policies = [line[line.index("--policy") + 1] for line in shown(capsys.readouterr().out) if "--policy" in line]
    assert policies and set(policies + played) == {f"./{name}"}
    with pytest.raises(FileNotFoundError, match=f"no intact checkpoint in .*{name}"):
        policy.load(policies[0])  # a directory, and neither a baseline nor a search


def test_what_is_said_of_a_directory_that_holds_a_run(run, capsys):
    (run / "config.json").write_text(json.dumps({}))
    assert main(["train", "--out", str(run)]) == 2
    assert f"`drmario train resume {shlex.quote(str(run))}`" in capsys.readouterr().err


def test_what_is_said_of_games_that_were_stopped(run):
    class Stopping(Callback):
        def should_stop(self):
            return True

    config = EvaluatorConfig()
    random = policy.load("random")
    with pytest.raises(KeyboardInterrupt) as stopped:
        games_of(config, run, lambda: random, Stopping())
    assert f"`drmario train resume {shlex.quote(str(run))}`" in str(stopped.value)
