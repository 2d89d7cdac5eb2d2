"""`drmario`: train, evaluate, watch and play from the shell.

Every command is a module with a frozen dataclass, which tyro turns into options, and `run(config) -> int`. Only the
command that is asked for is imported, so that `drmario --help` answers at once.
"""

import difflib
import errno
import importlib
import os
import sys
import warnings

# command -> (module in this package, name of its config class or None if it has its own `parse`, one line of help)
COMMANDS: dict[str, tuple[str, str | None, str]] = {
    "demo": ("demo", "DemoConfig", "train on level 0 for three minutes, evaluate, and say how to go on"),
    "train": ("train", None, "train a policy with SMDP-PPO"),
    "runs": ("runs", "RunsConfig", "list, describe and compare the runs on disk"),
    "eval": ("eval", "EvalConfig", "play games with a policy and with two baselines"),
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
    lines = [f"  {name:8} {text}" for name, (_, _, text) in COMMANDS.items()]
    return "usage: drmario COMMAND [options]\n\n" + "\n".join(lines) + "\n\n`drmario COMMAND --help` lists its options."


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns the exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

    1 also when nobody reads the output any more (`drmario runs list | head -1`), without a message.
    """
    if sys.stdout is None:  # started with it closed (>&-)
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (for the rest of the process)
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
    try:
        module = importlib.import_module(f"mlx_drmario.cli.{module_name}")
        import tyro

        if config_name is None:
            config = module.parse(args[1:])
        else:
            config = tyro.cli(getattr(module, config_name), prog=f"drmario {command}", args=args[1:])
        return int(module.run(config))
    except BrokenPipeError:
        raise
    except (ValueError, TypeError, OSError) as error:
        print(f"drmario {command}: {sentence(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def sentence(error: Exception) -> str:
    """What went wrong, with the file's name first where the system says what is wrong with a file."""
    if not isinstance(error, OSError) or error.filename is None or error.strerror is None:
        return str(error)
    advice = ": make room and try again" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else ""
    return f"{error.filename}: {error.strerror}{advice}"


def show_warning(message: Warning | str, *where: object, **place: object) -> None:
    """A warning is a sentence for the user of a command, without the line of code that gave it."""
    print(f"drmario: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
