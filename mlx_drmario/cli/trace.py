"""`drmario trace`: look at recorded games, check them, play them again, and make other files of them.

drmario trace info runs/mine/traces
drmario trace verify game.dmtrace.h5
drmario trace movie game.dmtrace.h5 --out game.fm2
"""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from mlx_drmario.traces.tools import Choice, Verdict

Paths = tyro.conf.Positional[tuple[Path, ...]]


@dataclass(frozen=True)
class Info:
    """What files hold: games, outcomes, policies, where they come from. Journals of running recordings too."""

    paths: Paths
    """trace files, journals, or directories of trace files"""
    sources: bool = False
    """also print versions, machine and config of every recording"""


@dataclass(frozen=True)
class Validate:
    """Check that the tables of files are consistent, without playing games. 1 when something is wrong."""

    paths: Paths
    jobs: int = 0
    """processes, 0: one per core"""


@dataclass(frozen=True)
class Verify:
    """Play every game again, by clocks and frame by frame; stop at the first difference, name it and return 1."""

    paths: Paths
    jobs: int = 0
    """processes, 0: one per core"""


@dataclass(frozen=True)
class Replay:
    """Play every game again, by clocks and frame by frame, and report all differences of all files."""

    paths: Paths
    jobs: int = 0
    """processes, 0: one per core"""


@dataclass(frozen=True)
class Recover:
    """Make trace files of the journals that killed recordings left."""

    paths: Paths
    """journals, or directories of them"""


@dataclass(frozen=True)
class Filter:
    """Write the games that meet every condition to a new file."""

    paths: Paths
    out: Path
    levels: str = ""
    """such as 3 or 0-5 or 0,5,10-12; by default all"""
    speeds: tuple[Literal["low", "med", "hi"], ...] = ()
    outcomes: tuple[Literal["cleared", "top_out", "truncated", "unfinished"], ...] = ()
    min_frames: int | None = None
    max_frames: int | None = None
    """frames of the game: of a cleared one, its frames to clear"""
    policy: str | None = None
    """a part of the policy's name"""
    split: Literal["test", "validation", "training"] | None = None
    """only games of this list of seeds"""


@dataclass(frozen=True)
class Dedup:
    """Write every game once: two are the same when they start alike and the same was done."""

    paths: Paths
    out: Path


@dataclass(frozen=True)
class Merge:
    """Write the games of all files to one."""

    paths: Paths
    out: Path


@dataclass(frozen=True)
class Split:
    """Write the games of a file to several."""

    path: tyro.conf.Positional[Path]
    out: Path
    """directory"""
    episodes: int = 1_000
    """games in each file"""


@dataclass(frozen=True)
class Export:
    """Write decisions as a Parquet table, or games as a Minari dataset."""

    paths: Paths
    parquet: Path | None = None
    """file to write"""
    minari: str | None = None
    """id of the dataset, such as drmario/greedy-v0; it lies where Minari keeps its datasets (MINARI_DATASETS_PATH)"""


@dataclass(frozen=True)
class MenuFrames:
    """What the rules do not say about title and options screens; change it when a movie does not stay in sync.

    docs/traces.md explains each.
    """

    power_on_counter: int = 0
    title_frame: int = 150
    settle: int = 20
    gap: int = 4
    first_level: int = 0
    first_speed: int = 1
    first_music: int = 0
    music_off: int = 2
    one_cursor: bool = True


@dataclass(frozen=True)
class Movie:
    """Write a game as an input movie for an emulator, from power-on: FCEUX (.fm2) or BizHawk (.bk2)."""

    path: tyro.conf.Positional[Path]
    out: Path
    episode: int = 0
    """number of the game in the file"""
    menus: MenuFrames = field(default_factory=MenuFrames)


@dataclass(frozen=True)
class Import:
    """Read an .fm2 or .bk2 movie and write what is played in it as a trace."""

    movie: tyro.conf.Positional[Path]
    out: Path
    menus: MenuFrames = field(default_factory=MenuFrames)


@dataclass(frozen=True)
class Html:
    """Write games as one web page that needs nothing else: bottle, scrub bar, events, policy and evaluator."""

    path: tyro.conf.Positional[Path]
    out: Path
    episodes: tuple[int, ...] = ()
    """numbers of the games in the file; by default the first 20"""
    policy: str | None = None
    """also ask this policy about every decision: random, greedy, or the directory of a run"""


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


def run(config: Command) -> int:
    """Do what was asked for. Returns 1 when a check found something.

    Raises ValueError, FileNotFoundError, FileExistsError for files that are no traces, missing, or in the way.
    """
    return {
        Info: info,
        Validate: validate,
        Verify: verify,
        Replay: verify,
        Recover: recover,
        Filter: make,
        Dedup: make,
        Merge: make,
        Split: make,
        Export: export,
        Movie: movie,
        Import: movie,
        Html: html,
    }[type(config)](config)  # type: ignore[operator]


def info(config: Info) -> int:
    """Print a summary of every file."""
    import json

    from mlx_drmario.traces import tools

    for path in tools.find(config.paths):
        found = tools.summary(path)
        sources = found.pop("sources")
        print(path)
        for name, value in found.items():
            text = ", ".join(f"{k} {n:,}" for k, n in value.items()) if isinstance(value, dict) else value
            print(f"  {name:<16} {f'{text:,}' if isinstance(text, int) else text}")
        for source in sources:
            engine = f"engine {source['engine']}"
            print(f"  recorded         {source['created']} by mlx_drmario {source['mlx_drmario']}, {engine}")
            if config.sources:
                print("    " + json.dumps(source, indent=2).replace("\n", "\n    "))
    return 0


def validate(config: Validate) -> int:
    """Print what is wrong with the tables of files."""
    from mlx_drmario.traces import tools

    paths, bad = tools.find(config.paths), 0
    for path, found in zip(paths, tools.parallel(tools.validate, paths, jobs(config.jobs)), strict=True):
        bad += bool(found)
        for problem in found:
            print(f"{path}: {problem}")
    print(f"{len(paths)} files, {bad} with problems")
    return int(bad > 0)


def verify(config: Verify | Replay) -> int:
    """Play games again; `Verify` stops at the first difference."""
    from mlx_drmario.traces import tools

    paths, start = tools.find(config.paths), time.perf_counter()
    done: list[Verdict] = []
    for verdict in tools.verify_all(paths, jobs(config.jobs)):
        done.append(verdict)
        for problem in verdict.problems:
            print(f"{verdict.path}: {problem}")
            if isinstance(config, Verify):
                return 1
    episodes, decisions, frames = (sum(getattr(v, n) for v in done) for n in ("episodes", "decisions", "frames"))
    seconds, wrong = time.perf_counter() - start, sum(len(verdict.problems) for verdict in done)
    played = f"{episodes:,} games, {decisions:,} decisions, {frames:,} frames"
    print(f"{len(paths)} files, {played} played again in {seconds:.1f} s: {wrong or 'no'} differences")
    return int(wrong > 0)


def jobs(number: int) -> int:
    """Processes: the number given, or one per core for 0."""
    return number or os.cpu_count() or 1


def recover(config: Recover) -> int:
    """Make files of journals; 1 when one of them cannot be."""
    from mlx_drmario.traces import journal, tools, writer
    from mlx_drmario.traces.schema import SUFFIX

    failed = 0
    for path in tools.find(config.paths, SUFFIX + journal.SUFFIX):
        try:
            made, episodes, lost = writer.recover(path)
        except (ValueError, BlockingIOError) as error:
            print(error, file=sys.stderr)
            failed = 1
            continue
        what = f"{made}: {episodes} games" if episodes else f"{path}: no game in it, removed"
        print(what + (f", {lost} bytes of an unfinished record cut off" if lost else ""))
    return failed


def make(config: Filter | Dedup | Merge | Split) -> int:
    """Write a new file, or several."""
    from mlx_drmario.traces import tools

    if isinstance(config, Split):
        written = tools.split(config.path, config.out, config.episodes)
        print(f"{len(written)} files in {config.out}")
        return 0
    paths = tools.find(config.paths)
    if isinstance(config, Dedup):
        kept, left_out = tools.dedup(paths, config.out)
        print(f"{config.out}: {kept:,} games, {left_out:,} left out that were there twice")
    elif isinstance(config, Filter):
        print(f"{config.out}: {tools.filtered(paths, config.out, choice(config)):,} games")
    else:
        print(f"{config.out}: {tools.merge(paths, config.out):,} games")
    return 0


def choice(config: Filter) -> Choice:
    """The conditions of the command line."""
    from mlx_drmario.cli.eval import parse_levels
    from mlx_drmario.spec import speed_number
    from mlx_drmario.traces.tools import Choice

    return Choice(
        levels=parse_levels(config.levels) if config.levels else (),
        speeds=tuple(speed_number(speed) for speed in config.speeds),
        outcomes=config.outcomes,
        policy=config.policy,
        min_frames=config.min_frames,
        max_frames=config.max_frames,
        seed_split=config.split,
    )


def export(config: Export) -> int:
    """Write for another tool."""
    from mlx_drmario.traces import export as exports
    from mlx_drmario.traces import tools

    paths = tools.find(config.paths)
    if config.parquet is None and config.minari is None:
        raise ValueError("parquet and minari are both not given; name a file or a dataset")
    if config.parquet is not None:
        print(f"{config.parquet}: {exports.parquet(paths, config.parquet):,} decisions")
    if config.minari is not None:
        episodes, left_out = exports.minari(paths, config.minari)
        print(f"Minari dataset {config.minari}: {episodes:,} games, {left_out:,} left out")
    return 0


def movie(config: Movie | Import) -> int:
    """Write a movie, or read one."""
    from mlx_drmario.traces import movie as movies
    from mlx_drmario.traces import tools
    from mlx_drmario.traces.console import Menus

    menus = Menus(**dataclasses.asdict(config.menus))
    if isinstance(config, Import):
        found = movies.games_of(movies.read(config.movie), config.out, config.movie.name, menus)
        print(f"{config.out}: {found} games")
        return 0
    games = tools.load(config.path)
    check_episode(config.path, config.episode, len(games))
    made = movies.of_game(games, config.episode, menus)
    movies.write(config.out, made)
    print(f"{config.out}: {len(made.buttons):,} frames; {made.subtitles[0][1]}")
    return 0


def check_episode(path: Path, episode: int, count: int) -> None:
    """ValueError for the number of a game that the file does not hold."""
    if not 0 <= episode < count:
        raise ValueError(f"episode is {episode}; {path} holds the games 0..{count - 1}")


def html(config: Html) -> int:
    """Write the page."""
    import numpy as np

    from mlx_drmario.traces import html as page
    from mlx_drmario.traces import tools

    games = tools.load(config.path)
    for episode in config.episodes:
        check_episode(config.path, episode, len(games))
    games = games.take(np.array(config.episodes or range(min(20, len(games))), np.int64))
    if config.policy is not None:
        from mlx_drmario.cli import policy as policies
        from mlx_drmario.traces.details import annotate

        games = annotate(games, *policies.load(config.policy))
    size = page.write(config.out, games, range(len(games)), title=config.path.name)
    print(f"{config.out}: {size / 1e3:,.0f} kB")
    return 0
