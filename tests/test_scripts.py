"""Programs of scripts/ say in one sentence what they cannot use, and leave what is there as it is."""

import json
import sys

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario import seeds
from mlx_drmario.cli import script
from scripts import heads_table, known_results, known_seeds, learning_curves, records_figure, results_table

KINDS = {
    heads_table: heads_table.HeadsConfig,
    known_results: known_results.KnownResultsConfig,
    known_seeds: known_seeds.KnownSeedsConfig,
    learning_curves: learning_curves.Command,
    records_figure: records_figure.RecordsFigureConfig,
    results_table: results_table.ResultsConfig,
}


@pytest.mark.parametrize(
    ("module", "options", "said"),
    [
        (heads_table, "none", "none: No such file or directory"),
        (known_results, "--games 5000", "--games must be between 1 and 4,096, got 5000"),
        (known_results, "--levels 25", "--levels must be between 0 and 24, got 25"),
        (known_results, "--width 0", "--width must be between 1 and 1,048,576, got 0"),
        (known_seeds, "25", "level must be between 0 and 24, got 25"),
        (known_seeds, "0 --seeds 0", "--seeds must be between 1 and 32,767, got 0"),
        (known_seeds, "0 --widths 1 2", "alphas must be as many as widths, 2, and best one less, got 4 and 3"),
        (learning_curves, "measure x --every 0", "--every must be more than 0 and at most 1,000,000, got 0.0"),
        (learning_curves, "measure x --seeds 1", "--seeds must be between 2 and 1,000, got 1"),
        (learning_curves, "draw", "files must name what `measure` wrote, got none"),
        (learning_curves, "draw one.json", "files names one.json, which holds 1 run; an interval needs two"),
        (records_figure, "--records none", "none/level-00.json: No such file or directory"),
        (results_table, "none --page page.txt", "directory is none, which holds no results, such as greedy-hi.json"),
    ],
)
def test_what_cannot_be_used(module, options, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.json").write_text('{"runs": [[[0, 0, 0.5], [1, 9, 0.6]]]}')
    (tmp_path / "page.txt").write_text("a page")
    monkeypatch.setattr(sys, "argv", [f"scripts/{module.__name__}.py", *options.split()])
    assert script(KINDS[module], module.main) in (1, 2)
    out, error = capsys.readouterr()
    assert (out, error) == ("", f"{module.__name__}.py: {said}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.json", "page.txt"]


def test_a_page_without_a_place_for_tables_stays(tmp_path, monkeypatch, capsys):
    page, results = tmp_path / "page.txt", results_table.ResultsConfig().directory.absolute()
    page.write_text("a page")
    monkeypatch.setattr(sys, "argv", ["results_table.py", str(results), "--page", str(page)])
    assert script(results_table.ResultsConfig, results_table.main) == 2
    assert f"--page is {page}, which has no lines <!-- results --> and" in capsys.readouterr().err
    assert page.read_text() == "a page"


def test_known_seeds_are_solved_part_by_part_as_at_once(tmp_path):
    config = known_results.KnownResultsConfig(out=tmp_path / "known.json", games=11, width=5, levels=(0,), threads=2)
    known_results.main(config)
    (row,) = json.loads(config.out.read_text())["results"]
    games = dm.Decisions(num_envs=11)
    games.reset(0, 2, seeds.seeds("test", 11))
    lines = dm.Search().solve(games, width=5)
    frames = [line.frames for line in lines if line.cleared]
    assert row["cleared"] == len(frames) > 5 and row["frames_to_clear_median"] == np.median(frames)
