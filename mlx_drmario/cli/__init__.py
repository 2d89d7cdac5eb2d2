"""`drmario`: train, evaluate, watch and play from the shell.

Every command is a module with a frozen dataclass, which tyro turns into options, and `run(config) -> int`. Only the
command that is asked for is imported, so that `drmario --help` answers at once.
"""

import difflib
import importlib
import io
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from mlx_drmario.cli.errors import parsed, refuse_empty, sentence

# command -> (module in this package, name of its config class or None if it has its own `parse`, one line of help)
COMMANDS: dict[str, tuple[str, str | None, str]] = {
    "demo": ("demo", "DemoConfig", "train on all levels for three minutes, evaluate, and say how to go on"),
    "train": ("train", None, "train a policy with SMDP-PPO, or fit an evaluator"),
    "runs": ("runs", "RunsConfig", "list, describe and compare the runs on disk"),
    "eval": ("eval", "EvalConfig", "play games with a policy and with two baselines"),
    "calibrate": ("calibrate", "CalibrateConfig", "compare what an evaluator says with what happens"),
    "tui": ("tui", None, "train, watch and play in one terminal app"),
    "solve": ("solve", "SolveConfig", "search the best line for a known seed"),
    "tune": ("tune", "TuneConfig", "fit the search's value function"),
    "watch": ("watch", "WatchConfig", "watch a policy play in the terminal"),
    "play": ("play", "PlayConfig", "play yourself in the terminal"),
    "trace": ("trace", "TraceConfig", "recorded games: inspect, verify, recover, filter, export, movies, web page"),
    "records": ("records", "RecordsConfig", "best times: list, verify, export"),
    "bench": ("bench", "BenchConfig", "measure engine, planner, decision loop and nets"),
    "perft": ("perft", "PerftConfig", "count placements: the signature of engine and planner"),
    "doctor": ("doctor", "DoctorConfig", "say what this installation runs on"),
}


def usage() -> str:
    """The text of `drmario --help`."""
    lines = [f"  {name:9} {text}" for name, (_, _, text) in COMMANDS.items()]
    return (
        "usage: drmario COMMAND [options] | --version\n\n"
        + "\n".join(lines)
        + "\n\n`drmario COMMAND --help` lists its options."
    )


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns the exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

    1 also when nobody reads the output any more (`drmario runs list | head -1`), without a message.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # started with it closed (>&-)
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (for the rest of the process)
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a letter ends no work
    try:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = show_warning
                return dispatch(sys.argv[1:] if argv is None else argv)
        finally:
            sys.stdout.flush()  # here, where a closed pipe can be caught; --help leaves by SystemExit
    except OSError:  # of writing to stdout or stderr; others were told
        discard_output()
        return 1


def discard_output() -> None:
    """Let go nowhere what nobody reads any more.

    Python flushes stdout once more as it exits, which would fail again (docs.python.org, "Note on SIGPIPE").
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def dispatch(args: list[str]) -> int:
    """Find the command, read its options, run it; an error becomes one line on stderr. Returns as `main` does."""
    if args == ["--version"]:
        from mlx_drmario import __version__

        print(f"drmario {__version__}")
        return 0
    if not args or args[0] in ("-h", "--help"):
        print(usage())
        return 0 if args else 2
    command = args[0]
    if command not in COMMANDS:
        close = difflib.get_close_matches(command, COMMANDS, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else f" Commands are {', '.join(COMMANDS)}."
        print(f"drmario: no command '{command}'.{hint}", file=sys.stderr)
        return 2
    module_name, config_name, _ = COMMANDS[command]

    def work() -> int:
        refuse_empty(args)
        module = importlib.import_module(f"mlx_drmario.cli.{module_name}")
        return int(module.run(parsed(reader(module, config_name, command), args[1:])))

    return carried_out(f"drmario {command}", args, work)


def carried_out(name: str, args: list[str], work: Callable[[], int]) -> int:
    """What `work` returns; an error of the user's or the system's becomes one line, which `name` begins, and 2 or 1."""
    try:
        return work()
    except BrokenPipeError:
        raise
    except (ValueError, TypeError, OSError) as error:
        text, wrong_use = sentence(error, args)
        print(f"{name}: {text}", file=sys.stderr)
        return 2 if wrong_use else 1
    except KeyboardInterrupt as stopped:
        if stopped.args:  # somebody knows what is lost
            print(f"\n{name}: {stopped}", file=sys.stderr)
        return 130


def script(kind: Any, work: Callable[[Any], object]) -> int:
    """Carry out a program of scripts/ whose options are a dataclass, or several as subcommands; its exit status. Errors
    are told as those of `drmario`."""
    import tyro

    name, args = Path(sys.argv[0]).name, sys.argv[1:]

    def worked() -> int:
        work(parsed(lambda given: tyro.cli(kind, prog=name, args=given), args))
        return 0

    return carried_out(name, args, worked)


def reader(module: ModuleType, config_name: str | None, command: str) -> Callable[[list[str]], Any]:
    """What makes the command's config of its arguments."""
    if config_name is None:
        parse: Callable[[list[str]], Any] = module.parse
        return parse
    import tyro

    return lambda args: tyro.cli(getattr(module, config_name), prog=f"drmario {command}", args=args)


def show_warning(message: Warning | str, *where: object, **place: object) -> None:
    """A warning is a sentence for the user of a command, without the line of code that gave it."""
    print(f"drmario: {message}", file=sys.stderr)
