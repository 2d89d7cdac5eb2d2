"""Lines of the database and other files: the games of traces as lines, lines as JSON, tables and traces."""

import csv
import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import mlx_drmario as dm
from mlx_drmario import settings
from mlx_drmario.files import replacing, write_text
from mlx_drmario.spec import speed_number
from mlx_drmario.traces import schema, storage, tools
from mlx_drmario.traces.capture import Capture, capture_line
from mlx_drmario.traces.records import Claim, Line, Records, prove
from mlx_drmario.traces.schema import CLEARED

FORMATS = (".csv", ".json", schema.SUFFIX)


@dataclass(frozen=True)
class Game:
    """A game of a file that is said to be cleared."""

    number: int
    """in the file"""
    claim: Claim | None
    """None: it cannot be a line"""
    solver: str
    by_buttons: bool = False
    problem: str = ""
    """why it cannot be one, as a sentence"""


@dataclass(frozen=True)
class Added:
    """What `add` made of the cleared games of a file."""

    what: str
    """is in it: cleared games or lines, in the singular"""
    found: int
    admitted: int
    """new lines"""
    by_buttons: int
    """of these, games that were played by buttons: their placements, in the planner's time"""
    refused: list[str]
    """a sentence for each game that is no new line"""


def games_of(path: Path | str) -> list[Game]:
    """The cleared one-player games of a trace file."""
    if storage.check(path) == 2:
        raise ValueError(f"path is {path}, games of two players; records are one player's")
    found: list[Game] = []
    before = 0
    for block in storage.blocks(path):
        table = block.episode
        for e in np.flatnonzero(table["outcome"] == CLEARED).tolist():
            actions = block.decision["action"][block.decisions_of(e)].tolist()
            level, speed, seed, counter = (int(table[n][e]) for n in ("level", "speed", "seed", "frame_counter"))
            claim: Claim | None = None
            problem = "it does not start as its level, speed and seed do" if table["custom"][e] else ""
            if not problem:
                try:
                    claim = Claim(level, speed, seed, actions, counter)
                except ValueError as error:  # a placement without a name, which only hands can play
                    problem = f"it cannot be a line: {error}"
            solver, by_buttons = str(schema.decoded(table["policy"][e])), bool(table["buttons"][e])
            found.append(Game(before + e, claim, solver, by_buttons, problem))
        before += len(block)
    return found


@dataclass(frozen=True)
class _Told:
    """A line in JSON, as `drmario solve --json` and `export` write it: other keys say nothing that is read here.

    `Claim` says what its numbers may be.
    """

    level: int
    speed: int | str
    """a number or its name"""
    seed: int
    actions: tuple[int, ...]
    frame_counter: int = 0
    solver: str = "solve"

    __pydantic_config__: ClassVar = settings.STRICT | {"extra": "ignore"}

    def __post_init__(self) -> None:
        if not self.actions:
            raise ValueError("actions is empty")


def lines_of(path: Path | str) -> list[Game]:
    """The lines of a JSON file, which holds one or a list of them. ValueError that names file and line."""
    try:
        held: Any = json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:  # the latter of brackets that are nested too deeply
        raise ValueError(f"path is {path}, which is not JSON: {error}") from None
    found = []
    for number, line in enumerate(held if isinstance(held, list) else [held]):
        try:
            if not isinstance(line, dict):
                raise ValueError(
                    f"it must be an object with level, speed, seed and actions, got {json.dumps(line)[:60]}"
                )
            told = settings.from_json(json.dumps(line), _Told)
            claim = Claim(told.level, speed_number(told.speed), told.seed, told.actions, told.frame_counter)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"path is {path}, line {number} of it: {error}") from None
        found.append(Game(number, claim, told.solver))
    return found


@dataclass(frozen=True)
class Found:
    """The cleared games of a file, and what they are called there."""

    games: list[Game]
    what: str
    noun: str


def read(path: Path | str) -> Found:
    """What a trace file or a JSON file (.json) holds. Raises ValueError or OSError for a file that is neither."""
    if Path(path).suffix == ".json":
        return Found(lines_of(path), "line", "line")
    return Found(games_of(path), "cleared game", "episode")


def add(records: Records, found: Found) -> Added:
    """Admit the games of a file, timed with the planner's buttons also where one was played with others."""
    games = found.games
    refused = {game.number: game.problem for game in games if game.claim is None}
    claims = {game.number: game.claim for game in games if game.claim is not None}
    proofs = dict(zip(claims, prove(list(claims.values())), strict=True))
    refused |= {
        number: f"with the planner's buttons {proof.problem}" for number, proof in proofs.items() if proof.problem
    }
    admitted: list[Game] = []
    for solver in sorted({game.solver for game in games}):
        own = [game for game in games if game.solver == solver and game.number not in refused]
        for game, new in zip(own, records.admit([proofs[game.number] for game in own], solver), strict=True):
            if new:
                admitted.append(game)
            elif records.holds(claims[game.number]):
                refused[game.number] = "its line is in the database already"
            else:
                refused[game.number] = f"{records.top_k} better lines of its game are in the database"
    sentences = [f"{found.noun} {number} is not admitted: {why}" for number, why in sorted(refused.items())]
    return Added(found.what, len(games), len(admitted), sum(game.by_buttons for game in admitted), sentences)


def export(lines: Iterable[Line], out: Path | str) -> int:
    """Write lines as .csv, .json or as a trace, by the name's end; returns their number.

    Raises ValueError for another end, and for a trace also when there is no line or one does not replay.
    """
    chosen, out = list(lines), Path(out)
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
