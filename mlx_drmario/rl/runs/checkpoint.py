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

import contextlib
import dataclasses
import hashlib
import json
import shutil
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.optimizers import Optimizer
from mlx.utils import tree_flatten, tree_unflatten

from mlx_drmario import files
from mlx_drmario.nets.config import EncoderConfig, NetConfig, QuantileNetConfig, ReturnNetConfig
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.nets.policy import HEADS
from mlx_drmario.rl.runs.names import available as available
from mlx_drmario.rl.runs.names import best as best
from mlx_drmario.settings import flatten

FORMAT = 3
"""Version of the layout above."""
PLAYABLE = (2, FORMAT)
"""Versions whose policy can be read."""

PLAYED = ("model.safetensors", "policy.json")
"""Files that every checkpoint has; without its manifest listing them it is none."""

NETWORKS: dict[str, type[EncoderConfig]] = {
    kind.network: kind for kind in (NetConfig, QuantileNetConfig, ReturnNetConfig)
}
"""What a checkpoint can hold, by name, and the class of its settings."""

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, RuntimeError, EOFError, zipfile.BadZipFile)
"""What reading damaged files raises: the system, JSON and NumPy, absent keys, other types, MLX, NumPy's archives."""


class DamagedCheckpoint(ValueError):
    """A checkpoint that cannot be read, or is not as it was written."""


@dataclass(frozen=True)
class Weights:
    """What is needed to act. Flat names as `tree_flatten` gives them."""

    decisions: int
    model: dict[str, mx.array]
    net: EncoderConfig
    """of one of the classes NETWORKS"""
    layout: ObservationLayout


@dataclass(frozen=True)
class Content(Weights):
    """What a checkpoint holds; nothing here changes while it is written."""

    optimizer: dict[str, mx.array]
    state: dict[str, Any]
    """Nested dictionaries whose leaves are arrays (never object arrays) or plain JSON values."""

    @staticmethod
    def of(
        decisions: int,
        model: nn.Module,
        optimizer: Optimizer,
        state: dict[str, Any],
        net: EncoderConfig,
        layout: ObservationLayout,
    ) -> Content:
        """References to the arrays of a network and its optimiser, which stay as they are while training goes on."""
        weights, moments = (dict(tree_flatten(tree)) for tree in (model.parameters(), optimizer.state))
        return Content(decisions, weights, net, layout, moments, state)


@dataclass(frozen=True)
class Checkpoint(Content):
    """A checkpoint that was read from `path`."""

    path: Path

    def restore(self, model: nn.Module, optimizer: Optimizer, net: EncoderConfig, layout: ObservationLayout) -> None:
        """Give a network, made of these settings, and its optimiser what they had; ValueError when it is another's."""
        if self.net != net or self.layout != layout:
            raise ValueError(f"checkpoint {self.path} belongs to another network: {self.net}")
        model.load_weights(list(self.model.items()))
        optimizer.state = tree_unflatten(list(self.optimizer.items()))


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
    """The number of decisions that a checkpoint holds, whatever its directory is called; raises DamagedCheckpoint."""
    with _reading(path, "policy.json cannot be read"):
        return int(json.loads((path / "policy.json").read_text())["decisions"])


def load(path: Path) -> Checkpoint:
    """Load a checkpoint directory, or the newest intact checkpoint of a run directory (warns of those passed over).

    Raises FileNotFoundError when there is none, DamagedCheckpoint when the named checkpoint is damaged, ValueError when
    it is of another format.
    """
    return _newest(path, _read)


def resumed(run: Path, resume: bool) -> Checkpoint | None:
    """What a run goes on from; None when it begins, or was killed before its first checkpoint. Raises what load does"""
    return load(run) if resume and available(run) else None


def load_weights(path: Path) -> Weights:
    """What is needed to act, also from checkpoints of an earlier format; chosen, and raises, as in `load`."""
    return _newest(path, lambda found: _read_weights(found, PLAYABLE))


def verify(path: Path) -> dict[str, Any]:
    """Return the manifest; DamagedCheckpoint when a file of this checkpoint is missing or not as it was written."""
    manifest = path / "manifest.json"
    if not manifest.exists():
        raise DamagedCheckpoint(f"checkpoint {path} has no manifest.json")
    with _reading(path, "manifest.json is not JSON"):
        fingerprints = json.loads(manifest.read_bytes())
    if not isinstance(fingerprints, dict):
        raise DamagedCheckpoint(f"checkpoint {path} is damaged: manifest.json is not an object")
    for name in (*PLAYED, *fingerprints):
        with _reading(path, f"{name} cannot be read"):
            if name not in fingerprints or _fingerprint(path / name) != fingerprints[name]:
                raise DamagedCheckpoint(f"checkpoint {path} is damaged: {name} does not match its manifest")
    return fingerprints


@contextlib.contextmanager
def _reading(path: Path, problem: str) -> Iterator[None]:
    """Whatever goes wrong inside is said of the checkpoint at `path`, in one sentence."""
    try:
        yield
    except DamagedCheckpoint:
        raise
    except _UNREADABLE as error:
        raise DamagedCheckpoint(f"checkpoint {path} is damaged: {problem} ({_why(error)})") from error


def _why(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def weights_digest(model: nn.Module) -> str:
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
    arrays: dict[str, Any] = {name: leaf for name, leaf in leaves.items() if isinstance(leaf, np.ndarray)}
    np.savez(target / "state.npz", **arrays)
    plain = {name: leaf for name, leaf in leaves.items() if name not in arrays}
    policy = {
        "format": FORMAT,
        "decisions": content.decisions,
        "network": content.net.network,
        "net": dataclasses.asdict(content.net),
        "layout": dataclasses.asdict(content.layout),
    }
    for name, data in (("state.json", plain), ("policy.json", policy)):
        (target / name).write_text(json.dumps(data, indent=1) + "\n")
    fingerprints = {file.name: _fingerprint(file) for file in sorted(target.iterdir())}
    (target / "manifest.json").write_text(json.dumps(fingerprints, indent=1) + "\n")


Read = TypeVar("Read")


def _newest(path: Path, read: Callable[[Path], Read]) -> Read:
    """Read `path` itself if it is a checkpoint, else the newest intact one of the run; raises as `load` does."""
    if (path / "policy.json").exists():
        verify(path)
        return read(path)
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is no directory")
    problems: list[str] = []
    for candidate in reversed(available(path)):
        try:
            verify(candidate)
            found = read(candidate)
        except DamagedCheckpoint as error:
            problems.append(str(error))
            continue
        if problems:
            warnings.warn("; ".join([*problems, f"{candidate.name} is used"]), RuntimeWarning, stacklevel=3)
        return found
    raise FileNotFoundError("; ".join([f"no intact checkpoint in {path}", *problems]))


def _read(path: Path) -> Checkpoint:
    weights = _read_weights(path, (FORMAT,))
    with _reading(path, "it is incomplete"):
        with np.load(path / "state.npz") as arrays:
            leaves = dict(arrays)
        leaves |= json.loads((path / "state.json").read_text())
        optimizer = _arrays(path / "optimizer.safetensors")
        return Checkpoint(**vars(weights), optimizer=optimizer, state=_nested(leaves), path=path)


def _read_weights(path: Path, formats: tuple[int, ...]) -> Weights:
    with _reading(path, "it is incomplete"):
        policy = json.loads((path / "policy.json").read_text())
        number, net, layout, decisions = (policy[name] for name in ("format", "net", "layout", "decisions"))
    if number not in formats:
        playable = "; its policy can be played, but training cannot go on" if number in PLAYABLE else ""
        raise ValueError(f"checkpoint {path} has format {number}, this version reads {formats[-1]}{playable}")
    network, file = policy.get("network", "policy"), "model.safetensors"
    if network not in NETWORKS:
        raise ValueError(f"checkpoint {path} holds a network {network!r}, this version knows {', '.join(NETWORKS)}")
    if number == 2:  # had a type of computation, averaged weights (which played), and more heads
        net.pop("dtype", None)
        file = "ema.safetensors" if (path / "ema.safetensors").exists() else file
        if net["head"] not in HEADS:
            raise ValueError(f"checkpoint {path} has a head {net['head']}, which this version no longer plays")
    with _reading(path, "it is incomplete"):
        return Weights(decisions, _arrays(path / file), NETWORKS[network](**net), ObservationLayout(**layout))


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
    except DamagedCheckpoint:
        return False
    return True


def _point(link: Path, target: Path) -> None:
    """Repoint a symlink to its neighbour `target`: readers see the old or the new, never none."""
    with files.replacing(link, follow=False) as temporary:
        temporary.symlink_to(target.name)
