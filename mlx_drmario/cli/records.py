"""`drmario records`: the best lines known for every game.

drmario records list
drmario records add runs/mine/traces
drmario records export --out best.csv
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from mlx_drmario.cli.errors import WrongUse, check_there
from mlx_drmario.cli.game import GameSeed
from mlx_drmario.files import check_output
from mlx_drmario.ranges import Count, Level, check_ranges
from mlx_drmario.spec import counted

if TYPE_CHECKING:
    from mlx_drmario.traces.record_files import Added
    from mlx_drmario.traces.records import Line, Records

DATABASE = Path("records.sqlite")


@dataclass(frozen=True)
class Chosen:
    """Which lines."""

    level: Level | None = None
    speed: Literal["low", "med", "hi"] | None = None
    seed: GameSeed | None = None
    top: Count | None = None
    """only so many of every game, the best"""
    db: Path = DATABASE
    """the database"""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class List(Chosen):
    """Print quantiles of the best times per level and speed; with --level, --speed, --seed or --top the lines."""


@dataclass(frozen=True)
class Verify:
    """Play every line again from reset; 1 when one does not clear its game in the frames it claims."""

    db: Path = DATABASE
    """the database"""


@dataclass(frozen=True)
class Export(Chosen):
    """Write lines as a table (.csv, .json) or as a trace (.dmtrace.h5), from which movies can be made."""

    out: Path = Path("records.csv")


@dataclass(frozen=True)
class Add:
    """Admit the cleared games of traces, and lines in JSON. Only what clears when played from reset is admitted."""

    paths: tyro.conf.Positional[tuple[Path, ...]]
    """trace files, directories of them, and .json files as `solve --json` and `records export` write them"""
    db: Path = DATABASE
    """the database"""


RecordsConfig = (
    Annotated[List, tyro.conf.subcommand("list")]
    | Annotated[Verify, tyro.conf.subcommand("verify")]
    | Annotated[Export, tyro.conf.subcommand("export")]
    | Annotated[Add, tyro.conf.subcommand("add")]
)
"""What the command line accepts."""


def run(config: List | Verify | Export | Add) -> int:
    """Do what was asked for; 1 when a line does not verify. Raises ValueError or OSError for files that cannot be."""
    from mlx_drmario.traces import record_files, tools
    from mlx_drmario.traces import records as lines

    if isinstance(config, Export):
        check_output("--out", config.out, record_files.FORMATS)
        if config.out.exists() and config.db.exists() and config.out.samefile(config.db):
            raise ValueError(f"--out is {config.out}, which is the database; name another file")
    if isinstance(config, Add):
        check_output("--db", config.db)
        if not config.paths:
            raise WrongUse("name at least one file or directory")
        check_there(config.paths)
        add(config.db, tools.find(config.paths))
        return 0
    if not config.db.exists():
        if isinstance(config, List) and config.db == DATABASE:
            print(f"no records yet: `drmario records add TRACES` keeps the best times of trace files in {DATABASE}")
            return 0
        raise FileNotFoundError(f"db is {config.db}, which does not exist; `drmario records add` makes one")
    with lines.Records(config.db, create=False) as records:
        if isinstance(config, Verify):
            return verify(records)
        elif isinstance(config, Export):
            print(f"{config.out}: {counted(record_files.export(chosen(records, config), config.out), 'line')}")
        elif (config.level, config.speed, config.seed, config.top) == (None, None, None, None):
            print_quantiles(records)
        else:
            print_lines(chosen(records, config))
    return 0


def add(db: Path, paths: Sequence[Path]) -> None:
    """Add the games of files. Raises ValueError when all are done for those that could not be read."""
    from mlx_drmario.traces import record_files
    from mlx_drmario.traces import records as lines

    unread = []
    for path in paths:
        try:
            found = record_files.read(path)
        except ValueError as error:
            unread.append(str(error))
            continue
        except OSError as error:
            unread.append(f"path is {path}, which cannot be read: {error.strerror or error}")
            continue
        with lines.Records(db, create=True) as records:
            print_added(path, record_files.add(records, found))
    if unread:
        raise ValueError("; ".join(unread))


def print_added(path: Path, added: Added) -> None:
    """What became of the games of a file, and why some are no lines."""
    hands = f"; {added.by_buttons} of them played by buttons: their placements, in the planner's time"
    told = f"{counted(added.found, added.what)}, {counted(added.admitted, 'new line')} admitted"
    print(f"{path}: {told}{hands if added.by_buttons else ''}")
    for sentence in added.refused:
        print(f"  {sentence}")


def chosen(records: Records, config: List | Export) -> list[Line]:
    """The lines that the options name."""
    from mlx_drmario.spec import speed_number

    speed = None if config.speed is None else speed_number(config.speed)
    return records.lines(config.level, speed, config.seed, config.top)


def verify(records: Records) -> int:
    """Play all lines again."""
    problems = records.verify()
    for problem in problems:
        print(problem)
    print(f"{counted(records.count(), 'line')}, {len(problems)} of them wrong")
    return int(bool(problems))


def print_quantiles(records: Records) -> None:
    """One row per level and speed: frames to clear of the best line of every game."""
    print(f"{'level':>5} {'speed':>5} {'games':>6} {'best':>7} {'p10':>7} {'median':>7} {'p90':>7} {'worst':>7}")
    for row in records.quantiles():
        print(
            f"{row['level']:>5} {row['speed']:>5} {row['games']:>6}"
            f" {row['best']:>7} {row['p10']:>7} {row['median']:>7} {row['p90']:>7} {row['worst']:>7}"
        )


def print_lines(lines: list[Line]) -> None:
    """One row per line."""
    from mlx_drmario import seeds
    from mlx_drmario.evaluate import FRAME_RATE
    from mlx_drmario.spec import SPEED_NAMES

    print(f"{'level':>5} {'speed':>5} {'seed':>6} {'frames':>7} {'seconds':>8} {'capsules':>8}  {'list':<10} solver")
    for line in lines:
        state = f"  frame counter {line.frame_counter}" if line.frame_counter else ""
        state += "" if line.verified else "  NOT VERIFIED"
        print(
            f"{line.level:>5} {SPEED_NAMES[line.speed]:>5} 0x{line.seed:04x} {line.frames:>7}"
            f" {line.frames / FRAME_RATE:>8.2f} {line.capsules:>8}  {seeds.split_of(line.seed):<10}"
            f" {line.solver}{state}"
        )
