"""Reading golden recordings and replaying them through `Batch`; the format is docs/golden.md's."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

import mlx_drmario as dm

# Marked as drawing in the recordings' README: the engine does not keep them.
DRAWING_ONLY = {"visual_update_flags", "mario_throw_frame", "in_level_flag"}
PLAY, SETUP, INTRO = 4, 3, 8


@dataclass(frozen=True)
class Recording:
    """One recorded game: `rows[field]` is u8[T] or u8[T, 128]; row 0 is the initial state."""

    name: str
    category: str
    players: int
    rows: dict[str, np.ndarray]
    reserve: np.ndarray

    def from_row(self, first: int) -> "Recording":
        """The same game from a later row on."""
        return Recording(
            self.name, self.category, self.players, {k: v[first:] for k, v in self.rows.items()}, self.reserve
        )

    def initial_state(self, batch: dm.Batch) -> np.ndarray:
        """Row 0 as a structured array [1] for `batch.set_state`."""
        state = np.zeros(1, batch.state.dtype)
        for field in self.fields(batch):
            state[field][0] = self.rows[field][0]
        return state

    def fields(self, batch: dm.Batch) -> list[str]:
        """The recorded fields that the engine reproduces: all but the drawing-only ones."""
        fields = [name for name in self.rows if name not in DRAWING_ONLY and not name.startswith("input")]
        assert set(fields) <= set(batch.state.dtype.names), "the engine lacks a recorded field"
        return fields

    def buttons(self) -> np.ndarray:
        """u8[T - 1, 1, P]: the inputs of rows 1, 2, ..."""
        inputs = [self.rows[f"input{player + 1}"] for player in range(self.players)]
        return np.ascontiguousarray(np.stack(inputs, axis=-1)[1:, None, :])


@cache
def load(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a file."""
    return dict(np.load(path))


def recordings(path: Path) -> Iterator[Recording]:
    """The games of a trace file."""
    data = load(path)
    total = len(data["mode"])
    for game, (start, length) in enumerate(zip(data["game_start"], data["game_len"], strict=True)):
        rows = {k: v[start : start + length] for k, v in data.items() if len(v) == total}
        players = int(data["meta_players"][game])
        yield Recording(f"{path.stem}[{game}]", str(data["meta_category"][game]), players, rows, data["reserve"][game])


def stage_over(recording: Recording) -> np.ndarray:
    """bool[T]: from the end of a stage to the next set-up the bottle bytes hold text boxes, which we do not draw."""
    mode = recording.rows["mode"]
    no_virus = np.zeros(len(mode), bool)
    for player in range(recording.players):
        no_virus |= recording.rows[f"p{player + 1}_virus_left_bcd"] == 0
    over, result = False, np.zeros(len(mode), bool)
    for t in range(len(mode)):
        if mode[t] in (INTRO, SETUP):
            over = over and mode[t] == SETUP and t > 0
        elif mode[t] != PLAY or no_virus[t]:
            over = True
        result[t] = over
    return result


def mismatches(recording: Recording) -> list[str]:
    """Replays a recording; one line for every field that differs: the first row, and the values."""
    batch = dm.Batch(num_envs=1, players=recording.players, threads=1)
    batch.set_state(recording.initial_state(batch), recording.reserve[None])
    fields = recording.fields(batch)
    played = batch.run(recording.buttons(), record=tuple(fields))
    lag = np.flatnonzero(recording.rows["nmi_flag"])  # overruns of the console, which no engine should model
    end = int(lag[0]) if len(lag) else len(recording.rows["mode"])
    over = stage_over(recording)[1:end]
    # In these games `reserve` is the one of the last level; previews before it come from one nobody recorded.
    own_reserve = np.ones(end - 1, bool)
    if recording.category in ("next_level", "match"):
        setups = np.flatnonzero(recording.rows["mode"][1:end] == INTRO)
        own_reserve = np.arange(end - 1) >= setups[0]
    found = []
    for field in fields:
        ours, theirs = played[field][: end - 1, 0], recording.rows[field][1:end]
        differs = ours != theirs
        if field.endswith("_bottle"):
            differs = differs.any(axis=-1) & ~over
        if "next_color" in field:
            differs = differs & own_reserve
        if differs.any():
            t = int(np.argmax(differs))
            found.append(f"{recording.name} row {t + 1} {field}: ours {ours[t]}, recorded {theirs[t]}")
    return found
