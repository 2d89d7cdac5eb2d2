"""What a policy says of its choices is in the file: values, log-probabilities, the likeliest placements; and what an
imported game says of its beginning."""

from pathlib import Path

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario.evaluate import evaluate
from mlx_drmario.nets.heads import ILLEGAL
from mlx_drmario.spec import SETUP
from mlx_drmario.traces import details, movie, replay, storage
from mlx_drmario.traces.capture import Capture
from mlx_drmario.traces.games import Games


def test_details_of_the_policy(tmp_path: Path) -> None:
    play = dm.Decisions(num_envs=2, threads=1)
    play.reset(3, 2, np.array([40, 41]))
    score = np.where(play.legal, np.random.default_rng(0).random((2, 512)), -np.inf)
    log_probs = (score - np.log(np.exp(score).sum(axis=1, keepdims=True))).astype(np.float32)
    action = log_probs.argmax(axis=1).astype(np.int32)
    quantiles = np.stack([np.linspace(0, 10, 11), np.linspace(-1, 1, 11)]).astype(np.float32)
    with Capture(tmp_path, name="x") as capture:
        capture.before_step(play, action, log_probs, quantiles)
        play.step(action)
        capture.after_step(play)
        action2 = play.sample_legal(0)
        capture.before_step(play, action2, None, None)  # the policy is silent now
        play.step(action2)
        capture.after_step(play)
    games = storage.read(tmp_path / "x-00-0001.dmtrace.h5")
    silent, rows = ({name: column[k::2] for name, column in games.decision.items()} for k in (1, 0))
    assert all(np.isnan(silent[name]).all() for name in ("log_prob", "value", "value_band", "top_log_prob"))
    assert (silent["top_action"] == -1).all()
    assert (rows["top_action"][:, 0] == action).all() and (np.diff(rows["top_log_prob"], axis=1) <= 0).all()
    assert (rows["top_log_prob"] == np.sort(log_probs, axis=1)[:, :-6:-1]).all()
    assert (rows["log_prob"] == log_probs.max(axis=1)).all()
    np.testing.assert_allclose(rows["value"], [5, 0], atol=1e-6)
    np.testing.assert_allclose(rows["value_band"], [[1, 9], [-0.8, 0.8]], rtol=1e-6)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ((None, np.zeros(3)), r"value has shape \(3,\); it must be \(2\) or \(2, any\)"),
        ((None, np.zeros((3, 2))), "value has shape"),  # quantiles of each, but not by game
        ((None, np.zeros((2, 0))), "value has shape"),
        ((None, np.zeros((2, 1, 1))), "value has shape"),
        ((np.zeros((2, 5)), None), r"log_prob has shape \(2, 5\); it must be \(2\) or \(2, 512\)"),
    ],
)
def test_what_the_policy_says_must_fit_the_games(
    tmp_path: Path, said: tuple[np.ndarray | None, ...], sentence: str
) -> None:
    play = dm.Decisions(num_envs=2, threads=1)
    play.reset(10, 2, [9, 10])
    with Capture(tmp_path, name="x") as capture:
        for step in range(6):
            action = play.sample_legal(step)
            if step == 3:
                with pytest.raises(ValueError, match=sentence):
                    capture.before_step(play, action, *said)
            capture.before_step(play, action, None, np.full(2, step))
            play.step(action)
            capture.after_step(play)
    games = storage.read(tmp_path / "x-00-0001.dmtrace.h5")
    assert games.decision["value"].tolist() == 2 * [*range(6)] and replay.verify(games) == []


def test_of_few_placements_no_others_are_told(tmp_path: Path) -> None:
    """Networks give what cannot be chosen a finite log-probability."""
    play = dm.Decisions(num_envs=1, threads=1)
    play.reset(0, 2, 40)
    bottle = (0x80 + (np.arange(16)[:, None] + np.arange(8) // 2) % 3).astype(np.uint8)
    bottle[0, 3:5], bottle[15, 0] = 0xFF, 0xD0  # full but where capsules appear
    play.set_bottles(bottle.reshape(1, 128))
    few = int(play.legal.sum())
    assert 0 < few < 5
    log_probs = np.where(play.legal, -np.log(np.float32(few)), np.float32(ILLEGAL)).astype(np.float32)
    action = log_probs.argmax(axis=1).astype(np.int32)
    with Capture(tmp_path, name="x") as capture:
        capture.before_step(play, action, log_probs, None)
        play.step(action)
        capture.after_step(play)
    told = storage.read(tmp_path / "x-00-0001.dmtrace.h5").decision
    assert (told["top_action"][0, few:] == -1).all() and np.isnan(told["top_log_prob"][0, few:]).all()
    assert (told["top_action"][0, :few] >= 0).all() and np.isfinite(told["top_log_prob"][0, :few]).all()


class Talkative:
    """A policy that says what it thinks: prefers high action numbers, values by viruses."""

    def act(self, view: dm.PublicView) -> np.ndarray:
        return self.act_with_details(view)[0]

    def act_with_details(self, view: dm.PublicView) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        score = np.where(view.legal, np.arange(512) / 64, -np.inf)
        score[view.ended, 0] = 0
        log_probs = (score - np.log(np.exp(score).sum(axis=1, keepdims=True))).astype(np.float32)
        value = view.viruses_left[:, None] + np.linspace(-1, 1, 11, dtype=np.float32)
        return log_probs.argmax(axis=1).astype(np.int32), log_probs, value


def test_annotations_are_what_the_policy_said(tmp_path: Path) -> None:
    with Capture(tmp_path, name="x") as capture:
        evaluate(Talkative(), level=3, speed=2, seeds=np.arange(40, 46), max_decisions=12, observer=capture)
    games = storage.read(tmp_path / "x-00-0001.dmtrace.h5")
    names = ("log_prob", "value", "value_band", "top_action", "top_log_prob")
    assert all(np.isfinite(games.decision[name]).all() for name in names)
    blank = Games(1, games.episode, games.start, {n: c.copy() for n, c in games.decision.items()}, games.buttons, ())
    details.forget(blank.decision)
    again = details.annotate(blank, Talkative(), "bitplane")
    for name in names:
        np.testing.assert_allclose(again.decision[name], games.decision[name], rtol=1e-6)
    by_hand = storage.read(tmp_path / "x-00-0001.dmtrace.h5")
    by_hand.episode["buttons"][2] = 1
    with pytest.raises(ValueError, match="episode 2 was played by buttons"):
        details.annotate(by_hand, Talkative(), "bitplane")


def test_an_imported_game_has_the_counter_of_its_first_frame_of_play(tmp_path: Path) -> None:
    """As the game that the movie was made of, whose layout takes an odd number of frames; so its record is the same."""
    play = dm.Decisions(num_envs=2, threads=1)
    play.reset(np.array([0, 12]), 2, np.array([0x8988, 0x1234]), frame_counter=np.array([7, 200]))
    with Capture(tmp_path, name="x") as capture:
        action = play.sample_legal(0)
        capture.before_step(play, action, None, None)
        play.step(action)
        capture.after_step(play)
    games = storage.read(tmp_path / "x-00-0001.dmtrace.h5")
    for e in range(2):
        movie.games_of(movie.of_game(games, e), tmp_path / f"{e}.dmtrace.h5", "m")
        back = storage.read(tmp_path / f"{e}.dmtrace.h5")
        assert back.start["mode"].tolist() == [SETUP] and back.episode["frame_counter"].tolist() == [(7, 200)[e]]
        assert replay.verify(back) == []
