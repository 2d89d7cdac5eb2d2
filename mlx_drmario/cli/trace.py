"""`drmario trace`: look at recorded games, check them, play them again, and make other files of them.

drmario trace info runs/mine/traces
drmario trace verify game.dmtrace.h5
drmario trace movie game.dmtrace.h5 --out game.fm2
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlx_drmario.cli.errors import WrongUse, check_there
from mlx_drmario.cli.trace_options import (
    Command,
    Dedup,
    Export,
    Filter,
    Html,
    Import,
    Info,
    Merge,
    Movie,
    Recover,
    Replay,
    Split,
    TraceConfig,
    Validate,
    Verify,
)
from mlx_drmario.files import check_directory, check_output
from mlx_drmario.spec import counted

if TYPE_CHECKING:
    from mlx_drmario.traces.tools import Choice, Verdict

__all__ = ["TraceConfig", "run"]


def run(config: Command) -> int:
    """Do what was asked for. Returns 1 when a check found something.

    Raises ValueError, FileNotFoundError, FileExistsError for files that are no traces, missing, or in the way.
    """
    check_arguments(config)
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


def check_arguments(config: Command) -> None:
    """Raises before the work: WrongUse without a path, ValueError or OSError for what could not be written after it."""
    from mlx_drmario.traces.export import check_dataset
    from mlx_drmario.traces.movie import FORMATS
    from mlx_drmario.traces.schema import SUFFIX

    if getattr(config, "paths", None) == ():
        raise WrongUse("name at least one file or directory")
    if isinstance(config, Split):
        check_directory("--out", config.out)
    elif isinstance(config, Export):
        if config.parquet is None and config.minari is None:
            raise WrongUse("--parquet and --minari are both not given; name a file or a dataset")
        if config.minari is not None:
            check_dataset("--minari", config.minari)
        if config.parquet is not None:
            check_output("--parquet", config.parquet)
            if config.parquet.resolve() in [path.resolve() for path in config.paths]:
                raise ValueError(f"--parquet is {config.parquet}, which is to be exported; name another file")
    elif isinstance(config, Html):
        check_output("--out", config.out, (".html", ".htm"))
    elif isinstance(config, Movie):
        check_output("--out", config.out, FORMATS)
    elif isinstance(config, Filter | Dedup | Merge | Import):
        check_output("--out", config.out, (SUFFIX,))
        if config.out.exists():
            raise FileExistsError(f"--out is {config.out}, which exists; traces are never overwritten")
    check_there(sources(config))


def sources(config: Command) -> tuple[Path, ...]:
    """What is to be read."""
    if isinstance(config, Import):
        return (config.movie,)
    return (config.path,) if isinstance(config, Split | Movie | Html) else config.paths


def info(config: Info) -> int:
    """Print a summary of every file; 1 when one of them cannot be read."""
    import json

    from mlx_drmario.traces import tools

    paths, all_found = tools.find(config.paths, tools.ALSO_JOURNALS), {}
    for path in paths:
        try:
            all_found[path] = tools.summary(path)
        except (ValueError, OSError) as error:
            print(f"drmario trace: {error}", file=sys.stderr)
    for path, found in all_found.items():
        sources = found.pop("sources")
        print(path, *tools.lines_of(found), sep="\n  ")
        for source in sources:
            engine = f"engine {source['engine']}"
            print(f"  recorded         {source['created']} by mlx_drmario {source['mlx_drmario']}, {engine}")
            if config.sources:
                print("    " + json.dumps(source, indent=2).replace("\n", "\n    "))
        if config.games:
            print("", *tools.list_games(path), sep="\n  ")
    if len(all_found) > 1:
        games, rows = (sum(found[name] for found in all_found.values()) for name in ("episodes", "decisions"))
        print(f"{counted(len(all_found), 'file')}, {counted(games, 'game')}, {counted(rows, 'decision')}")
    return int(len(all_found) < len(paths))


def validate(config: Validate) -> int:
    """Print what is wrong with the tables of files."""
    from mlx_drmario.traces import tools

    paths, bad = tools.find(config.paths), 0
    for path, found in zip(paths, tools.parallel(tools.validate, paths, jobs(config.jobs)), strict=True):
        bad += bool(found)
        for problem in found:
            print(f"{path}: {problem}")
    print(f"{counted(len(paths), 'file')}, {bad} with problems")
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
    files = counted(len(paths), "file")
    played = ", ".join((counted(episodes, "game"), counted(decisions, "decision"), counted(frames, "frame")))
    differences = counted(wrong, "difference") if wrong else "no differences"
    print(f"{files}, {played} played again in {seconds:.1f} s: {differences}")
    return int(wrong > 0)


def jobs(number: int) -> int:
    """Processes: the number given, or one per core for 0."""
    return number or os.cpu_count() or 1


def recover(config: Recover) -> int:
    """Make files of journals; 1 when one of them cannot be."""
    from mlx_drmario.traces import journal, tools, writer
    from mlx_drmario.traces.schema import SUFFIX

    failed, paths = 0, tools.find(config.paths, (SUFFIX + journal.SUFFIX,), or_none=True)
    if not paths:
        print("nothing to recover")
    for path in paths:
        try:
            made = writer.recover(path)
        except (ValueError, OSError) as error:
            print(f"drmario trace: {error}", file=sys.stderr)
            failed = 1
            continue
        what = f"{made.path}: {counted(made.episodes, 'game')}" if made.episodes else f"{path}: no game in it, removed"
        lost = counted(made.lost, "byte")
        if made.kept is not None:
            print(f"{what}; the journal is damaged: its last {lost} are only in {made.kept}")
            failed = 1
        else:
            print(what + (f", {lost} of an unfinished record cut off" if made.lost else ""))
    return failed


def make(config: Filter | Dedup | Merge | Split) -> int:
    """Write a new file, or several."""
    from mlx_drmario.traces import tools

    if isinstance(config, Split):
        written = tools.split(config.path, config.out, config.episodes)
        print(f"{counted(len(written), 'file')} in {config.out}")
        return 0
    paths = tools.find(config.paths)
    if isinstance(config, Dedup):
        kept, left_out = tools.dedup(paths, config.out)
        print(f"{config.out}: {counted(kept, 'game')}, {left_out:,} left out that were there twice")
    elif isinstance(config, Filter):
        print(f"{config.out}: {counted(tools.filtered(paths, config.out, choice(config)), 'game')}")
    else:
        print(f"{config.out}: {counted(tools.merge(paths, config.out), 'game')}")
    return 0


def choice(config: Filter) -> Choice:
    """The conditions of the command line."""
    from mlx_drmario.spec import parse_levels, speed_number
    from mlx_drmario.traces.tools import Choice

    return Choice(
        levels=parse_levels(config.levels) if config.levels else (),
        speeds=tuple(speed_number(speed) for speed in config.speeds),
        outcomes=config.outcomes,
        policy=config.policy,
        min_frames=config.min_frames,
        max_frames=config.max_frames,
        seed_split=config.split,
        seeds=config.seeds,
    )


def export(config: Export) -> int:
    """Write for another tool."""
    from mlx_drmario.traces import export as exports
    from mlx_drmario.traces import tools

    paths = tools.find(config.paths)
    if config.parquet is not None:
        print(f"{config.parquet}: {counted(exports.parquet(paths, config.parquet), 'decision')}")
    if config.minari is not None:
        episodes, left_out = exports.minari(paths, config.minari)
        print(f"Minari dataset {config.minari}: {counted(episodes, 'game')}, {left_out:,} left out")
    return 0


def movie(config: Movie | Import) -> int:
    """Write a movie, or read one."""
    from mlx_drmario.traces import movie as movies
    from mlx_drmario.traces import tools

    if isinstance(config, Import):
        found = movies.games_of(movies.read(config.movie), config.out, config.movie.name, config.menus)
        print(f"{config.out}: {counted(found, 'game')}")
        return 0
    games = tools.load(config.path)
    check_episode(config.path, config.episode, len(games))
    with naming(f"{config.path}, episode {config.episode}"):
        made = movies.of_game(games, config.episode, config.menus)
    movies.write(config.out, made)
    print(f"{config.out}: {counted(len(made.buttons), 'frame')}; {made.subtitles[0][1]}")
    return 0


@contextlib.contextmanager
def naming(what: str) -> Iterator[None]:
    """Says first what a ValueError is about."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error


def check_episode(path: Path, episode: int, count: int, option: str = "episode") -> None:
    """ValueError for the number of a game that the file does not hold."""
    if not count:
        raise ValueError(f"path is {path}, which holds no game")
    if not 0 <= episode < count:
        raise ValueError(f"{option} is {episode}; {path} holds the games 0..{count - 1}")


def html(config: Html) -> int:
    """Write the page."""
    from mlx_drmario.traces import html as page
    from mlx_drmario.traces import tools

    games = tools.load(config.path)
    if not len(games):
        raise ValueError(f"path is {config.path}, which holds no game")
    for episode in config.episodes:
        check_episode(config.path, episode, len(games), "episodes")
    episodes = config.episodes or range(min(20, len(games)))
    if config.policy is not None:
        from mlx_drmario.cli import policy as policies
        from mlx_drmario.traces.details import annotate

        games = annotate(games, *policies.load(config.policy), episodes)
    with naming(str(config.path)):
        size = page.write(config.out, games, episodes, title=config.path.name)
    print(f"{config.out}: {size / 1e3:,.0f} kB")
    return 0
