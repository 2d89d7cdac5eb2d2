"""Laws of search at its edges: bottles of many placements, odd numbers of futures, lines that die, counters."""

import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario.search import roots_of
from tests.planner.test_search import parked, positioned


def comb(colors: str) -> str:
    """A bottle that no game makes: 25 viruses apart from each other, between which a capsule reaches 158 placements."""
    rows = ["........"] * 16
    for row in range(2, 15, 2):
        columns = (1, 3, 5, 7) if row % 4 == 2 else (2, 4, 6)
        rows[row] = "".join(colors[row * 8 + c] if c in columns else "." for c in range(8))
    return " ".join(rows)


def test_bottles_with_more_placements_than_any_game_has() -> None:
    """More than a search remembers of a bottle: 128."""
    rng = np.random.default_rng(0)
    search = dm.Search(threads=1)
    most = 0
    for _ in range(40):
        games = positioned(comb("".join(rng.choice(list("YRB"), 128))), "YR", "BB")
        legal = np.flatnonzero(games.legal[0])
        most = max(most, len(legal))
        for _ in range(2):  # the second time from memory, if it is there
            _, judged = search.judge(**roots_of(games.view), plies=1)
            assert np.array_equal(np.flatnonzero(np.isfinite(judged[0])), legal)
    assert most > 128


@pytest.mark.parametrize(
    ("sequences", "drops"), [(4, 3), (5, 3), (6, 3), (7, 3), (8, 3), (15, 3), (16, 3), (2, 1), (1, 0)]
)
def test_boards_are_dropped_three_times_whatever_the_number_of_futures(sequences: int, drops: int) -> None:
    """After each quarter of the futures but the last: 64 boards become 8, each followed through one more capsule.

    The third capsule is the same in all futures, and what it does to a board is worked out once.
    """
    games = parked(20, 0x8988)
    futures = np.stack([np.zeros(sequences, int), np.arange(sequences) % 9], axis=1)[None]
    budget = dict(plies=3, boards=64, depth=2, sequences=sequences, futures=futures)
    search = dm.Search(threads=1)
    before = search.choose(**roots_of(games.view), plies=2)[2][0]
    expanded = search.choose(**roots_of(games.view), **budget)[2][0] - before
    ends = [-(-sequences * part // 4) for part in range(1, 5)]
    boards, expected = 64, 64
    for future in range(1, sequences + 1):
        expected += boards
        if future in ends and future < sequences:
            boards = (boards + 1) // 2
    assert expanded == expected and boards == 64 >> drops


def test_a_line_that_dies_says_how_long_it_was() -> None:
    games = parked(20, 0x8988)
    line = dm.Search(threads=1).solve(games, width=1, alpha=0.0)[0]
    assert not line.cleared and len(line.actions)
    for action in line.actions:
        games.step(np.array([action]))
    assert games.frames[0] == line.frames


def test_counters_are_of_the_call() -> None:
    games = parked(0, 0x8988)
    search = dm.Search(threads=1)
    line = search.solve(games, width=3)[0]
    assert search.done == 1 and search.nodes == line.nodes
    search.play(0, 2, np.array([0x8988, 9]), 0, 5, plies=1)
    assert search.done == 2 and search.nodes == 10


def test_a_long_choice_tells_how_far_it_is() -> None:
    games, search = dm.Decisions(num_envs=1), dm.Search(threads=1)
    games.reset(20, 2, 0x8988)
    budget = {"plies": 3, "boards": 100, "depth": 16, "width": 8, "sequences": 1000}
    choosing = threading.Thread(target=lambda: search.choose(**roots_of(games.view), **budget))
    choosing.start()
    while search.nodes == 0 and choosing.is_alive():
        time.sleep(0.01)
    told, over = search.nodes, search.done
    search.stop()
    choosing.join()
    assert told > 0 and over == 0
    expanded = search.choose(**roots_of(games.view), plies=3, sequences=8)[2]
    assert search.nodes == expanded[0]


def test_games_that_a_stopped_call_did_not_begin_are_as_they_begin() -> None:
    search = dm.Search(threads=1)
    search.stop()
    cleared, frames, capsules, viruses = search.play([3, 5], 2, np.array([5, 9]))
    assert not cleared.any() and not frames.any() and not capsules.any() and viruses.tolist() == [16, 24]


def test_games_are_played_for_seeds_that_come_one_per_game() -> None:
    search = dm.Search(threads=1)
    for one in (0x8988, np.uint16(0x8988), np.array(0x8988)):
        with pytest.raises(TypeError, match="seed must be a sequence, one per game, got"):
            search.play(0, 2, one)
    assert [column.shape for column in search.play(0, 2, [])] == [(0,)] * 4
    assert [column.shape for column in search.play(0, 2, [0x8988], max_capsules=1)] == [(1,)] * 4


def test_a_stopped_beam_leaves_its_layer() -> None:
    """After at most 16 boards more, however many there are."""
    games, asked = parked(10, 0x8988), []

    def stop_in_the_fifth(bottles: NDArray[np.uint8]) -> NDArray[np.float32]:
        if search.capsules == 4:
            if not asked:
                search.stop()
            asked.append(len(bottles))
        return np.zeros(len(bottles), np.float32)

    search = dm.Search(value=stop_in_the_fifth)
    line = search.solve(games, width=200)[0]
    assert 0 < len(asked) <= 16
    assert len(line.actions) == 4 and not line.cleared, "what was begun of a layer does not count"
    assert search.solve(games, width=2, max_capsules=3)[0].actions.shape == (3,)


PRESS = """
import os, signal, threading
import mlx_drmario as dm
from mlx_drmario.cli.solve import SolveConfig, solve

games, search = dm.Decisions(num_envs=1, threads=1), dm.Search(threads=1)
games.reset(20, 2, 0x8988)

def press():
    while search.nodes < 200:
        pass
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=press).start()
line = solve(search, games, SolveConfig(level=20, seed=0x8988, width=50_000))
print(line.cleared, len(line.actions), search.nodes < 1_000_000)
"""


def test_ctrl_c_ends_a_search_for_a_line_with_the_best_so_far() -> None:
    done = subprocess.run([sys.executable, "-c", PRESS], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    cleared, actions, early = done.stdout.split()
    assert (cleared, early) == ("False", "True") and int(actions) > 0
