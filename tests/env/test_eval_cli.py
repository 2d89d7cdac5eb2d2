import collections
import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from matplotlib.figure import Figure
from rich.console import Console

import mlx_drmario as dm
from mlx_drmario import reports, seeds
from mlx_drmario.baselines import Greedy, RandomLegal
from mlx_drmario.cli import eval as cli
from mlx_drmario.cli import main
from mlx_drmario.cli.progress import Lines, Progress, screen
from mlx_drmario.evaluate import compare, evaluate
from mlx_drmario.rl.callback import Snapshot
from mlx_drmario.spec import clock, parse_levels

FILES = {"games.csv", "games.parquet", "summary.csv", "levels.png"}
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def results():
    """Two policies at two levels, 12 games each."""
    games = seeds.seeds("test", 12)
    policies = {"greedy": Greedy(), 'some, "random"': RandomLegal()}
    return [
        (name, evaluate(policy, level=level, speed=2, seeds=games, max_decisions=150))
        for level in (0, 7)
        for name, policy in policies.items()
    ]


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("3", (3,)),
        ("0-5", (0, 1, 2, 3, 4, 5)),
        ("0,5,10-12", (0, 5, 10, 11, 12)),
        (" 24 , 0 - 1", (24, 0, 1)),
        ("7-7", (7,)),
    ],
)
def test_levels(text, levels):
    assert parse_levels(text) == levels


@pytest.mark.parametrize("text", ["", "x", "5-3", "25", "0-25", "-1", "1,,2", "1-2-3", "1.5", "+1", "٣", "0-", "9999"])
def test_wrong_levels(text):
    with pytest.raises(ValueError, match=r"levels is .*; give levels from 0 to 24 such as '3', '0-5' or '0,5,10-12'"):
        parse_levels(text)


def test_a_level_twice():
    with pytest.raises(ValueError, match="levels is '0-4,3', which names level 3 twice"):
        parse_levels("0-4,3")


def test_game_files_hold_every_game(results, tmp_path):
    reports.write(tmp_path / "new" / "dir", results)
    out = tmp_path / "new" / "dir"
    assert {path.name for path in out.iterdir()} == FILES
    table = parquet.read_table(out / "games.parquet").to_pydict()
    expected = reports.game_columns(results)
    assert {name: column.tolist() for name, column in expected.items()} == table
    rows = rows_of(out / "games.csv")
    assert len(rows) == 4 * 12 and list(rows[0]) == list(table)
    for name in ("policy", "split", "speed"):
        assert [row[name] for row in rows] == table[name]
    assert set(table["split"]) == {"test"}
    for name in ("level", "game", "seed", "frames", "decisions", "viruses_left"):
        assert [int(row[name]) for row in rows] == table[name]
    for name in ("cleared", "top_out", "truncated"):
        assert [row[name] == "true" for row in rows] == table[name]


def test_games_are_in_the_order_of_results_and_seeds(results):
    columns = reports.game_columns(results)
    for number, (name, result) in enumerate(results):
        part = {key: column[12 * number : 12 * number + 12] for key, column in columns.items()}
        assert set(part["policy"]) == {name} and set(part["level"]) == {result.level} and set(part["speed"]) == {"hi"}
        assert part["game"].tolist() == list(range(12))
        assert (part["seed"] == result.seeds).all() and (part["frames"] == result.frames).all()


def test_summary_file(results, tmp_path):
    reports.write(str(tmp_path), results)
    rows = rows_of(tmp_path / "summary.csv")
    assert {row["split"] for row in rows} == {"test"}
    for row, expected in zip(rows, reports.summary_rows(results), strict=True):
        for name, value in expected.items():
            if value is None:
                assert row[name] == ""
            else:
                assert row[name] == value or float(row[name]) == pytest.approx(value)


def test_comparison_file_comes_and_goes(results, tmp_path):
    comparisons = [compare(results[i][1], results[i + 1][1]) for i in (0, 2)]
    reports.write(tmp_path, results, comparisons, ("a", "b"))
    rows = rows_of(tmp_path / "comparison.csv")
    assert {row["split"] for row in rows} == {"test"}
    assert [(row["first"], row["second"], row["level"]) for row in rows] == [("a", "b", "0"), ("a", "b", "7")]
    assert [float(row["mcnemar_p"]) for row in rows] == pytest.approx([c.p_value for c in comparisons])
    reports.write(tmp_path, results)
    assert {path.name for path in tmp_path.iterdir()} == FILES


def test_plot_is_a_png_that_shows_something(results, tmp_path):
    from matplotlib.image import imread

    reports.plot(tmp_path / "levels.png", results)
    assert (tmp_path / "levels.png").read_bytes().startswith(PNG)
    pixels = imread(tmp_path / "levels.png")
    assert pixels.shape[0] > 500 and pixels.shape[1] > 500
    reports.plot(tmp_path / "one.png", results[:1])
    assert not np.array_equal(pixels, imread(tmp_path / "one.png"))


def test_every_policy_has_its_line_in_the_legend(results, tmp_path, monkeypatch):
    """By its name as it is, which may be any path."""
    names = ["runs/$5^$", "_mine"]
    renamed = [(names[number % 2], result) for number, (_, result) in enumerate(results)]
    drawn: list[str] = []
    save = Figure.savefig

    def keep(figure: Figure, path: Path, **options: object) -> None:
        save(figure, path, **options)
        drawn.extend(text.get_text() for text in figure.axes[0].get_legend().get_texts())

    monkeypatch.setattr(Figure, "savefig", keep)
    reports.plot(tmp_path / "levels.png", renamed)
    assert drawn == names


def test_a_picture_that_fails_costs_no_numbers(monkeypatch, tmp_path):
    def fail(path: Path, results: reports.Results) -> None:
        raise ValueError("no picture")

    monkeypatch.setattr(reports, "plot", fail)
    arguments = ["eval", "--seeds", "2", "--max-decisions", "5", "--no-baselines"]
    assert main([*arguments, "--json", str(tmp_path / "x.json"), "--out", str(tmp_path / "out")]) == 1
    assert json.loads((tmp_path / "x.json").read_text())["results"][0]["games"] == 2
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES - {"levels.png"}


def test_importing_reports_stays_light():
    code = "import sys, mlx_drmario.reports; print({'matplotlib', 'pyarrow', 'mlx'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_nothing_to_write_and_no_directory(results, tmp_path):
    with pytest.raises(ValueError, match="results is empty"):
        reports.write(tmp_path, [])
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match="must be a directory, and a file is in the way"):
            reports.write(out, results)


def test_cli_prints_the_policy_and_both_baselines(capsys, tmp_path):
    config = cli.EvalConfig(policy="random", seeds=10, max_decisions=40, json=tmp_path / "eval.json")
    assert cli.run(config) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0] == "level 0 HI, 10 validation games" and lines[1] == cli.HEADER
    assert [line.split()[0] for line in lines[2:]] == ["random", "greedy"]
    assert all(len(line) == len(cli.HEADER) for line in lines[2:])
    assert captured.err == ""  # not a terminal
    written = json.loads((tmp_path / "eval.json").read_text())
    assert [(r["policy"], r["level"], r["games"]) for r in written["results"]] == [("random", 0, 10), ("greedy", 0, 10)]
    assert written["comparisons"] == []


def test_what_was_played_before_a_stop_is_written(monkeypatch, tmp_path, capsys):
    """Ctrl-C in the second level: both kinds of files hold the first."""
    played = cli.play

    def stop_at_the_second_level(player, config, level, games):
        if level == 1:
            raise KeyboardInterrupt
        return played(player, config, level, games)

    monkeypatch.setattr(cli, "play", stop_at_the_second_level)
    arguments = ["eval", "--levels", "0-1", "--seeds", "4", "--max-decisions", "20", "--no-baselines"]
    assert main([*arguments, "--json", str(tmp_path / "x.json"), "--out", str(tmp_path / "out")]) == 130
    assert [row["level"] for row in json.loads((tmp_path / "x.json").read_text())["results"]] == [0]
    assert [row["level"] for row in rows_of(tmp_path / "out" / "summary.csv")] == ["0"]


def test_cli_levels_against_and_out(capsys, tmp_path):
    arguments = ["eval", "--levels", "3,0-1", "--seeds", "8", "--max-decisions", "40", "--policy", "greedy"]
    arguments += ["--against", "random", "--no-baselines"]
    outputs = []
    for name in ("a", "b"):
        assert main([*arguments, "--out", str(tmp_path / name)]) == 0
        outputs.append(capsys.readouterr().out)
    assert [line.split(",")[0] for line in outputs[0].splitlines() if line.startswith("level ") and "HI" in line] == [
        "level 3 HI",
        "level 0 HI",
        "level 1 HI",
    ]
    comparison = outputs[0].split("\n\n")[1].splitlines()
    assert comparison[0] == "greedy minus random, the same validation games, 95 % intervals"
    assert [line.split()[0] for line in comparison[2:]] == ["3", "0", "1", "mean"]
    # Everything but the time it took repeats.
    assert outputs[1].split("\n\n")[1] == outputs[0].split("\n\n")[1]
    for name in ("games.csv", "games.parquet", "comparison.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert len(rows_of(tmp_path / "a" / "games.csv")) == 3 * 2 * 8


def test_level_is_short_for_levels(capsys):
    assert main(["eval", "--level", "2", "--seeds", "2", "--max-decisions", "5", "--no-baselines"]) == 0
    assert capsys.readouterr().out.startswith("level 2 HI, 2 validation games")


def test_cli_errors_come_before_any_game(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    for arguments, sentence in (
        (["--levels", "5-3"], "levels is '5-3'"),
        (["--levels", ""], "--levels must not be empty"),
        (["--levels", "3,"], "levels is '3,'"),
        (["--policy", "nobody"], "policy is 'nobody'"),
        (["--against", "nobody"], "--against is 'nobody'"),
        (["--against", "greedy"], "against is 'greedy', which is the policy itself"),
        (["--out", str(tmp_path / "file")], "must be a directory"),
        (["--json", str(tmp_path / "none" / "x.json")], "is no directory that can be written to"),
    ):
        assert main(["eval", *arguments]) == 2
        captured = capsys.readouterr()
        assert captured.out == "" and sentence in captured.err and captured.err.count("\n") == 1


def test_test_games_are_asked_for_by_name(capsys, tmp_path):
    arguments = ["eval", "--seeds", "3", "--max-decisions", "5", "--no-baselines", "--out", str(tmp_path)]
    assert main([*arguments, "--split", "test"]) == 0
    assert capsys.readouterr().out.startswith("level 0 HI, 3 test games")
    games = rows_of(tmp_path / "games.csv")
    assert [int(row["seed"]) for row in games] == seeds.seeds("test", 3).tolist()
    assert {row["split"] for row in games} == {"test"}
    assert main(arguments) == 0
    assert {row["split"] for row in rows_of(tmp_path / "games.csv")} == {"validation"}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_games_and_gradients_of_a_fit_are_one_line_that_is_drawn_again(monkeypatch):
    monkeypatch.setattr(Progress, "SECONDS", 0.0)
    stream, metrics = Terminal(), collections.defaultdict(float, {"perf/rows_per_second": 7.0})
    with Progress(stream, leave=True) as progress:
        lines = Lines(progress, lambda: False)
        for ended in (0, 5, 10):
            lines.on_games(ended, 10)
        for share in (0.25, 0.5):
            lines.on_iteration(Snapshot(1, 0, 10, 1.0, share, None, metrics))
    shown = stream.getvalue()
    assert shown.count("\x1b[2K") >= 4 and "games 5 of 10" in shown
    gradients = shown.split("games 10 of 10")[1]
    assert "25%  0:01 (left -:--)" in gradients and "50%  0:01 (left 0:00)  7 rows/s" in gradients


def test_progress_on_a_terminal(monkeypatch):
    """The share and the time left, in place; nothing stays on the screen, and nothing is drawn elsewhere."""
    monkeypatch.setattr(Progress, "SECONDS", 0.0)
    stream = Terminal()
    with Progress(stream) as progress:
        for share in (0.0, 0.5, 1.0):
            progress.show(share, lambda left, share=share: f"share {share} left {clock(left)} of [old]/a[/b]")
    shown = stream.getvalue()
    assert shown.count("of [old]/a[/b]") >= 3  # brackets of a path are no markup
    assert "share 0.0 left -:--" in shown and "share 0.5 left 0:0" in shown
    assert shown.rstrip().endswith("\x1b[2K") or "\x1b[2K" in shown.split("share 1.0")[1]
    plain = io.StringIO()
    with Progress(plain) as progress:
        progress.show(1.0, lambda left: "drawn")
    assert plain.getvalue() == ""


def test_brackets_in_the_name_of_a_run_are_no_markup():
    stream = io.StringIO()
    snapshot = Snapshot(1, 1, 1, 1.0, 0.5, None, collections.defaultdict(float))
    state = dm.Decisions(num_envs=1, threads=1).state[0]
    Console(file=stream, width=120).print(screen("drmario train · [old]/a[/b]", snapshot, state, None))
    assert "drmario train · [old]/a[/b]" in stream.getvalue()


@pytest.mark.parametrize("name", ["games.csv", "summary.csv", "levels.png"])
def test_a_file_that_both_options_would_write_is_refused(name, tmp_path, capsys):
    arguments = ["eval", "--policy", "greedy", "--seeds", "2", "--max-decisions", "5", "--no-baselines"]
    out = tmp_path / "out"
    assert main([*arguments, "--json", str(out / name), "--out", str(out)]) == 2
    assert f"--json is {out / name}, which --out writes; name another file" in capsys.readouterr().err
    assert main([*arguments, "--json", str(out), "--out", str(out)]) == 2
    assert f"--json is {out}, which is a directory" in capsys.readouterr().err and list(out.iterdir()) == []


def test_both_files_may_be_in_a_directory_that_is_made_for_them(tmp_path):
    arguments = ["eval", "--policy", "greedy", "--seeds", "2", "--max-decisions", "5", "--no-baselines"]
    out = tmp_path / "new"
    assert main([*arguments, "--json", str(out / "all.json"), "--out", str(out)]) == 0
    assert {path.name for path in out.iterdir()} == {*FILES, "all.json"}
