"""The journal of a trace in the making: an append-only file that survives whatever ends its writer.

`NAME.dmtrace.h5.journal` is a magic line and then records, each `length u32, CRC-32 u32, payload`. The first payload is
a JSON header; every other one holds sections `kind u8, count u32, rows`, rows being packed structured arrays whose
dtypes the header gives. A record is written whole or, after a crash, cut off at the end of the file: reading stops at
the first one that is not whole, so nothing but the tail can be lost. HDF5 itself cannot promise that: a file open for
writing is refused by readers once its writer is killed, and its columns have different lengths (docs/LOG.md).

The writer holds an advisory lock for as long as it lives, so that nobody recovers a journal under its hands.
"""

import fcntl
import json
import os
import threading
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlx_drmario._core import decision_row_dtype
from mlx_drmario.files import flush
from mlx_drmario.traces import schema

MAGIC = b"mlx_drmario journal 1\n"
SUFFIX = ".journal"
HEAD = 8
"""bytes before the payload of a record: its length and checksum"""
Rows = NDArray[np.void]


def dtypes(players: int) -> dict[str, np.dtype[Any]]:
    """Dtype of every kind of section: starts of games, decisions, buttons, ends of games."""
    game = ("game", "u8")
    seats = (2,) if players == 2 else ()
    policy = schema.EPISODE["policy"]
    return {
        "start": np.dtype([game, ("policy", policy.dtype, seats), ("state", schema.engine_dtype(players))]),
        "decision": decision_row_dtype(),
        "buttons": np.dtype([game, ("held", "u1", seats)]),
        "end": np.dtype([game, ("outcome", "u1"), ("winner", "u1"), ("digest", "u8")]),
    }


def raw(rows: Rows) -> Rows:
    """The same rows as mere bytes: copying those is several times as fast as copying fields."""
    return rows.view(np.dtype((np.void, rows.dtype.itemsize)))


KINDS = ("start", "decision", "buttons", "end")


@dataclass(frozen=True)
class Content:
    """All whole records of a journal, by kind."""

    players: int
    source: dict[str, Any]
    start: Rows
    decision: Rows
    buttons: Rows
    end: Rows
    lost: int = 0
    """bytes after the last whole record"""
    damaged: bool = False
    """these do not end too early, as when the writer was killed, but say something else than what was written"""

    def only(self, games: NDArray[np.uint64]) -> "Content":
        """What concerns these games."""

        def part(rows: Rows) -> Rows:
            chosen = np.isin(rows["game"], games)
            return rows if chosen.all() else raw(rows)[chosen].view(rows.dtype)

        return replace(
            self,
            start=part(self.start),
            decision=part(self.decision),
            buttons=part(self.buttons),
            end=part(self.end),
        )

    def unfinished(self) -> NDArray[np.uint64]:
        """Games without an end."""
        return np.setdiff1d(self.start["game"], self.end["game"])


class Journal:
    """The writing side."""

    def __init__(self, path: Path, source: Mapping[str, Any], players: int, first: Mapping[str, Rows]) -> None:
        """Create the file, with `first` as its first rows: both or nothing. FileExistsError if it is there."""
        if path.exists():
            raise FileExistsError(f"path is {path}, the journal of another recording: see `drmario trace recover`")
        self.path, self.players = path, players
        self._dtypes = dtypes(players)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
        self._file = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(self._file, MAGIC)
            self._last = (-1, len(MAGIC), len(MAGIC))  # number of the last record, where it begins, where it ends
            self._write(0, [memoryview(_header(source, players, self._dtypes))])
            self.append(1, first)
            os.link(temporary, path)  # unlike rename, refuses to replace
        except BaseException:
            os.close(self._file)
            raise
        finally:
            os.unlink(temporary)

    def append(self, number: int, sections: Mapping[str, Rows]) -> None:
        """Write record `number`, 1 or more. OSError when it cannot be written whole; the file is then as before.

        The same number again replaces the record: after an interruption nothing is lost and nothing is there twice.
        """
        payload: list[memoryview] = []
        for kind in KINDS:
            rows = sections.get(kind)
            if rows is not None and len(rows):
                head = bytes([KINDS.index(kind)]) + len(rows).to_bytes(4, "little")
                payload += [memoryview(head), raw(rows).view(np.uint8).data]
        if payload:
            self._write(number, payload)

    def _write(self, number: int, payload: Sequence[memoryview]) -> None:
        last, begin, end = self._last
        at = begin if number == last else end
        length, checksum = 0, 0
        for part in payload:
            length, checksum = length + len(part), zlib.crc32(part, checksum)
        head = length.to_bytes(4, "little") + checksum.to_bytes(4, "little")
        until = at
        try:
            for part in (memoryview(head), *payload):
                view = part
                while view:
                    written = os.pwrite(self._file, view, until)
                    view, until = view[written:], until + written
        except OSError as error:
            os.ftruncate(self._file, at)
            raise OSError(error.errno, f"path is {self.path}, which cannot grow: {error.strerror}") from None
        self._last = (number, at, until)

    def sync(self) -> None:
        """Wait until all records are on the disk, so that they outlive the machine too."""
        flush(self._file)

    def close(self) -> None:
        """Release the file; it stays."""
        os.close(self._file)


def _header(source: Mapping[str, Any], players: int, kinds: Mapping[str, np.dtype[Any]]) -> bytes:
    described = {kind: np.lib.format.dtype_to_descr(dtype) for kind, dtype in kinds.items()}
    return json.dumps({"players": players, "source": dict(source), "dtypes": described}).encode()


def _as_descr(described: Any) -> Any:
    """JSON lists back to the tuples that `np.lib.format.descr_to_dtype` wants."""
    if isinstance(described, str):
        return described
    fields = []
    for name, kind, *shape in described:
        fields.append((name, _as_descr(kind), *(tuple(extent) for extent in shape)))
    return fields


def read(path: Path | str) -> Content:
    """All whole records, also while the writer goes on.

    Raises FileNotFoundError, or ValueError for what is not a journal or does not even have a whole header.
    """
    data = Path(path).read_bytes()
    if not data.startswith(MAGIC):
        raise ValueError(f"path is {path}, which is not a trace journal")
    payload, at = _record(data, len(MAGIC))
    if payload is None:
        raise ValueError(f"path is {path}, a journal whose header is cut short or damaged: nothing in it can be read")
    header = json.loads(bytes(payload))
    players = int(header["players"])
    own = dtypes(players)
    written = {kind: np.lib.format.descr_to_dtype(_as_descr(header["dtypes"][kind])) for kind in KINDS}
    sections: dict[str, list[Rows]] = {kind: [] for kind in KINDS}
    while True:
        payload, end = _record(data, at)
        if payload is None:
            break
        _sections(payload, written, sections)
        at = end
    joined = {kind: _converted(_concatenated(sections[kind], written[kind]), own[kind]) for kind in KINDS}
    lost = len(data) - at
    damaged = lost >= HEAD and HEAD + int.from_bytes(data[at : at + 4], "little") <= lost
    return Content(players, header["source"], **joined, lost=lost, damaged=damaged)


def _record(data: bytes, at: int) -> tuple[memoryview | None, int]:
    """The payload of the record at this offset and the offset after it; None when it is not whole."""
    length, checksum = (int.from_bytes(data[at + i : at + i + 4], "little") for i in (0, 4))
    payload = memoryview(data)[at + HEAD : at + HEAD + length]
    if len(data) < at + HEAD or len(payload) < length or zlib.crc32(payload) != checksum:
        return None, at
    return payload, at + HEAD + length


def _sections(payload: memoryview, kinds: Mapping[str, np.dtype[Any]], into: dict[str, list[Rows]]) -> None:
    at = 0
    while at < len(payload):
        kind, count = KINDS[payload[at]], int.from_bytes(payload[at + 1 : at + 5], "little")
        into[kind].append(np.frombuffer(payload, kinds[kind], count, at + 5))
        at += 5 + count * kinds[kind].itemsize


def _concatenated(parts: list[Rows], dtype: np.dtype[Any]) -> Rows:
    return np.concatenate([raw(part) for part in (np.empty(0, dtype), *parts)]).view(dtype)


def _converted(rows: Rows, dtype: np.dtype[Any]) -> Rows:
    """Rows of another release with the fields of this one: what is missing is 0."""
    if rows.dtype == dtype:
        return rows
    result = np.zeros(len(rows), dtype)
    for name in set(dtype.names or ()) & set(rows.dtype.names or ()):
        nested = dtype[name].names is not None
        result[name] = _converted(rows[name], dtype[name]) if nested else rows[name]
    return result


def is_alive(path: Path | str) -> bool:
    """Whether the process that writes this journal still runs."""
    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
