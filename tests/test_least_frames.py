"""The bound of scripts/least_frames.py against lines that clear, and the search against trying everything."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import mlx_drmario as dm
from mlx_drmario.spec import CELLS, COLS, EMPTY, SINGLE, VIRUS
from scripts.least_frames import LAST, Bound, Layer, LeastFramesConfig, Need, decision_frames, least_frames, main


def one(seed, frame_counter=0):
    games = dm.Decisions(num_envs=1, threads=1)
    games.reset(0, 2, seed, frame_counter=frame_counter)
    return games


@given(st.integers(1, 32_767), st.integers(0, 1), st.sampled_from([1, 4, 30]))
def test_no_line_is_faster_than_its_bound(seed, frame_counter, width):
    """At every decision, whatever the line is worth."""
    games = one(2 * seed, frame_counter)
    bound = Bound(games.state["p1_bottle"][0], games.state["reserve"][0])
    line = dm.Search(threads=1).solve(games, width, 0.5, max_capsules=60)[0]
    assume(line.cleared)
    bounds = []
    for made, action in enumerate(line.actions):
        bounds.append(bound(games.state["p1_bottle"], games.frames.astype(np.int64), made)[0])
        games.step(np.array([action]))
    assert games.cleared[0] and max(bounds) <= line.frames
    assert bounds[0] >= 4 * decision_frames(0) - LAST  # every bottle needs eight halves


@given(st.integers(0, 2**32 - 1), st.integers(0, 1))
@settings(max_examples=20)
def test_no_decision_is_faster_than_its_row_allows(seed, frame_counter):
    games = dm.Decisions(num_envs=64, threads=1)
    games.reset(0, 2, 2 + 2 * ((seed + np.arange(64)) % 32_767), frame_counter=frame_counter)
    for step in range(20):
        action, going = games.sample_legal(seed + step), ~games.ended
        games.step(action)
        least = np.array([decision_frames(row) for row in action % CELLS // COLS])
        clears = 20 * (games.halves_cleared + games.viruses_cleared > 0)
        assert (games.tau >= least + clears)[going & ~games.ended].all()
        assert (games.tau >= least - LAST)[going & games.cleared].all()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_an_odd_frame_counter_is_worth_a_frame_at_most(seed):
    """In every placement and in every whole decision, and the same placements are there: then of two plays of the same
    placements one that is ahead stays ahead, so that waiting gains nothing."""
    games, other = dm.Decisions(num_envs=64, threads=1), dm.Decisions(num_envs=64, threads=1)
    games.reset(0, 2, 2 + 2 * ((seed + np.arange(64)) % 32_767))
    for step in range(12):
        states, going = games.state.copy(), ~games.ended
        states["frame_counter"] ^= 1
        other.set_state(np.where(going, states, states[np.argmax(going)]))
        assert (games.legal == other.legal)[going].all()
        apart = games.frames_to_lock.astype(int) - other.frames_to_lock
        assert (np.abs(apart) <= 1)[going[:, None] & games.legal].all()
        action = np.where(going, games.sample_legal(seed + step), other.legal.argmax(axis=1)).astype(np.int32)
        games.step(action)
        other.step(action)
        assert (np.abs(games.tau.astype(int) - other.tau) <= 1)[going].all()


def test_halves_that_are_there_serve_the_deepest_cells_first():
    virus = 11 * COLS + 3
    have = np.zeros((3, COLS), int)
    have[1, 3], have[2, 4] = 1, 2
    halves, delay = Need([virus]).least(have)
    late = {row: decision_frames(row) - decision_frames(0) for row in range(12)}
    assert halves.tolist() == [3, 2, 2]  # the column of the virus; a row takes one of each neighbour alone
    assert delay[0] == late[8] + late[9] + late[10]  # in the column
    assert delay[1] == late[8] + late[9] and delay[2] == min(delay[0], 2 * late[11])


def test_bottles_that_are_equal_at_different_frames_are_two():
    states = np.repeat(one(2).state, 4)
    states["p1_bottle"][3, 0] = SINGLE
    kept = Layer(states, np.array([70, 60, 60, 60]), np.zeros((4, 0), np.int16)).distinct()
    assert sorted(kept.frames.tolist()) == [60, 60, 70] and (kept.states["p1_bottle"][:, 0] == SINGLE).sum() == 1


def everything(games):
    """The fewest frames of all lines of one or two capsules."""
    best = 10_000
    first = np.flatnonzero(games.legal[0])
    many = dm.Decisions(num_envs=len(first), threads=1)
    many.set_state(np.repeat(games.state, len(first)))
    many.step(first.astype(np.int32))
    best = min([best, *many.tau[many.cleared].tolist()])
    for parent in np.flatnonzero(~many.ended):
        second = np.flatnonzero(many.legal[parent])
        more = dm.Decisions(num_envs=len(second), threads=1)
        more.set_state(np.repeat(many.state[parent : parent + 1], len(second)))
        more.step(second.astype(np.int32))
        best = min([best, *(int(many.tau[parent]) + more.tau[more.cleared]).tolist()])
    return best


@given(st.integers(1, 32_767), st.data())
@settings(max_examples=25)
def test_the_search_finds_what_trying_everything_finds(seed, data):
    """A stack on a virus that is high up: three capsules would take longer than two."""
    games = one(2 * seed)
    bottle = np.full((1, CELLS), EMPTY, np.uint8)
    row, column = data.draw(st.integers(4, 6)), data.draw(st.integers(0, COLS - 1))
    color = data.draw(st.integers(0, 2))
    bottle[0, row * COLS + column] = VIRUS + color
    for height in (1, 2):
        bottle[0, (row - height) * COLS + column] = SINGLE + (color + data.draw(st.sampled_from([0, 0, 0, 1]))) % 3
    games.set_bottles(bottle)
    best, most = everything(games), 3 * decision_frames(0) - LAST - 1  # in which there is no time for three capsules
    found = least_frames(games, most)
    if best > most:
        assert found.frames is None
        return
    assert found.frames == least_frames(games, best).frames == best
    assert least_frames(games, best - 1).frames is None
    played = one(2 * seed)
    played.set_bottles(bottle)
    for action in found.line:
        played.step(np.array([action]))
    assert played.cleared[0] and played.frames[0] == best


def test_all_seeds_are_asked(capsys):
    main(LeastFramesConfig(200, seeds=20, processes=1))
    assert capsys.readouterr().out.startswith("0 of 20 seeds clear level 0 HI within 200 frames")
