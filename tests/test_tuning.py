"""Fitting the value function: the same weights from the same seed, and better play where that is what counts."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario import polishing, seeds, tuning
from mlx_drmario.cli.tune import TuneConfig, header_text, run, validate
from mlx_drmario.polishing import Polish
from mlx_drmario.tuning import TEACHER, Regression

BUILT_IN = "planner/value_weights.h"


def built_in(name: str, root: Path) -> np.ndarray:
    text = (root / BUILT_IN).read_text(encoding="utf-8").partition(f"i32 {name}[]")[2].partition("};")[0]
    return np.array([int(weight) for weight in re.findall(r"^\s+(-?\d+),", text, re.M)], np.int32)


@pytest.fixture(scope="module")
def repository(pytestconfig: pytest.Config) -> Path:
    return pytestconfig.rootpath


def small(threads: int) -> np.ndarray:
    with pytest.raises(ValueError, match=r"regression\.roots must be a multiple of 250, got 251"):
        tuning.Regression(roots=251)
    config = tuning.Regression(rounds=1, roots=250, best=2, random=1)
    return tuning.regression(config, tuning.first_guess(), np.random.default_rng(3), threads, lambda line: None)


def test_regression_gives_the_same_weights_on_any_number_of_threads():
    one, two = small(1), small(2)
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - tuning.first_guess()).max() > 1


def polished(threads: int, generations: int, games: int = 4) -> np.ndarray:
    config = Polish(generations=generations, population=6, games=games, levels=(4, 0), width=2)
    return polishing.polish(config, tuning.first_guess(), np.random.default_rng(5), threads, lambda line: None)


def test_polishing_gives_the_same_weights_on_any_number_of_threads():
    np.testing.assert_array_equal(polished(1, 2), polished(2, 2))


def test_no_generation_leaves_the_weights():
    np.testing.assert_array_equal(polished(1, 0), tuning.first_guess())


def test_polished_weights_play_faster_than_the_guess():
    """On games that it did not see: a beam of two at level 4."""
    config = Polish(games=48, levels=(4,), width=2)
    games = polishing.start_games(config, np.random.default_rng(99), 0)
    before = polishing.frames_of(config, tuning.first_guess(), games, 0)
    after = polishing.frames_of(config, polished(0, 20, games=8), games, 0)
    assert after[0] < before[0]


def test_directions_move_the_values_of_placements_by_a_frame():
    weights = tuning.first_guess()
    basis = polishing.directions(weights, np.random.default_rng(1), 0)
    assert basis.shape[0] == len(weights)
    config = tuning.Regression(roots=250, best=6, random=0, budget=polishing.Budget(plies=1))
    search = dm.Search(weights=tuning.usable(weights))
    found = tuning.placements(config, weights, search, np.random.default_rng(2), 0)
    order = np.argsort(found.group, kind="stable")
    inside, _ = tuning.within_groups(found.features[order], found.group[order])
    moved = np.sqrt(((inside @ basis) ** 2).mean(axis=0))
    assert np.median(moved) == pytest.approx(1, abs=0.3)
    assert moved.max() < 3


def test_within_groups_takes_each_groups_own_mean():
    values, means = tuning.within_groups(np.array([[1.0], [3.0], [10.0]]), np.array([4, 4, 7]))
    np.testing.assert_array_equal(values, [[-1], [1], [0]])
    np.testing.assert_array_equal(means, [[2], [10]])


def test_the_header_holds_both_tables(repository):
    one, deeper = built_in("kShallowWeights", repository), built_in("kDeepWeights", repository)
    text = header_text(one, deeper, "drmario tune")
    numbers = [int(weight) for weight in re.findall(r"^\s+(-?\d+),", text, re.M)]
    assert numbers == [*one.tolist(), *deeper.tolist()]


def test_searches_play_by_the_weights_of_their_depth(repository):
    """One and two plies by their own table, three and known capsules by the other."""
    one, deeper = (dm.Search(weights=built_in(name, repository)) for name in ("kShallowWeights", "kDeepWeights"))
    games = seeds.seeds("validation", 12)
    for plies, same in ((1, one), (2, one), (3, deeper)):
        other = deeper if same is one else one
        played, expected, different = (
            search.play(6, 2, games, plies=plies, first=4, boards=2)[1] for search in (dm.Search(), same, other)
        )
        np.testing.assert_array_equal(played, expected)
        assert (played != different).any()
    known = dm.Decisions(num_envs=2)
    known.reset(6, 2, games[:2])
    lines = [[line.frames for line in search.solve(known, width=8)] for search in (dm.Search(), deeper, one)]
    assert lines[0] == lines[1]
    assert lines[0] != lines[2]


def test_play_that_always_loses_teaches_nothing():
    lost = tuning.Placements(np.zeros(3, np.int64), np.zeros((3, 2)), np.full(3, tuning.LARGEST))
    with pytest.raises(ValueError, match="all 3 placements that were compared lose in some future"):
        tuning.fit(lost, Regression())


def test_the_weights_are_written_before_the_games_that_judge_them(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mlx_drmario.cli.tune.validate", interrupted)
    monkeypatch.setattr(tuning, "regression", lambda *_: tuning.first_guess())
    monkeypatch.setattr("mlx_drmario.polishing.polish", lambda config, weights, *_: weights)
    with pytest.raises(KeyboardInterrupt):
        run(TuneConfig(header=tmp_path / "weights.h"))
    assert "kDeepWeights" in (tmp_path / "weights.h").read_text()


def test_validation_games_are_counted_whole(capsys):
    """However they are cut into calls."""
    weights = tuning.usable(tuning.first_guess())
    validate(TuneConfig(levels=(0,), games=9, threads=2), 1, weights)
    cleared, frames, capsules, _ = dm.Search(weights).play(0, 2, seeds.seeds("validation", 9), plies=1)
    assert capsys.readouterr().out == (
        f"level 0 HI, 1 plies, 9 validation games: {cleared.mean():.1%} cleared, median"
        f" {np.median(frames[cleared > 0]):,.0f} frames, {capsules.mean():.0f} capsules\n"
    )


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Polish(levels=()), r"^polish\.levels must be one level or more, got none$"),
        (lambda: TuneConfig(levels=()), r"^levels must be one level or more, got none$"),
        (lambda: Regression(budget=dataclasses.replace(TEACHER, ms=1.0)), r"^regression\.budget\.ms must be 0, got 1:"),
    ],
)
def test_what_cannot_be_tuned_is_refused_before_anything_is_begun(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
