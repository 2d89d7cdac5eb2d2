"""The best checkpoint changes hands only on evidence; the writer works in the background."""

import dataclasses
import json

import numpy as np
import pytest

from mlx_drmario.baselines import Greedy, RandomLegal
from mlx_drmario.rl.config import BestConfig, Stage
from mlx_drmario.rl.ppo.train import train
from mlx_drmario.rl.runs import checkpoint
from mlx_drmario.rl.runs.best import BestCheckpoint, PairedCounts
from tests.conftest import ROOT
from tests.training import StopAfter


def test_what_certifies():
    assert PairedCounts(only_candidate=12).clears_more(0.05)
    assert not PairedCounts(only_candidate=3).clears_more(0.05)
    assert not PairedCounts(only_candidate=30, only_best=25).clears_more(0.05)
    assert PairedCounts(faster=80, slower=20).is_faster(0.05)
    assert not PairedCounts(faster=80, slower=20, only_best=1).is_faster(0.05)
    assert PairedCounts(faster=80, slower=20, only_best=1, only_candidate=1).is_faster(0.05)
    assert not PairedCounts(faster=20, slower=80).is_faster(0.05)
    assert not PairedCounts(faster=80, slower=20).clears_more(0.05)
    assert not PairedCounts().is_faster(0.05) and not PairedCounts().clears_more(0.05)


def test_equals_are_seldom_promoted():
    """Players who clear and race like each other: an error in at most alpha of the comparisons, whenever one looks."""
    rng = np.random.default_rng(0)
    errors = 0
    for _ in range(400):
        counts = PairedCounts()
        for _ in range(8):
            first, second = rng.random((2, 64)) < 0.5
            counts.only_candidate += int((first & ~second).sum())
            counts.only_best += int((second & ~first).sum())
            counts.faster += int((draw := rng.integers(0, 2, 32)).sum())
            counts.slower += int((1 - draw).sum())
            if counts.clears_more(0.05) or counts.is_faster(0.05):
                errors += 1
                break
    assert errors <= 0.1 * 400


def test_clearing_less_is_no_way_to_win():
    """Who is faster but clears clearly less (80 against 95 %) is not promoted at the end of a best."""
    rng = np.random.default_rng(1)
    for _ in range(100):
        first, second = rng.random(256) < 0.80, rng.random(256) < 0.95
        both = int((first & second).sum())
        faster = int(rng.binomial(both, 0.8))
        only = {"only_candidate": int((first & ~second).sum()), "only_best": int((second & ~first).sum())}
        assert not PairedCounts(faster=faster, slower=both - faster, **only).is_faster(0.05)


def test_the_better_player_wins(tiny, tmp_path):
    env = dataclasses.replace(tiny.env, max_decisions=128)
    best = BestCheckpoint(tmp_path, dataclasses.replace(tiny, env=env, best=BestConfig(games=512)))
    stage = Stage(0, "hi")
    better, counts = best.play(Greedy(), RandomLegal(0), 0.05, stage, np.random.default_rng(0))
    assert better and counts.only_candidate > counts.only_best
    assert counts.games % 64 == 0 and counts.games <= 512
    worse, _ = best.play(RandomLegal(0), Greedy(), 0.05, stage, np.random.default_rng(0))
    same, ties = best.play(Greedy(), Greedy(), 0.05, stage, np.random.default_rng(0))
    assert not worse and not same
    assert (ties.only_candidate, ties.only_best, ties.faster, ties.slower) == (0, 0, 0, 0)
    levels, counts = best.play(Greedy(), Greedy(), 0.05, Stage(0, "low", last_level=2), np.random.default_rng(0))
    assert not levels and counts.games >= 512


def test_a_batch_has_as_many_games_of_every_level(tiny, tmp_path):
    """So the last one goes beyond best.games, as the documentation says with these numbers."""
    best = BestCheckpoint(tmp_path, tiny)
    _, counts = best.play(Greedy(), Greedy(), 0.05, Stage(0, "hi", last_level=20), np.random.default_rng(0))
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    assert f"the default of {tiny.best.games} comes to {counts.games}." in page


def test_a_run_keeps_its_best(tiny, tmp_path):
    run = tmp_path / "run"
    result = train(dataclasses.replace(tiny, best=BestConfig(games=64, every=1), keep=1), run)
    rows = [json.loads(line) for line in (run / "best.jsonl").read_text().splitlines()]
    assert [row["decisions"] for row in rows] == [512, 1024, 1536]
    assert [row["comparison"] for row in rows] == [0, 1, 2]
    assert rows[0]["promoted"] and rows[1]["games"] == rows[2]["games"] == 64
    promoted = [row["decisions"] for row in rows if row["promoted"]][-1]
    assert result.best == checkpoint.best(run) == (run / "checkpoints" / f"best_{promoted:012d}").resolve()
    assert checkpoint.load(run / "checkpoints" / "best").decisions == promoted  # after its step was pruned
    assert checkpoint.load(run).decisions == 1536
    checkpoint.verify(run / "checkpoints" / "best")
    train(dataclasses.replace(tiny, best=BestConfig(games=0)), tmp_path / "none")
    assert not (tmp_path / "none" / "best.jsonl").exists() and checkpoint.best(tmp_path / "none") is None


def test_interruptions_do_not_change_who_is_best(tiny, tmp_path):
    """Stopped between, and just before and after comparisons; the last stop left a promotion, or a comparison that
    promoted nobody, without its record."""
    config = dataclasses.replace(tiny, best=BestConfig(games=64, every=1), checkpoint_every=1)
    train(config, tmp_path / "straight")
    for stops, promoted in (((1,), True), ((1, 2), False)):
        run = tmp_path / f"broken {len(stops)}"
        for stop in stops:
            train(config, run, StopAfter(stop), resume=run.exists())
        *rows, lost = (run / "best.jsonl").read_text().splitlines(keepends=True)
        assert json.loads(lost)["promoted"] == promoted
        (run / "best.jsonl").write_text("".join(rows))
        train(config, run, resume=True)
        assert (run / "best.jsonl").read_text() == (tmp_path / "straight" / "best.jsonl").read_text()
        assert checkpoint.best(run).name == checkpoint.best(tmp_path / "straight").name


def test_promotion_replaces_the_best(tiny, tmp_path):
    run = tmp_path / "run"
    train(dataclasses.replace(tiny, best=BestConfig(games=0)), run)
    for step in checkpoint.available(run):
        best = checkpoint.promote(run, step)
        assert checkpoint.best(run) == best.resolve()
        assert [path.name for path in (run / "checkpoints").glob("best_*")] == [best.name]
        assert checkpoint.load(best).decisions == checkpoint.number(step) == checkpoint.number(best)


def test_bad_settings():
    for changes, message in (
        ({"games": -1}, r"best\.games"),
        ({"every": 0}, r"best\.every"),
        ({"alpha": 1.0}, r"best\.alpha"),
    ):
        with pytest.raises(ValueError, match=message):
            BestConfig(**changes)
