"""Writing one trace file: rows go to a journal as they come, and the journal becomes the file when it is closed."""

import glob
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlx_drmario.files import WRITING
from mlx_drmario.traces import frames, games, journal, schema, storage
from mlx_drmario.traces.games import Games
from mlx_drmario.traces.identify import derived
from mlx_drmario.traces.journal import Content, Journal, Rows
from mlx_drmario.traces.schema import DECISION, EPISODE

FLUSH_ROWS, FLUSH_SECONDS = 4096, 1.0
"""rows wait in memory until there are so many, or for so long: what a killed process can lose"""
DAMAGED = ".damaged"
"""end of the name of a journal that `recover` could not read to its end"""


def journal_of(path: Path) -> Path:
    """The journal of a trace file."""
    return path.with_name(path.name + journal.SUFFIX)


class OfOneProcess:
    """What has files open: it cannot be copied, and refuses a child that was forked from its process."""

    def __init__(self) -> None:
        self._process = os.getpid()

    def _refuse_forked(self, recording: str) -> None:
        if os.getpid() != self._process:
            raise RuntimeError(f"the recording {recording} belongs to process {self._process}; make one of your own")

    def __reduce__(self) -> Any:
        raise TypeError(f"a {type(self).__name__} cannot be copied or pickled: it has files open")


class TraceWriter(OfOneProcess):
    """Use as a context manager; leaving it, also by an exception, completes the file.

    Nothing is lost but rows not yet flushed: after a kill, `recover` makes the file from the journal.
    """

    def __init__(
        self,
        path: Path | str,
        players: int = 1,
        config: Mapping[str, Any] | None = None,
        previous: "TraceWriter | None" = None,
    ) -> None:
        """previous: a writer whose games without an end go on here, with all their rows; close it afterwards.

        Raises FileExistsError rather than replacing a trace or the journal of one.
        """
        path = Path(path)
        if path.exists():
            raise FileExistsError(storage.TAKEN.format(path))
        self.path, self.players = path, players
        super().__init__()
        self._continued = False
        self.rows = 0
        """rows of decisions and frames so far"""
        source = schema.provenance(config) | {"file": path.name, "previous": previous.path.name if previous else None}
        carried: dict[str, Rows] = {}
        self._next_game = 0
        if previous is not None:
            previous.flush()
            content = journal.read(journal_of(previous.path))
            carried = {kind: getattr(content.only(content.unfinished()), kind) for kind in journal.KINDS}
            self._next_game = previous._next_game
        self._dtypes = journal.dtypes(players)
        self._pending = _Pending(2, self._dtypes)
        self._journal: Journal | None = Journal(journal_of(path), source, players, carried)
        if previous is not None:
            previous._continued = True  # last: where this file cannot begin, the games end in that one

    def start(self, states: NDArray[np.void], policy: str | tuple[str, str] = "") -> NDArray[np.uint64]:
        """Begin games at these states [n] (`Batch.state`); returns their numbers u64[n]."""
        rows = np.zeros(len(states), self._dtypes["start"])
        rows["game"] = self._next_game + np.arange(len(states), dtype=np.uint64)
        rows["policy"] = schema.encoded(policy) if isinstance(policy, str) else [schema.encoded(one) for one in policy]
        journal.raw(rows["state"])[:] = journal.raw(states)
        self._next_game += len(states)
        self._add("start", rows)
        return rows["game"].copy()

    def decide(self, rows: Rows) -> None:
        """Decisions: `journal.dtypes()["decision"]`, game and order (of its making) included.

        Of two players a row may be given twice, when it is made and when it is over; the later one counts.
        """
        self._add("decision", rows)

    def press(self, game: int, held: NDArray[np.uint8]) -> None:
        """Frames of a game that is played by buttons, u8[T, P]; its decisions are found when the file is made."""
        rows = np.empty(len(held), self._dtypes["buttons"])
        rows["game"], rows["held"] = game, held if self.players == 2 else held[:, 0]
        self._add("buttons", rows)

    def end(
        self, game: NDArray[np.uint64], outcome: NDArray[Any], winner: NDArray[Any] | int, digest: NDArray[np.uint64]
    ) -> None:
        """These games are over; digest: of their last states."""
        rows = np.empty(len(game), self._dtypes["end"])
        rows["game"], rows["outcome"], rows["winner"], rows["digest"] = game, outcome, winner, digest
        self._add("end", rows)

    def _add(self, kind: str, rows: Rows) -> None:
        self._refuse_forked(self.path.name)
        if not len(rows):
            return
        self._pending.add(kind, rows)
        if kind in ("decision", "buttons"):
            self.rows += len(rows)
            if self._pending.rows >= FLUSH_ROWS or time.monotonic() - self._pending.since > FLUSH_SECONDS:
                self.flush()

    def flush(self) -> None:
        """Hand all rows to the operating system: they outlive this process. OSError when the disk is full."""
        if self._journal is not None:
            self._journal.append(self._pending.number, self._pending.sections())
            self._pending = _Pending(self._pending.number + 1, self._dtypes)

    def close(self) -> int:
        """Write the file and remove the journal; returns the number of episodes (0: no file). Again does nothing.

        Raises OSError when the disk is full; the journal stays, and `recover` makes the file when there is room.
        Raises RuntimeError in a process forked from the one that made this object.
        """
        if self._journal is None:
            return 0
        self._refuse_forked(self.path.name)
        try:
            self.flush()
            self._journal.sync()
            return publish(journal_of(self.path), self.path, continued=self._continued)
        finally:  # only now: to others it is alive as long as it is open
            self._journal.close()
            self._journal = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class _Pending:
    """Rows of the record that is to be written next."""

    def __init__(self, number: int, kinds: Mapping[str, np.dtype[Any]]) -> None:
        self.number, self._dtypes, self.since = number, kinds, time.monotonic()
        self._buffers: dict[str, tuple[Rows, int]] = {}
        """kind -> (buffer, rows in it), replaced as one: an interruption leaves whole rows"""

    @property
    def rows(self) -> int:
        return sum(self._buffers[kind][1] for kind in ("decision", "buttons") if kind in self._buffers)

    def add(self, kind: str, rows: Rows) -> None:
        if kind not in self._buffers:  # not copied: whoever adds rows gives them away
            self._buffers[kind] = (rows, len(rows))
            return
        buffer, count = self._buffers[kind]
        if count + len(rows) > len(buffer):
            larger = np.empty(max(FLUSH_ROWS, 2 * (count + len(rows))), self._dtypes[kind])
            journal.raw(larger)[:count] = journal.raw(buffer)[:count]
            buffer = larger
        journal.raw(buffer)[count : count + len(rows)] = journal.raw(rows)
        self._buffers[kind] = (buffer, count + len(rows))

    def sections(self) -> dict[str, Rows]:
        return {kind: buffer[:count] for kind, (buffer, count) in self._buffers.items()}


def publish(source: Path, path: Path, continued: bool) -> int:
    """Make a trace file of a journal and remove the journal; returns the number of episodes, 0 without a file.

    continued: games without an end go on in another file and are left out.
    """
    made = assemble(journal.read(source), continued)
    if len(made):
        storage.save(path, [made], made.players)
    source.unlink()
    return len(made)


def assemble(content: Content, continued: bool = False) -> Games:
    """The games of a journal, sorted; games of which no decision or frame was recorded are left out."""
    if continued:
        content = content.only(content.end["game"])
    played = np.union1d(content.decision["game"], content.buttons["game"])
    content = content.only(played)
    start = _ordered(content.start, content.start["game"])
    held = _ordered(content.buttons, content.buttons["game"])
    chosen = _last_of_each(content.decision)
    made = games.empty(content.players)
    decision = _columns(content.decision, chosen)
    episode = _episodes(content, start, content.decision["game"][chosen], held["game"])
    states = schema.packed_states(start["state"])
    raw = Games(content.players, episode, states, decision, held["held"].copy(), (content.source,))
    by_buttons = np.flatnonzero(episode["buttons"])
    if len(by_buttons):
        parts = [raw.take(np.flatnonzero(episode["buttons"] == 0)), *(_from_buttons(raw, int(e)) for e in by_buttons)]
        raw = games.join(parts).take(np.argsort(np.concatenate([np.flatnonzero(episode["buttons"] == 0), by_buttons])))
    if len(raw):
        made = complete(raw)
    return made


def _last_of_each(rows: Rows) -> NDArray[np.int64]:
    """Which rows are in the file, by game, step and seat: of those of one decision the one that was given last."""
    key = rows["game"] << np.uint64(33) | rows["order"].astype(np.uint64) << np.uint64(1) | rows["player"]
    order = np.argsort(key, kind="stable")
    return order[np.append(key[order[1:]] != key[order[:-1]], True)[: len(order)]]


def _columns(rows: Rows, chosen: NDArray[np.int64]) -> games.Table:
    """The columns of these rows; so many rows at a time as a processor's cache holds, which takes half as long."""
    table = {name: np.empty((len(chosen), *rows.dtype[name].shape), rows.dtype[name].base) for name in DECISION}
    for first in range(0, len(chosen), FLUSH_ROWS):
        part = journal.raw(rows)[chosen[first : first + FLUSH_ROWS]].view(rows.dtype)
        for name, column in table.items():
            column[first : first + len(part)] = part[name]
    return table


def _ordered(rows: Rows, key: NDArray[Any]) -> Rows:
    return journal.raw(rows)[np.argsort(key, kind="stable")].view(rows.dtype)


def _episodes(content: Content, start: Rows, rows: NDArray[Any], held: NDArray[Any]) -> games.Table:
    """The columns that the journal itself tells; the others are 0."""
    game = start["game"]
    table = {
        name: np.zeros((len(game), *schema.row_shape(column, content.players)), column.dtype)
        for name, column in EPISODE.items()
    }
    for name, count, column in (("decision", "decisions", rows), ("frame", "buttons", held)):
        first = np.searchsorted(column, game)
        table[f"first_{name}"][:] = first
        table[count][:] = np.searchsorted(column, game, side="right") - first
    order = np.argsort(content.end["game"])
    ended = content.end[order]
    at = np.searchsorted(ended["game"], game)
    known = at < len(ended)
    known[known] = ended["game"][at[known]] == game[known]
    for name, field in (("outcome", "outcome"), ("winner", "winner"), ("end_digest", "digest")):
        table[name][known] = ended[field][at[known]]
    table["policy"][:] = start["policy"]
    return table


def _from_buttons(raw: Games, e: int) -> Games:
    """An episode played by buttons, with the decisions in it."""
    one = raw.take(np.array([e]))
    played = frames.play(one.start, one.buttons_of(0))
    episode = dict(one.episode)
    for name, value in (("outcome", played.outcome), ("winner", played.winner), ("frames", played.frames)):
        episode[name] = np.array([value], EPISODE[name].dtype)
    episode["decisions"] = np.array([len(played.decision)], np.uint32)
    decision = {name: played.decision[name].copy() for name in DECISION}
    return Games(one.players, episode, one.start, decision, one.buttons, one.sources)


def complete(raw: Games) -> Games:
    """The same games with every episode column that follows from starts and rows."""
    episode = raw.episode | derived(raw)
    whole = Games(raw.players, episode, raw.start, raw.decision, raw.buttons, raw.sources)
    episode["content"] = games.content_hashes(whole)
    return whole


@dataclass(frozen=True)
class Recovered:
    """What `recover` made of a journal."""

    path: Path
    episodes: int
    """in the file; without one there is none"""
    lost: int = 0
    """bytes of the journal that are not in it: of a record that is not whole and of all behind it"""
    kept: Path | None = None
    """a copy of a journal that is damaged before its end, not only cut short"""


def recover(source: Path | str) -> Recovered:
    """Make the trace file of a journal whose writer is dead, and remove the journal.

    Raises FileNotFoundError, ValueError for what is no journal or has a damaged file under its name, FileExistsError
    when a file of other games has that name, BlockingIOError when its writer still runs.
    """
    source = Path(source)
    path = source.with_name(source.name.removesuffix(journal.SUFFIX))
    content = journal.read(source)
    if journal.is_alive(source):
        raise BlockingIOError(f"path is {source}, which a running process writes; it makes the file when it ends")
    # Of the dead writer: nobody else makes this file.
    for leftover in path.parent.glob(f"{WRITING}*-{glob.escape(path.name)}"):
        leftover.unlink()
    if path.exists():  # the writer died between making the file and removing the journal
        made = storage.episodes(path)  # raises before the journal goes, which then is all there is
        if content.source not in made.sources:  # another writer took the name
            raise FileExistsError(f"path is {path}, which holds other games than {source}; rename one of the two")
        source.unlink()
        return Recovered(path, len(made))
    kept = _kept(source) if content.damaged else None
    return Recovered(path, publish(source, path, continued=_goes_on(path)), content.lost, kept)


def _kept(source: Path) -> Path:
    """A second name of a damaged journal, which stays when the first goes."""
    kept = source.with_name(source.name + DAMAGED)
    if not kept.exists():
        os.link(source, kept)
    elif not kept.samefile(source):  # else an attempt was interrupted
        raise FileExistsError(f"path is {source}, a damaged journal, and {kept} is there already; rename one of them")
    return kept


def _goes_on(path: Path) -> bool:
    """Whether the next file of the recording took over the running games of this one.

    Not when it cannot be read: games that are there twice are better than games that are lost.
    """
    stem, _, number = path.name.removesuffix(schema.SUFFIX).rpartition("-")
    if not number.isdecimal():
        return False
    following = path.with_name(f"{stem}-{int(number) + 1:04d}{schema.SUFFIX}")  # as `Capture.open_file` names it
    sources: list[dict[str, Any]] = []
    with suppress(ValueError, OSError):
        sources += storage.episodes(following).sources
    with suppress(ValueError, OSError):
        sources.append(journal.read(journal_of(following)).source)
    return any(source.get("previous") == path.name for source in sources)
