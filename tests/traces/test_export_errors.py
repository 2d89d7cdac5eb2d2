"""The id of a Minari dataset is looked at before anything is written."""

from pathlib import Path

import pytest

from mlx_drmario.cli import main
from mlx_drmario.traces import export
from tests.traces.conftest import capture_random


@pytest.mark.parametrize("dataset", ["bad", "bad-v", "/bad-v0", "a/bad-v0", "../bad-v0", "bad-v0\n", "é-v0"])
def test_a_wrong_id_leaves_nothing(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    assert main(["trace", "export", str(tmp_path), "--minari", dataset]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"drmario trace: --minari is {dataset!r}; it must be [NAMESPACE/]NAME-vNUMBER of letters")
    assert error.count("\n") == 1 and not (tmp_path / "minari").exists()


def test_the_function_refuses_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    with pytest.raises(ValueError, match=r"^dataset is 'bad'; it must be"):
        export.minari(capture_random(tmp_path / "a", steps=60), "bad")
    assert not list((tmp_path / "minari").rglob("*"))
