"""Weights & Biases, offline: the same rows as metrics.jsonl."""

import dataclasses
import json
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlx_drmario.rl.log import read_metrics
from mlx_drmario.rl.train import train


def records(file: Path) -> Iterator[bytes]:
    """The records of a .wandb file: a header of 7 bytes, then LevelDB's log format in blocks of 32 KiB."""
    data, at, parts = file.read_bytes(), 7, b""
    while at + 7 <= len(data):
        left = 32_768 - at % 32_768
        if left < 7:  # no room for a record's header: the rest of the block is padding
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            yield parts
            parts = b""


def test_wandb_holds_the_metrics(tiny, tmp_path, monkeypatch):
    from wandb.proto import wandb_internal_pb2

    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    run = tmp_path / "run"
    train(dataclasses.replace(tiny, wandb=True), run)
    (file,) = (run / "wandb").glob("offline-run-*/*.wandb")
    rows, kinds = [], []
    deadline = time.monotonic() + 30
    while "exit" not in kinds:  # W&B's own process may still be writing
        assert time.monotonic() < deadline, kinds
        rows, kinds = [], []
        for data in records(file):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            kinds.append(record.WhichOneof("record_type"))
            if kinds[-1] == "history":
                items = record.history.item
                rows.append({item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items})
    expected = read_metrics(run)
    assert [row["_step"] for row in rows] == [row["step"] for row in expected]
    for row, wanted in zip(rows, expected, strict=True):
        assert {key: row[key] for key in wanted if key != "step"} == {k: v for k, v in wanted.items() if k != "step"}


def test_without_wandb_one_sentence_says_so(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)  # as if it were not installed
    with pytest.raises(ValueError, match="pip install wandb"):
        train(dataclasses.replace(tiny, wandb=True), tmp_path / "run")
    assert not (tmp_path / "run").exists()
