"""`--capture` of evaluations and of every kind of training."""

from pathlib import Path

import numpy as np
import pytest

from mlx_drmario import seeds
from mlx_drmario.cli import main
from mlx_drmario.traces import replay, storage
from mlx_drmario.traces.games import problems


@pytest.mark.parametrize("policy", ["greedy", "search:1ply"])
def test_evaluations_are_captured(tmp_path: Path, capsys: pytest.CaptureFixture[str], policy: str) -> None:
    arguments = ["--policy", policy, "--levels", "0-1", "--seeds", "4", "--max-decisions", "15", "--split", "test"]
    assert main(["eval", *arguments, "--capture", str(tmp_path / "t")]) == 0
    assert main(["trace", "verify", str(tmp_path / "t"), "--jobs", "1"]) == 0
    parts = [storage.read(path) for path in sorted((tmp_path / "t").iterdir())]
    names = list(dict.fromkeys((policy.encode(), b"greedy", b"random")))  # the baselines are always beside it
    played = [(part.episode["level"][0], part.episode["policy"][0]) for part in parts]
    assert played == [(level, name) for level in (0, 1) for name in names]
    assert all((part.episode["seed"] == seeds.seeds("test", 4)).all() for part in parts)
    assert parts[0].sources[0]["config"]["levels"] == "0-1"


def test_training_is_captured(tmp_path: Path) -> None:
    """All games of both shards, with the log-probabilities and values that the learner used."""
    small = ["--env.num-envs", "8", "--ppo.horizon", "4", "--ppo.minibatch", "16", "--ppo.epochs", "1", "--shards", "2"]
    net = ["--net.width", "8", "--net.head", "shift_score", "--best.games", "0", "--decisions", "96"]
    assert (
        main(["train", "level0", *small, *net, "--out", str(tmp_path / "run"), "--capture", str(tmp_path / "t")]) == 0
    )
    paths = sorted((tmp_path / "t").iterdir())
    parts = [storage.read(path) for path in paths]
    assert len(parts) == 2 and sum(part.rows for part in parts) == 96
    for part in parts:
        assert replay.verify(part) == [] and problems(part) == []
        assert np.isfinite(part.decision["log_prob"]).all() and np.isfinite(part.decision["value"]).all()
        assert part.sources[0]["config"]["env"]["num_envs"] == 8


CLONE = (
    "--decisions 128 --env.num-envs 16 --env.max-decisions 8 --clone.horizon 8 --clone.minibatch 64 --clone.epochs 1"
    " --clone.retries 4 --clone.teacher 1ply --net.width 8 --net.depth 1 --net.summary 16 --shards 2"
)  # games that are tried again are not kept
QRDQN = (
    "--decisions 128 --env.num-envs 16 --env.max-decisions 8 --qrdqn.horizon 8 --qrdqn.steps 2 --qrdqn.minibatch 16"
    " --qrdqn.gradients 2 --net.width 8"
)


@pytest.mark.parametrize(("kind", "small"), [("clone", CLONE), ("qrdqn", QRDQN)])
def test_games_of_other_kinds_of_training_are_captured(kind: str, small: str, tmp_path: Path) -> None:
    """And go on in new files when the run does."""
    run, kept = str(tmp_path / "run"), tmp_path / "t"
    assert main(["train", kind, *small.split(), "--no-compile", "--out", run, "--capture", str(kept)]) == 0
    for rows in (128, 256):
        parts = [storage.read(path) for path in sorted(kept.iterdir())]
        assert sum(part.rows for part in parts) == rows
        assert all(replay.verify(part) == [] for part in parts)
        assert main(["train", "resume", run, "--decisions", "256", "--capture", str(kept)]) == 0
