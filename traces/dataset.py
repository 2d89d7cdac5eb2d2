"""Learning from traces: shuffled batches of decisions from many files, and the observations that a policy saw.

A file is decoded once into plain arrays in a cache directory, keyed by its content, and mapped into memory from then
on. docs/traces.md has the columns.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario.files import naming, sync
from mlx_drmario.spec import CELLS, COLS, EMPTY, ROWS, from_bcd
from mlx_drmario.traces import schema, storage
from mlx_drmario.traces.details import COLUMNS
from mlx_drmario.traces.games import Games
from mlx_drmario.traces.tools import Choice

Rows = dict[str, NDArray[Any]]
CACHE_VERSION = 2
BLOCK = 4096
"""consecutive rows that are read together"""
BUFFER = 1 << 18
"""rows among which the shuffle is perfect: some 90 MB"""
ROW_COLUMNS = (
    *("player", "bottle", "capsule", "preview", "frame_counter", "speed_ups", "legal", "action", "log_prob", "value"),
    *("tau", *schema.EVENTS),
)
"""columns of /decision that a batch has; action becomes i32, legal bool[B, 512]"""
NOT_IN_CONTENT = (*COLUMNS, "tau", *schema.EVENTS)
"""columns of /decision in which files of equal content may differ: what a policy said, and what came of a decision that
was open when its recording ended; all others follow from the starts and from what was done"""
DERIVED: dict[str, str] = {
    "level": "u1",
    "speed": "u1",
    "outcome": "u1",
    "viruses_left": "u1",
    "frames_left": "u4",
    "capsules": "u2",
    "das": "u1",
}
"""columns made for every row: of the episode; viruses before the decision; frames to the end of the game, this
decision included; capsules thrown and the auto-repeat counter, which observations show"""
BALANCES = ("outcome", "level", "speed", "player", "orientation", "clears")
"""classes that `batches` can balance; orientation is action // 128, clears whether a virus is cleared"""


def cache_directory() -> Path:
    """Where decoded files lie by default: $XDG_CACHE_HOME/mlx_drmario/traces, else ~/.cache/mlx_drmario/traces."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlx_drmario" / "traces"


class Dataset:
    """The decisions of trace files."""

    def __init__(
        self, paths: Sequence[Path | str] | Path | str, cache: Path | str | None = None, choice: Choice | None = None
    ) -> None:
        """paths: of files, or of one; choice: only these episodes.

        Raises ValueError or FileNotFoundError for files that are no traces, ValueError when no decision is left.
        """
        paths = [paths] if isinstance(paths, Path | str) else paths
        folder = Path(cache or cache_directory())
        self.files = [_Decoded(path, folder, choice or Choice()) for path in paths]
        self.rows = sum(file.rows for file in self.files)
        if not self.rows:
            raise ValueError(f"paths are {', '.join(map(str, paths))}, which hold no decision to learn from")

    def __len__(self) -> int:
        return self.rows

    def batches(
        self,
        size: int,
        *,
        seed: int = 0,
        epochs: int | None = 1,
        augment: bool = False,
        balance: str | None = None,
        drop_last: bool = True,
    ) -> Iterator[Rows]:
        """Batches of `size` rows in a random order that only the seed decides.

        An epoch shows every row once; with `balance` as many rows are drawn with replacement, so that every class
        comes equally often in the long run.

        Args:
            epochs: None: for ever.
            augment: relabel the colours of every row by one of the six permutations (play commutes with them).
            balance: one of `BALANCES`.
            drop_last: leave out what does not fill a batch.

        Raises:
            ValueError: a size below 1 or above the rows there are (with drop_last) or are read at a time, an unknown
                balance.
        """
        most, why = (len(self), "the rows there are") if drop_last and epochs else (BUFFER, "the rows read at a time")
        if not 1 <= size <= most:
            raise ValueError(f"size is {size}; it must lie in 1..{most}, {why}")
        if balance is not None and balance not in BALANCES:
            raise ValueError(f"balance is {balance!r}; choose one of {', '.join(BALANCES)}")
        rng = np.random.default_rng(seed)
        weights = None if balance is None else self._weights(balance)
        rest: Rows | None = None
        epoch = 0
        while epochs is None or epoch < epochs:
            epoch += 1
            for buffer in self._buffers(rng):
                order = _draw(rng, buffer, balance, weights)
                if rest is not None:
                    buffer = {name: np.concatenate([rest[name], column]) for name, column in buffer.items()}
                    order = np.concatenate([np.arange(len(rest["action"])), order + len(rest["action"])])
                whole = len(order) // size * size
                for first in range(0, whole, size):
                    yield _finished(buffer, order[first : first + size], rng if augment else None)
                rest = {name: column[order[whole:]] for name, column in buffer.items()}
        if rest is not None and len(rest["action"]) and not drop_last:
            yield _finished(rest, np.arange(len(rest["action"])), rng if augment else None)

    def _buffers(self, rng: np.random.Generator) -> Iterator[Rows]:
        """All rows in random blocks, some `BUFFER` at a time."""
        blocks = [(file, first) for file in self.files for first in range(0, file.rows, BLOCK)]
        order = rng.permutation(len(blocks))
        per_buffer = BUFFER // BLOCK
        for begin in range(0, len(order), per_buffer):
            parts = [blocks[i][0].block(blocks[i][1]) for i in order[begin : begin + per_buffer]]
            yield {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _weights(self, balance: str) -> NDArray[np.float64]:
        """Weight of each class, so that the mean over all rows is 1 and every class weighs the same."""
        counts = np.zeros(256, np.int64)
        for file in self.files:
            counts += np.bincount(_classes(file.columns, balance), minlength=256)
        present = counts > 0
        weights = np.zeros(256)
        weights[present] = len(self) / (present.sum() * counts[present])
        return weights


def _classes(rows: Mapping[str, NDArray[Any]], balance: str) -> NDArray[Any]:
    if balance == "orientation":
        return np.maximum(rows["action"], 0) // CELLS
    if balance == "clears":
        return (rows["viruses_cleared"] > 0).astype(np.uint8)
    return rows[balance]


def _draw(
    rng: np.random.Generator, rows: Rows, balance: str | None, weights: NDArray[np.float64] | None
) -> NDArray[np.int64]:
    """Which rows of a buffer, in which order."""
    count = len(rows["action"])
    if balance is None or weights is None:
        return rng.permutation(count)
    total = np.cumsum(weights[_classes(rows, balance)])
    return np.searchsorted(total, rng.random(round(total[-1])) * total[-1], side="right")


def _finished(rows: Rows, chosen: NDArray[np.int64], rng: np.random.Generator | None) -> Rows:
    """A batch: gathered, unpacked, and recoloured if there is a generator to draw from."""
    batch = {name: column[chosen] for name, column in rows.items()}
    batch["action"] = batch["action"].astype(np.int32)
    batch["legal"] = np.unpackbits(batch["legal"], axis=1, bitorder="little").view(np.bool_)
    if rng is not None:
        recolor(batch, rng.integers(0, len(PERMUTATIONS), len(chosen)))
    return batch


PERMUTATIONS = np.array(list(permutations(range(3))), np.uint8)
"""u8[6, 3]: new colour of each old one; number 0 changes nothing"""
_OLD_COLORS = np.argsort(PERMUTATIONS, axis=1)
"""[6, 3]: old colour of each new one"""


@lru_cache(maxsize=1)
def _recolored_bytes() -> NDArray[np.uint8]:
    """u8[6, 256]: bottle bytes under each permutation."""
    table = np.tile(np.arange(256, dtype=np.uint8), (len(PERMUTATIONS), 1))
    for number, permutation in enumerate(PERMUTATIONS):
        for byte in range(EMPTY):
            if byte & 0x0F < 3:
                table[number, byte] = byte & 0xF0 | permutation[byte & 0x0F]
    return table


def recolor(rows: Rows, numbers: NDArray[np.integer]) -> None:
    """Relabel the colours of every row in place, by permutation number [B]; placements stay as they are."""
    rows["bottle"] = _recolored_bytes()[numbers[:, None], rows["bottle"]]
    for name in ("capsule", "preview"):
        rows[name] = PERMUTATIONS[numbers[:, None], rows[name]]
    rows["viruses_by_color"] = np.take_along_axis(rows["viruses_by_color"], _OLD_COLORS[numbers], axis=1)


# --- the cache -------------------------------------------------------------------------------------------------------


class _Decoded:
    """The chosen rows of one file, mapped from the cache; decoded into it when they are not there."""

    def __init__(self, path: Path | str, cache: Path, choice: Choice) -> None:
        table = storage.episodes(path)
        key = hashlib.blake2b(table.episode["content"].tobytes(), digest_size=16)
        key.update(json.dumps([CACHE_VERSION, schema.VERSION, repr(choice), *ROW_COLUMNS, *DERIVED]).encode())
        for name in ("decisions", "outcome", "policy"):
            key.update(table.episode[name].tobytes())
        for column in storage.columns(path, NOT_IN_CONTENT):
            key.update(column.tobytes())
        folder = cache / key.hexdigest()
        try:
            self.columns = _mapped(folder)
        except (FileNotFoundError, ValueError, EOFError):  # not there, or damaged
            _decode(path, folder, choice)
            self.columns = _mapped(folder)
        self.rows = len(self.columns["action"])

    def block(self, first: int) -> Rows:
        return {name: np.asarray(column[first : first + BLOCK]) for name, column in self.columns.items()}


def _mapped(folder: Path) -> Rows:
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in (*ROW_COLUMNS, *DERIVED)}


def _decode(path: Path | str, folder: Path, choice: Choice) -> None:
    """Write the columns of a file under a temporary name, then rename the directory.

    No name is used twice: what a killed decode left blocks nobody, and neither does another thread or machine. Where
    an entry is already, of another that was faster or a damaged one, equal files take the place of its own: who reads
    it meanwhile finds all of them.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent) as private:
        temporary = Path(private) / "columns"  # one more level, as others may read what is not made private
        temporary.mkdir()
        parts = [_columns(block.take(np.flatnonzero(choice.mask(block)))) for block in storage.blocks(path)]
        for name in (*ROW_COLUMNS, *DERIVED):
            _save(temporary / f"{name}.npy", np.concatenate([part[name] for part in parts]))
        sync(temporary)
        try:
            os.rename(temporary, folder)
        except OSError:
            if not folder.is_dir():
                raise
            for column in temporary.iterdir():
                os.replace(column, folder / column.name)


def _save(path: Path, column: NDArray[Any]) -> None:
    """As np.save, which does not say why it cannot write."""
    with naming(path), path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(column))
        file.write(column.data)


def _columns(games: Games) -> Rows:
    """`ROW_COLUMNS` and `DERIVED` of some games."""
    table, rows, seats = games.episode, games.decision, games.players
    owner = np.repeat(np.arange(len(games)), table["decisions"])
    player = rows["player"]
    made: Rows = {name: rows[name] for name in ROW_COLUMNS}
    slot = owner * seats + player

    def before(column: NDArray[Any]) -> NDArray[np.int64]:
        """Sum of a column over the earlier rows of the same player in the same game."""
        order = np.argsort(slot, kind="stable")
        total = np.cumsum(column[order], dtype=np.int64) - column[order]
        begin = np.searchsorted(slot[order], slot[order])
        result = np.empty(len(slot), np.int64)
        result[order] = total - total[begin] if len(total) else total
        return result

    def seat(name: str) -> NDArray[Any]:
        return table[name].reshape(len(games), seats)[owner, player]

    def start(name: str) -> NDArray[np.int64]:
        each = np.stack([games.start[f"p{s + 1}_{name}"] for s in range(seats)], axis=-1)
        return each[owner, player].astype(np.int64)

    number = before(np.ones(len(slot), np.int64))
    thrown = from_bcd(start("pill_count_bcd")) + 100 * from_bcd(start("pill_count_hundreds"))
    values = {
        "level": seat("level"),
        "speed": seat("speed"),
        "outcome": table["outcome"][owner],
        "viruses_left": seat("viruses") - before(rows["viruses_cleared"]),
        "frames_left": np.bincount(slot, rows["tau"], len(games) * seats)[slot] - before(rows["tau"]),
        "capsules": np.minimum(np.maximum(thrown, 2) + number, 9_999),  # 1 before the first spawn
        "das": start("hor_velocity"),
    }
    made |= {name: values[name].astype(kind) for name, kind in DERIVED.items()}
    return made


# --- observations ----------------------------------------------------------------------------------------------------


def observations(rows: Rows, planes: str = "bitplane") -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """(planes u8[B, C, 16, 8], scalars f32[B, S]) of a batch: what `Decisions` showed before these decisions.

    Raises ValueError for an unknown plane set.
    """
    bottle = rows["bottle"]
    count, cells = len(bottle), _cell_planes(planes)
    names = dm.plane_names(planes)
    made = np.zeros((count, len(names), CELLS), np.uint8)
    made[:, : cells.shape[1]] = cells[bottle].swapaxes(1, 2)
    if planes == "bitplane":
        made[:, cells.shape[1] :] = rows["legal"].reshape(count, -1, CELLS)
    else:
        here = np.arange(count)
        for half in range(2):
            for stem, pair in (("falling", "capsule"), ("preview", "preview")):
                made[here, names.index(f"{stem}_yellow") + rows[pair][:, half], COLS // 2 - 1 + half] = 1
    return made.reshape(count, len(names), ROWS, COLS), _scalars(rows)


@lru_cache(maxsize=2)
def _cell_planes(planes: str) -> NDArray[np.uint8]:
    """u8[256, K]: the first K planes, which show cells, for every bottle byte; asked of the engine."""
    state = dm.Batch(num_envs=1, threads=1).state.copy()
    known = [0xFF, *(kind + color for kind in (0x40, 0x50, 0x60, 0x70, 0x80, 0xB0, 0xD0, 0xF0) for color in range(3))]
    table = np.zeros((256, 8 if planes == "bitplane" else 10), np.uint8)
    for first in range(0, len(known), 7):  # in columns 1 to 7 of row 1: column 0 cannot hold a right half
        state["p1_bottle"] = EMPTY
        state["p1_bottle"][0, 8 + 1 : 8 + 1 + len(known[first : first + 7])] = known[first : first + 7]
        batch = dm.Batch(num_envs=1, threads=1)
        batch.set_state(state)
        seen = batch.observe(planes)[0].reshape(-1, CELLS)
        for i, byte in enumerate(known[first : first + 7]):
            table[byte] = seen[: table.shape[1], 8 + 1 + i]
    return table


@lru_cache(maxsize=1)
def _thresholds() -> NDArray[np.float32]:
    """f32[3, 50]: the scalar gravity_threshold/40 of every speed and number of speed-ups; asked of the engine."""
    speed, ups = np.divmod(np.arange(150), 50)
    batch = dm.Batch(num_envs=150, threads=1)
    state = batch.state.copy()
    state["p1_speed_setting"], state["p1_speed_ups"] = speed, ups
    batch.set_state(state)
    at = dm.scalar_names().index("gravity_threshold/40")
    return batch.observe("bitplane")[1][:, at].reshape(3, 50)


def _scalars(rows: Rows) -> NDArray[np.float32]:
    names = dm.scalar_names()
    made = np.zeros((len(rows["bottle"]), len(names)), np.float32)
    here = np.arange(len(made))
    for stem, pair in (("", "capsule"), ("preview_", "preview")):
        for half, word in enumerate(("first", "second")):
            made[here, names.index(f"{stem}{word}_yellow") + rows[pair][:, half]] = 1
    made[here, names.index("speed_low") + rows["speed"]] = 1
    values: dict[str, Any] = {
        "level/20": rows["level"] / np.float32(20),
        "speed_ups/49": rows["speed_ups"] / np.float32(49),
        "gravity_threshold/40": _thresholds()[rows["speed"], rows["speed_ups"]],
        "viruses_left/84": rows["viruses_left"] / np.float32(84),
        "frame_parity": rows["frame_counter"] & 1,
        "capsules/256": rows["capsules"] / np.float32(256),
        "das/16": rows["das"] / np.float32(16),
    }
    for name, column in values.items():
        made[:, names.index(name)] = column
    return made
