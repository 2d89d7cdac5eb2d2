"""What is kept of a run's games, and how it is held, without a process."""

import dataclasses
import threading
import time
from collections import deque

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import mlx_drmario as dm
from mlx_drmario.render import drawn
from mlx_drmario.rl.config import REWARD
from mlx_drmario.spec import placement_words
from mlx_drmario.tui.gate import Gate
from mlx_drmario.tui.link import Link
from mlx_drmario.tui.onlooker import Onlooker
from mlx_drmario.tui.part import PAID, RESTING, Explainer, Part
from mlx_drmario.tui.position import PLAYING, TOP_OUT, Position, action_cells

from .test_training import TINY


def actions(games):
    """The highest placement of every game."""
    return np.array([np.flatnonzero(row)[np.argmin(np.flatnonzero(row) % 128)] for row in games.legal], np.int32)


def test_a_game_that_ended_is_shown_as_it_ended_for_a_while():
    games, part = dm.Decisions(num_envs=2), Part()
    games.reset(np.array([0, 20]), 2, np.array([0x8988, 77]))
    part.begin(games)
    while True:
        part.remember(actions(games), None, None)
        part.look()
        assert part.boards.outcome.tolist() == [PLAYING, PLAYING]
        games.step(actions(games))
        part.note_ends()
        if games.ended.any():
            break
    ended = games.top_out.copy()
    assert ended.any() and not ended.all()
    end = drawn(games.state)[ended]
    games.reset(0, 2, 4321, mask=games.ended.copy())
    for _ in range(RESTING):
        part.remember(actions(games), None, None)
        for _ in range(2):  # in a pause pictures of one moment are all the same
            part.look()
            assert np.array_equal(part.boards.outcome, np.where(ended, TOP_OUT, PLAYING))
            assert np.array_equal(part.boards.cells[ended], end)
            assert np.array_equal(part.boards.cells[~ended], drawn(games.state)[~ended])
    part.remember(actions(games), None, None)
    part.look()
    assert part.boards.outcome.tolist() == [PLAYING, PLAYING]
    assert np.array_equal(part.boards.cells, drawn(games.state))


def held(gate, threads):
    """Lets these threads reach a paused gate, opens it, and waits for them."""
    gate.pause(True)
    here = [threading.Event() for _ in threads]
    passing = [
        threading.Thread(target=gate.wait, args=(number, event.set))
        for number, event in zip(threads, here, strict=True)
    ]
    for thread in passing:
        thread.start()
    for event in here:
        event.wait()
    gate.pause(False)
    for thread in passing:
        thread.join()


def test_time_in_which_threads_stand_still_is_told_once():
    gate = Gate(1.0)
    held(gate, [0, 1])
    assert gate.waited(2) > 0
    assert gate.waited(2) == 0
    held(gate, [0])  # the other one has played its part of the rollout
    assert gate.waited(2) > 0


def test_earnings_begin_anew_with_a_game():
    part, games = Part(), dm.Decisions(num_envs=2)
    games.reset(0, 2, 0x8988)
    part.begin(games)
    for expected in (0, 5):  # before the first decision of a game, and before the second
        part.earn({name: np.full(2, 5 * (name == "virus")) - part.earned[i] for i, name in enumerate(PAID)})
        action = actions(games)
        part.remember(action, None, None)
        assert (part.earned[PAID.index("virus")] == expected).all()
        games.step(action)


def test_the_line_of_a_game_leaves_out_the_game_before():
    games, part = dm.Decisions(num_envs=1, max_decisions=3), Part()
    games.reset(0, 2, 0x8988)
    part.begin(games)
    for _ in range(5):
        part.remember(actions(games), None, None)
        games.step(actions(games))
        if games.ended[0]:
            games.reset(0, 2, 0x1234)
    line = part.line(0, "game", Explainer(REWARD))
    assert line is not None and len(line.states) == len(line.choices) == 2
    assert line.frames[0] == 0 and line.frames[1] > 0 and line.first == 0


def test_a_line_knows_how_many_decisions_are_forgotten():
    games, part = dm.Decisions(num_envs=1), Part(past=deque(maxlen=2))
    games.reset(0, 2, 0x8988)
    part.begin(games)
    for _ in range(4):
        part.remember(actions(games), None, None)
        games.step(actions(games))
    line = part.line(0, "game", Explainer(REWARD))
    assert line is not None and (len(line.states), line.first) == (2, 2)


@given(st.integers(0, 2**16))
def test_a_placement_in_words_says_which_colour_lies_where(seed: int) -> None:
    """Against the engine: where a capsule stays as it was set down, its halves have the colours that the words say."""
    games = dm.Decisions(num_envs=4, threads=1)
    games.reset(0, 2, 2 + 2 * (seed % 1000 + np.arange(4)))
    for step in range(3):
        games.step(games.sample_legal(seed + step))
    after = games.afterstates()
    stay = np.flatnonzero((after.combos == 0) & (after.env < 4))
    words = set()
    for row in stay:
        env, action = int(after.env[row]), int(after.action[row])
        at, held = Position.of(games.state[env]), action_cells(action)
        free = games.state["p1_bottle"][env, held] == 0xFF
        if len(held) < 2 or (after.bottle[row, held] == 0xFF).any() or not free.all():
            continue  # cut off by the top, or not where it was set down
        text = placement_words(action, at.capsule)
        low, high = sorted(held)
        assert [text[0], text[2]] == ["YRB"[after.bottle[row, cell] & 0x0F] for cell in (low, high)]
        columns = f"{low % 8 + 1}-{high % 8 + 1}" if high == low + 1 else f"{low % 8 + 1}"
        assert text[1] == ("━" if high == low + 1 else "┃") and text[3:] == f" col {columns} row {16 - high // 8}"
        if at.capsule[0] != at.capsule[1]:
            assert (env, text) not in words  # no two placements of a capsule have the same words
            words.add((env, text))


class Eager(Link):
    """To an app that always wants the next picture."""

    wanted = True

    def __init__(self):
        super().__init__()
        self.pictures = []

    @property
    def games(self):
        return [picture.game for picture in self.pictures]

    def publish(self, make):
        self.pictures.append(make())


def watched(count):
    """Someone who looks on at so many games in two shards, and those games."""
    config = dataclasses.replace(TINY, shards=2, env=dataclasses.replace(TINY.env, num_envs=count))
    shards = [dm.Decisions(num_envs=count // 2) for _ in range(2)]
    for games in shards:
        games.reset(0, 2, 0x8988)
    return Onlooker(config, Eager()), shards


def step(onlooker, shards, part):
    onlooker.before_step(shards[part], actions(shards[part]), None, None, part)
    shards[part].step(actions(shards[part]))
    onlooker.after_step(shards[part], part)


def test_a_shard_finds_its_game_before_the_others_begin():
    onlooker, shards = watched(8)
    onlooker.look(7)
    for part in (1, 0):
        step(onlooker, shards, part)
    assert onlooker._link.games == [7]


def test_of_fewer_games_the_last_one_is_in_focus():
    onlooker, _ = watched(8)
    fewer, shards = watched(4)
    onlooker.look(7)
    onlooker = onlooker.successor(fewer._config)
    for part in (0, 1):
        step(onlooker, shards, part)
    assert onlooker._link.games == [3]


def test_a_pause_is_seen_though_one_shard_waits_for_the_other():
    """It has played its part of the iteration, and nobody calls for it until the other has."""
    onlooker, shards = watched(8)
    for part in (0, 1):
        step(onlooker, shards, part)
    onlooker.pause(True)
    onlooker.look(2)
    held = threading.Thread(target=step, args=(onlooker, shards, 1))
    held.start()
    end = time.monotonic() + 60
    while onlooker._link.games.count(2) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    onlooker.pause(False)
    held.join()
    assert onlooker._link.games.count(2) >= 2 and any(picture.paused for picture in onlooker._link.pictures)
