"""What somebody is told whose command line cannot be carried out, where and however it is printed."""

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tyro

from mlx_drmario.cli import main, policy
from mlx_drmario.cli.errors import unboxed
from mlx_drmario.cli.play import PlayConfig
from mlx_drmario.cli.solve import SolveConfig
from mlx_drmario.cli.watch import WatchConfig
from mlx_drmario.traces import games, storage

PROGRAM = "import sys; from mlx_drmario.cli import main; sys.exit(main())"


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("eval --nosuch", "eval: Unrecognized options: --nosuch (`drmario eval --help` lists all)"),
        ("eval --seeds abc", "eval: --seeds must be a whole number, got 'abc'"),
        ("eval --seeds 5 --seeds abc", "eval: --seeds must be a whole number, got 'abc'"),
        (
            "eval --speed fast",
            "eval: invalid choice 'fast' for argument '--speed'. Expected one of ('low', 'med', 'hi')",
        ),
        (
            "train --minuts 5",
            "train: Unrecognized options: --minuts, 5; perhaps you meant --minutes (`drmario train --",
        ),
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


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            "level0 --net.widht 3 --dry-run",
            "Unrecognized options: --net.widht, 3; perhaps you meant --net.width"
            " (`drmario train level0 --help` lists all)",
        ),
        (
            "resume runs/mine --seed 4",
            "--seed is no option of `drmario train resume` (`drmario train resume --help` lists all)",
        ),
        ("qrdqn --shards 2", "--shards is no option of `drmario train qrdqn` (`drmario train qrdqn --help` lists all)"),
        ("lev0 --dry-run", "there is no preset 'lev0'; did you mean 'level0'?"),
        (
            "runs/mine",
            "there is no preset 'runs/mine'; choose one of level0, demo, ladder, evaluator, qrdqn, clone, resume",
        ),
    ],
)
def test_what_nobody_knows_and_what_comes_near(arguments, sentence, capsys):
    assert main(["train", *arguments.split()]) == 2
    assert capsys.readouterr().err == f"drmario train: {sentence}\n"


def test_a_value_may_end_with_an_equals_sign(capsys):
    assert main(["train", "--name=a=", "--dry-run"]) == 0
    assert '"name": "a="' in capsys.readouterr().out
    for empty in (["--name="], ["--name", ""]):
        assert main(["train", *empty, "--dry-run"]) == 2
        assert capsys.readouterr().err == "drmario train: --name must not be empty\n"


def test_that_an_option_may_be_left_out_is_no_choice(capsys):
    assert main(["records", "list", "--speed", "HI"]) == 2
    choices = re.search(r"^drmario records: .*'--speed'. Expected one of \((.*?)\)", capsys.readouterr().err)
    assert sorted(choices[1].split(", ")) == ["'hi'", "'low'", "'med'"]  # tyro keeps them in a set


def test_a_text_without_a_box_stays_as_it_is():
    assert unboxed("something  went\n wrong\n", []) == "something went wrong"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("trace info nope", "path is nope, which does not exist"),
        ("trace html nope --out x.html", "path is nope, which does not exist"),
        ("trace import nope --out x.dmtrace.h5", "path is nope, which does not exist"),
        ("records add nope", "path is nope, which does not exist"),
        ("trace export nope", "--parquet and --minari are both not given; name a file or a dataset"),
    ],
)
def test_what_is_not_there_is_wrong_use(arguments, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments.split()) == 2
    assert capsys.readouterr().err == f"drmario {arguments.split()[0]}: {sentence}\n"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("risk:0.25:best", f": {policy.SHIPPED} holds a policy, no evaluator"),
        ("risk:3:best", "; the risk must be a number strictly between 0 and 2, got '3'"),
        ("risk:3:nope", "; the risk must be a number strictly between 0 and 2, got '3'"),
        ("risk:0.25", ", in which the directory of a run is missing"),
        ("ensemble:best,nope", ", and 'nope' in it is no directory of a run or checkpoint"),
        ("./empty", ": no intact checkpoint in empty"),
        ("runs/nope", ", which is no directory of a run or checkpoint"),
        ("nope", f"; it must be {policy.NAMES}"),
    ],
)
def test_a_policy_is_named_as_it_was_typed(name, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert main(["eval", "--policy", name]) == 2
    assert capsys.readouterr().err.startswith(f"drmario eval: --policy is {name!r}{sentence}")


@pytest.mark.parametrize("kind", ["memory", "risk:0.25:RUN", "search:1ply", "ensemble:RUN1,RUN2", "best", "greedy"])
def test_lists_of_policies_name_every_kind(kind, capsys):
    assert kind in policy.NAMES
    page = (Path(__file__).parents[1] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    assert kind.replace("1ply", "NAME") in page
    for command in ("eval", "watch"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        assert kind in capsys.readouterr().out


def test_seeds_are_read_alike():
    seeds = [
        tyro.cli(config, args=["--seed", text]).seed
        for config in (SolveConfig, WatchConfig, PlayConfig)
        for text in ("0x8988", "35208")
    ]
    assert seeds == [0x8988] * 6


@pytest.mark.parametrize("script", ["export_checks", "select_golden"])
def test_scripts_say_how_they_are_used(script, tmp_path):
    command = [sys.executable, str(Path(__file__).parents[1] / "scripts" / f"{script}.py")]
    shown = subprocess.run([*command, "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert shown.returncode == 0 and shown.stdout.startswith(f"usage: {script}.py") and not list(tmp_path.iterdir())
    wrong = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert wrong.returncode == 2 and "the following arguments are required" in wrong.stderr


def test_python_without_its_header_is_one_sentence(tmp_path):
    """A Python that answers no to every question stands for one without Python.h."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    script = Path(__file__).parents[1] / "scripts" / "bootstrap.sh"
    done = subprocess.run(["sh", str(script), str(tmp_path), "dev"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "has no Python.h" in done.stderr and "apt-get install python3-dev" in done.stderr
    assert done.stderr.count("\n") == 1


def test_records_that_cannot_be_read_make_no_database(tmp_path, capsys):
    (tmp_path / "m.json").write_text("no")
    database = tmp_path / "new.sqlite"
    assert main(["records", "add", str(tmp_path / "m.json"), "--db", str(database)]) == 1
    assert capsys.readouterr().err.startswith("drmario records: ")
    assert [path.name for path in tmp_path.iterdir()] == ["m.json"]


def test_a_page_of_no_game_is_refused_by_the_name_of_its_trace(tmp_path, capsys):
    path, page = tmp_path / "none.dmtrace.h5", tmp_path / "p.html"
    storage.save(path, [games.empty(1)], 1)
    assert main(["trace", "html", str(path), "--out", str(page)]) == 1
    assert capsys.readouterr().err == f"drmario trace: path is {path}, which holds no game\n" and not page.exists()


def test_a_long_line_that_is_wrong_is_not_shown_whole(tmp_path, capsys):
    path = tmp_path / "m.fm2"
    path.write_text("x" * 1_000_000)
    assert main(["trace", "import", str(path), "--out", str(tmp_path / "a.dmtrace.h5")]) == 1
    error = capsys.readouterr().err
    assert f"the first line is '{'x' * 60}...', it must be 'version 3'" in error and len(error) < 300


def test_a_game_by_hand_without_a_terminal_makes_no_directory(tmp_path, capsys):
    assert main(["play", "--capture", str(tmp_path / "deep" / "er")]) == 2
    assert "draws on a terminal" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_an_option_of_another_command_is_not_recommended(capsys):
    assert main(["trace", "movie", "f", "--out", "x.fm2", "--game", "1"]) == 2
    told = "drmario trace: Unrecognized options: --game, 1 (`drmario trace movie --help` lists all)\n"
    assert capsys.readouterr().err == told  # --games is one of `trace info`
