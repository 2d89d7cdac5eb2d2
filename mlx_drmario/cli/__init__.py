"""`drmario`: train, evaluate, watch and play from the shell.

Every command is a module with a frozen dataclass, which tyro turns into options, and `run(config) -> int`. Only the
command that is asked for is imported, so that `drmario --help` answers at once.
"""

import difflib
import importlib
import sys

# command -> (module in this package, name of its config class, one line of help)
COMMANDS = {
    "demo": ("demo", "DemoConfig", "train on level 0 for three minutes, evaluate, and say how to go on"),
    "train": ("train", "TrainConfig", "train a policy with SMDP-PPO"),
    "runs": ("runs", "RunsConfig", "list, describe and compare the runs on disk"),
    "eval": ("eval", "EvalConfig", "play test games with a policy and with two baselines"),
    "watch": ("watch", "WatchConfig", "watch a policy play in the terminal"),
    "play": ("play", "PlayConfig", "play yourself in the terminal"),
    "bench": ("bench", "BenchConfig", "measure engine, planner, decision loop and nets"),
    "perft": ("perft", "PerftConfig", "count placements: the signature of engine and planner"),
    "doctor": ("doctor", "DoctorConfig", "say what this installation runs on"),
}


def usage() -> str:
    """The text of `drmario --help`."""
    lines = [f"  {name:8} {text}" for name, (_, _, text) in COMMANDS.items()]
    return "usage: drmario COMMAND [options]\n\n" + "\n".join(lines) + "\n\n`drmario COMMAND --help` lists its options."


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns the exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    args = sys.argv[1:] if argv is None else argv
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
    module = importlib.import_module(f"mlx_drmario.cli.{module_name}")
    import tyro

    config = tyro.cli(getattr(module, config_name), prog=f"drmario {command}", args=args[1:])
    try:
        return int(module.run(config))
    except (ValueError, TypeError, OSError) as error:
        print(f"drmario {command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
