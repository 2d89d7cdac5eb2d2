import json

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario import evaluate as module
from mlx_drmario import seeds
from mlx_drmario.baselines import Greedy, RandomLegal
from mlx_drmario.cli import eval as cli
from mlx_drmario.evaluate import evaluate

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
    """The clock of design.md, counted on the frame-level engine: first controllable frame = 1."""
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
        state, action = d.state[0], Greedy().act(d)
        colors = np.array([state["p1_pill_color_l"], state["p1_pill_color_r"]], np.uint8)
        setting = (int(state[name]) for name in ("frame_counter", "p1_speed_setting", "p1_speed_ups"))
        for buttons in dm.script(state["p1_bottle"], colors, *setting, int(action[0])):
            b.step(np.array([[buttons]], np.uint8))
            frames += 1
        d.step(action)
    assert frames == result.frames[index]


def test_summary(greedy):
    summary = json.loads(json.dumps(greedy.summary()))
    assert summary["games"] == 20 and summary["cleared"] == greedy.cleared.sum()
    assert summary["clear_rate_low"] <= summary["clear_rate"] <= summary["clear_rate_high"]
    assert summary["decisions"] == greedy.decisions.sum()


def test_summary_without_a_cleared_game():
    result = evaluate(RandomLegal(), level=20, speed=2, seeds=GAMES[:3], max_decisions=5)
    assert not result.cleared.any()
    assert result.summary()["frames_to_clear_median"] is None
    assert "-" in cli.row("random", result)


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


def test_cli_prints_the_policy_and_both_baselines(capsys, tmp_path):
    config = cli.EvalConfig(policy="random", seeds=10, max_decisions=40, json=tmp_path / "eval.json")
    assert cli.run(config) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "level 0 HI, 10 test seeds" and lines[1] == cli.HEADER
    assert [line.split()[0] for line in lines[2:]] == ["random", "greedy"]
    assert all(len(line) == len(cli.HEADER) for line in lines[2:])
    written = json.loads((tmp_path / "eval.json").read_text())
    assert written["policies"]["random"]["games"] == 10
    with pytest.raises(ValueError, match="policy is 'nobody'"):
        cli.run(cli.EvalConfig(policy="nobody", seeds=1))
    assert capsys.readouterr().out == ""


def test_frame_rate():
    assert pytest.approx(39_375_000 / 655_171, abs=1e-4) == module.FRAME_RATE
