"""The search of many seeds goes on where it was stopped, whatever was written by then."""

import dataclasses
import json

import numpy as np
import pytest

from mlx_drmario.search import verify_line
from scripts.known_seeds import KnownSeedsConfig, main, read
from tests.conftest import ROOT

SMALL = {"seeds": 3, "widths": (2, 4), "alphas": (1.0, 0.5), "best": (1,)}


def test_it_goes_on_after_a_line_that_was_cut_short(tmp_path, capsys):
    config = KnownSeedsConfig(0, out=tmp_path / "records", state=tmp_path / "state", **SMALL)
    main(config)
    log, record = tmp_path / "state" / "level-00-hi.jsonl", tmp_path / "records" / "level-00.json"
    whole, best = log.read_text(), record.read_text()
    lines = whole.splitlines(keepends=True)
    assert len(lines) == 4
    log.write_text("".join(lines[:2]) + lines[2][:17])
    assert len(read(log)) == 2 and log.read_text() == "".join(lines[:2])
    record.unlink()
    main(config)
    assert log.read_text() == whole and record.read_text() == best
    main(config)
    assert log.read_text() == whole


def test_a_record_says_how_the_lines_of_most_seeds_are_spread(tmp_path):
    config = KnownSeedsConfig(0, out=tmp_path / "records", state=tmp_path / "state", **SMALL)
    main(config)
    path = tmp_path / "records" / "level-00.json"
    record = json.loads(path.read_text())
    first = sorted(row["frames"] for row in read(tmp_path / "state" / "level-00-hi.jsonl") if row["width"] == 2)
    spread = record["narrow"]
    assert (spread["width"], spread["seeds"], spread["cleared"]) == (2, 3, len(first))
    assert [spread["frames"][at] for at in (0, 2, 4)] == [first[0], np.median(first), first[-1]]
    main(dataclasses.replace(config, seeds=2, widths=(4, 6)))  # fewer seeds, a record at least as fast
    again = json.loads(path.read_text())
    assert again["narrow"] == spread and again["frames"] <= record["frames"]
    path.write_text(json.dumps(record | {"frames": 1}))
    main(dataclasses.replace(config, seeds=4))
    assert json.loads(path.read_text()) == record | {"frames": 1, "narrow": json.loads(path.read_text())["narrow"]}
    assert json.loads(path.read_text())["narrow"]["seeds"] == 4


def test_speeds_have_files_of_their_own(tmp_path):
    for speed in ("hi", "low"):
        main(KnownSeedsConfig(0, speed=speed, out=tmp_path, state=tmp_path / "state", **SMALL))
    records = {path.name: json.loads(path.read_text()) for path in tmp_path.glob("*.json")}
    assert {name: record["speed"] for name, record in records.items()} == {
        "level-00.json": "hi",
        "level-00-low.json": "low",
    }
    assert records["level-00-low.json"]["frames"] > records["level-00.json"]["frames"]


def test_widths_and_their_weights_are_as_many():
    with pytest.raises(ValueError, match="alphas must be as many as widths"):
        KnownSeedsConfig(0, widths=(1, 2), alphas=(1.0,), best=(1,))


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "records").glob("*.json")), ids=lambda path: path.stem)
def test_a_record_clears_in_the_frames_that_it_claims(path):
    """Frame by frame from reset, by the buttons of its placements."""
    record = json.loads(path.read_text())
    line = np.array(record["actions"], np.int32)
    assert verify_line(record["level"], 2, record["seed"], record["frame_counter"], line) == record["frames"]
