"""Two-player decisions equal frame-by-frame play of both seats' scripts, in every field and event column."""

import numpy as np
import pytest
from hypothesis import given, settings

import mlx_drmario as dm
from mlx_drmario.search import script_of
from tests import cpp
from tests import strategies as sts

from .test_decisions import random_legal

FALL, ATTACK = 0, 2
# What belongs to the capsule in the air, which a decision loop does not simulate; stale until the next spawn.
IN_THE_AIR = ("pill_x", "pill_y", "pill_rotation", "speed_counter", "speed_index", "held", "pressed", "chain_len")


class Console:
    """One round played frame by frame with the buttons of both sides' scripts."""

    def __init__(self, state: np.ndarray) -> None:
        self.batch = dm.Batch(num_envs=1, players=2, threads=1)
        self.batch.set_state(state)
        self.scripts: list[np.ndarray] = [np.zeros(0, np.uint8)] * 2
        self.frames = np.zeros(2, int)
        self.sent, self.received = np.zeros(2, int), np.zeros(2, int)

    def decide(self, side: int, action: int) -> None:
        self.scripts[side] = script_of(self.batch.state[0], action, side)
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
            if (self.state[p + "bottle"] != before[p + "bottle"]).any():
                pending = int(before[f"p{rival + 1}_attack_size"])
                if side == 1 and before["p1_next_action"] == ATTACK and before["p1_combo"] >= 2:
                    pending += int(before["p1_combo"])
                self.received[side] += min(pending, 4)


def compare(duel: dm.Decisions, console: Console, n: int) -> None:
    ours = duel.state[n]
    for name in ours.dtype.names:
        side = {"p1": 0, "p2": 1}.get(name[:2])
        if name.endswith("hor_velocity"):
            continue
        if side is not None and not duel.to_act[n, side] and name[3:] in IN_THE_AIR:
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
    duel = dm.Decisions(num_envs=games, players=2, threads=1)
    level, speed = rng.integers(0, 21, (games, 2)), rng.integers(0, 3, (games, 2))
    duel.reset(level, speed, rng.integers(2, 65536, games), rng.integers(0, 256, games))
    if rng.random() < 0.6:
        state = duel.state.copy()
        add_garbage_chances(state, rng)
        duel.set_state(state)
    consoles = [Console(duel.state[n : n + 1]) for n in range(games)]
    for _ in range(int(rng.integers(5, 40))):
        actions = random_legal(rng, duel.legal.reshape(-1, 512)).reshape(games, 2)
        due = duel.to_act.copy()
        running = ~duel.ended
        duel.step(actions)
        for n in np.flatnonzero(running):
            console = consoles[n]
            for side in np.flatnonzero(due[n]):
                console.decide(int(side), int(actions[n, side]))
            console.play()
            compare(duel, console, n)
            assert duel.ended[n] == console.over()
            if not console.over():
                np.testing.assert_array_equal(duel.to_act[n], [console.waiting(0), console.waiting(1)])
            told = duel.to_act[n] | console.over()  # a decision is told of when it is over, and of nothing else
            np.testing.assert_array_equal(duel.tau[n], np.where(told, console.frames, 0))
            np.testing.assert_array_equal(duel.attack_sent[n], np.where(told, console.sent, 0))
            np.testing.assert_array_equal(duel.garbage_received[n], np.where(told, console.received, 0))


def test_rounds_meet_every_kind_of_end_and_attack() -> None:
    """The law above is only worth something if its games contain attacks, garbage and all winners."""
    rng = np.random.default_rng(0)
    duel = dm.Decisions(num_envs=64, players=2)
    duel.reset(rng.integers(0, 4, (64, 2)), 2, rng.integers(2, 65536, 64))
    state = duel.state.copy()
    add_garbage_chances(state, rng)
    duel.set_state(state)
    sent = received = 0
    winners: set[int] = set()
    for _ in range(300):
        duel.step(random_legal(rng, duel.legal.reshape(-1, 512)).reshape(64, 2))
        sent += int(duel.attack_sent.sum())
        received += int(duel.garbage_received.sum())
        winners |= set(duel.winner[duel.ended].tolist())
    assert duel.ended.sum() > 20 and sent > 20 and received > 20
    assert winners >= {1, 2}


def test_player_2_does_not_act_in_the_frame_of_player_1_s_third_crown() -> None:
    """All placements of player 2 against a clear of player 1, one of them due to lock in that very frame."""
    duel = dm.Decisions(num_envs=1, players=2, threads=1)
    state = duel.state.copy()
    cells = np.full((16, 8), 0xFF, np.uint8)
    cells[5, 0], cells[3:5, 0] = 0xD0, 0x80  # a yellow virus under two yellow halves
    for p in ("p1_", "p2_"):
        state[p + "bottle"], state[p + "virus_left_bcd"], state[p + "victories"] = cells.reshape(128), 1, 2
        cells[5:, 0] = [
            0xD1,
            *[0x80, 0x81, 0x82] * 3,
            0x80,
        ]  # player 2: stairs, so that falls of every length are there
        for col in range(1, 8):
            cells[6 + col :, col] = 0x80 + (np.arange(10 - col) + col) % 3
        state[p + "pill_color_l"] = state[p + "pill_color_r"] = 0 if p == "p1_" else 1
    state["p2_speed_setting"], state["p2_speed_ups"] = 2, 49  # a row a frame: soft drops alone end in odd frames only
    duel.set_state(state)
    clearing = 128 + 8  # upright on top of them
    start, ends = duel.save(), []
    for action in np.flatnonzero(duel.legal[0, 1]):
        duel.load(start)
        falls = int(duel.frames_to_lock[0, 1, action])
        console = Console(duel.state[:1])
        for seat, chosen in enumerate((clearing, int(action))):
            console.decide(seat, chosen)
        duel.step([[clearing, action]])
        console.play()
        compare(duel, console, 0)
        assert duel.winner[0] == 1 and duel.state["mode"][0] == 7
        ends.append(falls == duel.tau[0, 0])
    assert any(ends) and not all(ends)


def test_a_match_that_is_won_does_not_go_on() -> None:
    games = dm.Decisions(num_envs=1, players=2, threads=1)
    games.reset(0, 2, 0x8988)
    state = games.state.copy()
    for side in ("p1", "p2"):
        won = state.copy()
        won[f"{side}_victories"] = 3
        with pytest.raises(ValueError, match="victories must be 0 to 2 in a match of two players"):
            games.set_state(won)


def test_an_ended_round_tells_nothing_twice() -> None:
    rng = np.random.default_rng(3)
    duel = dm.Decisions(num_envs=16, players=2)
    duel.reset(3, 2, rng.integers(2, 65536, 16))
    tau, cleared, top_out = np.zeros((16, 2), int), np.zeros((16, 2), int), np.zeros((16, 2), int)
    for step in range(200):
        duel.step(duel.sample_legal(step))
        tau, cleared, top_out = tau + duel.tau, cleared + duel.cleared, top_out + duel.top_out
    assert duel.ended.all()
    np.testing.assert_array_equal(tau, duel.frames)
    np.testing.assert_array_equal(tau[:, 0], tau[:, 1])  # both seats sat through the same frames
    np.testing.assert_array_equal((cleared + top_out).sum(axis=1) > 0, True)
    assert max(cleared.max(), top_out.max()) == 1
    before = duel.save()
    duel.step(np.zeros((16, 2), int))
    assert duel.save() == before and not duel.tau.any() and not duel.top_out.any()


def test_a_masked_reset_empties_the_columns_of_all_games() -> None:
    duel = dm.Decisions(num_envs=2, players=2)
    duel.step(duel.sample_legal(0))
    assert duel.tau.any(axis=1).all()
    before = duel.digest()
    duel.reset(4, 1, 0x1234, mask=np.array([True, False]))
    assert not duel.tau.any() and duel.digest()[1] == before[1] != duel.digest()[0]


def test_afterstates_equal_steps_where_the_opponent_sends_nothing() -> None:
    rng = np.random.default_rng(5)
    duel = dm.Decisions(num_envs=3, players=2, threads=1)
    duel.reset(2, 2, rng.integers(2, 65536, 3))
    for step in range(8):
        duel.step(duel.sample_legal(step))
    after, blob = duel.afterstates(), duel.save()
    rows = np.stack([after.env, after.player, after.action])
    np.testing.assert_array_equal(rows, np.stack(np.nonzero(duel.legal)))
    compared = 0
    for row in rng.choice(len(after.action), 60, replace=False):
        n, seat = after.env[row], after.player[row]
        duel.load(blob)
        action = duel.sample_legal(int(row))
        action[n, seat] = after.action[row]
        while True:
            duel.step(action)
            if duel.tau[n, seat] or duel.ended[n]:
                break
            action = duel.sample_legal(0)
        if duel.garbage_received[n, seat] or duel.ended[n]:
            continue  # not what the afterstate assumes
        compared += 1
        for column in ("tau", "viruses_cleared", "halves_cleared", "combos", "attack_sent", "capsules"):
            assert getattr(after, column)[row] == getattr(duel, column)[n, seat], column
        np.testing.assert_array_equal(after.bottle[row], duel.public["bottle"][n, seat])
    assert compared > 30


def test_both_seats_start_together_and_snapshots_restore() -> None:
    rng = np.random.default_rng(1)
    duel = dm.Decisions(num_envs=5, players=2)
    duel.reset(3, [[0, 2]] * 5, 0x8988)
    assert duel.to_act.all() and duel.legal.any(axis=2).all() and (duel.tau == 0).all()
    for _ in range(7):
        duel.step(random_legal(rng, duel.legal.reshape(-1, 512)).reshape(5, 2))
    other = dm.Decisions(num_envs=5, players=2)
    other.load(duel.save())
    for name in ("planes", "scalars", "legal", "frames_to_lock", "to_act", "winner", "ended", "decisions", "frames"):
        np.testing.assert_array_equal(getattr(other, name), getattr(duel, name), err_msg=name)
    actions = random_legal(rng, duel.legal.reshape(-1, 512)).reshape(5, 2)
    duel.step(actions)
    other.step(actions)
    assert other.save() == duel.save()


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda v: v.step(np.zeros((2, 2), np.int32)), ValueError, r"action\[0, 0\] is 0"),
        (lambda v: v.step(np.zeros((2, 2))), TypeError, "action must be integers, not float64"),
        (lambda v: v.reset(0, 0, [5, 1]), ValueError, "seed is 1"),
        (lambda v: v.reset([[0, 1], [2, 30]], 0, 5), ValueError, r"level\[1, 1\] is 30"),
        (lambda v: v.load(b""), ValueError, "blob does not fit"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(call, error, sentence) -> None:  # type: ignore[no-untyped-def]
    duel = dm.Decisions(num_envs=2, players=2)
    before = duel.save()
    with pytest.raises(error, match=sentence):
        call(duel)
    assert duel.save() == before


def test_equals_frame_by_frame_play_at_scale() -> None:
    assert cpp.run("warp_two", 20_000, 1).endswith(": equal\n")


@pytest.mark.slow
def test_equals_frame_by_frame_play_over_a_million_decisions() -> None:
    assert cpp.run("warp_two", 1_000_000, 2).endswith(": equal\n")
