"""Two-player decisions equal frame-by-frame play of both sides' scripts, in every field and event column."""

import numpy as np
import pytest
from hypothesis import given, settings

import mlx_drmario as dm
from tests import cpp
from tests import strategies as sts

from .test_decisions import random_legal

FALL, RESOLVE, ATTACK, IDLE = 0, 1, 2, 4
# What belongs to the capsule in the air, which a decision loop does not simulate; stale until the next spawn.
IN_THE_AIR = ("pill_x", "pill_y", "pill_rotation", "speed_counter", "speed_index", "held", "pressed", "chain_len")


def script_of(state: np.void, side: int, action: int) -> np.ndarray:
    p = f"p{side + 1}_"
    colors = np.array([state[p + "pill_color_l"], state[p + "pill_color_r"]], np.uint8)
    return dm.script(
        state[p + "bottle"], colors, int(state["frame_counter"]), int(state[p + "speed_setting"]),
        int(state[p + "speed_ups"]), action,
    )  # fmt: skip


class Console:
    """One round played frame by frame with the buttons of both sides' scripts."""

    def __init__(self, state: np.ndarray) -> None:
        self.batch = dm.Batch(num_envs=1, players=2, threads=1)
        self.batch.set_state(state)
        self.scripts: list[np.ndarray] = [np.zeros(0, np.uint8)] * 2
        self.frames = np.zeros(2, int)
        self.sent, self.received = np.zeros(2, int), np.zeros(2, int)

    def decide(self, side: int, action: int) -> None:
        self.scripts[side] = script_of(self.batch.state[0], side, action)
        self.frames[side] = self.sent[side] = self.received[side] = 0

    @property
    def state(self) -> np.void:
        return self.batch.state[0]

    def over(self) -> bool:
        return self.state["mode"] != 4 or self.state["mode_step"] != 0

    def waiting(self, side: int) -> bool:
        return len(self.scripts[side]) == 0 and self.state[f"p{side + 1}_next_action"] == FALL

    def play(self) -> None:
        """Until a side waits for a decision or the round is over."""
        while not self.over() and not self.waiting(0) and not self.waiting(1):
            buttons = np.zeros((1, 2), np.uint8)
            for side in range(2):
                if len(self.scripts[side]):
                    buttons[0, side], self.scripts[side] = self.scripts[side][0], self.scripts[side][1:]
            before = self.state.copy()
            self.batch.step(buttons)
            self.frames += 1
            self.count_attacks(before)

    def count_attacks(self, before: np.void) -> None:
        for side in range(2):
            p, rival = f"p{side + 1}_", 1 - side
            if before[p + "next_action"] != ATTACK:
                continue
            if before[p + "combo"] >= 2:
                self.sent[side] += before[p + "combo"]
            if self.state[p + "next_action"] == RESOLVE:
                pending = int(before[f"p{rival + 1}_attack_size"])
                if side == 1 and before["p1_next_action"] == ATTACK and before["p1_combo"] >= 2:
                    pending += int(before["p1_combo"])
                self.received[side] += min(pending, 4)


def compare(versus: dm.Versus, console: Console, n: int) -> None:
    ours = versus.state[n]
    for name in ours.dtype.names:
        side = {"p1": 0, "p2": 1}.get(name[:2])
        if name.endswith("hor_velocity"):
            continue
        if side is not None and not versus.to_act[n, side] and name[3:] in IN_THE_AIR:
            continue
        assert (ours[name] == console.state[name]).all(), (name, ours[name], console.state[name])


def add_garbage_chances(state: np.ndarray, rng: np.random.Generator) -> None:
    """Fills the bottles with triples on a floor of viruses, so that combos and attacks happen often."""
    for p in ("p1_", "p2_"):
        for record in state:
            cells = np.full((16, 8), 0xFF, np.uint8)
            cells[15] = 0xD0 + rng.integers(0, 3, 8)
            for col in range(8):
                cells[12:15, col] = 0x80 + rng.integers(0, 3)
            record[p + "bottle"] = cells.reshape(128)
            record[p + "virus_left_bcd"] = 8


@given(sts.generators)
@settings(max_examples=10)
def test_equals_frame_by_frame_play(rng: np.random.Generator) -> None:
    games = 3
    versus = dm.Versus(num_envs=games, threads=1)
    level, speed = rng.integers(0, 21, (games, 2)), rng.integers(0, 3, (games, 2))
    versus.reset(level, speed, rng.integers(2, 65536, games), rng.integers(0, 256, games))
    if rng.random() < 0.6:
        state = versus.state
        add_garbage_chances(state, rng)
        versus.set_state(state)
    consoles = [Console(versus.state[n : n + 1]) for n in range(games)]
    for _ in range(int(rng.integers(5, 40))):
        actions = random_legal(rng, versus.legal.reshape(-1, 512)).reshape(games, 2)
        due = versus.to_act.copy()
        running = ~versus.ended
        versus.step(actions)
        for n in np.flatnonzero(running):
            console = consoles[n]
            for side in np.flatnonzero(due[n]):
                console.decide(int(side), int(actions[n, side]))
            console.play()
            compare(versus, console, n)
            assert versus.ended[n] == console.over()
            np.testing.assert_array_equal(versus.tau[n], console.frames)
            np.testing.assert_array_equal(versus.attack_sent[n], console.sent)
            np.testing.assert_array_equal(versus.garbage_received[n], console.received)
            if not console.over():
                np.testing.assert_array_equal(versus.to_act[n], [console.waiting(0), console.waiting(1)])


def test_rounds_meet_every_kind_of_end_and_attack() -> None:
    """The law above is only worth something if its games contain attacks, garbage and all winners."""
    rng = np.random.default_rng(0)
    versus = dm.Versus(num_envs=64)
    versus.reset(rng.integers(0, 4, (64, 2)), 2, rng.integers(2, 65536, 64))
    state = versus.state
    add_garbage_chances(state, rng)
    versus.set_state(state)
    sent = received = 0
    winners: set[int] = set()
    for _ in range(300):
        versus.step(random_legal(rng, versus.legal.reshape(-1, 512)).reshape(64, 2))
        done = versus.to_act | versus.ended[:, None]
        sent += int(versus.attack_sent[done].sum())
        received += int(versus.garbage_received[done].sum())
        winners |= set(versus.winner[versus.ended].tolist())
    assert sent > 20 and received > 20
    assert winners >= {1, 2}


def test_both_sides_start_together_and_snapshots_restore() -> None:
    rng = np.random.default_rng(1)
    versus = dm.Versus(num_envs=5)
    versus.reset(3, [[0, 2]] * 5, 0x8988)
    assert versus.to_act.all() and versus.legal.any(axis=2).all() and (versus.tau == 0).all()
    for _ in range(7):
        versus.step(random_legal(rng, versus.legal.reshape(-1, 512)).reshape(5, 2))
    other = dm.Versus(num_envs=5)
    other.load(versus.save())
    for name in ("planes", "scalars", "legal", "frames_to_lock", "to_act", "tau", "winner", "ended", "attack_sent"):
        np.testing.assert_array_equal(getattr(other, name), getattr(versus, name), err_msg=name)
    actions = random_legal(rng, versus.legal.reshape(-1, 512)).reshape(5, 2)
    versus.step(actions)
    other.step(actions)
    assert other.save() == versus.save()


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda v: v.step(np.zeros((2, 2), np.int32)), ValueError, r"action\[0, 0\] is 0"),
        (lambda v: v.step(np.zeros((2, 2), int)), TypeError, "action has dtype int64"),
        (lambda v: v.reset(0, 0, [5, 1]), ValueError, "seed is 1"),
        (lambda v: v.reset([[0, 1], [2, 30]], 0, 5), ValueError, r"level\[3\] is 30"),
        (lambda v: v.load(b""), ValueError, "blob does not fit"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(call, error, sentence) -> None:  # type: ignore[no-untyped-def]
    versus = dm.Versus(num_envs=2)
    before = versus.save()
    with pytest.raises(error, match=sentence):
        call(versus)
    assert versus.save() == before


def test_equals_frame_by_frame_play_at_scale() -> None:
    assert cpp.run("warp_versus", 20_000, 1).endswith(": equal\n")


@pytest.mark.slow
def test_equals_frame_by_frame_play_over_a_million_decisions() -> None:
    assert cpp.run("warp_versus", 1_000_000, 2).endswith(": equal\n")
