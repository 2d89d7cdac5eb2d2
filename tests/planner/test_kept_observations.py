"""Observations of `Decisions(copy=True)`: what was looked at stays as it is. Steps of some of the games."""

import copy
import os
import pickle
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlx_drmario as dm

OBSERVED = ("planes", "scalars", "legal", "frames_to_lock")
GAMES = 5
WAYS = {
    "itself": lambda array: array,
    "a row": lambda array: array[3],
    "a view of a view": lambda array: array[1:].T[5],
    "bytes": lambda array: array.view(np.uint8),
    "a memoryview": lambda array: np.asarray(memoryview(array)[2:]),
}


def address(array):
    return array.__array_interface__["data"][0]


def started(games, **options):
    made = dm.Decisions(games, **options)
    made.reset(4, 2, np.arange(2, games + 2))
    return made


@dataclass
class Pair:
    """The same games with and without `copy`, and what somebody holds of the first."""

    kept: dm.Decisions = field(default_factory=lambda: started(GAMES, copy=True, max_decisions=9))
    live: dm.Decisions = field(default_factory=lambda: started(GAMES, max_decisions=9))
    held: dict = field(default_factory=dict)

    def step(self, seed, mask):
        actions = self.live.sample_legal(seed)
        assert np.array_equal(self.kept.sample_legal(seed), actions)
        for games in (self.kept, self.live):
            games.step(actions, mask=mask)

    def reset(self, seed, mask):
        for games in (self.kept, self.live):
            games.reset(3, 1, seed + 2, mask=mask)

    def empty(self, seed, mask):
        mask = mask & ~self.live.ended
        bottle = np.full((GAMES, 128), 0xFF, np.uint8)
        bottle[:, 127 - seed % 16] = 0xD0 + seed % 3
        for games in (self.kept, self.live):
            games.set_bottles(bottle, mask)

    def load(self, seed, mask):
        blob = self.live.save()
        for games in (self.kept, self.live):
            games.load(blob)

    def hold(self, name, way, place):
        looked = WAYS[way](self.kept.take()[name] if place % 2 else getattr(self.kept, name))
        self.held[place] = looked, looked.copy()

    def scribble(self, name):
        array = self.kept.take()[name]
        if array.flags.writeable and not any(np.may_share_memory(array, held) for held, _ in self.held.values()):
            array[...] = array[::-1].copy()
            array.view(np.uint8)[...] ^= 0x5A


MASKS = st.lists(st.booleans(), min_size=GAMES, max_size=GAMES).map(np.array)
MOVES = st.tuples(st.sampled_from(["step", "step", "step", "reset", "empty", "load"]), st.integers(0, 999), MASKS)
LOOKS = st.tuples(st.just("hold"), st.sampled_from(OBSERVED), st.sampled_from(sorted(WAYS)), st.integers(0, 3))
WRITES = st.tuples(st.just("scribble"), st.sampled_from(OBSERVED))


@given(st.lists(MOVES | LOOKS | WRITES, max_size=40))
@settings(deadline=None)
def test_what_is_held_stays_and_what_is_looked_at_is_true(calls):
    """Whatever is done to the games, and to the arrays by whoever has them."""
    pair = Pair()
    for call, *arguments in calls:
        getattr(pair, call)(*arguments)
        for array, was in pair.held.values():
            assert np.array_equal(array, was)
        assert np.array_equal(pair.kept.digest(), pair.live.digest())
        if call not in ("hold", "scribble"):
            for name in OBSERVED:
                assert np.array_equal(getattr(pair.kept, name), getattr(pair.live, name)), name


def test_only_what_the_engine_reads_is_read_only():
    kept, live = started(2, copy=True), started(2)
    for games in (kept, kept.view, live, live.view):
        assert not any(getattr(games, name).flags.writeable for name in OBSERVED)
    taken = kept.take()
    assert [name for name, array in taken.items() if array.flags.writeable] == ["planes", "scalars", "legal"]
    assert all(np.array_equal(array, getattr(live, name)) for name, array in taken.items()) and len(taken) == 4
    with pytest.raises(ValueError, match="copy is False, allowed are games that were made with copy=True"):
        live.take()


def test_masks_that_were_written_to_change_nothing():
    """Neither what can be played, nor what is drawn, nor what comes of it."""
    kept, live = started(4, copy=True), started(4)
    for garbage in (0, 1, 255):
        taken = kept.take()
        taken["legal"].view(np.uint8)[...] = garbage
        taken["planes"][...] = garbage
        assert np.array_equal(kept.sample_legal(garbage), live.sample_legal(garbage))
        ours, theirs = kept.afterstates(), live.afterstates()
        assert np.array_equal(ours.action, theirs.action) and np.array_equal(ours.bottle, theirs.bottle)
        with pytest.raises(ValueError, match=r"action\[0\] is "):
            kept.step(live.legal.argmin(axis=1))
        del taken
        actions = live.sample_legal(7)
        for games in (kept, live):
            games.step(actions)
        assert np.array_equal(kept.legal, live.legal) and np.array_equal(kept.planes, live.planes)


def test_what_was_taken_is_given_once():
    """Also by steps and resets of no game."""
    games = started(2, copy=True)
    taken = [games.take()]
    for change in (lambda mask: games.step([0, 0], mask=mask), lambda mask: games.reset(1, 1, 9, mask=mask)):
        change(np.zeros(2, bool))
        taken.append(games.take())
    assert not any(np.may_share_memory(a[name], b[name]) for a, b in combinations(taken, 2) for name in OBSERVED)
    assert np.array_equal(taken[0]["planes"], taken[-1]["planes"])


def test_memory_that_nobody_holds_is_used_again():
    """A loop that holds the last observation needs two."""
    games, places, last = started(64, copy=True), set(), None
    for seed in range(20):
        last = games.planes
        places.add(address(last))
        games.step(games.sample_legal(seed))
        assert address(games.planes) != address(last)
    assert len(places) == 2


SCARCE = """
import resource
import numpy as np
import mlx_drmario as dm

games, twin, held = dm.Decisions(4096, threads=1, copy=True), dm.Decisions(4096, threads=1), []
for each in (games, twin):
    each.reset(4, 2, np.arange(2, 4098))
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 100_000_000, resource.RLIM_INFINITY))
for turn in range(99):
    held.append(games.planes)
    actions = twin.sample_legal(turn)
    try:
        games.step(actions)
    except MemoryError:
        break
    twin.step(actions)
assert 3 < turn < 98
assert np.array_equal(games.digest(), twin.digest()) and np.array_equal(games.legal, twin.legal)
held.clear()
for each in (games, twin):
    each.step(actions)
assert np.array_equal(games.digest(), twin.digest()) and np.array_equal(games.planes, twin.planes)
print("as before")
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="limits memory as Linux does")
def test_a_step_for_which_there_is_no_memory_changes_nothing():
    done = subprocess.run([sys.executable, "-c", SCARCE], capture_output=True, text=True)
    assert done.stdout == "as before\n", done.stderr


def test_whoever_holds_one_array_holds_no_other():
    games, scalars, places = started(64, copy=True), [], set()
    for seed in range(9):
        scalars.append(games.take()["scalars"][3])
        places.add(address(games.planes))
        games.step(games.sample_legal(seed))
    assert len(places) == 1 and len({address(row) for row in scalars}) == 9


def test_arrays_outlive_their_games():
    games = started(64, copy=True)
    planes, was = games.planes, games.planes.copy()
    view, legal = games.view, games.view.legal
    del games
    view.afterstates()
    del view
    assert np.array_equal(planes, was) and legal.any()


def test_nothing_is_shared_while_it_is_written():
    """A thread that looks while another one plays gets a whole picture, which stays."""
    games, done = started(256, copy=True), threading.Event()

    def play():
        for seed in range(150):
            games.step(games.sample_legal(seed))
            games.reset(4, 2, np.arange(seed + 2, seed + 258), mask=games.ended)
        done.set()

    player = threading.Thread(target=play)
    player.start()
    looked = []
    while not done.is_set():
        legal, frames = games.legal, games.frames_to_lock
        looked = [*looked[-5:], (legal, legal.copy(), frames, frames.copy())]
        assert all(np.array_equal(legal, was) and np.array_equal(frames, were) for legal, was, frames, were in looked)
    player.join()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda games: pickle.loads(pickle.dumps(games))])
@pytest.mark.parametrize("keeps", [True, False])
def test_a_copy_of_the_games_keeps_as_they_do(copied, keeps):
    games = copied(started(3, copy=keeps))
    looked = games.planes
    was = looked.copy()
    for seed in range(3):
        games.step(games.sample_legal(seed))
    assert np.array_equal(looked, was) == keeps


@pytest.mark.parametrize("value", [1, "yes", None, np.int8(1)])
def test_copy_is_yes_or_no(value):
    with pytest.raises(TypeError, match=r"copy is .*, allowed are True and False"):
        dm.Decisions(2, copy=value)
    assert dm.Decisions(2, copy=np.True_).take()["planes"].shape == (2, 12, 16, 8)


@given(st.lists(st.tuples(MASKS, st.integers(0, 99)), max_size=25), st.booleans())
@settings(deadline=None)
def test_games_that_wait_do_not_change(steps, keeps):
    """A step of some games is, for each, a step of its own or none."""
    together = started(GAMES, copy=keeps, max_decisions=9)
    alone = [dm.Decisions(1, max_decisions=9) for _ in range(GAMES)]
    for n, game in enumerate(alone):
        game.reset(4, 2, n + 2)
    for mask, seed in steps:
        actions = together.sample_legal(seed)
        waiting = ~mask & ~together.ended
        actions[waiting] = -7  # is not looked at
        together.step(actions, mask=mask)
        for n in np.flatnonzero(mask):
            alone[n].step(actions[n : n + 1])
        digests = [int(game.digest()[0]) for game in alone]
        assert together.digest().tolist() == digests
        for name in (*OBSERVED, "frames", "decisions", "ended", "viruses_left"):
            column = getattr(together, name)
            for n, game in enumerate(alone):
                assert np.array_equal(column[n], getattr(game, name)[0]), (name, n)
        told = together.events
        for n, game in enumerate(alone):
            assert told[n] == (game.events[0] if mask[n] else np.zeros(1, told.dtype)[0])
        assert not together.truncated[~mask].any()


def test_the_mask_of_a_step_has_a_row_per_game():
    games = started(3)
    before = games.digest()
    for mask in ([True], [1, 0, 1], "all", np.ones((3, 1), bool)):
        with pytest.raises((ValueError, TypeError), match="mask"):
            games.step(games.sample_legal(0), mask=mask)
    assert np.array_equal(games.digest(), before)
