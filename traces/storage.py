"""Trace files: reading and writing `Games` as HDF5.

A file is written under a temporary name and gets its own when it is complete, so a name never holds half a file.
"""

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mlx_drmario._core import compressed_chunk
from mlx_drmario.files import creating
from mlx_drmario.traces import schema
from mlx_drmario.traces.games import Games, empty, episodes_after, misplaced, out_of_range
from mlx_drmario.traces.schema import BUTTONS, CHUNK_ROWS, DECISION, EPISODE, FORMAT, VERSION, Column

BLOCK_ROWS = 1 << 16
"""decision rows that `blocks` holds in memory at a time"""
TAKEN = "path is {}, which exists; traces are never overwritten"


def save(path: Path | str, parts: Iterable[Games], players: int) -> int:
    """Write a file from parts, each of which fits in memory; returns the number of episodes.

    Raises FileExistsError rather than replacing a trace; on any error, a full disk included, nothing is left behind.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(TAKEN.format(path))
    count = 0
    with creating(path, TAKEN.format(path)) as temporary:
        with _Sink(temporary) as sink:
            try:
                with h5py.File(sink, "w", libver=("v110", "latest")) as file:
                    count = _write(file, parts, players, sink)
            except (OSError, RuntimeError, ValueError, KeyError):  # what HDF5 makes of the error below
                if sink.error is None:
                    raise
        if sink.error is not None:
            raise OSError(sink.error.errno, sink.error.strerror, str(path))
    return count


class _Sink(io.RawIOBase):
    """The file under HDF5. A failed write is kept in `error` and hidden from the library, which would otherwise try
    again for every object it holds, and leave some of them open for ever."""

    def __init__(self, path: Path) -> None:
        self.error: OSError | None = None
        self._file = open(path, "w+b", buffering=0)  # noqa: SIM115

    def write(self, data: Any) -> int:
        done = 0
        while self.error is None and done < len(data):
            try:
                done += self._file.write(data[done:])
            except OSError as error:
                self.error = error
        return len(data)

    def readinto(self, data: Any) -> int:
        return self._file.readinto(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        # After an error the library may read what it never wrote, and follow it to places that are none.
        return self._file.seek(offset, whence) if self.error is None else 0

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self, size: int | None = None) -> int:
        try:
            return self._file.truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0

    def close(self) -> None:
        self._file.close()
        super().close()


def _write(file: Any, parts: Iterable[Games], players: int, sink: _Sink) -> int:
    file.attrs.update(format=_fixed(FORMAT), version=VERSION, players=players)
    file.attrs["engine"] = _fixed(schema.engine_signature())
    table = {
        f"{group}/{name}": _Growing(file, f"{group}/{name}", np.dtype(column.dtype), column, players)
        for group, columns in (("episode", EPISODE), ("decision", DECISION))
        for name, column in columns.items()
    }
    first = Column("", "first state, fields of Batch.state")
    table["episode/start"] = _Growing(file, "episode/start", schema.state_dtype(players), first, players)
    table["frame/buttons"] = _Growing(file, "frame/buttons", np.dtype(np.uint8), BUTTONS, players)
    sources: list[dict[str, Any]] = []
    rows = frames = episodes = 0
    for part in parts:
        episode = episodes_after(part, rows, frames, sources)
        for name in EPISODE:
            table[f"episode/{name}"].append(episode[name])
        for name in DECISION:
            table[f"decision/{name}"].append(part.decision[name])
        table["episode/start"].append(part.start)
        table["frame/buttons"].append(part.buttons)
        rows, frames, episodes = rows + part.rows, frames + len(part.buttons), episodes + len(part)
        if sink.error is not None:
            break
    for column in table.values():
        column.finish()
    file.create_dataset("source", data=np.array([_fixed(json.dumps(source)) for source in sources], "S"))
    return episodes


def _fixed(text: str) -> np.bytes_:
    """Text of a fixed length: for others HDF5 keeps a heap, and one changed byte of that makes it loop for ever."""
    return np.bytes_(text.encode())


class _Growing:
    """A dataset to which rows are appended. Its chunks are compressed here, several times as fast as by HDF5's filter,
    and handed over as they lie in the file (docs/LOG.md has what else was measured)."""

    def __init__(self, file: Any, name: str, dtype: np.dtype[Any], column: Column, players: int) -> None:
        shape = schema.row_shape(column, players)
        self._width = dtype.itemsize if dtype.names is None and dtype.kind != "S" else 1
        chunk_rows = CHUNK_ROWS if name.startswith("decision") else 1024
        filters = {"compression": "lzf", "shuffle": self._width > 1}
        self._dataset = file.create_dataset(
            name, (0, *shape), dtype, maxshape=(None, *shape), chunks=(chunk_rows, *shape), **filters
        )
        self._dataset.attrs["text"] = _fixed(column.text)
        self._chunk = np.zeros((chunk_rows, *shape), dtype)
        self._rows = 0
        """appended so far; those beyond whole chunks are in `_chunk`"""

    def append(self, rows: NDArray[Any]) -> None:
        if len(rows):
            self._dataset.resize(self._rows + len(rows), axis=0)
        while len(rows):
            waiting = self._rows % len(self._chunk)
            some = rows[: len(self._chunk) - waiting]
            self._rows += len(some)
            if len(some) < len(self._chunk):
                self._chunk[waiting : waiting + len(some)] = some
            if self._rows % len(self._chunk) == 0:
                self._write(some if len(some) == len(self._chunk) else self._chunk)
            rows = rows[len(some) :]

    def finish(self) -> None:
        """Write the last chunk, which HDF5 wants whole."""
        waiting = self._rows % len(self._chunk)
        if waiting:
            self._chunk[waiting:] = np.zeros((), self._chunk.dtype)
            self._write(self._chunk)

    def _write(self, chunk: NDArray[Any]) -> None:
        first = (self._rows - 1) // len(chunk) * len(chunk)
        data = np.ascontiguousarray(chunk).reshape(-1).view(np.uint8).reshape(len(chunk), -1)
        stored = compressed_chunk(data, self._width)
        left_out = 0 if stored is not None else 0b11 if self._width > 1 else 0b1  # filters, by their order
        self._dataset.id.write_direct_chunk(
            (first, *(0,) * (chunk.ndim - 1)), data.tobytes() if stored is None else stored, left_out
        )


def check(path: Path | str) -> int:
    """Number of players of a trace file.

    Raises FileNotFoundError, IsADirectoryError, or ValueError for what is no trace or one of a version that this
    release cannot read.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"path is {path}, which is a directory; name one of the files in it")
    if not path.is_file():
        raise FileNotFoundError(f"path is {path}, which does not exist")
    if not h5py.is_hdf5(path):
        raise ValueError(f"path is {path}, which is not an HDF5 file")
    with _open(path) as file:
        kind, version, players = (file.attrs.get(name) for name in ("format", "version", "players"))
        kind = kind.decode(errors="replace") if isinstance(kind, bytes) else kind
        if kind == "mlx_drmario.frames":
            raise ValueError(f"path is {path}, a frame trace of release 0.1.0, a format that is no longer read")
        if kind != FORMAT:
            raise ValueError(f"path is {path}, which is not a {FORMAT} file")
        if version != VERSION:
            raise ValueError(f"path is {path}, of trace version {version}; this release reads version {VERSION}")
        if players not in (1, 2):
            raise ValueError(f"path is {path}, a damaged trace: its attribute players is {players}, not 1 or 2")
        return int(players)


@contextmanager
def _open(path: Path | str) -> Iterator[Any]:
    """The file for reading; ValueError that names it for what is damaged or missing in it."""
    try:
        opened = h5py.File(path, "r")
    except OSError as error:
        raise ValueError(f"path is {path}, a damaged HDF5 file: {error}") from None
    with opened as file:
        try:
            yield file
        except (LookupError, OSError, RuntimeError) as error:  # the last two are HDF5's words for bytes it cannot read
            raise ValueError(f"path is {path}, a damaged trace: {error}") from None


def episodes(path: Path | str) -> Games:
    """Only the table of episodes of a file: no start states, no rows.

    Raises as `read` does; ValueError too for values that no game can have and rows that are not there.
    """
    players = check(path)
    with _open(path) as file:
        table = _table(file, "episode", EPISODE, players)
        count = len(table["seed"])
        sources = _sources(file)
        rows, frames = (len(_dataset(file, name)) for name in ("decision/action", "frame/buttons"))
    start = np.zeros(count, schema.state_dtype(players))
    games = replace(empty(players), episode=table, start=start, sources=sources)
    _refuse(path, misplaced(table, rows, frames) + out_of_range(games))
    return games


def _refuse(path: Path | str, found: Sequence[str]) -> None:
    if found:
        raise ValueError(f"path is {path}, a damaged trace: {'; '.join(found)}")


def columns(path: Path | str, names: Sequence[str]) -> Iterator[NDArray[Any]]:
    """These columns of /decision, each with all rows of the file. Raises as `read` does."""
    players = check(path)
    with _open(path) as file:
        for name in names:
            yield _column(file, f"decision/{name}", DECISION[name], players)


def read(path: Path | str, first: int = 0, last: int | None = None) -> Games:
    """Episodes first .. last - 1 of a file (all by default), with their rows.

    Raises as `check` does; ValueError too for a file with missing or damaged columns.
    """
    players = check(path)
    with _open(path) as file:
        return _read(file, players, first, last)


def _read(file: Any, players: int, first: int, last: int | None) -> Games:
    wanted = slice(first, last)
    table = _table(file, "episode", EPISODE, players, wanted)

    def span(begin: str, count: str) -> slice:
        if not len(table[begin]):
            return slice(0, 0)
        start = int(table[begin][0])
        table[begin] = table[begin] - table[begin][0]
        return slice(start, start + int(table[count].sum(dtype=np.int64)))

    rows, frames = span("first_decision", "decisions"), span("first_frame", "buttons")
    start = _dataset(file, "episode/start")[wanted]
    if len(start) != len(table["seed"]):
        raise LookupError(_UNEQUAL.format("episode"))
    decision = _table(file, "decision", DECISION, players, rows)
    buttons = _column(file, "frame/buttons", BUTTONS, players, frames)
    return Games(players, table, _as_state(start, players), decision, buttons, _sources(file))


_UNEQUAL = "the columns of /{} have different lengths"


def _sources(file: Any) -> tuple[dict[str, Any], ...]:
    column = _dataset(file, "source")
    try:
        sources = tuple(dict(json.loads(text)) for text in column.asstr()[:])
    except (TypeError, ValueError):
        raise LookupError("/source is not a column of JSON objects") from None
    for row, source in enumerate(sources):
        for name in ("engine", "mlx_drmario", "created"):
            if not isinstance(source.get(name), str):
                raise LookupError(f"/source[{row}] has no text {name!r}")
    return sources


def _table(
    file: Any, group: str, columns: Mapping[str, Column], players: int, rows: slice = slice(None)
) -> dict[str, np.ndarray]:
    table = {name: _column(file, f"{group}/{name}", column, players, rows) for name, column in columns.items()}
    if len({len(column) for column in table.values()}) > 1:
        raise LookupError(_UNEQUAL.format(group))
    return table


def _column(file: Any, name: str, column: Column, players: int, rows: slice = slice(None)) -> np.ndarray:
    dataset = _dataset(file, name)
    shape = schema.row_shape(column, players)
    if dataset.dtype != np.dtype(column.dtype) or dataset.shape[1:] != shape:
        raise LookupError(f"/{name} is {dataset.dtype}{dataset.shape[1:]}, it must be {column.dtype}{shape}")
    return dataset[rows]


def _dataset(file: Any, name: str) -> Any:
    found = file.get(name)
    if not isinstance(found, h5py.Dataset) or not found.shape:
        raise LookupError(f"it has no column /{name}")
    return found


def _as_state(start: np.ndarray, players: int) -> np.ndarray:
    """First states with the fields of this engine: one that the file lacks is 0, one that is unknown is left out."""
    dtype = schema.state_dtype(players)
    if start.dtype == dtype:
        return start
    states = np.zeros(len(start), dtype)
    for name in set(dtype.names or ()) & set(start.dtype.names or ()):
        states[name] = start[name]
    return states


def blocks(path: Path | str, rows: int = BLOCK_ROWS) -> Iterator[Games]:
    """All episodes of a file in order, about `rows` decision and frame rows at a time. Raises as `load` does."""
    for first, last in ranges(path, rows):
        yield _checked(path, first, last)


def load(path: Path | str) -> Games:
    """All episodes of a file. Raises as `episodes` does, and so for its rows."""
    episodes(path)
    return _checked(path)


def _checked(path: Path | str, first: int = 0, last: int | None = None) -> Games:
    games = read(path, first, last)
    where = f"episodes {first} to {first + len(games) - 1}: "
    _refuse(path, [where + text for text in out_of_range(games)])
    return games


def ranges(path: Path | str, rows: int = BLOCK_ROWS) -> Iterator[tuple[int, int]]:
    """(first, last + 1) of consecutive episodes with about `rows` rows together. Raises as `episodes` does."""
    table = episodes(path).episode
    sizes = np.cumsum(table["decisions"].astype(np.int64) + table["buttons"])
    first = 0
    while first < len(sizes):
        before = sizes[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(sizes, before + rows, side="right")))
        yield first, last
        first = last
