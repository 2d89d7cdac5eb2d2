"""The network that comes with the package: intact, small, and strong."""

import shutil

import pytest

from mlx_drmario import seeds
from mlx_drmario.cli import main
from mlx_drmario.cli import policy as policies
from mlx_drmario.evaluate import evaluate
from mlx_drmario.rl.runs import checkpoint


def test_it_is_intact_and_small():
    fingerprints = checkpoint.verify(policies.SHIPPED)
    assert set(fingerprints) == set(checkpoint.PLAYED)
    assert sum(size for size, _ in fingerprints.values()) < 5_000_000


def test_it_clears_what_greedy_does_not(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    policy, planes = policies.load("best")
    games = seeds.seeds("validation", 12)
    result = evaluate(policy, level=8, speed=2, seeds=games, planes=planes, max_decisions=300)
    assert result.cleared.all()
    assert result.frames.mean() < 6_500  # 2ply needs about 5,400
    greedy, planes = policies.load("greedy")
    assert evaluate(greedy, level=8, speed=2, seeds=games, planes=planes, max_decisions=300).cleared.mean() < 0.5


def test_a_directory_of_that_name_comes_first(monkeypatch, tmp_path):
    (tmp_path / "best").mkdir()
    monkeypatch.chdir(tmp_path)
    assert policies._paths("best", "policy") == ["best"]
    assert policies._paths("ensemble:best,best", "policy") == ["best", "best"]


def test_a_name_that_is_kept_means_the_same_from_anywhere(monkeypatch, tmp_path, capsys):
    shutil.copytree(policies.SHIPPED, tmp_path / "run")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    kept = {
        "run": f"{tmp_path}/run",
        "ensemble:run,best": f"ensemble:{tmp_path}/run,best",
        "ensemble:run,other": f"ensemble:{tmp_path}/run,{tmp_path}/other",
        "risk:0.25:other": f"risk:0.25:{tmp_path}/other",
        "risk:1.5:/tmp": "risk:1.5:/tmp",
        **{name: name for name in ("best", "greedy", "random", "search:3ply,boards=20", "memory:beam=300")},
    }
    assert {name: policies.located(name) for name in kept} == kept
    with pytest.raises(ValueError, match=r"^given is 'nowhere'; it must be best"):
        policies.located("nowhere", "given")
    assert main(["train", "evaluator", "--data.policy", "run", "--dry-run"]) == 0
    assert f'"policy": "{tmp_path}/run"' in capsys.readouterr().out
