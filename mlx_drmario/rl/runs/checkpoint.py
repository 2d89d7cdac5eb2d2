"""Checkpoints that a crash cannot damage.

A run directory holds `checkpoints/step_000000012345/` (the number counts decisions) with

    model.safetensors       weights
    optimizer.safetensors   Adam's moments, step and learning rate
    state.npz, state.json   games, generator states, episode accounting, counters: arrays and plain values
    policy.json             network settings and observation names: with the weights, all that is needed to act
    manifest.json           size and SHA-256 of every other file

and the relative symlinks `checkpoints/latest`, to the newest, and `checkpoints/best`, to `best_000000012345/`, a copy
of the best one (best.py). Everything goes into a hidden temporary directory, which one rename makes appear (files.py).
A name that matches `step_*` or `best_*` is therefore complete; the manifest guards against what happens to disks later.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten

from mlx_drmario import files
from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.ensemble import Ensemble
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.nets.policy import HEADS, ActorCritic
from mlx_drmario.settings import flatten

FORMAT = 3
"""Version of the layout above."""
PLAYABLE = (2, FORMAT)
"""Versions whose policy can be read."""


@dataclass(frozen=True)
class Weights:
    """What is needed to act. Flat names as `tree_flatten` gives them."""

    decisions: int
    model: dict[str, mx.array]
    net: NetConfig
    layout: ObservationLayout


@dataclass(frozen=True)
class Content(Weights):
    """What a checkpoint holds; nothing here changes while it is written."""

    optimizer: dict[str, mx.array]
    state: dict[str, Any]
    """Nested dictionaries whose leaves are arrays (never object arrays) or plain JSON values."""


@dataclass(frozen=True)
class Checkpoint(Content):
    """A checkpoint that was read from `path`."""

    path: Path


def save(run: Path, content: Content, keep: int) -> Path:
    """Write a checkpoint of `run` atomically, drop all but the newest `keep`, and return its directory.

    An intact checkpoint of the same number is kept as it is: what a run does is a function of its seed, so the content
    would be the same. May run in any thread, but in one at a time for a run.
    """
    root = run / "checkpoints"
    root.mkdir(parents=True, exist_ok=True)
    target = directory(run, content.decisions)
    if not _intact(target):
        with files.replacing(target) as temporary:
            temporary.mkdir()
            _write(temporary, content)
    _point(root / "latest", target)
    for old in available(run)[:-keep]:
        files.remove(old)
    files.sweep(root)
    return target


def promote(run: Path, path: Path) -> Path:
    """Make a copy of the checkpoint directory `path` the best one of `run`, atomically, and drop the one before."""
    root = run / "checkpoints"
    target = root / f"best_{number(path):012d}"
    if not _intact(target):
        with files.replacing(target) as temporary:
            shutil.copytree(path, temporary)
    _point(root / "best", target)
    for old in root.glob("best_*"):
        if old != target:
            files.remove(old)
    return target


def directory(run: Path, decisions: int) -> Path:
    """Where the checkpoint of that number is written."""
    return run / "checkpoints" / f"step_{decisions:012d}"


def number(path: Path) -> int:
    """The number of decisions that a checkpoint's name says."""
    return int(path.resolve().name.rpartition("_")[2])


def best(run: Path) -> Path | None:
    """The directory of the best checkpoint; None while there is none."""
    link = run / "checkpoints" / "best"
    return link.resolve() if link.exists() else None


def available(run: Path) -> list[Path]:
    """Checkpoint directories of a run, oldest first."""
    return sorted((run / "checkpoints").glob("step_*"))


def load(path: Path) -> Checkpoint:
    """Load a checkpoint directory, or the newest intact checkpoint of a run directory.

    Raises FileNotFoundError when there is none, ValueError when the named checkpoint is damaged or of another format.
    """
    path = _newest(path)
    weights = _read_weights(path, (FORMAT,))
    with np.load(path / "state.npz") as arrays:
        leaves = dict(arrays)
    leaves |= json.loads((path / "state.json").read_text())
    optimizer = _arrays(path / "optimizer.safetensors")
    return Checkpoint(**vars(weights), optimizer=optimizer, state=_nested(leaves), path=path)


def load_weights(path: Path) -> Weights:
    """What is needed to act, also from checkpoints of an earlier format; chosen, and raises, as in `load`."""
    return _read_weights(_newest(path), PLAYABLE)


def verify(path: Path) -> dict[str, Any]:
    """Return the manifest; ValueError when a file of this checkpoint directory is missing or not as it was written."""
    manifest = path / "manifest.json"
    if not manifest.exists():
        raise ValueError(f"checkpoint {path} has no manifest.json")
    try:
        fingerprints = json.loads(manifest.read_bytes())
    except ValueError as error:
        raise ValueError(f"checkpoint {path} is damaged: manifest.json is not JSON") from error
    if not isinstance(fingerprints, dict):
        raise ValueError(f"checkpoint {path} is damaged: manifest.json is not an object")
    for name, fingerprint in fingerprints.items():
        file = path / name
        if not file.exists() or _fingerprint(file) != fingerprint:
            raise ValueError(f"checkpoint {path} is damaged: {name} does not match its manifest")
    return fingerprints


def weights_digest(model: ActorCritic | Ensemble) -> str:
    """SHA-256 over names and bytes of all weights: equal exactly when two policies are bit for bit the same."""
    digest = hashlib.sha256()
    for name, value in sorted(dict(tree_flatten(model.parameters())).items()):
        digest.update(name.encode())
        digest.update(np.asarray(value).tobytes())
    return digest.hexdigest()


def write_safetensors(path: Path, arrays: Mapping[str, mx.array]) -> None:
    """Write arrays in a fixed order, so that equal arrays are equal files (MLX's own writer has none).

    The format is that of github.com/huggingface/safetensors: length of the header, header, arrays, the widest type
    first. Types: f32, u64, u32, i32.
    """
    kinds = {mx.float32: "F32", mx.uint64: "U64", mx.uint32: "U32", mx.int32: "I32"}
    ordered = sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0]))
    header, end = {}, 0
    for name, array in ordered:
        header[name] = {"dtype": kinds[array.dtype], "shape": array.shape, "data_offsets": [end, end + array.nbytes]}
        end += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, array in ordered:
            file.write(np.asarray(array).tobytes())


def _write(target: Path, content: Content) -> None:
    write_safetensors(target / "model.safetensors", content.model)
    write_safetensors(target / "optimizer.safetensors", content.optimizer)
    leaves = flatten(content.state)
    arrays = {name: leaf for name, leaf in leaves.items() if isinstance(leaf, np.ndarray)}
    np.savez(target / "state.npz", allow_pickle=False, **arrays)
    plain = {name: leaf for name, leaf in leaves.items() if name not in arrays}
    policy = {
        "format": FORMAT,
        "decisions": content.decisions,
        "net": dataclasses.asdict(content.net),
        "layout": dataclasses.asdict(content.layout),
    }
    for name, data in (("state.json", plain), ("policy.json", policy)):
        (target / name).write_text(json.dumps(data, indent=1) + "\n")
    fingerprints = {file.name: _fingerprint(file) for file in sorted(target.iterdir())}
    (target / "manifest.json").write_text(json.dumps(fingerprints, indent=1) + "\n")


def _newest(path: Path) -> Path:
    """`path` itself if it is a checkpoint, else the newest intact one of the run; raises as `load` does."""
    if (path / "policy.json").exists():
        verify(path)
        return path
    problems = []
    for candidate in reversed(available(path)):
        try:
            verify(candidate)
            return candidate
        except ValueError as error:
            problems.append(str(error))
    raise FileNotFoundError(f"no intact checkpoint in {path}" + "".join(f"; {problem}" for problem in problems))


def _read_weights(path: Path, formats: tuple[int, ...]) -> Weights:
    policy = json.loads((path / "policy.json").read_text())
    if policy["format"] not in formats:
        playable = "; its policy can be played, but training cannot go on" if policy["format"] in PLAYABLE else ""
        raise ValueError(f"checkpoint {path} has format {policy['format']}, this version reads {formats[-1]}{playable}")
    file, net = "model.safetensors", policy["net"]
    if policy["format"] == 2:  # had a type of computation, averaged weights (which played), and more heads
        net.pop("dtype", None)
        file = "ema.safetensors" if (path / "ema.safetensors").exists() else file
        if net["head"] not in HEADS:
            raise ValueError(f"checkpoint {path} has a head {net['head']}, which this version no longer plays")
    return Weights(policy["decisions"], _arrays(path / file), NetConfig(**net), ObservationLayout(**policy["layout"]))


def _arrays(path: Path) -> dict[str, mx.array]:
    arrays = mx.load(str(path))
    assert isinstance(arrays, dict)  # always, for a safetensors file
    return arrays


def _nested(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Undo `flatten`."""
    tree: dict[str, Any] = {}
    for name, leaf in leaves.items():
        *groups, last = name.split(".")
        group = tree
        for key in groups:
            group = group.setdefault(key, {})
        group[last] = leaf
    return tree


def _fingerprint(file: Path) -> list[Any]:
    """[size in bytes, SHA-256] of a file."""
    content = file.read_bytes()
    return [len(content), hashlib.sha256(content).hexdigest()]


def _intact(path: Path) -> bool:
    try:
        verify(path)
    except ValueError:
        return False
    return True


def _point(link: Path, target: Path) -> None:
    """Repoint a symlink to its neighbour `target`: readers see the old or the new, never none."""
    with files.replacing(link) as temporary:
        temporary.symlink_to(target.name)
