"""Options of `drmario trace`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from mlx_drmario.cli.game import GameSeed
from mlx_drmario.ranges import Count, Range, check_ranges
from mlx_drmario.traces.menus import Menus

Paths = tyro.conf.Positional[tuple[Path, ...]]
Trace = Annotated[Path, tyro.conf.arg(help="new trace file, .dmtrace.h5")]


@dataclass(frozen=True)
class Info:
    """What files hold: games, outcomes, policies, where they come from. Journals of running recordings too."""

    paths: Paths
    """trace files, journals, or directories of trace files"""
    sources: bool = False
    """also print versions, machine and config of every recording"""
    games: bool = False
    """also list every game"""


@dataclass(frozen=True)
class InParallel:
    """Work on many files at once."""

    paths: Paths
    jobs: Annotated[int, Range(0, 256)] = 0
    """processes, 0: one per core"""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class Validate(InParallel):
    """Check that the tables of files are consistent, without playing games. 1 when something is wrong."""


@dataclass(frozen=True)
class Verify(InParallel):
    """Play every game again, by clocks and frame by frame; stop at the first difference, name it and return 1."""


@dataclass(frozen=True)
class Replay(InParallel):
    """Play every game again, by clocks and frame by frame, and report all differences of all files."""


@dataclass(frozen=True)
class Recover:
    """Make trace files of the journals that killed recordings left."""

    paths: Paths
    """journals, or directories of them"""


@dataclass(frozen=True)
class Filter:
    """Write the games that meet every condition to a new file."""

    paths: Paths
    out: Trace
    levels: str = ""
    """such as 3 or 0-5 or 0,5,10-12; by default all"""
    speeds: tuple[Literal["low", "med", "hi"], ...] = ()
    outcomes: tuple[Literal["cleared", "top_out", "truncated", "unfinished"], ...] = ()
    min_frames: Annotated[int, Range(0, 2**31)] | None = None
    max_frames: Annotated[int, Range(0, 2**31)] | None = None
    """frames of the game: of a cleared one, its frames to clear"""
    policy: str | None = None
    """a part of the policy's name"""
    split: Literal["test", "validation", "training"] | None = None
    """only games of this list of seeds"""
    seeds: tuple[GameSeed, ...] = ()
    """only these games, decimal or 0x..."""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class Dedup:
    """Write every game once: two are the same when they start alike and the same was done."""

    paths: Paths
    out: Trace


@dataclass(frozen=True)
class Merge:
    """Write the games of all files to one."""

    paths: Paths
    out: Trace


@dataclass(frozen=True)
class Split:
    """Write the games of a file to several."""

    path: tyro.conf.Positional[Path]
    out: Path
    """directory"""
    episodes: Count = 1_000
    """games in each file"""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class Export:
    """Write decisions as a Parquet table, or games as a Minari dataset."""

    paths: Paths
    parquet: Path | None = None
    """file to write"""
    minari: str | None = None
    """id of the dataset, such as drmario/greedy-v0; it lies where Minari keeps its datasets (MINARI_DATASETS_PATH)"""


@dataclass(frozen=True)
class Movie:
    """Write a game as an input movie for an emulator, from power-on: FCEUX (.fm2) or BizHawk (.bk2)."""

    path: tyro.conf.Positional[Path]
    out: Path
    """movie to write, .fm2 or .bk2"""
    episode: Annotated[int, Range(0, 2**31)] = 0
    """number of the game in the file"""
    menus: Menus = field(default_factory=Menus)

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class Import:
    """Read an .fm2 or .bk2 movie and write what is played in it as a trace."""

    movie: tyro.conf.Positional[Path]
    out: Trace
    menus: Menus = field(default_factory=Menus)


@dataclass(frozen=True)
class Html:
    """Write games as one web page that needs nothing else: bottle, scrub bar, events, policy and evaluator."""

    path: tyro.conf.Positional[Path]
    out: Path
    """page to write"""
    episodes: tuple[Annotated[int, Range(0, 2**31)], ...] = ()
    """numbers of the games in the file; by default the first 20"""
    policy: str | None = None
    """also ask this policy about every decision (a name as for `drmario eval --policy`)"""

    def __post_init__(self) -> None:
        check_ranges(self)


TraceConfig = (
    Annotated[Info, tyro.conf.subcommand("info")]
    | Annotated[Validate, tyro.conf.subcommand("validate")]
    | Annotated[Verify, tyro.conf.subcommand("verify")]
    | Annotated[Replay, tyro.conf.subcommand("replay")]
    | Annotated[Recover, tyro.conf.subcommand("recover")]
    | Annotated[Filter, tyro.conf.subcommand("filter")]
    | Annotated[Dedup, tyro.conf.subcommand("dedup")]
    | Annotated[Merge, tyro.conf.subcommand("merge")]
    | Annotated[Split, tyro.conf.subcommand("split")]
    | Annotated[Export, tyro.conf.subcommand("export")]
    | Annotated[Movie, tyro.conf.subcommand("movie")]
    | Annotated[Import, tyro.conf.subcommand("import")]
    | Annotated[Html, tyro.conf.subcommand("html")]
)
"""What the command line accepts."""


Command = Info | Validate | Verify | Replay | Recover | Filter | Dedup | Merge | Split | Export | Movie | Import | Html
