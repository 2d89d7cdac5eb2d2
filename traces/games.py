"""Games in memory: flat rows of decisions and frames, and a table of episodes that says which rows belong to which."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlx_drmario.spec import ACTIONS, SPEED_NAMES
from mlx_drmario.traces import schema
from mlx_drmario.traces.schema import DECISION, DIGEST_SIZE, EPISODE

Table = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Games:
    """E episodes with D decision rows and F frame rows; columns, dtypes and shapes are those of `schema`."""

    players: int
    episode: Table
    """column -> [E, ...]"""
    start: NDArray[np.void]
    """[E], first states, `schema.state_dtype`"""
    decision: Table
    """column -> [D, ...]"""
    buttons: NDArray[np.uint8]
    """u8[F], of two players u8[F, 2]: held in each frame of the episodes that were played frame by frame"""
    sources: tuple[dict[str, Any], ...] = field(default=())
    """where the episodes come from (`schema.provenance`); `episode["source"]` is an index into it"""

    def __len__(self) -> int:
        return len(self.start)

    @property
    def rows(self) -> int:
        """Number of decision rows."""
        return len(self.decision["action"])

    @property
    def same_engine(self) -> bool:
        """Whether the digests were made by an engine that counts like this one."""
        return all(source["engine"] == schema.engine_signature() for source in self.sources)

    def decisions_of(self, episode: int) -> slice:
        """The rows of an episode in `decision`."""
        first = int(self.episode["first_decision"][episode])
        return slice(first, first + int(self.episode["decisions"][episode]))

    def buttons_of(self, episode: int) -> NDArray[np.uint8]:
        """u8[T, P]: what was held in each frame of an episode, empty for one played by placements."""
        first = int(self.episode["first_frame"][episode])
        return self.buttons[first : first + int(self.episode["buttons"][episode])].reshape(-1, self.players)

    def legal(self) -> NDArray[np.bool_]:
        """bool[D, 512]"""
        return np.unpackbits(self.decision["legal"], axis=1, bitorder="little").astype(np.bool_)

    def take(self, episodes: NDArray[np.integer] | NDArray[np.bool_]) -> "Games":
        """The chosen episodes (indices or a mask) in the order given."""
        chosen = np.arange(len(self))[episodes]
        table = {name: column[chosen] for name, column in self.episode.items()}
        rows, table["first_decision"] = _gather(table["first_decision"], table["decisions"])
        frames, table["first_frame"] = _gather(table["first_frame"], table["buttons"])
        used, table["source"] = np.unique(table["source"], return_inverse=True)
        table["source"] = table["source"].astype(EPISODE["source"].dtype)
        return Games(
            self.players,
            table,
            self.start[chosen],
            {name: column[rows] for name, column in self.decision.items()},
            self.buttons[frames],
            tuple(self.sources[index] for index in used),
        )


def _gather(first: NDArray[Any], count: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """(row numbers of all ranges first[i] .. first[i] + count[i], where each range begins among them)."""
    count = count.astype(np.int64)
    begin = np.cumsum(count) - count
    rows = np.arange(count.sum()) - np.repeat(begin, count) + np.repeat(first.astype(np.int64), count)
    return rows, begin.astype(np.uint64)


def empty(players: int) -> Games:
    """No games at all."""
    tables = [
        {name: np.empty((0, *schema.row_shape(column, players)), column.dtype) for name, column in columns.items()}
        for columns in (EPISODE, DECISION)
    ]
    buttons = np.empty((0, *schema.row_shape(schema.BUTTONS, players)), np.uint8)
    return Games(players, tables[0], np.empty(0, schema.state_dtype(players)), tables[1], buttons)


def join(parts: Sequence[Games]) -> Games:
    """All episodes of all parts, in order. Raises ValueError for no parts, or one- and two-player games together."""
    if not parts or len({part.players for part in parts}) > 1:
        raise ValueError(
            f"players is {sorted({part.players for part in parts})}; games of one and of two players cannot be joined"
        )
    if len(parts) == 1:
        return parts[0]
    sources: list[dict[str, Any]] = []
    episodes: list[Table] = []
    rows = frames = 0
    for part in parts:
        episodes.append(episodes_after(part, rows, frames, sources))
        rows, frames = rows + part.rows, frames + len(part.buttons)
    return Games(
        parts[0].players,
        {name: np.concatenate([table[name] for table in episodes]) for name in EPISODE},
        np.concatenate([part.start for part in parts]),
        {name: np.concatenate([part.decision[name] for part in parts]) for name in DECISION},
        np.concatenate([part.buttons for part in parts]),
        tuple(sources),
    )


def episodes_after(part: Games, rows: int, frames: int, sources: list[dict[str, Any]]) -> Table:
    """The table of a part's episodes where so many decision rows and frames lie before them, and their sources are
    numbered as in `sources`, to which new ones are added."""
    known = [_index(sources, source) for source in part.sources]
    table = dict(part.episode)
    table["first_decision"] = table["first_decision"] + np.uint64(rows)
    table["first_frame"] = table["first_frame"] + np.uint64(frames)
    table["source"] = np.array(known, EPISODE["source"].dtype)[table["source"]] if known else table["source"]
    return table


def _index(sources: list[dict[str, Any]], source: dict[str, Any]) -> int:
    if source not in sources:
        sources.append(source)
    return sources.index(source)


def content_hashes(games: Games) -> NDArray[np.uint8]:
    """u8[E, 16]: hash of each episode's first state and of all that was done in it; what `dedup` compares."""
    state, by_frame = games.start.dtype.itemsize, games.players
    starts, buttons = games.start.tobytes(), games.buttons.tobytes()
    players, actions = games.decision["player"].tobytes(), games.decision["action"].tobytes()
    names = ("first_decision", "decisions", "first_frame", "buttons")
    hashes = []
    for e, (first, decisions, frame, frames) in enumerate(
        zip(*(games.episode[n].tolist() for n in names), strict=True)
    ):
        if frames:
            done = b"buttons" + buttons[frame * by_frame : (frame + frames) * by_frame]
        else:
            last = first + decisions
            done = players[first:last] + actions[2 * first : 2 * last]
        hashes.append(hashlib.blake2b(starts[e * state : (e + 1) * state] + done, digest_size=DIGEST_SIZE).digest())
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, DIGEST_SIZE).copy()


def misplaced(episode: Table, rows: int, frames: int) -> list[str]:
    """What is wrong with where episodes say that their rows lie, among `rows` decisions and `frames` frames."""
    found = []
    for kind, count, total in (("decision", "decisions", rows), ("frame", "buttons", frames)):
        first, counts = (episode[name].astype(np.int64) for name in (f"first_{kind}", count))
        wrong = np.flatnonzero((first != np.cumsum(counts) - counts) | (first + counts > total))
        if len(wrong):
            e = wrong[0]
            found.append(f"episode {e}: first_{kind} is {first[e]} with {counts[e]} rows, of {total} in the file")
        elif counts.sum() != total:
            found.append(f"/{kind}: {total} rows, of which {counts.sum()} belong to episodes")
    return found


def out_of_range(games: Games) -> list[str]:
    """Values that no game can have, one sentence for each column that holds some."""
    found = []
    for table, name, least, most in (
        (games.episode, "level", 0, 24),
        (games.episode, "speed", 0, len(SPEED_NAMES) - 1),
        (games.episode, "custom", 0, 1),
        (games.episode, "viruses", 0, 99),
        (games.episode, "viruses_left", 0, 99),
        (games.episode, "outcome", 0, len(schema.OUTCOMES) - 1),
        (games.episode, "winner", 0, 3),
        (games.episode, "source", 0, len(games.sources) - 1),
        (games.decision, "player", 0, games.players - 1),
        (games.decision, "action", schema.NO_ACTION, ACTIONS - 1),
        (games.decision, "top_action", schema.NO_ACTION, ACTIONS - 1),
        (games.decision, "capsule", 0, 2),
        (games.decision, "preview", 0, 2),
    ):
        column = table[name]
        wrong = np.unique(np.nonzero((column < least) | (column > most))[0])
        if len(wrong):
            found.append(f"{name}[{wrong[0]}] is {column[wrong[0]]}, allowed are {least}..{most}")
    return found


def problems(games: Games) -> list[str]:
    """What is inconsistent about the tables themselves, one sentence each; whether they replay is another question."""
    found = misplaced(games.episode, games.rows, len(games.buttons)) + out_of_range(games)
    if found:
        return found
    named = np.flatnonzero(games.decision["action"] >= 0)
    action = games.decision["action"][named].astype(np.int64)
    allowed = games.decision["legal"][named, action >> 3] >> (action & 7) & 1
    if not allowed.all():
        found.append(
            f"action[{named[allowed == 0][0]}] is {action[allowed == 0][0]}, which its row's legal mask excludes"
        )
    return found + [ALTERED.format(e) for e in altered(games)[:1]]


ALTERED = "episode {}: its content hash is not that of its rows"


def altered(games: Games) -> NDArray[np.int64]:
    """The episodes whose rows are not what was recorded."""
    return np.flatnonzero((content_hashes(games) != games.episode["content"]).any(axis=1))


def require_recorded(games: Games, e: int) -> None:
    """ValueError for an episode whose rows are not what was recorded."""
    if len(altered(games.take(np.array([e])))):
        raise ValueError(ALTERED.format(e))
