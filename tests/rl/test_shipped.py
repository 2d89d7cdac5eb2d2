"""The network that comes with the package: intact, small, and strong."""

from mlx_drmario import seeds
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
