"""What a trace file holds: its columns, its version, and where a file comes from. docs/traces.md is the long form.

One file holds games of one player or of two. Every group is a table whose datasets are its columns; decisions and
frames lie one after the other, and an episode says where its own begin and how many they are.
"""

import hashlib
import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario.files import TRACE
from mlx_drmario.machine import commit
from mlx_drmario.spec import ACTIONS, CELLS

FORMAT, VERSION = "mlx_drmario.trace", 1
SUFFIX = TRACE
CHUNK_ROWS = 4096
"""rows in a chunk of a file; smaller ones compress worse and are read more slowly"""
TOP_K = 5
"""best placements of the policy that a decision row keeps"""
UNFINISHED, CLEARED, TOP_OUT, TRUNCATED = range(4)
OUTCOMES = ("unfinished", "cleared", "top_out", "truncated")
"""names of the outcome codes; an unfinished game was still running when its recording ended"""
NO_ACTION = -1
"""the one placement without a name: upright in the top row with its first half above the bottle (played by hand)"""
DIGEST_SIZE = 16
"""bytes of a content hash (BLAKE2b)"""


@dataclass(frozen=True)
class Column:
    """A dataset: dtype and shape of one row, and its meaning."""

    dtype: str
    text: str
    shape: tuple[int, ...] = ()
    seat: bool = False
    """one value per player: an axis of length 2 in front of `shape` in files of two players"""


DECISION: dict[str, Column] = {
    "player": Column("u1", "whose decision, 0 or 1"),
    "bottle": Column("u1", "cells before the decision, index = row * 8 + col", (CELLS,)),
    "capsule": Column("u1", "colours of the falling capsule, first and second half", (2,)),
    "preview": Column("u1", "colours of the next capsule", (2,)),
    "frame_counter": Column("u1", "in the last sample before the first controllable frame"),
    "speed_ups": Column("u1", "speed-ups so far"),
    "legal": Column("u1", "the 512 legal placements, bit i of byte j is action 8 * j + i", (ACTIONS // 8,)),
    "action": Column("i2", "placement, o * 128 + row * 8 + col; -1: the one without a name"),
    "log_prob": Column("f4", "of the action under the policy; NaN: not known"),
    "value": Column("f4", "what the policy expected; NaN: not known"),
    "value_band": Column("f4", "its 10 % and 90 % quantiles; NaN: not known", (2,)),
    "top_action": Column("i2", "the policy's most probable placements, best first; -1: not known", (TOP_K,)),
    "top_log_prob": Column("f4", "their log-probabilities; NaN: not known", (TOP_K,)),
    "tau": Column("u4", "frames to this player's next decision, or to the end; 0: the recording ended before"),
    "viruses_cleared": Column("u1", "by this decision"),
    "viruses_by_color": Column("u1", "the same by colour: yellow, red, blue", (3,)),
    "halves_cleared": Column("u1", "capsule halves cleared by this decision"),
    "combos": Column("u1", "runs cleared"),
    "runs_after_first": Column("u1", "runs beyond the first of a lock or a delivery of garbage"),
    "cascade": Column("u1", "match passes that cleared something"),
    "passes_after_first": Column("u1", "such passes beyond the first of a lock or a delivery"),
    "attack_sent": Column("u1", "halves added to the attack on the other player"),
    "garbage_received": Column("u1", "halves of the other player's attack that fell into this bottle"),
    "digest": Column("u8", "hash of the full state before the decision"),
}
EVENTS = (
    *("viruses_cleared", "viruses_by_color", "halves_cleared", "combos", "runs_after_first", "cascade"),
    *("passes_after_first", "attack_sent", "garbage_received"),
)
"""event columns of the engine (`dm.event_names`) that rows keep besides tau; docs/decisions.md"""
EPISODE: dict[str, Column] = {
    "first_decision": Column("u8", "index of its first row in /decision"),
    "decisions": Column("u4", "number of its rows in /decision"),
    "first_frame": Column("u8", "index of its first row in /frame"),
    "buttons": Column("u4", "number of its rows in /frame; 0 for games played by placements"),
    "seed": Column("u2", "state of the console's random generator before the capsules are made; 0: not known"),
    "level": Column("u1", "virus level", seat=True),
    "speed": Column("u1", "0 LOW, 1 MED, 2 HI", seat=True),
    "frame_counter": Column("u1", "in the first sample of play, as reset() takes it"),
    "custom": Column("u1", "1: the start is not the one that seed, level and speed give"),
    "viruses": Column("u1", "at the start", seat=True),
    "viruses_left": Column("u1", "at the end", seat=True),
    "outcome": Column("u1", "0 unfinished, 1 cleared, 2 top-out, 3 truncated; of two players: of the round"),
    "winner": Column("u1", "two players: 1 or 2, 3 a draw; else 0"),
    "frames": Column("u4", "from the first controllable frame, counted as 1, to the end; frames to clear if cleared"),
    "end_digest": Column("u8", "hash of the full state at the end"),
    "policy": Column("S96", "who played", seat=True),
    "source": Column("u2", "index into /source"),
    "content": Column("u1", "BLAKE2b hash of the start and of all that was done", (DIGEST_SIZE,)),
}
"""`/episode/start` besides: the first state as a compound value with the field names of `Batch.state`"""
BUTTONS = Column("u1", "controller byte held in a frame", seat=True)


def encoded(name: str) -> bytes:
    """A policy's name as `/episode/policy` holds it: UTF-8, cut to what fits at the end of a character. Never fails.

    What UTF-8 has no bytes for (a part of a path that could not be decoded) is written as Python escapes it.
    """
    text, most = name.encode("utf-8", "backslashreplace"), np.dtype(EPISODE["policy"].dtype).itemsize
    end = min(len(text), most)
    while end < len(text) and text[end] & 0xC0 == 0x80:  # the byte after the cut goes on with a character
        end -= 1
    return text[:end]


def decoded(names: NDArray[np.bytes_]) -> NDArray[np.str_]:
    """Policies' names S[...] as text U[...]; what is not UTF-8 (files of other writers) becomes U+FFFD."""
    return np.char.decode(names, "utf-8", "replace")


def row_dtype(columns: Mapping[str, Column], players: int) -> np.dtype[Any]:
    """The columns as a packed structured dtype."""
    return np.dtype([(name, column.dtype, row_shape(column, players)) for name, column in columns.items()])


def row_shape(column: Column, players: int) -> tuple[int, ...]:
    """Shape of one row of a column in a file of `players` players."""
    return (2, *column.shape) if column.seat and players == 2 else column.shape


def for_reset(settings: NDArray[np.integer]) -> NDArray[np.integer]:
    """Levels or speeds [E, P], or [P] of one game, as `Batch.reset` takes them: [E], of two players [E, 2]."""
    table = np.atleast_2d(settings)
    return table[:, 0] if table.shape[1] == 1 else table


@lru_cache(maxsize=2)
def engine_dtype(players: int) -> np.dtype[Any]:
    """Dtype of `Batch.state`: what the journal stores."""
    return dm.Batch(num_envs=1, players=players, threads=1).state.dtype


@lru_cache(maxsize=2)
def state_dtype(players: int) -> np.dtype[Any]:
    """The same without padding: what trace files store."""
    full = engine_dtype(players)
    assert full.names is not None
    return np.dtype([(name, full[name].base, full[name].shape) for name in full.names])


def packed_states(states: np.ndarray) -> np.ndarray:
    """States [N] of `Batch.state`'s dtype in `state_dtype`; a copy."""
    assert states.dtype.names is not None
    packed = np.empty(states.shape, [(name, states.dtype[name].base, states.dtype[name].shape)
                                     for name in states.dtype.names])  # fmt: skip
    for name in states.dtype.names:
        packed[name] = states[name]
    return packed


@lru_cache(maxsize=1)
def engine_signature() -> str:
    """Hash of 16,384 played frames: two engines with the same one count rules and states alike, so digests compare."""
    digests = []
    for players in (1, 2):
        batch = dm.Batch(num_envs=32, players=players, threads=1)
        game = np.arange(32)
        batch.reset(game % 21, game % 3, 0x1000 + 37 * game, game)
        draw = np.arange(64 * 32 * players, dtype=np.uint32) * np.uint32(2654435761) >> np.uint32(29)
        held = np.array([0, 1, 2, 4, 4, 0x40, 0x80, 0x82], np.uint8)[draw].reshape(64, 32, players)
        batch.run(held.repeat(4, axis=0))
        digests.append(batch.digest())
    return hashlib.blake2b(np.concatenate(digests).tobytes(), digest_size=8).hexdigest()


def provenance(config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Where a recording comes from: versions, machine, command line, engine signature, and the config given."""
    return {
        "mlx_drmario": dm.__version__,
        "commit": commit(),
        "engine": engine_signature(),
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "platform": platform.platform(),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "process": os.getpid(),
        "created": np.datetime_as_string(np.datetime64("now", "s"), timezone="UTC"),
        "config": json.loads(json.dumps(config or {}, default=str)),
    }
