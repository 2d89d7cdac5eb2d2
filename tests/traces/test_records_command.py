"""`drmario records` where its options choose little or nothing."""

from pathlib import Path

import pytest

from mlx_drmario.cli import main
from tests.traces.conftest import capture_greedy


def test_options_that_choose_little(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    capture_greedy(tmp_path / "t", levels=(0, 0), seed=34)
    assert main(["records", "add", "t"]) == 0
    capsys.readouterr()
    assert main(["records", "list", "--top", "1"]) == 0  # lines, not the table of quantiles
    shown = capsys.readouterr().out
    assert "greedy" in shown and " 0x0022 " in shown  # as --seed reads it
    assert main(["records", "export", "--level", "7", "--out", "e.csv"]) == 0
    assert capsys.readouterr().out == "e.csv: 0 lines\n"
    assert main(["records", "export", "--level", "7", "--out", "e.dmtrace.h5"]) == 2
    sentence = "drmario records: --out is e.dmtrace.h5, and no line was chosen for it; a trace holds one at least\n"
    assert capsys.readouterr().err == sentence
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.csv", "records.sqlite", "t"]
