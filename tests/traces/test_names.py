"""A policy may be called anything: its name is kept as far as it fits, and every reader of a file shows it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

import mlx_drmario as dm
from mlx_drmario.cli import main
from mlx_drmario.traces import schema, storage, tools
from mlx_drmario.traces.capture import Capture, FrameCapture
from mlx_drmario.traces.record_files import games_of
from mlx_drmario.traces.tools import Choice
from tests.traces.conftest import capture_greedy

NAME = "señal-é-\udcff"
"""the last one is what Python makes of a byte of a path that it cannot decode"""
SHOWN = "señal-é-\\udcff"


@given(st.text(st.characters(), max_size=120))  # lone surrogates too, which UTF-8 has no bytes for
def test_every_name_is_kept_as_far_as_it_fits(name: str) -> None:
    kept = schema.encoded(name)
    whole = name.encode("utf-8", "backslashreplace")
    assert whole.startswith(kept) and whole.decode().startswith(kept.decode())
    assert len(kept) <= 96 and (kept == whole or len(kept) > 96 - 4)


def test_a_cut_is_between_two_characters() -> None:
    for width, character in enumerate("xéあ🎮", start=1):
        assert schema.encoded("a" + 96 * character).decode() == "a" + 95 // width * character


def test_what_is_no_text_is_shown_all_the_same() -> None:
    assert schema.decoded(np.array([b"a\xff", "é".encode()], "S96")).tolist() == ["a\ufffd", "é"]
    assert schema.decoded(np.empty((0, 2), "S96")).shape == (0, 2)


def test_readers_show_the_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    play = dm.Decisions(num_envs=2, threads=1)
    with Capture(tmp_path, name="x", policy=NAME) as capture:
        action = play.sample_legal(0)
        capture.before_step(play, action, None, None)
        play.step(action)
        capture.after_step(play)
    path = tmp_path / "x-00-0001.dmtrace.h5"
    assert main(["trace", "info", str(path)]) == 0
    assert f"{SHOWN}: 2" in capsys.readouterr().out
    assert main(["trace", "html", str(path), "--out", str(tmp_path / "p.html")]) == 0
    assert '"policy":["se\\u00f1al-\\u00e9-\\\\udcff"]' in (tmp_path / "p.html").read_text()
    assert main(["trace", "export", str(path), "--parquet", str(tmp_path / "x.parquet")]) == 0
    assert set(parquet.read_table(tmp_path / "x.parquet").to_pydict()["policy"]) == {SHOWN}
    assert tools.filtered([path], tmp_path / "y.dmtrace.h5", Choice(policy="ñal")) == 2
    assert tools.filtered([path], tmp_path / "z.dmtrace.h5", Choice(policy="\udcff")) == 2


def test_records_and_minari_show_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = capture_greedy(tmp_path / "t", levels=(0,))
    games = storage.read(path)
    games.episode["policy"][:] = "é".encode() + b"\xff"  # of another writer
    named = tmp_path / "named.dmtrace.h5"
    storage.save(named, [games], 1)
    assert [game.solver for game in games_of(named)] == ["é\ufffd"]
    minari = pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    assert main(["trace", "export", str(named), "--minari", "aa/bb-v0"]) == 0
    assert minari.load_dataset("aa/bb-v0").storage.metadata["algorithm_name"] == "é\ufffd"


def test_two_players_have_a_name_each(tmp_path: Path) -> None:
    batch = dm.Batch(num_envs=1, players=2, threads=1)
    batch.reset(0, 2, 0x8988)
    with FrameCapture(tmp_path / "two.dmtrace.h5", batch, policy=("ñ", "é")) as capture:
        capture.run(np.zeros((300, 1, 2), np.uint8))
    found = tools.summary(tmp_path / "two.dmtrace.h5")
    assert found["policies"] == {"ñ": 1, "é": 1}
