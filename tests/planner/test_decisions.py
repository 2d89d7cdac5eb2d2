"""Laws of the decision loop: clocks equal frames, masks equal the planner, afterstates equal steps."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlx_drmario as dm
from mlx_drmario import _core
from mlx_drmario.search import script_of
from tests import cpp
from tests import strategies as sts

HALVES = (0x40, 0x50, 0x60, 0x70, 0x80)
FALL, RESOLVE, ATTACK, TIDY, VIRUS, CLEARING = 0, 1, 2, 7, 0xD0, 0xB0


def random_legal(rng: np.random.Generator, legal: np.ndarray) -> np.ndarray:
    """i32[N]: a uniformly drawn legal action of every game (0 where there is none)."""
    return np.argmax(np.where(legal, rng.random(legal.shape), -1.0), axis=1).astype(np.int32)


def fresh(rng: np.random.Generator, games: int, **options: int) -> dm.Decisions:
    decisions = dm.Decisions(num_envs=games, threads=1, **options)
    decisions.reset(
        rng.integers(0, 21, games),
        rng.integers(0, 3, games),
        rng.integers(2, 65536, games),
        rng.integers(0, 256, games),
    )
    return decisions


def visited(rng: np.random.Generator, games: int, steps: int) -> Iterator[dm.Decisions]:
    """Random games at every decision of their first `steps`."""
    decisions = fresh(rng, games)
    for _ in range(steps):
        yield decisions
        decisions.step(random_legal(rng, decisions.legal))


def replay(state: np.ndarray, script: np.ndarray) -> tuple[dict[str, np.ndarray], dm.Batch, int]:
    """Plays a script and then nothing until the next parked moment or the end: (rows, batch, frames)."""
    batch = dm.Batch(num_envs=1, threads=1)
    batch.set_state(state)
    names = ("p1_bottle", "p1_next_action", "p1_placed_step", "p1_match_flag", "p1_combo", "mode", "p1_virus_left_bcd")
    names += ("p1_pill_x", "p1_pill_y", "p1_pill_rotation")
    buttons = np.zeros((len(script) + 2000, 1, 1), np.uint8)
    buttons[: len(script), 0, 0] = script
    start = batch.save()
    rows = {name: values[:, 0] for name, values in batch.run(buttons, record=names).items()}
    over = (rows["mode"] != 4) | (rows["p1_virus_left_bcd"] == 0)
    parked = (rows["p1_next_action"] == FALL) & (np.arange(len(over)) >= len(script))
    frames = int(np.argmax(over | parked)) + 1
    batch.load(start)
    batch.run(buttons[:frames])
    return rows, batch, frames


@given(sts.generators)
@settings(max_examples=25)
def test_warp_equals_frame_by_frame_play(rng: np.random.Generator) -> None:
    """Full state and every event column after a decision equal the script played in the engine."""
    for decisions in visited(rng, 4, 12):
        actions = random_legal(rng, decisions.legal)
        before, frames_to_lock = decisions.state.copy(), decisions.frames_to_lock.copy()
        running = ~decisions.ended
        other = dm.Decisions(num_envs=4, threads=1)
        other.load(decisions.save())
        other.step(actions)
        for n in np.flatnonzero(running):
            script = script_of(before[n], int(actions[n]))
            assert len(script) == frames_to_lock[n, actions[n]]
            rows, batch, frames = replay(before[n : n + 1], script)
            for name in batch.state.dtype.names:
                if name != "p1_hor_velocity":
                    assert (batch.state[name][0] == other.state[name][n]).all(), (name, frames)
            check_events(other, n, before[n], rows, frames)


def check_events(decisions: dm.Decisions, n: int, before: np.void, rows: dict[str, np.ndarray], frames: int) -> None:
    """The event columns against what the recorded rows show, counted in another way."""
    window = {name: values[:frames] for name, values in rows.items()}
    assert decisions.tau[n] == frames
    bottles = np.concatenate([before["p1_bottle"][None], window["p1_bottle"]])
    appeared = ((bottles[1:] & 0xF0) == CLEARING) & ((bottles[:-1] & 0xF0) != CLEARING)
    viruses = int((appeared & ((bottles[:-1] & 0xF0) == VIRUS)).sum())
    assert decisions.viruses_cleared[n] == viruses
    assert decisions.halves_cleared[n] == int(appeared.sum()) - viruses
    colors = (bottles[:-1] & 15)[appeared & ((bottles[:-1] & 0xF0) == VIRUS)]
    np.testing.assert_array_equal(decisions.viruses_by_color[n], np.bincount(colors, minlength=3))
    assert decisions.capsules[n] == 1
    cleared = window["p1_virus_left_bcd"][-1] == 0
    assert decisions.cleared[n] == cleared
    assert decisions.top_out[n] == (window["mode"][-1] == 5)
    assert decisions.combos[n] == window["p1_combo"].max()
    assert decisions.won[n] == cleared and not decisions.attack_sent[n] and not decisions.garbage_received[n]
    assert decisions.runs_after_first[n] == max(int(decisions.combos[n]) - 1, 0)
    assert decisions.passes_after_first[n] == max(int(decisions.cascade[n]) - 1, 0)
    tidied = (window["p1_next_action"] == RESOLVE) & (window["p1_placed_step"] == TIDY) & (window["p1_match_flag"] > 0)
    assert decisions.cascade[n] == tidied.sum() or (cleared and decisions.cascade[n] == tidied.sum() + 1)


@given(sts.generators)
@settings(max_examples=25)
def test_every_legal_script_locks_exactly_there_and_then(rng: np.random.Generator) -> None:
    *_, decisions = visited(rng, 1, int(rng.integers(1, 25)))
    state = decisions.state[0].copy()
    legal = np.flatnonzero(decisions.legal[0])
    for action in rng.choice(legal, min(len(legal), 25), replace=False):
        script = script_of(state, int(action))
        rows, _, _ = replay(decisions.state[:1].copy(), script)
        lock = int(np.argmax(rows["p1_next_action"] == RESOLVE))
        assert lock == len(script) - 1 == decisions.frames_to_lock[0, action] - 1
        added = np.flatnonzero((rows["p1_bottle"][lock] != 0xFF) & (state["p1_bottle"] == 0xFF))
        orientation, cell = divmod(int(action), 128)
        second = cell + (1, 8, -1, -8)[orientation]
        assert set(added) == {cell, second} - {second if second < 0 else None}
        assert rows["p1_bottle"][lock][cell] & 15 == state["p1_pill_color_l"]
        if second >= 0:
            assert rows["p1_bottle"][lock][second] & 15 == state["p1_pill_color_r"]


def test_every_game_is_played_however_many_threads() -> None:
    """Calls are short enough for a thread to sleep through some of them: the others do its share."""
    many, one = (dm.Decisions(num_envs=70, threads=threads) for threads in (5, 1))
    for step in range(300):
        action = one.sample_legal(step)
        assert (many.sample_legal(step) == action).all()
        for games in (many, one):
            games.step(action)
            games.reset(0, 2, 77 + step, mask=games.ended)
        assert (many.digest() == one.digest()).all()


def test_every_legal_placement_is_drawn_and_no_other() -> None:
    games = dm.Decisions(num_envs=1)
    games.reset(20, 2, 0x8988)
    legal = np.flatnonzero(games.legal[0])
    drawn = [int(games.sample_legal(seed)[0]) for seed in range(40 * len(legal))]
    assert sorted(set(drawn)) == legal.tolist()
    assert np.bincount(drawn).max() < 80  # 40 are expected


@given(sts.generators)
@settings(max_examples=15)
def test_masks_are_the_planner_s(rng: np.random.Generator) -> None:
    for decisions in visited(rng, 3, 6):
        s = decisions.state
        colors = np.stack([s["p1_pill_color_l"], s["p1_pill_color_r"]], axis=-1)
        frames = dm.reach(
            np.ascontiguousarray(s["p1_bottle"]), colors, s["frame_counter"], s["p1_speed_setting"], s["p1_speed_ups"]
        )
        frames[decisions.ended] = 65535
        np.testing.assert_array_equal(decisions.frames_to_lock, frames)
        np.testing.assert_array_equal(decisions.legal, frames != 65535)
        planes = decisions.planes[:, 8:12].reshape(3, 512)
        np.testing.assert_array_equal(planes, decisions.legal)
        equal = colors[:, 0] == colors[:, 1]
        for action in np.flatnonzero(decisions.legal[equal].any(axis=0)):
            assert dm.canonical(int(action)) == action


@given(sts.generators)
@settings(max_examples=15)
def test_afterstates_equal_steps(rng: np.random.Generator) -> None:
    *_, decisions = visited(rng, 2, int(rng.integers(1, 20)))
    after = decisions.afterstates()
    n, a = np.nonzero(decisions.legal)
    np.testing.assert_array_equal(after.env, n)
    np.testing.assert_array_equal(after.action, a)
    blob = decisions.save()
    for row in rng.choice(len(n), min(40, len(n)), replace=False):
        decisions.load(blob)
        action = random_legal(rng, decisions.legal)
        action[n[row]] = a[row]
        decisions.step(action)
        for column in dm.event_names():
            np.testing.assert_array_equal(getattr(after, column)[row], getattr(decisions, column)[n[row]], column)
        if not after.top_out[row]:
            np.testing.assert_array_equal(after.bottle[row], decisions.state["p1_bottle"][n[row]])


def test_hor_velocity_cannot_matter_when_nothing_was_held() -> None:
    """The one field in which a warp differs from play: the first press zeroes it, and without one nothing reads it.

    So a capsule's whole fall is the same whatever the value at its start, provided that nothing is held before, which
    the decision loop and its scripts guarantee for every capsule.
    """
    rng = np.random.default_rng(8)
    names = ("p1_bottle", "p1_pill_x", "p1_pill_y", "p1_pill_rotation", "p1_next_action", "p1_speed_counter")
    for decisions in visited(rng, 16, 12):
        state = decisions.state.copy()
        assert (state["p1_held"] == 0).all()
        buttons = sts.human_buttons(rng, 700, 16)
        outcomes = []
        for velocity in (0, 9, 15):
            state["p1_hor_velocity"] = velocity
            batch = dm.Batch(num_envs=16, threads=1)
            batch.set_state(state)
            rows = batch.run(buttons, record=names)
            falling = np.cumsum(rows["p1_next_action"] != FALL, axis=0) <= 1  # with the frame of the lock
            outcomes.append([values[falling].tobytes() for values in rows.values()])
        assert outcomes[0] == outcomes[1] == outcomes[2]


def test_frames_sum_to_the_design_s_clock() -> None:
    rng = np.random.default_rng(4)
    decisions = fresh(rng, 8)
    total, count = np.zeros(8, int), np.zeros(8, int)
    for _ in range(40):
        count += ~decisions.ended
        decisions.step(random_legal(rng, decisions.legal))
        total += decisions.tau
        np.testing.assert_array_equal(decisions.frames, total)
        np.testing.assert_array_equal(decisions.decisions, count)
    assert decisions.ended.any()
    ended = decisions.ended.copy()
    before = decisions.digest()
    decisions.step(random_legal(rng, decisions.legal))
    np.testing.assert_array_equal(decisions.digest()[ended], before[ended])
    assert (decisions.tau[ended] == 0).all() and not decisions.top_out[ended].any()


@pytest.mark.parametrize("threads", [2, 5])
def test_thread_count_changes_nothing(threads: int) -> None:
    results = []
    for count in (1, threads):
        rng = np.random.default_rng(11)
        decisions = dm.Decisions(num_envs=37, threads=count)
        decisions.reset(rng.integers(0, 21, 37), 2, rng.integers(2, 65536, 37))
        for _ in range(10):
            decisions.step(random_legal(rng, decisions.legal))
        after = decisions.afterstates()
        results.append((decisions.save(), decisions.planes.tobytes(), after.bottle.tobytes(), after.tau.tobytes()))
    assert results[0] == results[1]


def test_the_first_illegal_action_is_named() -> None:
    decisions = dm.Decisions(num_envs=2048, threads=4)
    wrong = decisions.legal.argmax(axis=1)
    wrong[300:] = 512
    for _ in range(20):
        with pytest.raises(ValueError, match=r"action\[300\] is 512"):
            decisions.step(wrong)


def test_truncation_and_reset() -> None:
    rng = np.random.default_rng(2)
    decisions = fresh(rng, 3, max_decisions=2)
    decisions.step(random_legal(rng, decisions.legal))
    assert not decisions.truncated.any()
    decisions.step(random_legal(rng, decisions.legal))
    assert decisions.truncated.all() and decisions.ended.all() and not decisions.legal.any()
    assert decisions.planes[:, 8:].any(axis=(1, 2, 3)).all(), "the final observation stays, for bootstrapping"
    loaded = dm.Decisions(num_envs=3, max_decisions=2)
    loaded.load(decisions.save())
    assert loaded.ended.all() and not loaded.truncated.any(), "nothing is told of what was before a snapshot"
    decisions.step(np.zeros(3, int))
    assert not decisions.truncated.any() and not decisions.tau.any(), "told once, also when no game is left"
    decisions.reset(3, 1, 0x8988, mask=np.array([False, True, False]))
    np.testing.assert_array_equal(decisions.ended, [True, False, True])
    assert decisions.viruses_left[1] == 16


@given(sts.generators, st.sampled_from(["bitplane", "extended"]))
@settings(max_examples=10)
def test_snapshots_restore_everything(rng: np.random.Generator, planes: str) -> None:
    decisions = fresh(rng, 3, planes=planes, max_decisions=7)  # type: ignore[arg-type]
    for _ in range(int(rng.integers(0, 9))):
        decisions.step(random_legal(rng, decisions.legal))
    other = dm.Decisions(num_envs=3, planes=planes, max_decisions=7)
    other.load(decisions.save())
    for name in ("planes", "scalars", "legal", "frames_to_lock", "ended", "decisions", "frames", "viruses_left"):
        np.testing.assert_array_equal(getattr(other, name), getattr(decisions, name), err_msg=name)
    actions = random_legal(rng, decisions.legal)
    decisions.step(actions)
    other.step(actions)
    assert other.save() == decisions.save()


GAMES = dm.Decisions(num_envs=2)
BOTTLE = np.full((1, 128), 0xFF, np.uint8)
COLORS = np.zeros((1, 2), np.uint8)
TALL = np.broadcast_to(np.uint8(0xFF), (1, 2**31, 8))


def parked(**changes: int) -> np.ndarray:
    """States [2] at the first decision, but for these fields of the match or of player 1."""
    games = dm.Decisions(num_envs=2, threads=1)
    games.reset(0, 2, 9)
    state = games.state.copy()
    for name, value in changes.items():
        state[name if name in (state.dtype.names or ()) else f"p1_{name}"] = value
    return state


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: dm.Decisions(num_envs=0), ValueError, "num_envs is 0"),
        (lambda: dm.Decisions(num_envs=1, planes="rgb"), ValueError, "planes is 'rgb'"),
        (lambda: dm.Decisions(num_envs=1, max_decisions=-1), ValueError, "max_decisions is -1"),
        (lambda: GAMES.reset(25, 0, 5), ValueError, "level is 25"),
        (lambda: GAMES.reset(0, 0, 0), ValueError, "seed is 0"),
        (lambda: GAMES.step(np.zeros(2)), TypeError, "action must be integers, not float64"),
        (lambda: GAMES.step([2**40, 0]), ValueError, r"action\[0\] is 1099511627776"),
        (lambda: GAMES.step(np.zeros(3, np.int32)), ValueError, r"action has shape \(3,\)"),
        (lambda: GAMES.step(np.full(2, 512, np.int32)), ValueError, r"action\[0\] is 512"),
        (lambda: GAMES.step(np.full(2, -1, np.int32)), ValueError, r"action\[0\] is -1"),
        (lambda: GAMES.step(np.zeros(2, np.int32)), ValueError, r"action\[0\] is 0, allowed are the legal actions"),
        (lambda: GAMES.reset(0, 0, 10**30), ValueError, f"seed is {10**30}, allowed are"),
        (lambda: GAMES.reset(0, 0, [2**70, "x"]), TypeError, "seed must be integers, not "),
        (lambda: GAMES.sample_legal(True), TypeError, "seed is True, allowed are whole numbers"),
        (lambda: GAMES.load(b""), ValueError, "blob does not fit"),
        (lambda: GAMES.set_state(parked(placed_step=3)), ValueError, "placed_step must be 0"),
        (lambda: GAMES.set_state(parked(fail_flag=1)), ValueError, "player 1: fail_flag must be 0"),
        (lambda: GAMES.set_state(parked(pill_thrown_frame=20)), ValueError, "pill_thrown_frame must be 0"),
        (lambda: dm.reach(BOTTLE[0], COLORS, 0, 0, 0), ValueError, "bottle has shape"),
        (lambda: dm.reach(BOTTLE.astype(float), COLORS, 0, 0, 0), TypeError, "bottle must be integers, not float64"),
        (lambda: dm.reach(TALL, COLORS, 0, 0, 0), ValueError, r"bottle has shape \(1, 2147483648, 8\)"),
        (lambda: dm.reach(BOTTLE, COLORS + 3, 0, 0, 0), ValueError, r"colors\[0, 0\] is 3"),
        (lambda: dm.reach(BOTTLE, COLORS, 0, 3, 0), ValueError, "speed is 3"),
        (lambda: dm.reach(BOTTLE, COLORS, 0, 0, 50), ValueError, r"speed_ups is 50, allowed are 0\.\.49"),
        (lambda: dm.reach(BOTTLE * 0 + 7, COLORS, 0, 0, 0), ValueError, r"bottle\[0, 0\] is 7"),
        (lambda: dm.script(BOTTLE[0], COLORS[0], 0, 0, 0, 0), ValueError, "action is 0, which cannot be reached"),
        (lambda: dm.script(BOTTLE[0], COLORS[0], 0, 0, 0, 512), ValueError, "action is 512"),
        (lambda: dm.canonical(-1), ValueError, "action is -1"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(call, error, sentence) -> None:  # type: ignore[no-untyped-def]
    before = GAMES.save()
    with pytest.raises(error, match=sentence):
        call()
    assert GAMES.save() == before


def test_warp_equals_play_at_scale() -> None:
    assert cpp.run("warp", 20_000, 1).endswith(": equal\n")


@pytest.mark.slow
def test_warp_equals_play_over_millions_of_decisions() -> None:
    assert cpp.run("warp", 5_000_000, 2).endswith(": equal\n")


@pytest.mark.parametrize("players", [1, 2])
def test_events_are_all_event_columns_together(players: int) -> None:
    games = dm.Decisions(num_envs=4, players=players, threads=1)
    games.reset(0, 2, np.arange(6, 14, 2))
    events = games.events  # a live view
    for step in range(12):
        games.step(games.sample_legal(step))
        assert events.shape == games.tau.shape and events.dtype.names == dm.event_names()
        for name in dm.event_names():
            np.testing.assert_array_equal(events[name], getattr(games, name), name)
    assert events["capsules"].any() and not events.flags.writeable


@pytest.mark.parametrize("seconds", [-1.0, 1e10, float("inf"), float("nan")])
def test_a_log_of_no_patience_that_can_be_counted_is_refused(seconds) -> None:  # type: ignore[no-untyped-def]
    said = re.escape(f"block_seconds is {seconds}, allowed are 0.0..1000000000.0")
    with pytest.raises(ValueError, match=said):
        _core.StepLog(GAMES, 1000, seconds, 10**6)


def test_shapes_that_are_allowed_are_named():
    with pytest.raises(ValueError, match=r"level has shape \(2,\), allowed are a scalar or \(3,\) or \(3, 1\)"):
        dm.Decisions(num_envs=3).reset(level=[0, 5], speed=2, seed=9)
    with pytest.raises(ValueError, match=r"seed has shape \(2,\), allowed are a scalar or \(3,\)"):
        dm.Decisions(num_envs=3).reset(level=0, speed=2, seed=[9, 8])
