"""`drmario solve`: the best line for a known seed."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from mlx_drmario.behind import Behind
from mlx_drmario.cli.game import GameSeed
from mlx_drmario.files import check_directory, check_output
from mlx_drmario.ranges import Level, Range, check_ranges

if TYPE_CHECKING:
    import mlx_drmario as dm


@dataclass(frozen=True)
class SolveConfig:
    """Search one seed with all its capsules known, and print the line capsule by capsule.

    A known seed is what a speedrunner has who chose it; a player of an unknown game has not (see `drmario eval`).
    """

    level: Level = 20
    """0 to 24"""
    speed: Literal["low", "med", "hi"] = "hi"
    """speed setting"""
    seed: GameSeed = 0x8988
    """state of the console's random generator before the level set-up, 2 to 65535; 0x for hexadecimal"""
    frame_counter: Annotated[int, Range(0, 255)] = 0
    """its value in the first frame of play, 0 to 255; only its parity matters"""
    width: Annotated[int, Range(1, 2**20)] = 1_000
    """boards kept after each capsule"""
    alpha: Annotated[float, Range(0, 100)] = 1.0
    """boards are ranked by frames + alpha * estimated frames to go"""
    threads: Annotated[int, Range(0, 256)] = 0
    """0: one per core; never changes the line"""
    json: Path | None = None
    """write level, speed, seed, cleared, frames and actions to this file"""
    movie: Path | None = None
    """write the line as an input movie from power-on, .fm2 (FCEUX) or .bk2 (BizHawk); docs/traces.md"""
    capture: Path | None = None
    """keep the line as a trace in this directory; see `drmario trace`"""

    def __post_init__(self) -> None:
        check_ranges(self)


def run(config: SolveConfig) -> int:
    """Search, print, write; returns 0 when the line clears the level, else 1. Ctrl-C prints the best line so far.

    Raises ValueError for values that cannot be, OSError for a file that cannot be written.
    """
    import mlx_drmario as dm
    from mlx_drmario import files
    from mlx_drmario.spec import speed_number

    check(config)
    seed = config.seed
    games = dm.Decisions(num_envs=1, threads=1)
    games.reset(config.level, speed_number(config.speed), seed, config.frame_counter)
    search = dm.Search(threads=config.threads)
    line = solve(search, games, config)
    if config.json is not None:
        content = json.dumps(record(config, seed, line)) + "\n"
        files.write_text(config.json, content)
    if config.movie is not None or config.capture is not None:
        keep(config, seed, line)
    show(config, games, line)
    return 0 if line.cleared else 1


def show(config: SolveConfig, games: "dm.Decisions", line: "dm.Line") -> None:
    """Print a line capsule by capsule, played in the game at its beginning."""
    from mlx_drmario.evaluate import FRAME_RATE
    from mlx_drmario.search import replay_line

    named = f"level {config.level} {config.speed.upper()}, seed 0x{config.seed:04x}"
    print(f"{named}, {games.viruses_left[0]} viruses, width {config.width:,}")
    print(f"{'capsule':>7}  {'colors':<6} {'placement':<19} {'frames':>6} {'cleared':>7} {'left':>4} {'clock':>7}")
    for number, step in enumerate(replay_line(games, line.actions), start=1):
        print(
            f"{number:>7}  {step.colors:<6} {step.placement:<19} {step.frames:>6} {step.viruses_cleared:>7}"
            f" {step.viruses_left:>4} {step.clock:>7,}"
        )
    end = "cleared" if line.cleared else "not cleared"
    print(f"{end} in {line.frames:,} frames = {line.frames / FRAME_RATE:.2f} s, {line.nodes:,} boards expanded")


def check(config: SolveConfig) -> None:
    """Refuse before the search what could only fail after it. ValueError or OSError that name the option."""
    if config.json is not None:
        check_output("--json", config.json)
    if config.capture is not None:
        check_directory("--capture", config.capture)
    if config.movie is not None:
        from mlx_drmario.traces.console import MENU_LEVELS
        from mlx_drmario.traces.movie import FORMATS

        check_output("--movie", config.movie, FORMATS)
        if config.json is not None and config.json.resolve() == config.movie.resolve():
            raise ValueError(f"--json is {config.json}, which --movie is as well; each needs a file of its own")
        if config.level > MENU_LEVELS:
            offered = f"a movie starts from the menu, which offers 0 to {MENU_LEVELS}"
            raise ValueError(f"--level is {config.level}; {offered}")


def keep(config: SolveConfig, seed: int, line: "dm.Line") -> None:
    """Write the line as a trace and as a movie, whichever was asked for, if there is one."""
    if not line.actions.size:
        print("stopped before the first capsule: there is no line to write")
        return
    import tempfile

    import mlx_drmario as dm
    from mlx_drmario.spec import speed_number
    from mlx_drmario.traces import movie, storage
    from mlx_drmario.traces.capture import Capture, capture_line

    games = dm.Decisions(num_envs=1, threads=1)
    games.reset(config.level, speed_number(config.speed), seed, config.frame_counter)
    with tempfile.TemporaryDirectory() as folder:
        kept, name = config.capture or Path(folder), f"solve:width={config.width},alpha={config.alpha:g}"
        with Capture(kept, policy=name, config=asdict(config)) as capture:
            capture_line(capture, games, line.actions.tolist())
        (path,) = capture.files()
        if config.capture is not None:
            print(f"{path}: the line")
        if config.movie is not None:
            made = movie.of_game(storage.read(path), 0)
            movie.write(config.movie, made)
            print(f"{config.movie}: {len(made.buttons):,} frames; {made.subtitles[0][1]}")


def solve(search: "dm.Search", games: "dm.Decisions", config: SolveConfig) -> "dm.Line":
    """The line, searched in a thread so that Ctrl-C can end the search early."""
    found: list[dm.Line] = []  # here, for an interruption may come before `submit` returns
    behind = Behind("solve")
    try:
        behind.submit(lambda: found.extend(search.solve(games, config.width, config.alpha))).result()
    except KeyboardInterrupt:
        search.stop()
        behind.shutdown()
        if not found:
            raise
    finally:
        behind.shutdown()
    return found[0]


def record(config: SolveConfig, seed: int, line: "dm.Line") -> dict[str, Any]:
    """The line as plain JSON values."""
    return {
        "level": config.level,
        "speed": config.speed,
        "seed": seed,
        "frame_counter": config.frame_counter,
        "cleared": line.cleared,
        "frames": line.frames,
        "actions": line.actions.tolist(),
    }
