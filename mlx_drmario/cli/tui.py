"""`drmario tui`: train, watch and play in one terminal app.

drmario tui                                   a menu
drmario tui train level0 --minutes 10         as `drmario train` (--capture too), with the app before it
drmario tui resume RUN --minutes 20           go on with a run
drmario tui attach RUN                        look at a run that trains by itself (drmario tui train ... --detach)
drmario tui trace FILE                        recorded games: scrub, branch, compare (--policy plays branches on)
drmario tui --serve                           the same in a browser on this machine
"""

from __future__ import annotations

import argparse
import shlex
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlx_drmario.cli.shown import problem, show

if TYPE_CHECKING:
    from mlx_drmario.rl.config import BudgetConfig
    from mlx_drmario.tui.screens import AnyScreen
    from mlx_drmario.tui.screens.home import Entry

RUNS = Path("runs")
CLONE_HELP = "Learns from search on levels 0 to 20 HI: slower decisions, the strongest network (docs/search.md)."


@dataclass(frozen=True)
class TuiConfig:
    """What the command line asks for."""

    command: str
    """home, train, resume, attach or trace"""
    rest: list[str]
    """the options of that command"""
    detach: bool
    serve: bool
    port: int
    arguments: list[str]
    """all arguments but those of serving"""


def parse(args: list[str]) -> TuiConfig:
    """Split off the app's own options; the others are those of `drmario train`, checked by `run`."""
    parser = argparse.ArgumentParser(
        prog="drmario tui",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--detach", action="store_true", help="the training goes on when the app ends")
    parser.add_argument("--serve", action="store_true", help="in a browser on this machine (needs textual-serve)")
    parser.add_argument("--port", type=int, default=8000, help="of the browser's page, with --serve")
    parser.add_argument("command", nargs="?", choices=("home", "train", "resume", "attach", "trace"), default="home")
    if args[:1] == ["trace"] and not {"-h", "--help"}.isdisjoint(args):
        trace_parser().parse_args(["--help"])  # ends the program
    own = args
    theirs: list[str] = []
    if args and args[0] in ("train", "resume"):  # their --help is theirs
        own, theirs = _divided(args[1:], ("--detach", "--serve"))
        own = [args[0], *own]
    known, rest = parser.parse_known_args(own)
    if not 1 <= known.port <= 0xFFFF:
        parser.error(f"--port must be between 1 and 65,535, got {known.port}")
    if rest and known.command == "home":
        parser.error(f"no option {rest[0]!r} (`drmario tui --help` lists all)")
    if known.command == "attach" and len(rest) != 1:
        parser.error("attach needs one run directory")
    arguments = _divided(args, ("--serve",))[1]
    return TuiConfig(known.command, theirs or rest, known.detach, known.serve, known.port, arguments)


def _divided(args: list[str], flags: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """These flags of the app and --port with its value, wherever they stand, and all other arguments."""
    own: list[str] = []
    others: list[str] = []
    options = iter(args)
    for option in options:
        if option in flags or option.startswith("--port="):
            own.append(option)
        elif option == "--port":
            own += [option, *islice(options, 1)]
        else:
            others.append(option)
    return own, others


def run(config: TuiConfig) -> int:
    """Show the app until it is quit; 2 without a terminal. Raises ValueError or OSError for what cannot be opened."""
    if config.serve:
        from mlx_drmario.tui.serve import serve

        serve(config.arguments, config.port)
        return 0
    screen = open_screen(config, make=problem() is None)  # what is wrong with the options is said first
    return show("tui", lambda: screen)


def open_screen(config: TuiConfig, make: bool = True) -> AnyScreen:
    """The first screen; make: make the directories that it needs."""
    if config.command == "home":
        from mlx_drmario.tui.screens.home import HomeScreen, demo_position

        return HomeScreen(partial(entries, config.detach), demo_position())
    if config.command == "attach":
        return attached(Path(config.rest[0]))
    if config.command == "trace":
        return recorded(config.rest)
    return training(config.rest if config.command == "train" else ["resume", *config.rest], config.detach, make)


def training(args: list[str], detach: bool = False, make: bool = True) -> AnyScreen:
    """A run that starts or goes on, as `drmario train ARGS` would; make: make its directories. Ends the program after
    --help."""
    if args[:1] in (["-h"], ["--help"]):  # that of `drmario train` offers more than the app can train
        print(presets_help())
        raise SystemExit(0)
    from mlx_drmario.cli import train, training
    from mlx_drmario.cli.errors import WrongUse, parsed
    from mlx_drmario.cli.stopping import default_directory, nothing_left
    from mlx_drmario.files import check_directory, holder, in_use
    from mlx_drmario.rl.clone.config import CloneRunConfig
    from mlx_drmario.rl.config import DirectoryConfig
    from mlx_drmario.rl.ppo.config import PPORunConfig
    from mlx_drmario.tui.address import trains
    from mlx_drmario.tui.protocol import TrainJob
    from mlx_drmario.tui.screens.live import LiveScreen
    from mlx_drmario.tui.session import Session, settings_of

    given = parsed(train.parse, args)
    if given.dry_run:
        raise WrongUse(f"--dry-run must not be given here; `drmario train {shlex.join(args)}` prints the settings")
    chosen: DirectoryConfig
    run: Path | None
    if isinstance(given, train.ResumeConfig):
        if trains(given.run):
            raise ValueError(f"{given.run} trains now; `drmario tui attach {shlex.quote(str(given.run))}` shows it")
        if (process := holder(given.run)) is not None:
            raise ValueError(in_use(given.run, process))
        chosen, run = train.resumed(settings_of(given.run), given), given.run
        if spent(chosen, given.run):
            raise ValueError(nothing_left(chosen))
    else:
        chosen, run = training.plain(given), given.out
    if not isinstance(chosen, PPORunConfig | CloneRunConfig):
        raise ValueError(f"{args[0]} is nothing that the app can train; `drmario train {args[0]}` does")
    capture = given.capture if isinstance(given, training.Captured) else None
    if capture is not None and make:
        check_directory("--capture", capture)
    job = TrainJob(chosen, run or default_directory(chosen.name, make), args[0] == "resume", detach, capture)
    return LiveScreen(Session(job), job.run.absolute().name)  # of "." as well


def spent(config: BudgetConfig, run: Path) -> bool:
    """Whether nothing is left of a budget for a run, as its metrics say."""
    from mlx_drmario.rl.runs.listing import summarize

    return (replace(summarize(run), budget=config).progress or 0) >= 1


def presets_help() -> str:
    """What `drmario tui train --help` says."""
    from mlx_drmario.rl.ppo.config import PRESET_HELP

    lines = [f"  {name:8} {words}" for name, words in (PRESET_HELP | {"clone": CLONE_HELP}).items()]
    return (
        "usage: drmario tui train [PRESET] [--detach] [options]\n\n"
        + "\n".join(lines)
        + "\n\n`drmario tui train PRESET --help` lists the options, which are those of `drmario train`."
    )


def attached(run: Path) -> AnyScreen:
    """A run that trains in a process of its own."""
    from mlx_drmario.tui.screens.live import LiveScreen
    from mlx_drmario.tui.session import attach

    return LiveScreen(attach(run), run.absolute().name)


def recorded(args: list[str]) -> AnyScreen:
    """The games of a trace file."""
    from mlx_drmario.cli import policy as policies
    from mlx_drmario.cli.errors import parsed
    from mlx_drmario.tui.recorded import Recording
    from mlx_drmario.tui.screens.recorded import RecordedScreen

    given = parsed(trace_parser().parse_args, args)
    recording = Recording(given.file)
    if not 1 <= given.game <= recording.count:
        raise ValueError(f"game is {given.game}; the file holds games 1 to {recording.count}")
    policies.check(given.policy)
    return RecordedScreen(recording, given.game - 1, partial(policies.load, given.policy), given.policy)


def trace_parser() -> argparse.ArgumentParser:
    """The options of `drmario tui trace`."""
    parser = argparse.ArgumentParser(prog="drmario tui trace", description="Recorded games: scrub, branch, compare.")
    parser.add_argument("file", type=Path, help="a trace file (docs/traces.md)")
    first = "the game to start with, counted from 1 (`drmario trace movie` and `html` count from 0)"
    parser.add_argument("--game", type=int, default=1, help=first)
    parser.add_argument("--policy", default="greedy", help="plays branches on, as in drmario watch")
    return parser


def watching(policy: str, level: int, games: int) -> AnyScreen:
    """A policy that plays test games."""
    from mlx_drmario.cli import watch

    return watch.screen(watch.WatchConfig(policy=policy, level=level, games=games))


def playing(players: int) -> AnyScreen:
    """A game by hand."""
    import numpy as np

    from mlx_drmario import seeds
    from mlx_drmario.tui.screens.play import DuelScreen, PlayScreen

    games = cycle(seeds.sample("training", np.random.default_rng(), 1000).tolist())
    return PlayScreen(0, 0, games) if players == 1 else DuelScreen(5, 1, games)


def level_of(run: Path) -> int:
    """The last level that a run plays while it trains; 0 where its settings do not say."""
    from mlx_drmario.cli.runs import ends
    from mlx_drmario.rl.config import BudgetConfig
    from mlx_drmario.rl.runs.settings import read_any
    from mlx_drmario.settings import flatten

    try:
        config = read_any(run)
    except (ValueError, OSError):
        return 0
    return ends(flatten(asdict(config)))[1] if isinstance(config, BudgetConfig) else 0


def entries(detach: bool) -> list[Entry]:
    """The menu."""
    from mlx_drmario.files import holder
    from mlx_drmario.rl.ppo.config import PRESETS
    from mlx_drmario.tui.address import trains
    from mlx_drmario.tui.screens.home import Entry, newest_runs
    from mlx_drmario.tui.session import trainable

    menu: list[Entry] = []

    def add(group: str, name: str, words: str, make: Any, *args: Any) -> None:
        menu.append(Entry(group, name, words, partial(make, *args)))

    for name in PRESETS:
        add("train", name, "a new run", training, [name], detach)
    add("train", "clone", "a new run that learns from search", training, ["clone"], detach)
    for run in newest_runs(RUNS):
        if trains(run):
            add("runs", run.name, "attach: it trains now", attached, run)
        else:
            if trainable(run) and holder(run) is None:
                add("runs", run.name, "go on training", training, ["resume", str(run)], detach)
            add("runs", run.name, "watch it play", watching, str(run), level_of(run), 16)
    add("watch", "best", "the network that comes with this, level 20, 16 games", watching, "best", 20, 16)
    add("watch", "memory", "search that keeps what it has seen, level 20, 4 games", watching, "memory", 20, 4)
    add("watch", "greedy", "the simple baseline, 16 games", watching, "greedy", 5, 16)
    add("play", "alone", "level 0, low speed", playing, 1)
    add("play", "two players", "one keyboard", playing, 2)
    return menu
