"""What one does with trace files: look at them, check them, and make new ones of them."""

import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from mlx_drmario.spec import SPEED_NAMES
from mlx_drmario.traces import games as tables
from mlx_drmario.traces import journal, replay, schema, storage, writer
from mlx_drmario.traces.games import Games
from mlx_drmario.traces.schema import CLEARED, OUTCOMES, SUFFIX

CHECK_ROWS = 1 << 14
"""rows that one process checks at a time"""


ALSO_JOURNALS = (SUFFIX, SUFFIX + journal.SUFFIX)
"""ends of the names of trace files and of journals, for `find`"""


def find(paths: Iterable[Path | str], ends: tuple[str, ...] = (SUFFIX,), or_none: bool = False) -> list[Path]:
    """These files, and those in these directories, at any depth, whose names end so; sorted.

    Raises FileNotFoundError for a path that does not exist, ValueError when there is nothing (unless `or_none`).
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = (file for end in ends for file in path.rglob(f"*{end}"))
            found += sorted(file for file in inside if not file.name.startswith("."))
        elif path.exists():
            found.append(path)
        else:
            raise FileNotFoundError(f"path is {path}, which does not exist")
    if not found and not or_none:
        wanted = " or ".join(f"*{end}" for end in ends)
        raise ValueError(f"paths are {', '.join(map(str, paths))}, which hold no {wanted}")
    return found


def load(path: Path | str) -> Games:
    """A trace file, or what the journal of a running or dead recording holds so far."""
    path = Path(path)
    if path.name.endswith(journal.SUFFIX):
        return writer.assemble(journal.read(path))
    return storage.load(path)


def table_of(path: Path | str) -> Games:
    """The table of games of a file, or of a journal."""
    return load(path) if Path(path).name.endswith(journal.SUFFIX) else storage.episodes(path)


def list_games(path: Path | str) -> Iterator[str]:
    """A line for every game of a file, under a line of titles; players' values are divided by a slash."""
    found = table_of(path)
    table, count = found.episode, len(found.episode["seed"])
    level, speed, policy = (table[name].reshape(count, found.players) for name in ("level", "speed", "policy"))
    yield f"{'game':>6} {'level':>5} {'speed':<7} {'seed':<6} {'counter':>7} {'outcome':<10} {'frames':>7} policy"
    for e in range(count):
        levels, speeds = "/".join(map(str, level[e])), "/".join(SPEED_NAMES[s] for s in speed[e])
        seed, counter, outcome = f"0x{table['seed'][e]:04x}", table["frame_counter"][e], OUTCOMES[table["outcome"][e]]
        names = "/".join(schema.decoded(policy[e]))
        yield f"{e:>6} {levels:>5} {speeds:<7} {seed} {counter:>7} {outcome:<10} {table['frames'][e]:>7,} {names}"


def summary(path: Path | str) -> dict[str, Any]:
    """What a file holds, as plain values."""
    path = Path(path)
    is_journal = path.name.endswith(journal.SUFFIX)
    found = table_of(path)
    table = found.episode
    cleared = table["outcome"] == CLEARED
    frames = table["frames"][cleared]
    state = {}
    if is_journal:
        running = journal.is_alive(path)
        state["state"] = "being recorded" if running else "its recording was killed: see `drmario trace recover`"
    return state | {
        "players": found.players,
        "episodes": len(table["seed"]),
        "decisions": int(table["decisions"].sum(dtype=np.int64)),
        "frame rows": int(table["buttons"].sum(dtype=np.int64)),
        "bytes": path.stat().st_size,
        "levels": _counts(table["level"].reshape(-1)),
        "speeds": {SPEED_NAMES[speed]: n for speed, n in _counts(table["speed"].reshape(-1)).items()},
        "outcomes": {OUTCOMES[outcome]: n for outcome, n in _counts(table["outcome"]).items()},
        "frames to clear": dict(zip(("fastest", "median", "slowest"), _range(frames), strict=False)),
        "policies": _counts(schema.decoded(table["policy"].reshape(-1))),
        "custom starts": int(table["custom"].sum()),
        "sources": list(found.sources),
    }


def lines_of(found: Mapping[str, Any]) -> Iterator[str]:
    """A summary without its sources, to print."""
    for name, value in found.items():
        text = ", ".join(f"{k}: {n:,}" for k, n in value.items()) or "none" if isinstance(value, dict) else value
        yield f"{name:<16} {f'{text:,}' if isinstance(text, int) else text}"


def _range(frames: np.ndarray) -> list[int]:
    return [round(f) for f in np.quantile(frames, (0, 0.5, 1))] if len(frames) else []


def _counts(column: np.ndarray) -> dict[Any, int]:
    values, counts = np.unique(column, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def validate(path: Path | str) -> list[str]:
    """What is wrong with the tables of a file, one sentence each; games are not played. Raises nothing."""
    try:
        return [
            f"episodes {first} to {last - 1}: {text}"
            for first, last in storage.ranges(path)
            for text in tables.problems(storage.read(path, first, last))
        ]
    except (ValueError, OSError) as error:
        return [str(error)]


@dataclass(frozen=True)
class Verdict:
    """What replaying some episodes of a file gave."""

    path: Path
    episodes: int
    decisions: int
    frames: int
    problems: tuple[str, ...]


def unread(path: Path | str, error: Exception) -> Verdict:
    """Of a file that could not be read."""
    return Verdict(Path(path), 0, 0, 0, (str(error),))


def verify(path: Path | str, first: int, last: int) -> Verdict:
    """Check the tables of episodes first .. last - 1 of a file and play them again, by clocks and by frames. Raises
    nothing: what cannot be read is a problem."""
    try:
        part = storage.read(path, first, last)
    except (ValueError, OSError) as error:
        return unread(path, error)
    found = tables.problems(part)
    if not found:
        found = [
            f"episode {first + difference.episode}, decision {difference.row}: {difference.text}"
            for difference in replay.verify(part)
        ]
    frames = part.episode["frames"].sum(dtype=np.int64)
    return Verdict(Path(path), len(part), part.rows, int(frames), tuple(found))


def verify_all(paths: Sequence[Path | str], jobs: int = 1) -> Iterator[Verdict]:
    """`verify` over all episodes of all files, in order, in `jobs` processes."""
    tasks: list[tuple[Path | str, int, int]] = []
    for path in paths:
        try:
            tasks += [(path, first, last) for first, last in storage.ranges(path, CHECK_ROWS)]
        except (ValueError, OSError) as error:
            yield unread(path, error)
    yield from parallel(partial(_call, verify), tasks, jobs)


def parallel(function: Callable[[Any], Any], tasks: Sequence[Any], jobs: int) -> Iterator[Any]:
    """The results of a function for every task, in order. Who stops before the last ends what is under way."""
    if jobs <= 1 or len(tasks) <= 1:
        yield from map(function, tasks)
        return
    with ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=get_context("spawn")) as pool:
        try:
            with _without_interrupts():
                results = pool.map(function, tasks)
            yield from results
        except (KeyboardInterrupt, GeneratorExit):  # nobody wants what is under way
            for worker in list(pool._processes.values()):  # as `terminate_workers` of Python 3.14
                worker.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes that are started meanwhile never see Ctrl-C, which is for the one that started them, and ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _call(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return function(*arguments)


@dataclass(frozen=True)
class Choice:
    """Which episodes to keep; None and empty keep all."""

    levels: tuple[int, ...] = ()
    speeds: tuple[int, ...] = ()
    outcomes: tuple[str, ...] = ()
    policy: str | None = None
    """a part of the policy's name"""
    min_frames: int | None = None
    max_frames: int | None = None
    """frames of the episode, which are the frames to clear of a cleared one"""
    seed_split: str | None = None
    """test, validation or training: only games of these seeds"""
    seeds: tuple[int, ...] = ()
    """two that differ in the lowest bit alone are the same game, and files name it by one of them (seeds.py)"""

    def __post_init__(self) -> None:
        for outcome in self.outcomes:
            if outcome not in OUTCOMES:
                raise ValueError(f"outcome is {outcome!r}; choose from {', '.join(OUTCOMES)}")

    def mask(self, games: Games) -> np.ndarray:
        """bool[E]"""
        from mlx_drmario import seeds

        table = games.episode
        keep = np.ones(len(games), np.bool_)

        def seats(name: str) -> np.ndarray:
            return table[name].reshape(len(games), games.players)

        if self.levels:
            keep &= np.isin(seats("level"), self.levels).all(axis=1)
        if self.speeds:
            keep &= np.isin(seats("speed"), self.speeds).all(axis=1)
        if self.outcomes:
            keep &= np.isin(table["outcome"], [OUTCOMES.index(outcome) for outcome in self.outcomes])
        if self.policy is not None:
            keep &= (np.char.find(seats("policy"), schema.encoded(self.policy)) >= 0).any(axis=1)
        if self.min_frames is not None:
            keep &= table["frames"] >= self.min_frames
        if self.max_frames is not None:
            keep &= table["frames"] <= self.max_frames
        if self.seed_split is not None:
            keep &= np.isin(table["seed"], seeds.seeds(self.seed_split))
        if self.seeds:
            keep &= np.isin(table["seed"] >> 1, np.array(self.seeds) >> 1)
        return keep


def _players(paths: Sequence[Path | str]) -> int:
    if not paths:
        raise ValueError("paths is empty; name a file at least")
    players = {storage.check(path) for path in paths}
    if len(players) > 1:
        raise ValueError("paths hold games of one and of two players; a file holds one kind")
    return players.pop()


def filtered(paths: Sequence[Path | str], out: Path | str, choice: Choice) -> int:
    """Write the chosen episodes of all files to a new one; returns their number."""

    def parts() -> Iterator[Games]:
        for path in paths:
            for block in storage.blocks(path):
                yield block.take(np.flatnonzero(choice.mask(block)))

    return storage.save(out, parts(), _players(paths))


def merge(paths: Sequence[Path | str], out: Path | str) -> int:
    """Write all episodes of all files to a new one; returns their number."""
    return filtered(paths, out, Choice())


def dedup(paths: Sequence[Path | str], out: Path | str) -> tuple[int, int]:
    """Write every episode once, the first of those with equal content; returns (kept, left out)."""
    seen: set[bytes] = set()
    left_out = 0

    def parts() -> Iterator[Games]:
        nonlocal left_out
        for path in paths:
            for block in storage.blocks(path):
                keys = [row.tobytes() for row in block.episode["content"]]
                fresh = np.zeros(len(block), np.bool_)
                for e, key in enumerate(keys):
                    fresh[e] = key not in seen
                    seen.add(key)
                left_out += int((~fresh).sum())
                yield block.take(np.flatnonzero(fresh))

    return storage.save(out, parts(), _players(paths)), left_out


def split(path: Path | str, directory: Path | str, episodes: int) -> list[Path]:
    """Write files of `episodes` episodes each (the last may have fewer): DIRECTORY/NAME-0001.dmtrace.h5, ..."""
    if episodes < 1:
        raise ValueError(f"episodes is {episodes}; it must be at least 1")
    path, directory = Path(path), Path(directory)
    players, total = storage.check(path), len(storage.episodes(path))
    stem = path.name.removesuffix(schema.SUFFIX)
    parts = {
        directory / f"{stem}-{number:04d}{schema.SUFFIX}": first
        for number, first in enumerate(range(0, total, episodes), start=1)
    }
    for out in parts:  # all of them before the first is written
        if out.exists():
            raise FileExistsError(storage.TAKEN.format(out))
    directory.mkdir(parents=True, exist_ok=True)
    for out, first in parts.items():
        storage.save(out, [storage.read(path, first, first + episodes)], players)
    return list(parts)
