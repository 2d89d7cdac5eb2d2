"""Every command line of the README and of docs/ is one that the program takes, and the cheap ones run.

Lines are read from fenced blocks (continued by a backslash, commented by `#`) and from `inline code`. The log is left
out: it records what was typed on its day.
"""

import importlib
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlx_drmario import cli
from tests.docs.pages import PAGES, ROOT, Block, blocks

OTHERS = ("tensorboard", ".", "pip", "apt-get", "git")
"""what a block marked `sh` may also hold, unchecked"""
PLACEHOLDERS = {"RUN": "runs/mine", "DIR": "results", "FILE": "out.json", "D": "1", "POLICY": "greedy"}
CHEAP = ("runs", "doctor", "perft")
"""commands that run as they are written; so do --dry-run and --help, and, with few games, eval without --out"""
TRAINING = (
    "train level0 --decisions 128 --env.num-envs 16 --ppo.horizon 4 --ppo.minibatch 32 --net.width 8 --best.games 1"
    " --no-compile"
)
FITTING = (
    "train evaluator --data.levels 0 --data.games 40 --fit.epochs 1 --fit.minibatch 32 --net.width 8 --no-compile"
    " --data.policy greedy"
)


@dataclass(frozen=True)
class Line:
    """A command line and where it stands."""

    page: Path
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.number}: {self.text}"


def block_lines(block: Block) -> Iterator[Line]:
    """The command lines of a fenced block: all of one marked `sh`, those that begin like ours of an unmarked one."""
    text = block.text.replace("\\\n", "  ")  # as long as what it replaces but for the line
    for offset, line in enumerate(text.splitlines()):
        ours = re.match(r"(?:[A-Z_]+=\S+ )*(?:drmario|make|mlx\.launch) ", line + " ")
        if (block.language == "sh" and line.split("#")[0].strip()) or (block.language == "" and ours):
            yield Line(block.page, block.line + offset, line)


def inline_lines(page: Path) -> Iterator[Line]:
    """Inline code that is a command of ours with an option; a mere mention of a command has none."""
    fenced = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fenced ^= line.startswith("```")
        if not fenced:
            for code in re.findall(r"`((?:drmario|make) [^`]+)`", line):
                yield Line(page, number, code)


LINES = {
    line.text.split(" #")[0].strip(): line
    for page in PAGES
    if page.name != "LOG.md"
    for line in [*(line for block in blocks(page) for line in block_lines(block)), *inline_lines(page)]
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs/mine, other and evaluator, trained for an instant, and the YAML files that the pages show."""
    folder = tmp_path_factory.mktemp("shell")
    mine = folder / "runs" / "mine"
    assert cli.main([*TRAINING.split(), "--out", str(mine)]) == 0
    shutil.copytree(mine, mine.with_name("other"), symlinks=True)
    assert cli.main([*FITTING.split(), "--out", str(mine.with_name("evaluator"))]) == 0
    for block in (block for page in PAGES for block in blocks(page)):
        name = re.match(r"# ([\w.-]+\.yaml)\b", block.text)
        if block.language == "yaml" and name:
            (folder / name[1]).write_text(block.text)
    return folder


def split(line: Line, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words of a line with placeholders filled in; variables before the command are set."""
    words = [PLACEHOLDERS.get(word, word) for word in shlex.split(line.text, comments=True)]
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        monkeypatch.setenv(*words.pop(0).split("=", 1))
    return words[words.index("--") + 1 :] if words[0] == "mlx.launch" else words


def check_drmario(args: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The front door takes these arguments; cheap commands run, of others only `run` is left out."""
    runs = args[0] in CHEAP or "--dry-run" in args
    if args[0] == "eval" and "--out" not in args:
        args = [*args, "--seeds", "2", "--max-decisions", "20", *([] if "--level" in args else ["--levels", "0-1"])]
        runs = True
    if not runs and args[0] in cli.COMMANDS:
        module = importlib.import_module(f"mlx_drmario.cli.{cli.COMMANDS[args[0]][0]}")
        monkeypatch.setattr(module, "run", lambda config: 0)
    try:
        assert cli.main(args) == 0
    except SystemExit as end:  # tyro's --help and its refusals
        assert end.code in (0, None)


@pytest.mark.parametrize("line", LINES.values(), ids=str)
def test_line(line: Line, trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(trained)
    words = split(line, monkeypatch)
    if words[0] == "make":
        subprocess.run(["make", "-n", *words[1:]], check=True, capture_output=True, cwd=ROOT)
    elif words[0] == "drmario" and not any(word.startswith("-") for word in words) and words[-1] in ("train", "resume"):
        assert words[1] in cli.COMMANDS  # a mention, in text
    elif words[0] == "drmario":
        check_drmario(words[1:], monkeypatch)
    else:
        assert words[0] in OTHERS, f"{line}: {words[0]} is no command that the pages use"


def test_what_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "`drmario bench` and `make docs`\n\n```sh\nX=1 drmario eval \\\n  --levels 0  # a comment\nnosuch\n```\n\n"
        "```\ndrmario play\nprose\n```\n\n```python\ndrmario\n```\n"
    )
    texts = [line.text.split("#")[0].split() for block in blocks(page) for line in block_lines(block)]
    assert texts == [["X=1", "drmario", "eval", "--levels", "0"], ["nosuch"], ["drmario", "play"]]
    assert [line.text for line in inline_lines(page)] == ["drmario bench", "make docs"]


@pytest.mark.parametrize("wrong", ["evaluate", "eval --polcy greedy", "train level0 --ppo.gama 1", "watch --policy"])
def test_a_wrong_line_is_found(wrong: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AssertionError):
        check_drmario(wrong.split(), monkeypatch)


def test_a_make_target_that_is_not_there() -> None:
    assert subprocess.run(["make", "-n", "nosuch"], capture_output=True, cwd=ROOT).returncode != 0
