"""The property tests of docs/rules.md section 20, on random play."""

import numpy as np
import pytest
from hypothesis import given, settings

import mlx_drmario as dm
from tests import strategies as sts

EMPTY, VIRUS, CLEARING = 0xFF, 0xD0, 0xB0
FALL, RESOLVE, ATTACK, THROW = 0, 1, 2, 6
DROP, HSCAN, VSCAN, TIDY = 3, 5, 6, 7
FIELDS = (
    "mode", "rng0", "rng1", "frame_counter", "p1_bottle", "p1_next_action", "p1_placed_step", "p1_virus_left_bcd",
    "p1_hor_velocity", "p1_speed_counter", "p1_pill_x", "p1_pill_y", "p1_pill_rotation", "p1_pill_color_l",
    "p1_pill_color_r", "p1_next_color_l", "p1_next_color_r", "p1_speed_ups", "p1_pill_count_bcd",
    "p1_pill_count_hundreds", "p1_status", "score0", "score1", "score2", "score3", "score4", "score5",
)  # fmt: skip
FALL_FRAMES = [  # docs/rules.md section 18; typed again here, so that a slip in the engine's table shows
    69, 67, 65, 63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27, 25, 23, 21, 19, 18, 17, 16,
    15, 14, 13, 12, 11, 10, 9, 9, 8, 8, 7, 7, 6, 6, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 4, 4, 4, 4, 4, 3, 3, 3, 3, 3,
    2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0,
]  # fmt: skip
BASE = [15, 25, 31]
GAMES, FRAMES = 96, 3000


class Play:
    """Random play of `GAMES` games, recorded: arrays [T, N, ...]; `live` marks the rows of play before the end."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.batch = dm.Batch(num_envs=GAMES)
        self.level = rng.integers(0, 21, GAMES)
        self.speed = rng.integers(0, 3, GAMES)
        self.batch.reset(self.level, self.speed, rng.integers(2, 65536, GAMES), rng.integers(0, 256, GAMES))
        self.reserve = self.batch.state["reserve"].copy()
        self.rows = self.batch.run(sts.human_buttons(rng, FRAMES, GAMES), record=FIELDS)
        self.live = (self.rows["mode"] == 4) & (self.rows["p1_virus_left_bcd"] != 0)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.rows[name]


@pytest.fixture(scope="module", params=[1, 2])
def play(request: pytest.FixtureRequest) -> Play:
    return Play(request.param)


def kind(cells: np.ndarray) -> np.ndarray:
    return cells & 0xF0


def test_play_covers_what_the_laws_speak_of(play: Play) -> None:
    assert play.live.sum() > 40_000
    assert ((play["p1_placed_step"] == TIDY) & play.live).sum() > 500
    assert (kind(play["p1_bottle"]) == CLEARING).any()


def test_1_cells(play: Play) -> None:
    cells = play["p1_bottle"][play.live]
    known = np.isin(kind(cells), [0x40, 0x50, 0x60, 0x70, 0x80, 0xB0, 0xD0, 0xF0]) & ((cells & 15) < 3)
    assert (known | (cells == EMPTY)).all()
    settled = play["p1_bottle"][play.live & (play["p1_next_action"] != RESOLVE)]
    assert np.isin(kind(settled[settled != EMPTY]), [0x40, 0x50, 0x60, 0x70, 0x80, 0xD0]).all()


def test_2_viruses(play: Play) -> None:
    bcd = play["p1_virus_left_bcd"]
    count = (kind(play["p1_bottle"]) == VIRUS).sum(axis=-1)
    assert (((bcd >> 4) * 10 + (bcd & 15)) == count)[play.live].all()
    before, after = play["p1_bottle"][:-1], play["p1_bottle"][1:]
    both = play.live[:-1] & play.live[1:]
    was, now = (kind(before) == VIRUS) & both[..., None], (kind(after) == VIRUS) & both[..., None]
    assert not (now & ~was).any(), "a virus appeared"
    gone = was & ~now
    assert (after[gone] == (before[gone] & 15) + CLEARING).all()
    assert (after[was & now] == before[was & now]).all()


def test_3_pairs(play: Play) -> None:
    cells = play["p1_bottle"][play.live & (play["p1_next_action"] != RESOLVE)].reshape(-1, 16, 8)
    k = kind(cells)
    np.testing.assert_array_equal((k == 0x60)[:, :, :-1], (k == 0x70)[:, :, 1:])
    # A vertical capsule locked at the very top leaves only its lower half until the next TIDY.
    np.testing.assert_array_equal((k == 0x40)[:, :-1], (k == 0x50)[:, 1:])
    assert not (k == 0x60)[:, :, -1].any() and not (k == 0x70)[:, :, 0].any() and not (k == 0x40)[:, -1].any()


def test_4_settled_boards_have_no_runs_and_nothing_unsupported(play: Play) -> None:
    cells = play["p1_bottle"][play.live & (play["p1_next_action"] == ATTACK)].reshape(-1, 16, 8)
    color = np.where(cells == EMPTY, 99, cells & 15)
    for axis in (1, 2):
        line = np.moveaxis(color, axis, -1)
        quad = np.stack([line[..., i : line.shape[-1] - 3 + i] for i in range(4)])
        assert not ((quad == quad[0]).all(axis=0) & (quad[0] != 99)).any()
    k = kind(cells)
    hanging = np.zeros(cells.shape, bool)
    hanging[:, :-1] = (cells[:, :-1] != EMPTY) & (k[:, :-1] != VIRUS) & (cells[:, 1:] == EMPTY)
    left, right = (k == 0x60), (k == 0x70)
    pair_hangs = hanging[:, :, :-1] & hanging[:, :, 1:] & left[:, :, :-1]
    assert not (hanging & ~left & ~right).any()
    assert not pair_hangs.any()


def test_5_falling_capsule(play: Play) -> None:
    falling = play.live & (play["p1_next_action"] == FALL)
    threshold = np.array(FALL_FRAMES)[np.array(BASE)[play.speed] + play["p1_speed_ups"]]
    assert (play["p1_hor_velocity"][falling] <= 15).all()
    assert (play["p1_speed_counter"] <= threshold)[falling].all()
    x, y, vertical = play["p1_pill_x"], play["p1_pill_y"].astype(int), play["p1_pill_rotation"] & 1 == 1
    assert (x[falling] <= np.where(vertical, 7, 6)[falling]).all() and (y[falling] <= 15).all()
    t, n = np.nonzero(falling)
    cell = (15 - y[t, n]) * 8 + x[t, n]
    other = np.where(vertical[t, n], cell - 8, cell + 1)
    bottles = play["p1_bottle"][t, n]
    index = np.arange(len(t))
    assert (bottles[index, cell] == EMPTY).all()
    assert ((other < 0) | (bottles[index, np.maximum(other, 0)] == EMPTY)).all()


def test_6_what_each_stage_may_change(play: Play) -> None:
    before, after = play["p1_bottle"][:-1], play["p1_bottle"][1:]
    stage = play["p1_placed_step"][:-1]
    resolving = play.live[:-1] & play.live[1:] & (play["p1_next_action"][:-1] == RESOLVE)
    scanned = resolving & ((stage == HSCAN) | (stage == VSCAN))
    np.testing.assert_array_equal(before[scanned] & 15, after[scanned] & 15)
    dropped = resolving & (stage == DROP)
    solid_before = np.sort(np.where(before[dropped] >= 0xF0, EMPTY, before[dropped]), axis=-1)
    solid_after = np.sort(np.where(after[dropped] >= 0xF0, EMPTY, after[dropped]), axis=-1)
    np.testing.assert_array_equal(solid_before, solid_after)
    tidied = resolving & (stage == TIDY)
    ours, theirs = before[tidied], after[tidied]
    np.testing.assert_array_equal(kind(ours) == CLEARING, (kind(theirs) == 0xF0) & (theirs != EMPTY) & (ours < 0xF0))
    np.testing.assert_array_equal(ours & 15, theirs & 15)
    locked = play.live[:-1] & play.live[1:] & (play["p1_next_action"][:-1] == FALL) & (play["p1_next_action"][1:] == 1)
    added = (after[locked] != EMPTY).sum(axis=-1) - (before[locked] != EMPTY).sum(axis=-1)
    top = (play["p1_pill_y"][1:][locked] == 15) & (play["p1_bottle"][1:][locked][:, :8] & 0xF0 == 0x50).any(axis=-1)
    assert ((added == 2) | ((added == 1) & top)).all()


def test_7_capsules_come_from_the_reserve(play: Play) -> None:
    bcd, hundreds = play["p1_pill_count_bcd"].astype(int), play["p1_pill_count_hundreds"].astype(int)
    number = (bcd >> 4) * 10 + (bcd & 15) + 100 * hundreds - 1  # the n-th capsule, 0 before the first
    t, n = np.nonzero(play.live & (number > 0) & (play["p1_next_action"] == FALL))
    capsule, preview = play.reserve[n, number[t, n] % 128], play.reserve[n, (number[t, n] + 1) % 128]
    np.testing.assert_array_equal(capsule, 3 * play["p1_pill_color_l"][t, n] + play["p1_pill_color_r"][t, n])
    np.testing.assert_array_equal(preview, 3 * play["p1_next_color_l"][t, n] + play["p1_next_color_r"][t, n])
    np.testing.assert_array_equal(play["p1_speed_ups"][t, n], np.minimum(49, (number[t, n] + 1) // 10))


def test_8_the_rng_rests_during_play(play: Play) -> None:
    for name in ("rng0", "rng1"):
        assert (play[name] == play[name][0]).all()


def test_9_score(play: Play) -> None:
    score = sum(10**i * play[f"score{i}"].astype(int) for i in range(6)) * 10
    gain = np.diff(score, axis=0)
    killed = (np.diff(play["p1_virus_left_bcd"].astype(int), axis=0) != 0) & play.live[:-1]
    assert (gain >= 0).all()
    assert (gain[play.live[:-1] & ~killed] == 0).all()
    assert (gain % (100 * (play.speed + 1)) == 0).all()
    assert (gain[killed] > 0).all()


@settings(max_examples=20)
@given(sts.levels, sts.speeds, sts.seeds, sts.frame_counters)
def test_12_untouched_capsules_fall_at_the_table_s_pace(level: int, speed: int, seed: int, counter: int) -> None:
    batch = dm.Batch(num_envs=1, threads=1)
    batch.reset(level, speed, seed, counter)
    rows = batch.run(np.zeros((900, 1, 1), np.uint8), record=("p1_next_action", "p1_bottle"))
    action = rows["p1_next_action"][:, 0]
    first_fall = int(np.argmax(action == FALL)) + 1  # the sample after HANDOVER is followed by the first FALL call
    lock = int(np.argmax(action == RESOLVE))
    columns = rows["p1_bottle"][first_fall, 0].reshape(16, 8)[:, 3:5]
    occupied = np.flatnonzero((columns != EMPTY).any(axis=1))
    free_rows = int(occupied[0]) if len(occupied) else 16
    assert lock - first_fall + 1 == free_rows * (FALL_FRAMES[BASE[speed]] + 1)


@given(sts.generators)
def test_13_a_pause_freezes_the_game(rng: np.random.Generator) -> None:
    batch = dm.Batch(num_envs=1, threads=1)
    batch.reset(int(rng.integers(21)), int(rng.integers(3)), int(rng.integers(2, 65536)))
    while batch.state["p1_next_action"][0] != FALL:
        batch.step(np.zeros((1, 1), np.uint8))
    batch.run(sts.human_buttons(rng, int(rng.integers(1, 12)), 1))
    before = None
    noise = sts.storm(rng, 30, 1) & ~np.uint8(sts.START)
    for held in (np.full((1, 1), sts.START, np.uint8), *noise):
        if batch.state["p1_next_action"][0] != FALL:
            return
        batch.step(held)
        now = batch.state.copy()
        assert now["pause_audio_flag"][0] == 5
        for name in ("frame_counter", "p1_held", "p1_pressed", "p1_status"):  # these go on
            now[name] = 0
        before = now if before is None else before
        assert (now == before).all(), [name for name in now.dtype.names if (now[name] != before[name]).any()]
    batch.step(np.zeros((1, 1), np.uint8))
    batch.step(np.full((1, 1), sts.START, np.uint8))
    assert batch.state["pause_audio_flag"][0] == 0


@given(sts.levels, sts.speeds, sts.seeds)
def test_14_layouts(level: int, speed: int, seed: int) -> None:
    batch = dm.Batch(num_envs=3, threads=1)
    batch.reset(level, [speed, 0, 2], seed, [0, 77, 200])
    bottles = batch.bottles[:, 0]
    assert (bottles == bottles[0]).all(), "a layout must not depend on speed or frame counter"
    viruses = bottles[0] != EMPTY
    assert viruses.sum() == 4 * (level + 1)
    assert not viruses[: 15 - (9 if level < 15 else 10 if level < 17 else 11 if level < 19 else 12)].any()
    color = np.where(viruses, bottles[0], np.arange(128).reshape(16, 8) + 1000)
    assert not (color[2:] == color[:-2]).any() and not (color[:, 2:] == color[:, :-2]).any()


def test_16_equal_players_stay_equal_until_an_attack(rng_seed: int = 5) -> None:
    rng = np.random.default_rng(rng_seed)
    batch = dm.Batch(num_envs=32, players=2)
    batch.reset(rng.integers(0, 21, 32), rng.integers(0, 3, 32), rng.integers(2, 65536, 32))
    buttons = sts.human_buttons(rng, 2500, 32).repeat(2, axis=2)
    names = [name for name in batch.state.dtype.names if name.startswith("p1_")]
    rows = batch.run(buttons, record=tuple(names + ["p2" + name[2:] for name in names]))
    # P1 acts first, so a game is compared until the first stored attack, or the end of its round.
    quiet = np.cumsum((rows["p1_attack_size"] > 0) | (rows["p1_next_action"] == 4) | (rows["p1_victories"] > 0), 0) == 0
    assert quiet.mean() > 0.2
    for name in names:
        np.testing.assert_array_equal(rows[name][quiet], rows["p2" + name[2:]][quiet], err_msg=name)


@pytest.mark.parametrize("permutation", [(1, 2, 0), (0, 2, 1), (2, 1, 0)])
def test_17_colors_are_interchangeable(permutation: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(9)
    swap = np.array(permutation, np.uint8)
    ours, swapped = dm.Batch(num_envs=24), dm.Batch(num_envs=24)
    ours.reset(rng.integers(0, 21, 24), rng.integers(0, 3, 24), rng.integers(2, 65536, 24))
    state = ours.state.copy()
    bottle = state["p1_bottle"]
    state["p1_bottle"] = np.where(bottle == EMPTY, EMPTY, (bottle & 0xF0) | swap[np.minimum(bottle & 15, 2)])
    for name in ("p1_next_color_l", "p1_next_color_r", "p1_pill_color_l", "p1_pill_color_r"):
        state[name] = swap[state[name]]
    reserve = ours.state["reserve"]
    swapped.set_state(state, 3 * swap[reserve // 3] + swap[reserve % 3])
    buttons = sts.human_buttons(rng, 2000, 24)
    a, b = ours.run(buttons, record=("p1_bottle", "score2")), swapped.run(buttons, record=("p1_bottle", "score2"))
    expected = np.where(a["p1_bottle"] >= 0xF0, a["p1_bottle"], (a["p1_bottle"] & 0xF0) | swap[a["p1_bottle"] % 16 % 3])
    expected = np.where(kind(a["p1_bottle"]) == 0xF0, b["p1_bottle"], expected)  # just-emptied cells keep a colour
    np.testing.assert_array_equal(b["p1_bottle"], expected)
    np.testing.assert_array_equal(a["score2"], b["score2"])
