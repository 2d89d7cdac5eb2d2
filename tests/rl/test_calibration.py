"""Calibration: a perfect forecaster passes, wrong ones are seen, and a run's calibration can be computed again."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from mlx_drmario import stats
from mlx_drmario.cli import main
from mlx_drmario.nets.quantile import quantile_levels
from mlx_drmario.rl.evaluator import forecast
from mlx_drmario.rl.evaluator.calibration import Outcomes, ratio, reliability, summary, write
from mlx_drmario.rl.evaluator.calibration_plot import _bars, plot

K = 20


def outcomes(games: int = 800, rows: int = 4, shift: float = 0.0, widen: float = 1.0, seed: int = 0) -> Outcomes:
    """Games whose times are exponential with a mean of their own, told rightly, or moved and widened."""
    rng = np.random.default_rng(seed)
    scale = np.repeat(rng.uniform(500, 2_000, games), rows)
    chance = np.repeat(rng.choice([0.3, 0.95], games), rows)
    times = scale[::rows] * rng.exponential(1, games)
    quantiles = -scale[:, None] * np.log1p(-quantile_levels(K))
    middle = quantiles.mean(axis=1, keepdims=True)
    return Outcomes(
        level=np.zeros(games * rows, np.uint8),
        seed=np.zeros(games * rows, np.uint16),
        game=np.repeat(np.arange(games), rows),
        decision=np.tile(np.arange(rows, dtype=np.uint16), games),
        cleared=np.repeat(rng.random(games) < chance[::rows], rows),
        frames=np.repeat(np.round(times), rows).astype(np.uint32),
        clear=chance,
        quantiles=np.maximum(middle + widen * (quantiles - middle) + shift, 0),
    )


def holds(interval: dict[str, float], truth: float) -> bool:
    return interval["low"] <= truth <= interval["high"]


def test_the_truth_passes():
    numbers = summary(outcomes(), np.random.default_rng(1))
    assert np.mean([holds(point, point["level"]) for point in numbers["coverage"]]) > 0.8
    assert holds(numbers["inside_90"], 0.9) and holds(numbers["mean_error"], 0)
    assert abs(numbers["clear_predicted"] - numbers["clear_observed"]["value"]) < 0.05
    assert numbers["brier"] < numbers["brier_of_the_rate"]


@pytest.mark.parametrize(
    ("wrong", "number", "truth"), [({"shift": 300.0}, "mean_error", 0), ({"widen": 0.5}, "inside_90", 0.9)]
)
def test_errors_are_seen(wrong, number, truth):
    numbers = summary(outcomes(**wrong), np.random.default_rng(1))
    assert not holds(numbers[number], truth)
    assert np.mean([holds(point, point["level"]) for point in numbers["coverage"]]) < 0.5


def test_too_few_quantiles_say_nothing_of_the_tails():
    few = outcomes()
    for count, known in ((2, False), (10, True)):
        numbers = summary(dataclasses.replace(few, quantiles=few.quantiles[:, :: K // count]), np.random.default_rng(1))
        for name in ("inside_90", "tail_error"):
            assert (numbers[name]["value"] is not None) == (numbers[name]["low"] is not None) == known
        assert numbers["mean_error"]["value"] is not None
        assert (numbers["cvar_predicted"] is not None) == known


def test_rows_of_one_game_are_no_new_information():
    """Four equal rows of each game give the interval of one; taken as independent they would give half of it."""
    rng = np.random.default_rng(2)
    hits = rng.random(200) < 0.7
    one = ratio(np.arange(200), hits.astype(float), np.ones(200), np.random.default_rng(3))
    game = np.repeat(np.arange(200), 4)
    four = ratio(game, np.repeat(hits, 4).astype(float), np.ones(800), np.random.default_rng(3))
    assert four == one
    low, high = stats.wilson(int(hits.sum()), 200)
    assert one.high - one.low == pytest.approx(high - low, rel=0.15)


def test_an_interval_does_not_depend_on_how_many_resamples_are_drawn_at_a_time(monkeypatch):
    rng = np.random.default_rng(2)
    given = np.repeat(np.arange(70), 3), rng.random(210), rng.random(210)
    whole = ratio(*given, np.random.default_rng(3))
    monkeypatch.setattr("mlx_drmario.rl.evaluator.calibration.BLOCK", 7 * 70)  # a thousand is no multiple of seven
    assert ratio(*given, np.random.default_rng(3)) == whole


def test_reliability_counts_games_once():
    given = outcomes(rows=5)
    rows = reliability(given, np.random.default_rng(0))
    assert [row["predicted"] for row in rows] == pytest.approx([0.3, 0.95])
    assert sum(row["games"] for row in rows) == 800
    assert all(row["observed_low"] <= row["predicted"] <= row["observed_high"] for row in rows)


def test_moments_and_tails_by_hand():
    frames = np.array([[100.0, 200.0, 300.0, 400.0], [50.0, 50.0, 50.0, 50.0]])
    assert forecast.mean(frames).tolist() == [250, 50]
    assert forecast.variance(frames).tolist() == [12_500, 0]
    assert forecast.cvar(frames, 0.25).tolist() == [400, 50]
    assert forecast.cvar(frames, 0.375) == pytest.approx([(400 + 0.5 * 300) / 1.5, 50])
    assert forecast.cvar(frames, 1.0).tolist() == [250, 50]


def test_the_command(tmp_path, capsys):
    """From a fit to a table, and from the raw outputs to the numbers of the table."""
    run, games = tmp_path / "run", "--data.games 60 --data.levels 0,1 --data.policy greedy --data.disturbed 0.4"
    net = "--net.width 8 --net.summary 16 --net.quantiles 8 --fit.minibatch 32 --no-compile"
    assert main(f"train evaluator --out {run} {games} {net}".split()) == 0
    assert main(f"calibrate {run} --games 30".split()) == 0
    out = capsys.readouterr().out
    assert "no times" in out  # greedy clears nothing at level 1
    assert "greedy, 30 validation games per level" in out and f"{run / 'calibration'}" in out
    assert "40% of them with random placements first" in out
    content = json.loads((run / "calibration" / "calibration.json").read_text())
    assert content["disturbed"] == 0.4 and list(content["levels"]) == ["0", "1"] and content["all"]["games"] > 30
    assert (run / "calibration" / "calibration.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    with np.load(run / "calibration" / "calibration.npz") as arrays:
        raw = Outcomes(**arrays)
    mine = raw.of(raw.cleared & (raw.level == 0))
    for k, point in enumerate(content["levels"]["0"]["coverage"]):
        assert point["value"] == pytest.approx((mine.frames <= mine.quantiles[:, k]).mean())
    assert content["all"]["rows"] == len(raw.level)
    again = summary(dataclasses.replace(raw), np.random.default_rng(0))
    assert again["brier"] == pytest.approx(content["all"]["brier"])
    capsys.readouterr()
    assert main(["calibrate", str(tmp_path)]) == 1
    assert main(["calibrate", str(tmp_path / "nothing")]) == 1
    assert f"{tmp_path / 'nothing'} is no directory" in capsys.readouterr().err
    assert main(f"calibrate {run} --levels 25".split()) == 2


def test_no_choice_of_the_policy_is_said_in_a_sentence(tmp_path, capsys):
    """The one situation kept is that after a random placement."""
    run, net = tmp_path / "run", "--net.width 8 --net.summary 16 --net.quantiles 8 --fit.minibatch 8 --no-compile"
    games = "--data.games 20 --data.levels 0 --data.policy greedy --data.max-decisions 9"
    assert main(f"train evaluator --out {run} {games} {net}".split()) == 0
    capsys.readouterr()
    seen = {main(f"calibrate {run} --games 1 --rows 1 --disturbed 1 --seed {seed}".split()) for seed in range(12)}
    errors = capsys.readouterr().err.splitlines()
    assert seen == {0, 2}
    assert any("was not the policy's choice; play more" in line for line in errors)
    assert all("games is 1, and " in line for line in errors)


def test_the_title_of_the_picture_is_no_mathematics(tmp_path):
    level = [{"level": 0.5, "value": 0.5, "low": 0.4, "high": 0.6}]
    content = {"levels": {}, "all": {"coverage": level}, "reliability": []}
    plot(tmp_path / "calibration.png", content, "runs/$5^$, 30 games per level")
    assert (tmp_path / "calibration.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_what_cannot_be_drawn_replaces_nothing(tmp_path):
    def refuse(path: Path) -> None:
        raise ValueError("no")

    said = outcomes(games=20)
    write(tmp_path, said, {"a": 1}, lambda path: path.write_bytes(b"picture"))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="no"):
        write(tmp_path, said, {"a": 2}, refuse)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_interval_that_misses_its_value_by_a_rounding_error_can_be_drawn():
    assert _bars({"value": 1.0, "low": 1.0 + 1e-14, "high": 1.0 - 1e-14}).tolist() == [[0.0], [0.0]]
