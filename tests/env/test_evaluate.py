import json

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario import evaluate as module
from mlx_drmario import seeds
from mlx_drmario.baselines import Greedy, RandomLegal
from mlx_drmario.evaluate import EvalResult, compare, evaluate, mean_clear_rate_difference
from mlx_drmario.search import script_of

GAMES = seeds.seeds("test", 20)
SETTINGS = {"level": 0, "speed": 2, "max_decisions": 60}
COLUMNS = ("cleared", "top_out", "truncated", "frames", "decisions", "viruses_left")


def columns(result):
    return {name: getattr(result, name).tolist() for name in COLUMNS}


@pytest.fixture(scope="module")
def greedy():
    return evaluate(Greedy(), seeds=GAMES, **SETTINGS)


def test_every_game_ends_one_way(greedy):
    assert (greedy.cleared.astype(int) + greedy.top_out + greedy.truncated == 1).all()
    assert ((greedy.viruses_left == 0) == greedy.cleared).all()
    assert (greedy.decisions[greedy.truncated] == 60).all() and (greedy.decisions <= 60).all()
    assert (greedy.frames > greedy.decisions).all()


def test_same_games_same_result(greedy):
    assert columns(evaluate(Greedy(), seeds=GAMES, **SETTINGS)) == columns(greedy)
    assert columns(evaluate(Greedy(), seeds=GAMES, threads=1, **SETTINGS)) == columns(greedy)


@pytest.mark.parametrize("policy", [Greedy(), RandomLegal(3)])
def test_order_and_company_do_not_matter(policy):
    whole = columns(evaluate(policy, seeds=GAMES, **SETTINGS))
    backwards = columns(evaluate(policy, seeds=GAMES[::-1], **SETTINGS))
    assert {name: column[::-1] for name, column in backwards.items()} == whole
    part = columns(evaluate(policy, seeds=GAMES[7:9], **SETTINGS))
    assert {name: column[7:9] for name, column in whole.items()} == part


def test_frames_of_a_cleared_game_are_its_frames_to_clear():
    """The clock of docs/design.md, counted on the frame-level engine: first controllable frame = 1."""
    result = evaluate(Greedy(), seeds=seeds.seeds("test", 200), **SETTINGS)
    index = int(np.flatnonzero(result.cleared)[0])
    d = dm.Decisions(num_envs=1)
    b = dm.Batch(num_envs=1)
    for game in (d, b):
        game.reset(0, 2, int(result.seeds[index]))
    nothing = np.zeros((1, 1), np.uint8)
    frames = 0
    while b.state[0]["p1_virus_left_bcd"]:
        if b.state[0]["p1_next_action"] != 0:
            b.step(nothing)
            frames += frames > 0
            continue
        state, action = d.state[0], Greedy().act(d.view)
        for buttons in script_of(state, int(action[0])):
            b.step(np.array([[buttons]], np.uint8))
            frames += 1
        d.step(action)
    assert frames == result.frames[index]


def test_summary(greedy):
    summary = json.loads(json.dumps(greedy.summary()))
    assert summary["games"] == 20 and summary["cleared"] == greedy.cleared.sum()
    assert summary["clear_rate_low"] <= summary["clear_rate"] <= summary["clear_rate_high"]
    assert summary["decisions"] == greedy.decisions.sum()


def made(cleared, frames, **other):
    """A result of level 0 with these outcomes."""
    n = len(cleared)
    cleared = np.array(cleared, bool)
    fields = {
        "level": 0,
        "speed": 2,
        "seeds": seeds.seeds("test", n),
        "cleared": cleared,
        "top_out": ~cleared,
        "truncated": np.zeros(n, bool),
        "frames": np.array(frames, np.uint32),
        "decisions": np.full(n, 10, np.uint32),
        "viruses_left": np.where(cleared, 0, 1).astype(np.uint8),
        "max_decisions": 60,
        "wall_seconds": 0.5,
    }
    return EvalResult(**{**fields, **other})


def test_summary_by_hand():
    """Failures (their 9 frames) stay out of T; frames_or_never counts them as infinite."""
    summary = made([1, 1, 0, 1, 0], [100, 300, 9, 200, 9]).summary()
    assert summary["frames_to_clear_mean"] == 200 and summary["frames_to_clear_sd"] == pytest.approx(100)
    assert summary["frames_to_clear_cvar"] == 300 and summary["frames_to_clear_p90"] == pytest.approx(280)
    assert summary["frames_or_never_median"] == 300 and summary["frames_or_never_p90"] is None
    assert summary["capsules_to_clear_mean"] == 10 and summary["decisions_per_second"] == 100
    assert made([1, 0], [50, 9]).summary()["frames_to_clear_sd"] is None


def test_compare_by_hand():
    first = made([1, 1, 1, 1, 0, 0, 1, 1], [100, 120, 140, 160, 9, 9, 500, 500])
    second = made([1, 1, 1, 1, 1, 0, 0, 0], [110, 130, 160, 160, 77, 8, 7, 6])
    found = compare(first, second)
    assert (found.only_first, found.only_second, found.both, found.games) == (2, 1, 4, 8)
    assert found.clear_rate.mean == pytest.approx(1 / 8) and found.clear_rate.low < 0 < found.clear_rate.high
    assert found.p_value == 1
    assert found.frames.mean == -10 and -20 <= found.frames.low < -10 < found.frames.high <= 0
    assert found == compare(first, second)
    assert json.loads(json.dumps(found.summary()))["frames_difference"] == -10


def test_compare_without_a_common_game_and_with_other_games():
    first = made([1, 0], [100, 9])
    found = compare(first, made([0, 0], [9, 9]))
    assert found.frames is None and found.summary()["frames_difference_low"] is None
    for other in ({"level": 1}, {"speed": 1}, {"max_decisions": 61}, {"seeds": seeds.seeds("validation", 2)}):
        with pytest.raises(ValueError, match=f"{next(iter(other))} of the two results must be the same"):
            compare(first, made([0, 0], [9, 9], **other))


def test_mean_clear_rate_difference_resamples_whole_seeds():
    rng = np.random.default_rng(1)
    cleared = rng.random((2, 100)) < [[0.8], [0.5]]
    first, second = (made(row, np.full(100, 50)) for row in cleared)
    once = mean_clear_rate_difference([first], [second])
    assert once == compare(first, second).clear_rate
    # The same outcomes at four levels are no more evidence than at one.
    assert mean_clear_rate_difference([first] * 4, [second] * 4) == once
    for wrong in (([], []), ([first], [first, second])):
        with pytest.raises(ValueError, match="give as many, at least one"):
            mean_clear_rate_difference(*wrong)
    for other in ({"level": 1}, {"speed": 1}, {"max_decisions": 61}):
        with pytest.raises(ValueError, match=f"{next(iter(other))} of the two results must be the same"):
            mean_clear_rate_difference([first], [made(cleared[1], np.full(100, 50), **other)])
    with pytest.raises(ValueError, match="seeds of all results"):
        mean_clear_rate_difference([first], [made([1], [50])])


def test_summary_without_a_cleared_game():
    result = evaluate(RandomLegal(), level=20, speed=2, seeds=GAMES[:3], max_decisions=5)
    assert not result.cleared.any()
    summary = result.summary()
    assert [name for name, value in summary.items() if value is None] == [
        *(f"frames_to_clear_{name}" for name in ("mean", "sd", "p10", "median", "p90", "cvar")),
        *("frames_or_never_median", "frames_or_never_p90", "capsules_to_clear_mean"),
    ]


def test_progress_is_reported():
    calls = []
    evaluate(RandomLegal(), seeds=GAMES, progress=lambda *call: calls.append(call), **SETTINGS)
    ended, games, decisions = zip(*calls, strict=True)
    assert set(games) == {20} and ended[-1] == 20
    assert list(ended) == sorted(ended) and list(decisions) == sorted(decisions)


def test_bad_input():
    for wrong in ([], [[1, 2]]):
        with pytest.raises(ValueError, match="seeds has shape"):
            evaluate(Greedy(), level=0, speed=2, seeds=wrong)
    for wrong in ([70_000], np.array([70_000]), [-1]):
        with pytest.raises(ValueError, match="seed"):
            evaluate(Greedy(), level=0, speed=2, seeds=wrong)
    with pytest.raises(TypeError, match="seed"):
        evaluate(Greedy(), level=0, speed=2, seeds=[1.5])
    with pytest.raises(ValueError, match="max_decisions is 0"):
        evaluate(Greedy(), level=0, speed=2, seeds=GAMES, max_decisions=0)
    with pytest.raises(ValueError, match="level"):
        evaluate(Greedy(), level=25, speed=2, seeds=GAMES)
    with pytest.raises(ValueError, match="planes"):
        evaluate(Greedy(), level=0, speed=2, seeds=GAMES, planes="many")

    class Illegal:
        def act(self, d):
            return np.full(d.num_envs, 511, np.int32)

    with pytest.raises(ValueError, match="511"):
        evaluate(Illegal(), level=0, speed=2, seeds=GAMES)


def test_frame_rate():
    assert pytest.approx(39_375_000 / 655_171, abs=1e-4) == module.FRAME_RATE
