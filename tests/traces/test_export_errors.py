"""The id of a Minari dataset is looked at before anything is written."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlx_drmario.cli import main
from mlx_drmario.traces import export
from tests.traces.conftest import capture_greedy, capture_random


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


def test_what_is_exported_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path,) = capture_random(tmp_path / "a", steps=60)
    other = path.rename(tmp_path / "other.h5")
    before = other.read_bytes()
    assert main(["trace", "export", str(tmp_path / "a" / ".." / "other.h5"), "--parquet", str(other)]) == 2
    assert "which is to be exported" in capsys.readouterr().err and other.read_bytes() == before


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_a_dataset_is_there_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    minari = pytest.importorskip("minari")
    monkeypatch.setenv(export.ROOT, str(tmp_path / "minari"))
    monkeypatch.setattr(export, "GROUP", 2)
    paths = [*capture_random(tmp_path / "a", steps=60), *capture_greedy(tmp_path / "b")]
    buffers, asked = export._buffers, []

    def interrupted(*arguments: Any) -> Iterator[Any]:
        asked.append([path.name for path in (tmp_path / "minari" / "drmario").glob("[!.]*")])
        if len(asked) == 3:
            raise KeyboardInterrupt
        return buffers(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(export, "_buffers", interrupted)
        with pytest.raises(KeyboardInterrupt):
            export.minari(paths, "drmario/both-v0")
    assert asked == [[]] * 3 and [*(tmp_path / "minari").rglob("*")] == [tmp_path / "minari" / "drmario"]
    count, _ = export.minari(paths, "drmario/both-v0")
    dataset = minari.load_dataset("drmario/both-v0")
    assert len(dataset) == count > 2 and dataset.storage.metadata["algorithm_name"] == "greedy, random"
    assert minari.namespace.list_local_namespaces() == ["drmario"]
    assert os.environ[export.ROOT] == str(tmp_path / "minari")


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems know no such names")
def test_tables_lie_where_names_are_no_text(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    paths = capture_random(tmp_path / "a", steps=60)
    assert export.parquet(paths, folder / "table.parquet") > 0
    assert main(["eval", "--seeds", "3", "--no-baselines", "--policy", "random", "--out", str(folder / "o")]) == 0
    assert {path.name for path in (folder / "o").iterdir()} == {
        "games.csv",
        "games.parquet",
        "levels.png",
        "summary.csv",
    }
