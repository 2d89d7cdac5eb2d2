"""Which game a first state belongs to: seed, level, speed, frame counter, and whether the state was tampered with."""

import numpy as np
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario import seeds
from mlx_drmario.spec import FALL, PLAY, SETUP, from_bcd
from mlx_drmario.traces import schema
from mlx_drmario.traces.games import Games, Table


def derived(games: Games) -> Table:
    """Every episode column that follows from first states and rows: those of `identify`, viruses, viruses_left, and,
    of episodes of placements, frames."""
    episode, seats, count = games.episode, games.players, len(games)
    slot = np.repeat(np.arange(count), episode["decisions"]) * seats + games.decision["player"]
    cleared, tau = (
        np.bincount(slot, games.decision[name], count * seats).reshape(-1, seats) for name in ("viruses_cleared", "tau")
    )
    seat = [f"p{s + 1}_" for s in range(seats)]
    shown = np.stack([from_bcd(games.start[f"{p}virus_left_bcd"].astype(np.int64)) for p in seat], -1)
    made = 4 * (np.minimum(np.stack([games.start[f"{p}level"] for p in seat], -1).astype(np.int64), 20) + 1)
    viruses = np.where((games.start["mode"] != PLAY)[:, None], made, shown)  # before play the layout is not made yet
    frames = np.where(episode["buttons"] > 0, episode["frames"], tau.max(axis=1))
    told: Table = {"viruses": viruses, "viruses_left": viruses - cleared, "frames": frames}
    for name, value in told.items():
        column = schema.EPISODE[name]
        told[name] = value.reshape(count, *schema.row_shape(column, seats)).astype(column.dtype)
    return identify(games.start, seats) | told


def identify(start: NDArray[np.void], players: int) -> Table:
    """Episode columns seed, level, speed, frame_counter and custom of first states [E].

    The capsules tell the seed; level and speed are in the state. The state is then compared with what `reset` gives,
    at the set-up, in the first sample of play, or parked before the first capsule; custom is 1 where it is none of
    these, and start alone says how the game begins.
    """
    count = len(start)
    seat = [f"p{s + 1}_" for s in range(players)]
    level = np.stack([start[f"{p}level"] for p in seat], axis=-1)
    speed = np.stack([start[f"{p}speed_setting"] for p in seat], axis=-1)
    at_setup = start["mode"] == SETUP
    word = start["rng0"].astype(np.uint16) << 8 | start["rng1"]
    seed = np.where(at_setup, word, seeds.find(start["reserve"]))
    found = np.zeros(count, np.bool_)
    clock = start["frame_counter"].copy()
    for delay, possible in _delays(start, speed, players):
        some = np.flatnonzero(possible & (seed >= 2) & ~found)
        if len(some):
            counter = (start["frame_counter"][some] - np.uint8(delay)).astype(np.uint8)
            same = _plays_into(start[some], delay, level[some], speed[some], seed[some], counter, players)
            clock[some[same]] = counter[same]
            found[some] = same
    held = tuple(f"{p}held" for p in seat)  # buttons that are still down decide nothing but the next new presses
    set_up = at_setup & (seed >= 2) & _equal(start, _setup(start, level, speed, seed, players), held)
    clock[set_up] += _frames_to_play(start[set_up], players)
    found |= set_up
    shape = (count, *schema.row_shape(schema.EPISODE["level"], players))
    return {
        "seed": seed.astype(np.uint16),
        "level": level.reshape(shape),
        "speed": speed.reshape(shape),
        "frame_counter": clock,
        "custom": (~found).astype(np.uint8),
    }


def _delays(start: NDArray[np.void], speed: NDArray[np.uint8], players: int) -> list[tuple[int, NDArray[np.bool_]]]:
    """Frames from the first sample of play to a first state, and for which states [E] that may be.

    Parked ones come later, by docs/rules.md 5.1 and 7.1; on LOW that depends on the counter.
    """
    parked = (start["mode"] == PLAY) & (start["p1_next_action"] == FALL)
    if players == 2:
        return [(0, ~parked), (2, parked)]
    low = speed[:, 0] == 0
    return [(0, ~parked), (23, parked & ~low), (44, parked & low), (45, parked & low)]


def _frames_to_play(start: NDArray[np.void], players: int) -> NDArray[np.uint8]:
    """u8[E]: frames from the set-up to the first sample of play, modulo 256: as many as the viruses take to place."""
    if not len(start):
        return np.zeros(0, np.uint8)
    batch = dm.Batch(num_envs=len(start), players=players)
    batch.set_state(start)
    made = np.zeros(len(start), np.uint8)
    while (waiting := batch.state["mode"] != PLAY).any():
        batch.step(np.zeros((len(start), players), np.uint8))
        made += waiting
    return made


def _plays_into(
    start: NDArray[np.void],
    delay: int,
    level: NDArray[np.uint8],
    speed: NDArray[np.uint8],
    seed: NDArray[np.integer],
    counter: NDArray[np.uint8],
    players: int,
) -> NDArray[np.bool_]:
    """bool[E]: whether `delay` frames without a button lead from the first sample of play to the state."""
    batch = dm.Batch(num_envs=len(start), players=players)
    batch.reset(schema.for_reset(level), schema.for_reset(speed), seed, counter)
    if delay:
        batch.run(np.zeros((delay, len(start), players), np.uint8))
    return _equal(start, batch.state)


def _setup(
    start: NDArray[np.void],
    level: NDArray[np.uint8],
    speed: NDArray[np.uint8],
    seed: NDArray[np.integer],
    players: int,
) -> NDArray[np.void]:
    batch = dm.Batch(num_envs=len(start), players=players)
    batch.reset(schema.for_reset(level), schema.for_reset(speed), seed, start["frame_counter"], start="init")
    return batch.state


def _equal(first: NDArray[np.void], second: NDArray[np.void], but: tuple[str, ...] = ()) -> NDArray[np.bool_]:
    """bool[E]: states equal in every field but some."""
    sides = [schema.packed_states(states) for states in (first, second)]
    for side in sides:
        for name in but:
            side[name] = 0
    whole = np.dtype((np.void, sides[0].dtype.itemsize))
    same: NDArray[np.bool_] = sides[0].view(whole) == sides[1].view(whole)
    return same
