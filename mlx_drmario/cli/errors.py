"""What a command line that cannot be carried out is told: one sentence that names the option as it was typed."""

import contextlib
import errno
import io
import itertools
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class WrongUse(ValueError):
    """A command line that means nothing."""


def refuse_empty(args: list[str]) -> None:
    """Raises WrongUse for an option whose value is empty, and for an empty word."""
    for word, following in itertools.zip_longest(args, args[1:]):
        option, equals, value = word.partition("=")
        if option.startswith("--") and (value == "" if equals else following == ""):
            raise WrongUse(f"{option} must not be empty")
        if word == "":
            raise WrongUse("one of the arguments is empty")


def check_there(paths: Iterable[Path]) -> None:
    """WrongUse for the first that does not exist of the paths that were given without an option."""
    for path in paths:
        if not path.exists():
            raise WrongUse(f"path is {path}, which does not exist")


def parsed(read: Callable[[list[str]], T], args: list[str]) -> T:
    """What `read` makes of the arguments. Raises WrongUse where tyro or argparse would print and end the program.

    Tyro prints what a config of ours refuses in a box, with a path of its own making instead of the option's name; the
    config's error says all by itself. Ends the program as they do after --help.
    """
    try:
        with contextlib.redirect_stderr(io.StringIO()) as printed:
            made = read(args)
    except SystemExit as stop:
        if not stop.code:
            raise
        raise WrongUse(refusal(stop) or unboxed(printed.getvalue(), args)) from None
    print(printed.getvalue(), end="", file=sys.stderr)
    return made


def refusal(stop: SystemExit) -> str | None:
    """With what words a config of ours refused its values, if that is why the program was ended."""
    error = stop.__context__
    while error is not None:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        raised = trace.tb_frame.f_globals["__name__"] if trace else ""
        if isinstance(error, ValueError) and raised.startswith(("mlx_drmario.", "scripts.", "__main__")):
            return str(error)
        error = error.__context__
    return None


WANTED = {"INT": "a whole number", "FLOAT": "a number", "[INT [INT ...]]": "whole numbers", "PATH PATH": "two paths"}
"""What tyro's names of types mean"""


def unboxed(printed: str, args: list[str]) -> str:
    """The sentence in what tyro or argparse printed about wrong arguments."""
    _, found, message = printed.partition(": error: ")
    if found:
        text = " ".join(message.split()).removeprefix("argument ")
        return re.sub(r"^(--\S+): invalid int value: ", r"\1 must be a whole number, got ", text)
    parts = [" ".join(part.split()) for part in re.split(r"\n\s*-{9,}\s*\n", undrawn(printed), maxsplit=2)]
    if len(parts) < 2:  # no box that we know
        return parts[0]
    title, body, *rest = parts
    misplaced = re.match(r"Unrecognized or misplaced options: (\S+) \(applied to ([\w .-]+)\)", body)
    if misplaced:
        return f"{misplaced[1]} is no option of `{misplaced[2]}` (`{misplaced[2]} --help` lists all)"
    hints = re.split(r"-{9,}", rest[0] if rest else "")
    lists = help_named(hints[-1], body, args)
    value = re.match(r"Error parsing (--[\w.-]+): ", body)
    kind = re.search(rf"{value[1]} (\[.*?\]\]|\S+( PATH\}})?)", hints[0]) if value else None
    if value and kind:
        wanted = kind[1].removeprefix("{None}|").strip("{}")
        given = " ".join(values_of(value[1], args))
        return f"{value[1]} must be {WANTED.get(wanted, wanted)}, got {given!r}"
    text = f"{title}: {body}" if body.startswith("Expected") else body
    text = re.sub(r"'None', |, 'None'", "", text)  # what an option is that was not given
    alike = [hint for hint in hints[:-1] if hint.strip().startswith(("Perhaps you meant", "Arguments similar to"))]
    text += "".join(f"; {hint.strip()}" for hint in hints[:-1] if hint not in alike)
    if alike and (shown := options_shown(printed, (args or ["-"])[0])):
        text += f"; perhaps you meant {' or '.join(shown[:3])}"
    return text.rstrip(".") + (f" (`{lists}` lists all)" if lists else "")


GROUPS = ("train", "runs", "records", "trace")
"""commands that have commands of their own"""


def help_named(hint: str, body: str, args: list[str]) -> str | None:
    """The command that tyro names for help; of a subcommand, which it leaves out, where one was understood."""
    found = re.search(r"drmario ([\w .-]*)--help", hint)
    if found is None:
        return None
    command = found[1].strip()
    if command in GROUPS and body.startswith("Unrecognized") and args[0].isidentifier() and args[0] not in body:
        command = f"{command} {args[0]}"
    return f"drmario {command} --help"


def options_shown(printed: str, command: str) -> list[str]:
    """The options that tyro shows with their help: each begins a line, and its help is indented further. Of those that
    belong to commands, the ones of this command, if it is one."""
    shown: dict[str, list[str]] = {}
    for line in undrawn(printed).splitlines():
        if option := re.match(r" {1,6}(--[a-z][\w.-]*)", line):
            shown.setdefault(option[1], [])
        elif shown and (place := re.match(r" *in drmario (?:[\w.-]+ )*?([\w.-]+) --help", line)):
            shown[list(shown)[-1]].append(place[1])
    return [name for name, places in shown.items() if command.startswith("-") or not places or command in places]


def undrawn(printed: str) -> str:
    """What tyro prints where it has neither colours nor UTF-8: a title, rules of hyphens, and no sides of a box."""
    text = re.sub(r"\x1b\[[\d;]*m", "", printed)
    text = re.sub(r"╭─ (.*?) ─*╮", r"\1\n─────────", re.sub("╰─*╯|│", "", text))
    return text.replace("─", "-")


def values_of(option: str, args: list[str]) -> list[str]:
    """The words that were typed as the value of an option, the last time that it was given: that one counts."""
    for index, word in reversed(list(enumerate(args))):
        name, equals, value = word.partition("=")
        if name.replace("_", "-") == option.replace("_", "-"):
            return [value] if equals else list(itertools.takewhile(lambda w: not w.startswith("--"), args[index + 1 :]))
    return []


def sentence(error: Exception, args: list[str]) -> tuple[str, bool]:
    """What went wrong, and whether the command line is to blame.

    An error that begins with the name of a setting gets the option in its place, as it was typed; one of the system
    begins with the file.
    """
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None and error.strerror is not None:
        advice = ": make room and try again" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else ""
        text = f"{error.filename}: {error.strerror}{advice}"
    option = option_named(text, args)
    if option is None:
        return text, isinstance(error, WrongUse)
    return " ".join([option, *text.split(" ")[1:]]), True


def option_named(text: str, args: list[str]) -> str | None:
    """The option, as it was typed, of the setting with whose name a text begins; None when it was not typed."""
    name = text.partition(" ")[0].removeprefix("--").replace("-", "_")
    for word in args:
        option = word.partition("=")[0]
        setting = option.removeprefix("--").replace("-", "_")
        alias = f"{setting}s" == name  # --level of --levels
        if option.startswith("--") and (setting == name or setting.endswith(f".{name}") or alias):
            return option
    return None
