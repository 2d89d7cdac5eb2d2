"""The best checkpoint changes hands only on evidence; the writer works in the background."""

import dataclasses
import json
import threading

import numpy as np
import pytest

from mlx_drmario.baselines import Greedy, RandomLegal
from mlx_drmario.rl import checkpoint
from mlx_drmario.rl.best import Contest, Tally
from mlx_drmario.rl.config import BestConfig, Stage
from mlx_drmario.rl.train import train
from mlx_drmario.rl.writer import Writer


def test_what_certifies():
    assert Tally(only_challenger=12).clears_more(0.05)
    assert not Tally(only_challenger=3).clears_more(0.05)
    assert not Tally(only_challenger=30, only_champion=25).clears_more(0.05)
    assert Tally(faster=80, slower=20).is_faster(0.05)
    assert not Tally(faster=80, slower=20, only_champion=1).is_faster(0.05)
    assert Tally(faster=80, slower=20, only_champion=1, only_challenger=1).is_faster(0.05)
    assert not Tally(faster=20, slower=80).is_faster(0.05)
    assert not Tally(faster=80, slower=20).clears_more(0.05)
    assert not Tally().is_faster(0.05) and not Tally().clears_more(0.05)


def test_equals_are_seldom_promoted():
    """Players who clear and race like each other: an error in at most alpha of the contests, whenever one looks."""
    rng = np.random.default_rng(0)
    errors = 0
    for _ in range(400):
        tally = Tally()
        for _ in range(8):
            first, second = rng.random((2, 64)) < 0.5
            tally.only_challenger += int((first & ~second).sum())
            tally.only_champion += int((second & ~first).sum())
            tally.faster += int((draw := rng.integers(0, 2, 32)).sum())
            tally.slower += int((1 - draw).sum())
            if tally.clears_more(0.05) or tally.is_faster(0.05):
                errors += 1
                break
    assert errors <= 0.1 * 400


def test_clearing_less_is_no_way_to_win():
    """Who is faster but clears clearly less (80 against 95 %) is not promoted at the end of a contest."""
    rng = np.random.default_rng(1)
    for _ in range(100):
        first, second = rng.random(256) < 0.80, rng.random(256) < 0.95
        both = int((first & second).sum())
        faster = int(rng.binomial(both, 0.8))
        only = {"only_challenger": int((first & ~second).sum()), "only_champion": int((second & ~first).sum())}
        assert not Tally(faster=faster, slower=both - faster, **only).is_faster(0.05)


def test_the_better_player_wins(tiny, tmp_path):
    env = dataclasses.replace(tiny.env, max_decisions=128)
    contest = Contest(tmp_path, dataclasses.replace(tiny, env=env, best=BestConfig(games=512)))
    stage = Stage(0, "hi")
    better, tally = contest.play(Greedy(), RandomLegal(0), 0.05, stage, np.random.default_rng(0))
    assert better and tally.only_challenger > tally.only_champion
    assert tally.games % 64 == 0 and tally.games <= 512
    worse, _ = contest.play(RandomLegal(0), Greedy(), 0.05, stage, np.random.default_rng(0))
    same, ties = contest.play(Greedy(), Greedy(), 0.05, stage, np.random.default_rng(0))
    assert not worse and not same
    assert (ties.only_challenger, ties.only_champion, ties.faster, ties.slower) == (0, 0, 0, 0)
    levels, tally = contest.play(Greedy(), Greedy(), 0.05, Stage(0, "low", last_level=2), np.random.default_rng(0))
    assert not levels and tally.games >= 512


def test_a_run_keeps_its_best(tiny, tmp_path):
    run = tmp_path / "run"
    result = train(dataclasses.replace(tiny, best=BestConfig(games=64, every=1), keep=1), run)
    rows = [json.loads(line) for line in (run / "best.jsonl").read_text().splitlines()]
    assert [row["decisions"] for row in rows] == [512, 1024, 1536]
    assert [row["challenge"] for row in rows] == [0, 1, 2]
    assert rows[0]["promoted"] and rows[1]["games"] == rows[2]["games"] == 64
    promoted = [row["decisions"] for row in rows if row["promoted"]][-1]
    assert result.best == checkpoint.best(run) == (run / "checkpoints" / f"best_{promoted:012d}").resolve()
    assert checkpoint.load(run / "checkpoints" / "best").decisions == promoted  # after its step was pruned
    assert checkpoint.load(run).decisions == 1536
    checkpoint.verify(run / "checkpoints" / "best")
    train(dataclasses.replace(tiny, best=BestConfig(games=0)), tmp_path / "none")
    assert not (tmp_path / "none" / "best.jsonl").exists() and checkpoint.best(tmp_path / "none") is None


def test_interruptions_do_not_change_who_is_best(tiny, tmp_path):
    """Stopped between, and just before and after challenges; the last stop left a promotion without its record."""
    config = dataclasses.replace(tiny, best=BestConfig(games=64, every=1), checkpoint_every=1)
    train(config, tmp_path / "straight")
    run = tmp_path / "broken"
    for stop in (1, 2):
        seen: list[object] = []
        train(config, run, seen.append, lambda seen=seen, stop=stop: len(seen) >= stop, resume=run.exists())
    rows = (run / "best.jsonl").read_text().splitlines(keepends=True)
    (run / "best.jsonl").write_text("".join(rows[:-1]))
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


def test_writing_does_not_hold_up_the_caller(tmp_path):
    release, finished = threading.Event(), []

    def slow():
        assert release.wait(10)
        finished.append("slow")
        return tmp_path

    writer = Writer()
    writer.submit(slow)
    assert not finished  # submit has returned before the job is done
    release.set()
    writer.submit(lambda: finished.append("next") or tmp_path / "next")
    assert writer.wait() == tmp_path / "next"
    assert finished == ["slow", "next"]
    writer.close()


def test_an_error_of_a_job_is_not_lost(tmp_path):
    def broken():
        raise OSError("disk full")

    writer = Writer()
    assert writer.wait() is None
    writer.submit(broken)
    with pytest.raises(OSError, match="disk full"):
        writer.submit(lambda: tmp_path)
    with pytest.raises(OSError, match="disk full"):
        writer.wait()
    writer.close()
