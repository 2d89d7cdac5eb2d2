"""Laws of `Batch`: snapshots, digests, independence of games and threads, and one clear sentence for bad input."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlx_drmario as dm
from tests import strategies as sts


def random_batch(rng: np.random.Generator, games: int, players: int, threads: int = 1) -> dm.Batch:
    batch = dm.Batch(num_envs=games, players=players, threads=threads)
    shape = (games, players)
    batch.reset(
        rng.integers(0, 21, shape),
        rng.integers(0, 3, shape),
        rng.integers(2, 65536, games),
        rng.integers(0, 256, games),
    )
    return batch


@given(sts.generators, st.integers(1, 2), st.integers(1, 11))
def test_digests_of_bytes_are_those_of_the_games(rng: np.random.Generator, players: int, games: int) -> None:
    """Hashed several at a time, whatever remains, in any order."""
    batch = random_batch(rng, games, players)
    size = batch.state.dtype.itemsize
    states = batch.state.view(np.dtype((np.void, size)))[rng.permutation(games)].view(np.uint8).reshape(games, size)
    one_by_one = [int(dm.digests(states[n : n + 1])[0]) for n in range(games)]
    assert dm.digests(states).tolist() == one_by_one and set(one_by_one) == set(batch.digest().tolist())
    assert len(dm.digests(states[:0])) == 0
    with pytest.raises(ValueError, match=f"rows of {size - 1} bytes, allowed is {size}"):
        dm.digests(np.ascontiguousarray(states[:, 1:]))


@given(sts.generators, st.integers(1, 2))
def test_save_load_digest(rng: np.random.Generator, players: int) -> None:
    batch = random_batch(rng, 3, players)
    batch.run(sts.storm(rng, 200, 3, players))
    blob, digest, state = batch.save(), batch.digest(), batch.state.copy()
    buttons = sts.storm(rng, 300, 3, players)
    batch.run(buttons)
    after = batch.save()
    assert (batch.digest() != digest).all(), "the frame counter alone must change the digest"
    other = dm.Batch(num_envs=3, players=players)
    other.load(blob)
    assert other.save() == blob
    np.testing.assert_array_equal(other.digest(), digest)
    np.testing.assert_array_equal(other.state, state)
    other.run(buttons)
    assert other.save() == after


@given(sts.generators, st.integers(1, 2))
def test_set_state_is_the_inverse_of_state(rng: np.random.Generator, players: int) -> None:
    batch = random_batch(rng, 4, players)
    batch.run(sts.human_buttons(rng, int(rng.integers(1, 600)), 4, players))
    other = dm.Batch(num_envs=4, players=players)
    other.set_state(batch.state)
    assert other.save() == batch.save()
    other.set_state(batch.state, batch.state["reserve"])
    assert other.save() == batch.save()


@pytest.mark.parametrize("kind", [dm.Batch, dm.Decisions])
@pytest.mark.parametrize("dtype", ["i2", ">i8", "f4"])
def test_states_of_wider_fields_are_taken_where_they_fit(kind: type, dtype: str) -> None:
    games = kind(num_envs=3, threads=1)
    games.reset(5, 2, 0x8988)
    before, state = games.digest(), games.state
    names = state.dtype.names
    wide = np.zeros(3, [(name, dtype, state.dtype[name].shape) for name in names])
    for name in names:
        wide[name] = state[name]
    if dtype == "f4":
        with pytest.raises(TypeError, match="state"):
            games.set_state(wide)
        return
    games.set_state(wide)
    assert (games.digest() == before).all()
    for name, value, sentence in (
        ("p1_level", 259, r"state\['p1_level'\]\[2\] is 259, allowed are 0..255"),
        ("p1_bottle", -1, r"state\['p1_bottle'\]\[2, 0\] is -1, allowed are 0..255"),
    ):
        wrong = wide.copy()
        wrong[name][(2, 0) if name == "p1_bottle" else 2] = value
        with pytest.raises(ValueError, match=sentence):
            games.set_state(wrong)
        assert (games.digest() == before).all()


@given(sts.generators, st.integers(1, 2))
@settings(max_examples=20)
def test_games_do_not_touch_each_other(rng: np.random.Generator, players: int) -> None:
    """N games in one batch equal N batches of one, bit for bit; and `run` equals `step` after `step`."""
    batch = random_batch(rng, 5, players)
    start = batch.state.copy()
    buttons = sts.storm(rng, 150, 5, players)
    digests = []
    for n in range(5):
        single = dm.Batch(num_envs=1, players=players, threads=1)
        single.set_state(start[n : n + 1])
        for t in range(150):
            single.step(np.ascontiguousarray(buttons[t, n : n + 1]))
        digests.append(single.digest()[0])
    batch.run(buttons)
    np.testing.assert_array_equal(batch.digest(), digests)


@pytest.mark.parametrize("players", [1, 2])
def test_thread_count_changes_nothing(players: int) -> None:
    results = []
    for threads in (1, 2, 3, 7):
        rng = np.random.default_rng(3)
        batch = random_batch(rng, 301, players, threads)
        assert batch.threads == threads
        rows = batch.run(sts.human_buttons(rng, 700, 301, players), record=("p1_bottle", "frame_counter"))
        results.append((batch.save(), rows["p1_bottle"].tobytes(), rows["frame_counter"].tobytes()))
    assert all(result == results[0] for result in results)


def test_recording_equals_state() -> None:
    rng = np.random.default_rng(0)
    batch = random_batch(rng, 3, 2)
    names = batch.state.dtype.names
    rows = batch.run(sts.human_buttons(rng, 400, 3, 2), record=names)
    for name in names:
        np.testing.assert_array_equal(rows[name][-1], batch.state[name])


def test_bottles_view() -> None:
    batch = random_batch(np.random.default_rng(1), 4, 2)
    assert batch.bottles.shape == (4, 2, 16, 8)
    np.testing.assert_array_equal(batch.bottles[:, 1].reshape(4, 128), batch.state["p2_bottle"])
    with pytest.raises(ValueError, match="read-only"):
        batch.bottles[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        batch.state["p1_pill_x"] = 200


@pytest.mark.parametrize("players", [1, 2])
def test_arguments_of_every_kind(players: int) -> None:
    """Integers and masks mean the same however wide they are, wherever they lie, and as lists."""
    level, speed, seed, counter = [3, 0, 9, 20, 7], [0, 1, 2, 0, 1], [2, 99, 77, 127, 5], [0, 3, 88, 127, 9]
    mask = [True, False, True, True, False]

    def digest(convert: Callable[[list[int]], Any], convert_mask: Callable[[list[bool]], Any]) -> list[int]:
        batch = dm.Batch(num_envs=5, players=players)
        batch.reset(*map(convert, (level, speed, seed)), frame_counter=convert(counter), mask=convert_mask(mask))
        found: list[int] = batch.digest().tolist()
        return found

    wanted = digest(list, np.array)
    assert wanted != digest(list, lambda mask: None)
    for kind in "bBhHiIlLqQ":
        assert digest(lambda values, kind=kind: np.array(values, kind), list) == wanted
        assert digest(lambda values, kind=kind: np.array(values, kind)[::-1].copy()[::-1], np.array) == wanted
    assert (
        digest(lambda values: np.array(values).reshape(5, 1)[:, 0], lambda mask: np.array(mask)[::-1][::-1]) == wanted
    )
    same = dm.Batch(num_envs=5, players=players)
    same.reset(np.int64(7), np.array(1), 99)
    other = dm.Batch(num_envs=5, players=players)
    other.reset([7] * 5, np.ones(5, np.uint16), np.full(5, 99, ">i4"))
    assert same.digest().tolist() == other.digest().tolist()
    for wrong in (np.array([2, 3, 4, 5, 2**63], np.uint64), np.array([2, 3, 4, 5, 65536]), [2, 3, 4, 5, -1]):
        with pytest.raises(ValueError, match=r"seed\[4\] is .*, allowed are"):
            same.reset(0, 0, wrong)
    for wrong in (True, np.ones(5, bool), 1.0):
        with pytest.raises(TypeError, match="level must be integers"):
            same.reset(wrong, 0, 2)


def test_reset_mask() -> None:
    batch = random_batch(np.random.default_rng(2), 4, 1)
    before = batch.digest()
    batch.reset(20, 2, 0x1234, mask=np.array([True, False, False, True]))
    changed = batch.digest() != before
    np.testing.assert_array_equal(changed, [True, False, False, True])


def test_init_reaches_the_same_game_as_play() -> None:
    """Playing the intro frame by frame ends in the state that start='play' builds directly."""
    batch, direct = dm.Batch(num_envs=21), dm.Batch(num_envs=21)
    batch.reset(np.arange(21), 2, 0x8988, start="init")
    while (batch.state["mode"] != 4).any():
        playing = batch.state["mode"] == 4
        saved = batch.state.copy()
        batch.step(np.zeros((21, 1), np.uint8))
        state = batch.state.copy()
        state[playing] = saved[playing]
        batch.set_state(state)
    direct.reset(np.arange(21), 2, 0x8988, batch.state["frame_counter"])
    assert batch.save() == direct.save()


BATCH = dm.Batch(num_envs=2)


def forged(blob: bytes, offset: int, value: int) -> bytes:
    """A snapshot with one byte of its games changed and a checksum (FNV-1a) that says all is well."""
    body = bytearray(blob[:-8])
    body[body.index(b"\n") + 1 + offset] = value
    total = 0xCBF29CE484222325
    for byte in body:
        total = (total ^ byte) * 0x100000001B3 % 2**64
    return bytes(body) + total.to_bytes(8, "little")


def bad_state(**fields: int) -> np.ndarray:
    state = BATCH.state.copy()
    for name, value in fields.items():
        state[name][1] = value
    return state


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: dm.Batch(num_envs=0), ValueError, r"num_envs is 0, allowed are 1\.\."),
        (lambda: dm.Batch(num_envs=1, players=3), ValueError, r"players is 3, allowed are 1\.\.2"),
        (lambda: dm.Batch(num_envs=1, threads=-1), ValueError, "threads is -1"),
        (lambda: BATCH.reset(99, 0, 5), ValueError, r"level is 99, allowed are 0\.\.24"),
        (lambda: BATCH.reset([0, -1], 0, 5), ValueError, r"level\[1\] is -1, allowed are 0\.\.24"),
        (lambda: BATCH.reset(0, 3, 5), ValueError, r"speed is 3, allowed are 0\.\.2"),
        (lambda: BATCH.reset(0, 0, 65536), ValueError, r"seed is 65536, allowed are 0\.\.65535"),
        (lambda: BATCH.reset(0, 0, 1), ValueError, "seed is 1"),
        (lambda: BATCH.reset(0, 0, 5, 256), ValueError, "frame_counter is 256"),
        (lambda: BATCH.reset(0, 0, [1, 2, 3]), ValueError, r"seed has shape \(3,\)"),
        (lambda: BATCH.reset(0.5, 0, 5), TypeError, "level must be integers"),
        (lambda: BATCH.reset("HI", 0, 5), TypeError, "level must be integers"),
        (lambda: BATCH.reset(0, 0, 5, start="menu"), ValueError, "start is 'menu'"),
        (lambda: BATCH.reset(0, 0, 5, mask=np.ones(3, bool)), ValueError, "mask has shape"),
        (lambda: BATCH.reset(0, 0, 5, mask=np.ones(2, int)), TypeError, "mask has dtype int64"),
        (lambda: BATCH.step(np.zeros((2, 2), np.uint8)), ValueError, r"buttons has shape \(2, 2\)"),
        (lambda: BATCH.step(np.zeros((2, 1))), TypeError, "buttons must be integers, not float64"),
        (lambda: BATCH.step(np.full((2, 1), 256)), ValueError, r"buttons\[0, 0\] is 256, allowed are 0\.\.255"),
        (lambda: BATCH.run(np.zeros((2, 1), np.uint8)), ValueError, "buttons has shape"),
        (lambda: BATCH.run(np.zeros((1, 2, 1), np.uint8), record=("p3_bottle",)), ValueError, "'p3_bottle'"),
        (lambda: BATCH.run(np.zeros((1, 2, 1), int), record=("mode", "mode")), ValueError, "'mode' twice"),
        (lambda: BATCH.set_state(BATCH.state[:1]), ValueError, "state has shape"),
        (lambda: BATCH.set_state(np.zeros(2, np.uint8)), TypeError, "structured"),
        (lambda: BATCH.set_state(np.zeros(2, [("p1_speed_upz", "u1")])), ValueError, "has the field 'p1_speed_upz'"),
        (lambda: BATCH.set_state(bad_state(p1_bottle=0x12)), ValueError, r"state\[1\]: p1_bottle\[0\] is 18"),
        (lambda: BATCH.set_state(bad_state(p1_pill_x=8)), ValueError, r"p1_pill_x is 8, allowed are 0\.\.7"),
        (lambda: BATCH.set_state(bad_state(p1_level=25)), ValueError, "p1_level is 25"),
        (lambda: BATCH.set_state(bad_state(mode=6)), ValueError, "mode is 6"),
        (
            lambda: BATCH.set_state(bad_state(pause_audio_flag=1)),
            ValueError,
            "pause_audio_flag is 1, allowed are 0 and 5",
        ),
        (lambda: BATCH.set_state(bad_state(p1_virus_left_bcd=0x1A)), ValueError, "p1_virus_left_bcd is 26"),
        (lambda: BATCH.set_state(bad_state(p1_pill_count_bcd=0xA0)), ValueError, "two decimal digits"),
        (lambda: BATCH.set_state(bad_state(reserve=9)), ValueError, r"reserve\[0\] is 9"),
        (lambda: BATCH.set_state(BATCH.state, np.zeros((2, 127), np.uint8)), ValueError, "reserve has shape"),
        (lambda: BATCH.load(b"nonsense"), ValueError, "blob does not fit"),
        (lambda: BATCH.load(dm.Batch(num_envs=3).save()), ValueError, "with 2 games"),
        (lambda: BATCH.load("text"), TypeError, "blob must be bytes"),
        (lambda: BATCH.observe("pretty"), ValueError, "planes is 'pretty'"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(call, error, sentence) -> None:  # type: ignore[no-untyped-def]
    before = BATCH.save()
    with pytest.raises(error, match=sentence):
        call()
    assert BATCH.save() == before


def test_an_intro_counts_no_more_viruses_than_two_digits_hold() -> None:
    """Else the game would come to a number that its own snapshot may not hold."""
    games = dm.Batch(num_envs=1)
    games.reset(20, 2, 0x8988, start="init")
    games.run(np.zeros((3, 1, 1), int))
    state = games.state.copy()
    more = int(state["p1_virus_to_add"][0])
    assert 80 < more < 84  # the intro has begun to place them
    tens, ones = divmod(99 - more, 10)
    state["p1_virus_left_bcd"] = 16 * tens + ones
    games.set_state(state)
    games.run(np.zeros((150, 1, 1), int))
    assert games.state["p1_virus_left_bcd"][0] == 0x99 and not games.state["p1_virus_to_add"][0]
    copy.deepcopy(games)
    state["p1_virus_left_bcd"] += 1
    with pytest.raises(ValueError, match="p1_virus_left_bcd and virus_to_add come to 100 viruses, allowed are"):
        games.set_state(state)


@pytest.mark.parametrize("players", [1, 2])
def test_every_state_of_a_game_fits_a_snapshot(players: int) -> None:
    """Through all screens: both players top out or pause, and Start begins the next round."""
    games = dm.Batch(num_envs=16, players=players)
    games.reset(np.arange(16) + 5, 2, 2 * np.arange(16) + 2)
    rng, modes = np.random.default_rng(0), set()
    for frame in range(1500):
        held = rng.choice([0, 0, 1, 2, 4, 0x80], (16, players)) | (0x10 if frame % 7 == 0 else 0)
        games.step(held)
        games.load(games.save())
        modes |= set(games.state["mode"].tolist())
    assert len(modes) > 3


@pytest.mark.parametrize("kind", [dm.Batch, dm.Decisions])
def test_every_damaged_byte_of_a_snapshot_is_seen(kind: type) -> None:
    games = kind(num_envs=2)
    blob = games.save()
    for at in range(len(blob)):
        damaged = bytearray(blob)
        damaged[at] ^= 0x12
        with pytest.raises(ValueError, match="blob"):
            games.load(damaged)
    with pytest.raises(ValueError, match="blob does not fit"):
        games.load(blob[:-1])
    assert games.save() == blob


@pytest.mark.parametrize(
    ("after_the_match", "value", "sentence"),
    [
        (12, 2, "player 1: parked must be 0 or 1"),
        (16 + 12, 1, "the second player's seat must be zeros in a one-player game"),
        (32, 5, "player 1: events must be zeros"),  # tau, of a player who is told everything
        (32 + 30, 1, "player 1: events must be zeros"),  # won
        (32 + 32, 1, "player 2: events must be zeros"),
    ],
)
def test_a_snapshot_of_games_that_could_not_go_on_is_refused(after_the_match, value, sentence) -> None:  # type: ignore[no-untyped-def]
    """Or that would tell what never happened."""
    games = dm.Decisions(num_envs=1)
    at = games.state.dtype.itemsize + after_the_match
    with pytest.raises(ValueError, match=f"game 0: {sentence}"):
        games.load(forged(games.save(), at, value))


def test_a_snapshot_is_checked_field_by_field_too() -> None:
    """The checksum finds damage; what somebody wrote on purpose is found by the check of set_state."""
    blob = forged(BATCH.save(), 0, 0x12)
    with pytest.raises(ValueError, match=r"game 0: p1_bottle\[0\] is 18"):
        BATCH.load(blob)
