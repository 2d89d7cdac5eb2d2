"""What somebody is told whose command line cannot be carried out, where and however it is printed."""

import contextlib
import os
import subprocess
import sys

import pytest

from mlx_drmario.cli.errors import unboxed

PROGRAM = "import sys; from mlx_drmario.cli import main; sys.exit(main())"


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("eval --nosuch", "eval: Unrecognized options: --nosuch (`drmario eval --help` lists all)"),
        ("eval --seeds abc", "eval: --seeds must be a whole number, got 'abc'"),
        (
            "eval --speed fast",
            "eval: invalid choice 'fast' for argument '--speed'. Expected one of ('low', 'med', 'hi')",
        ),
        ("train --minuts 5", "train: Unrecognized options: --minuts, 5; Perhaps you meant: --minutes FLOAT"),
    ],
)
def test_boxes_and_colours_are_no_part_of_a_sentence(arguments, sentence, terminal):
    """Tyro draws them where stdout is of UTF-8, and a terminal."""
    environment = os.environ | {"PYTHONIOENCODING": "utf-8", "TERM": "xterm"}
    with contextlib.ExitStack() as open_files:
        ours, stdout = os.openpty() if terminal else (None, subprocess.DEVNULL)
        for descriptor in (ours, stdout) if terminal else ():
            open_files.callback(os.close, descriptor)
        command = [sys.executable, "-c", PROGRAM, *arguments.split()]
        done = subprocess.run(command, env=environment, stdout=stdout, stderr=subprocess.PIPE, encoding="utf-8")
    assert done.returncode == 2
    assert done.stderr.startswith(f"drmario {sentence}") and done.stderr.count("\n") == 1
    assert not set(done.stderr) & set("╭╮╰╯│─\x1b")


def test_a_text_without_a_box_stays_as_it_is():
    assert unboxed("something  went\n wrong\n", []) == "something went wrong"
