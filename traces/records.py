"""The best lines known: a SQLite database of placements that clear a game, each proven by playing it from reset.

A line is a list of actions for one (level, speed, seed); its time is its frames to clear, on the clock of every table
(docs/evaluation.md). The frame counter in the first sample of play is part of the line: on a console it is chosen by
waiting on the title.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np

import mlx_drmario as dm
from mlx_drmario import seeds
from mlx_drmario.ranges import Count, Game, Level, Range, check_ranges
from mlx_drmario.spec import ACTIONS, SPEED_NAMES, whole
from mlx_drmario.traces import database, schema

Speed = Annotated[int, Range(0, len(SPEED_NAMES) - 1)]
VERSION = 1
AT_ONCE = 1024
"""games that are played at a time, of some 4 KB each"""
_START = "CASE speed WHEN 0 THEN 0 ELSE frame_counter % 2 END"
"""What of its frame counter a game depends on. At LOW the first capsule is thrown at an even one in any case."""
TOP_K = 10
"""lines kept for each (level, speed, seed)"""
_TABLES = (
    """CREATE TABLE line (
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
    "CREATE INDEX best ON line (level, speed, seed, frames)",
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
    """A line that wants to be admitted. Raises ValueError for what no line can be; numbers of NumPy are taken."""

    level: Level
    speed: Speed
    seed: Game
    actions: Sequence[Annotated[int, Range(0, ACTIONS - 1)]]
    frame_counter: Annotated[int, Range(0, 255)] = 0

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "actions", tuple(self.actions))
        except TypeError:
            raise ValueError(f"actions must be a sequence of placements, got {self.actions!r}") from None
        check_ranges(self)


@dataclass(frozen=True)
class Proof:
    """What replaying a claim gave."""

    claim: Claim
    frames: int
    """frames to clear; 0: it does not clear"""
    problem: str
    """why it does not, as a sentence; empty when it does"""


def prove(claims: Sequence[Claim]) -> list[Proof]:
    """Play every claim from reset."""
    return [proof for first in range(0, len(claims), AT_ONCE) for proof in _prove(claims[first : first + AT_ONCE])]


def _prove(claims: Sequence[Claim]) -> list[Proof]:
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
            elif not play.legal[n, wanted]:
                problem[n] = f"placement {step}, action {wanted}, cannot be reached"
            else:
                action[n] = wanted
        play.step(action)
        cleared |= play.cleared & (step == length - 1)
    frames = play.frames
    proofs = []
    for n, claim in enumerate(claims):
        text = problem[n] or ("" if cleared[n] else f"the game is not cleared after {length[n]} placements")
        proofs.append(Proof(claim, 0 if text else int(frames[n]), text))
    return proofs


@dataclass(frozen=True)
class _Wanted:
    """Which lines are asked for; None: of all."""

    level: Level | None = None
    speed: Speed | None = None
    seed: Game | None = None
    top: Count | None = None

    def __post_init__(self) -> None:
        check_ranges(self)


class Records:
    """A database of lines; a context manager. Several processes may use one at the same time.

    Of the frame counter only the parity matters, and at LOW nothing (docs/traces.md, Records), so equal placements at
    counters of the same parity are one line, with the counter that came first.
    """

    def __init__(self, path: Path | str, top_k: int = TOP_K, create: bool = True) -> None:
        """Open it, or create it in a file that is new or empty. Nothing else is ever written into.

        Where the directory cannot be written to, one that nobody has open can be looked at.

        Raises ValueError for a file that is no database of records, or of another version; without `create` also for
        an empty one, and FileNotFoundError where there is none. Every method raises OSError that names the file when
        the disk is full or fails, others hold it for too long, or the file was damaged meanwhile.
        """
        self.path, self.top_k = Path(path), whole("top_k", top_k, 1, 1_000_000)
        self._db = database.opened(self.path, "line", VERSION, _TABLES if create else ())

    def add(self, claims: Sequence[Claim], solver: str) -> list[bool]:
        """Admit claims that are among the `top_k` best of their game; True for each that made a new line.

        The fewer frames the better, then the fewer capsules, then the earlier.

        Raises:
            ValueError: a claim that does not clear its game when it is played from reset, naming it; nothing is added.
        """
        return self.admit(prove(claims), solver)

    def admit(self, proofs: Sequence[Proof], solver: str) -> list[bool]:
        """As `add`, for claims that `prove` has played."""
        for number, proof in enumerate(proofs):
            if proof.problem:
                game = f"level {proof.claim.level}, speed {proof.claim.speed}, seed {proof.claim.seed}"
                raise ValueError(f"claim {number} ({game}): {proof.problem}")
        with database.naming(self.path), database.transaction(self._db):
            ids = [self._insert(proof, solver) for proof in proofs]
            keys = [_key(proof.claim) for proof in proofs]
            for level, speed, seed in {key[:3] for key in keys}:
                self._trim(level, speed, seed)
            return [new is not None and self._id(key) == new for key, new in zip(keys, ids, strict=True)]

    def _insert(self, proof: Proof, solver: str) -> int | None:
        """The number of the new line; None for one that is there already."""
        key = _key(proof.claim)
        known = self._id(key)
        if known is not None:
            self._db.execute(
                "UPDATE line SET frames = ?, engine = ?, verified = 1 WHERE id = ?",
                (proof.frames, schema.engine_signature(), known),
            )
            return None
        now = np.datetime_as_string(np.datetime64("now", "s"), timezone="UTC")
        layout, capsules = seeds.layout_hash(key[0], key[2]), len(proof.claim.actions)
        values = (*key, proof.frames, capsules, solver, layout, schema.engine_signature(), 1, now)
        return self._db.execute(
            "INSERT INTO line (level, speed, seed, frame_counter, actions, frames, capsules, solver, layout, engine,"
            " verified, added) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        ).lastrowid

    def _trim(self, level: int, speed: int, seed: int) -> None:
        game = "level = ? AND speed = ? AND seed = ?"
        self._db.execute(  # of a database of an earlier release, which kept every counter
            f"DELETE FROM line WHERE {game} AND id NOT IN"
            f" (SELECT min(id) FROM line WHERE {game} GROUP BY {_START}, actions)",
            (level, speed, seed) * 2,
        )
        self._db.execute(
            f"DELETE FROM line WHERE id IN (SELECT id FROM line WHERE {game}"
            " ORDER BY verified DESC, frames, capsules, id LIMIT -1 OFFSET ?)",
            (level, speed, seed, self.top_k),
        )

    def _id(self, key: tuple[int, int, int, int, bytes]) -> int | None:
        """The number of the line of this game, these placements and this start."""
        where = "level = ? AND speed = ? AND seed = ? AND (speed = 0 OR frame_counter % 2 = ? % 2) AND actions = ?"
        found = self._db.execute(f"SELECT min(id) FROM line WHERE {where}", key).fetchone()[0]
        return None if found is None else int(found)

    def holds(self, claim: Claim) -> bool:
        """Whether a line of this game, these placements and this start is there."""
        with database.naming(self.path):
            return self._id(_key(claim)) is not None

    def lines(
        self, level: int | None = None, speed: int | None = None, seed: int | None = None, top: int | None = None
    ) -> list[Line]:
        """The lines of a level, speed and seed (None: of all), best first within each game; top: only so many each.

        Raises ValueError for a line that is damaged, naming file and line, and for a level, speed, seed or top that
        cannot be.
        """
        return [_read(self.path, row)[0] for row in self._rows(_Wanted(level, speed, seed, top))]

    def _rows(self, wanted: _Wanted) -> list[tuple[Any, ...]]:
        """(id, columns of `Line`) of lines."""
        conditions, values = ["1"], []
        for name, value in (("level", wanted.level), ("speed", wanted.speed), ("seed", wanted.seed)):
            if value is not None:
                conditions.append(f"{name} = ?")
                values.append(seeds.on_orbit(value) if name == "seed" else value)
        with database.naming(self.path):
            return self._db.execute(
                f"SELECT id, {', '.join(Line.__dataclass_fields__)} FROM"
                " (SELECT *, row_number() OVER (PARTITION BY level, speed, seed ORDER BY"
                f" verified DESC, frames, capsules, id) AS place FROM line WHERE {' AND '.join(conditions)})"
                " WHERE place <= ? ORDER BY level, speed, seed, place",
                (*values, 2**31 if wanted.top is None else wanted.top),
            ).fetchall()

    def count(self) -> int:
        """Number of lines."""
        with database.naming(self.path):
            return int(self._db.execute("SELECT count(*) FROM line").fetchone()[0])

    def quantiles(self) -> list[dict[str, Any]]:
        """Per (level, speed): number of games, and quantiles over games of the best verified time, in frames."""
        best: dict[tuple[int, int], list[int]] = {}
        for line in self.lines(top=1):
            if line.verified:
                best.setdefault((line.level, line.speed), []).append(line.frames)
        rows = []
        for (level, speed), frames in sorted(best.items()):
            low, median, high = np.quantile(frames, (0.1, 0.5, 0.9), method="inverted_cdf").tolist()
            spread = {"best": min(frames), "p10": low, "median": median, "p90": high, "worst": max(frames)}
            rows.append({"level": level, "speed": SPEED_NAMES[speed], "games": len(frames), **spread})
        return rows

    def verify(self) -> list[str]:
        """Play every line again, note whether it is verified and by which engine, and return a sentence for each that
        fails: its engine stays the one that last proved it."""
        found: dict[int, str] = {}
        lines: dict[int, Line] = {}
        claims: list[Claim] = []
        for row in (rows := self._rows(_Wanted())):
            try:
                lines[row[0]], claim = _read(self.path, row)
                claims.append(claim)
            except ValueError as error:
                found[row[0]] = str(error)
        proofs = zip(lines.items(), prove(claims), strict=True)
        wrong = ((number, _wrong(line, proof)) for (number, line), proof in proofs)
        found |= {number: problem for number, problem in wrong if problem}
        proven = [(schema.engine_signature(), row[0]) for row in rows if row[0] not in found]
        with database.naming(self.path), database.transaction(self._db):
            self._db.executemany("UPDATE line SET verified = 0 WHERE id = ?", [(number,) for number in found])
            self._db.executemany("UPDATE line SET verified = 1, engine = ? WHERE id = ?", proven)
        return list(found.values())

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _read(path: Path, row: tuple[Any, ...]) -> tuple[Line, Claim]:
    """A line of (id, columns), and what it claims; ValueError for one that is damaged."""
    number, *values = row
    held = dict(zip(Line.__dataclass_fields__, values, strict=True))
    where = f"path is {path}, line {number}"
    for name, value in held.items():
        if name == "actions":
            if not isinstance(value, bytes) or len(value) % 2:
                raise ValueError(f"{where}: actions is {value!r}, it must be two bytes for each capsule")
        elif name not in ("solver", "layout", "engine", "added") and not isinstance(value, int):
            raise ValueError(f"{where}: {name} is {value!r}, it must be a whole number")
    actions = tuple(np.frombuffer(held["actions"], "<i2").tolist())
    line = Line(**held | {"actions": actions, "verified": bool(held["verified"])})
    try:
        return line, Claim(line.level, line.speed, line.seed, actions, line.frame_counter)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _wrong(line: Line, proof: Proof) -> str:
    """What a line claims that is not so, as a sentence; empty when all is."""
    problem, layout = proof.problem, seeds.layout_hash(line.level, line.seed)
    if not problem and proof.frames != line.frames:
        problem = f"it takes {proof.frames} frames, the database says {line.frames}"
    if not problem and line.layout != layout:
        problem = f"the layout of the game is {layout}, not {line.layout}"
    name = f"level {line.level} {SPEED_NAMES[line.speed]}, seed {line.seed}, {line.frames} frames"
    return problem and f"{name} by {line.solver}: {problem}"


def _key(claim: Claim) -> tuple[int, int, int, int, bytes]:
    """What makes a line: the game, its counter, and the placements, as SQLite takes them."""
    actions = np.array(claim.actions, "<i2").tobytes()
    return claim.level, claim.speed, seeds.on_orbit(claim.seed), claim.frame_counter, actions
