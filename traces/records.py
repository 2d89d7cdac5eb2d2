"""The best lines known: a SQLite database of placements that clear a game, each proven by playing it from reset.

A line is a list of actions for one (level, speed, seed); its time is its frames to clear, on the clock of every table
(docs/evaluation.md). The frame counter in the first sample of play is part of the line: on a console it is chosen by
waiting on the title.
"""

import csv
import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

import mlx_drmario as dm
from mlx_drmario import seeds
from mlx_drmario.files import replacing, write_text
from mlx_drmario.spec import ACTIONS, SPEED_NAMES
from mlx_drmario.traces import database, schema, storage, tools
from mlx_drmario.traces.capture import Capture, capture_line
from mlx_drmario.traces.schema import CLEARED

VERSION = 1
FORMATS = (".csv", ".json", schema.SUFFIX)
TOP_K = 10
"""lines kept for each (level, speed, seed)"""
_TABLES = (
    """CREATE TABLE IF NOT EXISTS line (
    id INTEGER PRIMARY KEY,
    level INTEGER NOT NULL CHECK (level BETWEEN 0 AND 24),
    speed INTEGER NOT NULL CHECK (speed BETWEEN 0 AND 2),
    seed INTEGER NOT NULL CHECK (seed BETWEEN 2 AND 65535),
    frame_counter INTEGER NOT NULL CHECK (frame_counter BETWEEN 0 AND 255),
    frames INTEGER NOT NULL,    -- frames to clear
    capsules INTEGER NOT NULL,  -- placements
    actions BLOB NOT NULL,      -- i16, little-endian, one per capsule
    solver TEXT NOT NULL,
    layout TEXT NOT NULL,       -- seeds.layout_hash
    engine TEXT NOT NULL,       -- schema.engine_signature of the engine that last proved it
    verified INTEGER NOT NULL,  -- 1: the last replay cleared the game in these frames
    added TEXT NOT NULL,        -- UTC
    UNIQUE (level, speed, seed, frame_counter, actions)
)""",
    "CREATE INDEX IF NOT EXISTS best ON line (level, speed, seed, frames)",
)


@dataclass(frozen=True)
class Line:
    """One line of the database."""

    level: int
    speed: int
    seed: int
    """on the orbit"""
    frame_counter: int
    frames: int
    capsules: int
    actions: tuple[int, ...]
    solver: str
    layout: str
    engine: str
    verified: bool
    added: str


@dataclass(frozen=True)
class Claim:
    """A line that wants to be admitted."""

    level: int
    speed: int
    seed: int
    actions: Sequence[int]
    frame_counter: int = 0


@dataclass(frozen=True)
class Proof:
    """What replaying a claim gave."""

    frames: int
    """frames to clear; 0: it does not clear"""
    problem: str
    """why it does not, as a sentence; empty when it does"""


def prove(claims: Sequence[Claim]) -> list[Proof]:
    """Play every claim from reset. Raises ValueError for a level, speed, seed or counter that cannot be."""
    if not claims:
        return []
    play = dm.Decisions(num_envs=len(claims))
    columns = [np.array([getattr(c, name) for c in claims]) for name in ("level", "speed", "seed", "frame_counter")]
    play.reset(*columns)
    problem = [""] * len(claims)
    cleared = np.zeros(len(claims), np.bool_)
    length = np.array([len(claim.actions) for claim in claims])
    for step in range(int(length.max(initial=0))):
        action, waiting = play.sample_legal(0), (step < length) & np.array([not text for text in problem])
        for n in np.flatnonzero(waiting).tolist():
            wanted = claims[n].actions[step]
            if play.ended[n]:
                problem[n] = f"the game ends after {step} of {length[n]} placements"
            elif not (0 <= wanted < ACTIONS and play.legal[n, wanted]):
                problem[n] = f"placement {step}, action {wanted}, cannot be reached"
            else:
                action[n] = wanted
        play.step(action)
        cleared |= play.cleared & (step == length - 1)
    frames = play.frames
    proofs = []
    for n in range(len(claims)):
        text = problem[n] or ("" if cleared[n] else f"the game is not cleared after {length[n]} placements")
        proofs.append(Proof(0 if text else int(frames[n]), text))
    return proofs


class Records:
    """A database of lines; a context manager. Several processes may use one at the same time."""

    def __init__(self, path: Path, top_k: int = TOP_K) -> None:
        """Open or create it. ValueError for a file that is no database of records, or of another version.

        Where the directory cannot be written to, one that nobody has open can be looked at.

        Every method raises OSError that names the file when the disk is full or fails, or others hold it for too long.
        """
        if top_k < 1:
            raise ValueError(f"top_k is {top_k}; it must be at least 1")
        self.path, self.top_k = path, top_k
        with database.naming(path):
            self._db = database.connect(path)
        try:
            with database.naming(path):
                self._open_somehow()
        except OSError:
            self._db.close()
            raise
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise ValueError(f"path is {path}, which is not a database of records: {error}") from None

    def _open_somehow(self) -> None:
        try:
            database.patiently(self._open)
        except sqlite3.OperationalError as error:
            if not database.lies_still(self.path, error):
                raise
            self._db.close()
            self._db = database.connect_to_still(self.path)
            self._open()

    def _open(self) -> None:
        made = self._db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'line'").fetchone()[0]
        if made and self._db.execute("PRAGMA user_version").fetchone()[0] == VERSION:
            return  # nothing is written, so that those can look who may not write
        self._db.execute("PRAGMA journal_mode = WAL")
        with self._transaction():
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if version != VERSION and tables:
                raise sqlite3.DatabaseError(f"version {version}, this release reads {VERSION}")
            for statement in _TABLES:
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of it or nothing, and no other writer in between."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite has taken it back by itself when the disk is full or fails
                self._db.execute("ROLLBACK")
            raise

    def add(self, claims: Sequence[Claim], solver: str) -> list[bool]:
        """Admit claims that are among the `top_k` best of their game; True for each that is in the database now.

        The fewer frames the better, then the fewer capsules, then the earlier.

        Raises:
            ValueError: a claim that does not clear its game when it is played from reset, naming it; nothing is added.
        """
        proofs = prove(claims)
        for number, (claim, proof) in enumerate(zip(claims, proofs, strict=True)):
            if proof.problem:
                game = f"level {claim.level}, speed {claim.speed}, seed {claim.seed}"
                raise ValueError(f"claim {number} ({game}): {proof.problem}")
        with database.naming(self.path), self._transaction():
            keys = [self._insert(claim, proof, solver) for claim, proof in zip(claims, proofs, strict=True)]
            for level, speed, seed in {key[:3] for key in keys}:
                self._trim(level, speed, seed)
            return [self._holds(key) for key in keys]

    def _insert(self, claim: Claim, proof: Proof, solver: str) -> tuple[int, int, int, int, bytes]:
        seed = canonical_seed(claim.seed)
        actions = np.array(claim.actions, "<i2").tobytes()
        key = (claim.level, claim.speed, seed, claim.frame_counter, actions)
        layout = seeds.layout_hash(claim.level, seed)
        now = np.datetime_as_string(np.datetime64("now", "s"), timezone="UTC")
        values = (*key, proof.frames, len(claim.actions), solver, layout, schema.engine_signature(), 1, now)
        self._db.execute(
            "INSERT INTO line (level, speed, seed, frame_counter, actions, frames, capsules, solver, layout, engine,"
            " verified, added) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " frames = excluded.frames, engine = excluded.engine, verified = 1",
            values,
        )
        return key

    def _trim(self, level: int, speed: int, seed: int) -> None:
        self._db.execute(
            "DELETE FROM line WHERE id IN (SELECT id FROM line WHERE level = ? AND speed = ? AND seed = ?"
            " ORDER BY verified DESC, frames, capsules, id LIMIT -1 OFFSET ?)",
            (level, speed, seed, self.top_k),
        )

    def _holds(self, key: tuple[int, int, int, int, bytes]) -> bool:
        where = "level = ? AND speed = ? AND seed = ? AND frame_counter = ? AND actions = ?"
        return self._db.execute(f"SELECT 1 FROM line WHERE {where}", key).fetchone() is not None

    def lines(
        self, level: int | None = None, speed: int | None = None, seed: int | None = None, top: int | None = None
    ) -> list[Line]:
        """The lines of a level, speed and seed (None: of all), best first within each game; top: only so many each."""
        conditions, values = ["1"], []
        for name, value in (("level", level), ("speed", speed), ("seed", seed)):
            if value is not None:
                conditions.append(f"{name} = ?")
                values.append(canonical_seed(value) if name == "seed" else value)
        with database.naming(self.path):
            rows = self._db.execute(
                "SELECT * FROM (SELECT level, speed, seed, frame_counter, frames, capsules, actions, solver, layout,"
                " engine, verified, added, id, row_number() OVER (PARTITION BY level, speed, seed ORDER BY"
                f" verified DESC, frames, capsules, id) AS place FROM line WHERE {' AND '.join(conditions)})"
                " WHERE place <= ? ORDER BY level, speed, seed, place",
                (*values, top or 2**31),
            ).fetchall()
        return [_line(row) for row in rows]

    def quantiles(self) -> list[dict[str, Any]]:
        """Per (level, speed): number of games, and quantiles over games of the best verified time, in frames."""
        best: dict[tuple[int, int], list[int]] = {}
        with database.naming(self.path):
            found = self._db.execute(
                "SELECT level, speed, min(frames) FROM line WHERE verified GROUP BY level, speed, seed"
            ).fetchall()
        for level, speed, frames in found:
            best.setdefault((level, speed), []).append(frames)
        rows = []
        for (level, speed), frames in sorted(best.items()):
            low, median, high = np.quantile(frames, (0.1, 0.5, 0.9), method="inverted_cdf").tolist()
            spread = {"best": min(frames), "p10": low, "median": median, "p90": high, "worst": max(frames)}
            rows.append({"level": level, "speed": SPEED_NAMES[speed], "games": len(frames), **spread})
        return rows

    def verify(self) -> list[str]:
        """Play every line again, update its verified flag, and return a sentence for each that fails."""
        found = []
        lines = self.lines()
        claims = [Claim(line.level, line.speed, line.seed, line.actions, line.frame_counter) for line in lines]
        proofs = [proof for first in range(0, len(claims), 1024) for proof in prove(claims[first : first + 1024])]
        for line, proof in zip(lines, proofs, strict=True):
            problem = proof.problem
            if not problem and proof.frames != line.frames:
                problem = f"it takes {proof.frames} frames, the database says {line.frames}"
            if not problem and line.layout != seeds.layout_hash(line.level, line.seed):
                problem = f"the layout of the game is {seeds.layout_hash(line.level, line.seed)}, not {line.layout}"
            if problem:
                name = f"level {line.level} {SPEED_NAMES[line.speed]}, seed {line.seed}, {line.frames} frames"
                found.append(f"{name} by {line.solver}: {problem}")
            key = (line.level, line.speed, line.seed, line.frame_counter, np.array(line.actions, "<i2").tobytes())
            with database.naming(self.path):
                self._db.execute(
                    "UPDATE line SET verified = ?, engine = ? WHERE level = ? AND speed = ? AND seed = ?"
                    " AND frame_counter = ? AND actions = ?",
                    (not problem, schema.engine_signature(), *key),
                )
        return found

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _line(row: tuple[Any, ...]) -> Line:
    level, speed, seed, counter, frames, capsules, actions, solver, layout, engine, verified, added, *_ = row
    taken = tuple(np.frombuffer(actions, "<i2").tolist())
    return Line(level, speed, seed, counter, frames, capsules, taken, solver, layout, engine, bool(verified), added)


def canonical_seed(seed: int) -> int:
    """The seed on the orbit that gives the same game; ValueError for 0, 1 and what is no seed."""
    if not 2 <= seed <= 0xFFFF:
        raise ValueError(f"seed is {seed}; it must lie in 2..65535")
    return seed if seed in seeds.orbit() else seed ^ 1


def claims_of(path: Path) -> tuple[list[Claim], list[str]]:
    """The cleared one-player games of a trace file that start as `reset` makes them, and who played each."""
    claims, solvers = [], []
    if storage.check(path) == 2:
        raise ValueError(f"path is {path}, games of two players; records are one player's")
    for block in storage.blocks(path):
        table = block.episode
        for e in np.flatnonzero((table["outcome"] == CLEARED) & (table["custom"] == 0)).tolist():
            actions = block.decision["action"][block.decisions_of(e)].tolist()
            level, speed, seed, counter = (int(table[n][e]) for n in ("level", "speed", "seed", "frame_counter"))
            claims.append(Claim(level, speed, seed, actions, counter))
            solvers.append(str(schema.decoded(table["policy"][e])))
    return claims, solvers


def add_trace(records: Records, path: Path) -> tuple[int, int]:
    """Admit what a trace file holds; returns (games cleared, lines admitted). Lines by buttons count if replayable."""
    claims, solvers = claims_of(path)
    provable = [not proof.problem for proof in prove(claims)]
    admitted = 0
    for solver in sorted(set(solvers)):
        own = [c for c, s, good in zip(claims, solvers, provable, strict=True) if s == solver and good]
        admitted += sum(records.add(own, solver))
    return len(claims), admitted


def export(lines: Iterable[Line], out: Path) -> int:
    """Write lines as .csv, .json or as a trace, by the name's end; returns their number.

    Raises ValueError for another end, and for a trace also when there is no line or one does not replay.
    """
    chosen = list(lines)
    if out.name.endswith(schema.SUFFIX):
        _to_trace(chosen, out)
    elif out.suffix == ".json":
        text = json.dumps([asdict(line) for line in chosen], indent=1) + "\n"
        write_text(out, text)
    elif out.suffix == ".csv":
        with replacing(out) as temporary:
            _to_csv(chosen, temporary)
    else:
        raise ValueError(f"out is {out}; lines are written as {', '.join(FORMATS)}")
    return len(chosen)


def _to_csv(lines: Sequence[Line], path: Path) -> None:
    with open(path, "w", newline="") as file:
        table = csv.writer(file)
        names = list(Line.__dataclass_fields__)
        table.writerow(names)
        for line in lines:
            values = {**asdict(line), "actions": " ".join(map(str, line.actions))}
            table.writerow([values[name] for name in names])


def _to_trace(lines: Sequence[Line], out: Path) -> None:
    if out.exists():
        raise FileExistsError(storage.TAKEN.format(out))
    if not lines:
        raise ValueError(f"out is {out}, and no line was chosen for it; a trace holds one at least")
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        for number, line in enumerate(lines):
            play = dm.Decisions(num_envs=1, threads=1)
            play.reset(line.level, line.speed, line.seed, line.frame_counter)
            with Capture(Path(folder), name=f"{number:06d}", policy=line.solver) as capture:
                capture_line(capture, play, line.actions)
        tools.merge(tools.find([Path(folder)]), out)
