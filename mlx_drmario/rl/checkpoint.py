"""Checkpoints that a crash cannot damage, and the policy that comes out of one.

A run directory holds `checkpoints/step_000000012345/` (the number counts decisions) with

    model.safetensors       weights
    ema.safetensors         averaged weights, when the run keeps them
    optimizer.safetensors   Adam's moments, step and learning rate
    state.npz               games, generator states, episode accounting, counters
    policy.json             network settings and observation names: all that is needed to act
    manifest.json           size and SHA-256 of every other file

and the relative symlinks `checkpoints/latest`, to the newest, and `checkpoints/best`, to `best_000000012345/`, a copy
of the best one (best.py). Writing order: everything goes into a hidden temporary directory, every file and the
directory are fsynced, then one rename makes the checkpoint appear. A name that matches `step_*` or `best_*` is
therefore complete; the manifest guards against what happens to disks later.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten

from mlx_drmario.nets.afterstate import Afterstates
from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.ensemble import Ensemble
from mlx_drmario.nets.ensemble import Mean as EnsembleMean
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.nets.policy import ActorCritic, in_dtype, make_policy
from mlx_drmario.rl.afterstates import AfterstateRows
from mlx_drmario.rl.dist import sample_numpy

if TYPE_CHECKING:
    from mlx_drmario import PublicView

Mode = Literal["argmax", "sample"]

FORMAT = 2
"""Version of the layout above; loaders refuse others."""


@dataclass(frozen=True)
class Content:
    """What a checkpoint holds. Flat names as `tree_flatten` gives them; nothing here changes while it is written."""

    decisions: int
    model: dict[str, mx.array]
    optimizer: dict[str, mx.array]
    state: dict[str, np.ndarray]
    net: NetConfig
    layout: ObservationLayout
    ema: dict[str, mx.array] | None = None
    """Averaged weights, by the names of `model`."""


@dataclass(frozen=True)
class Checkpoint(Content):
    """A checkpoint that was read from `path`."""

    path: Path = Path()


def save(run: Path, content: Content, keep: int) -> Path:
    """Write a checkpoint of `run` atomically, drop all but the newest `keep`, and return its directory.

    An intact checkpoint of the same number is kept as it is: what a run does is a function of its seed, so the content
    would be the same. May run in any thread, but in one at a time for a run.
    """
    root = run / "checkpoints"
    root.mkdir(parents=True, exist_ok=True)
    target = directory(run, content.decisions)
    if not _intact(target):
        temporary = _fresh(root, target.name)
        mx.save_safetensors(str(temporary / "model.safetensors"), content.model)
        mx.save_safetensors(str(temporary / "optimizer.safetensors"), content.optimizer)
        if content.ema is not None:
            mx.save_safetensors(str(temporary / "ema.safetensors"), content.ema)
        np.savez(temporary / "state.npz", allow_pickle=False, **content.state)
        policy = {
            "format": FORMAT,
            "decisions": content.decisions,
            "net": dataclasses.asdict(content.net),
            "layout": dataclasses.asdict(content.layout),
        }
        (temporary / "policy.json").write_text(json.dumps(policy, indent=1) + "\n")
        files = {file.name: _fingerprint(file) for file in sorted(temporary.iterdir())}
        (temporary / "manifest.json").write_text(json.dumps(files, indent=1) + "\n")
        _publish(temporary, target)
    _point(root, "latest", target.name)
    _prune(root, keep)
    return target


def promote(run: Path, path: Path) -> Path:
    """Make a copy of the checkpoint directory `path` the best one of `run`, atomically, and drop the one before."""
    root = run / "checkpoints"
    target = root / f"best_{number(path):012d}"
    if not _intact(target):
        temporary = _fresh(root, target.name)
        shutil.copytree(path, temporary, dirs_exist_ok=True)
        _publish(temporary, target)
    _point(root, "best", target.name)
    for old in root.glob("best_*"):
        if old != target:
            _remove(old)
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
    if (path / "policy.json").exists():
        return _read(path)
    problems = []
    for candidate in reversed(available(path)):
        try:
            return _read(candidate)
        except ValueError as error:
            problems.append(str(error))
    raise FileNotFoundError(f"no intact checkpoint in {path}" + "".join(f"; {problem}" for problem in problems))


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


def _read(path: Path) -> Checkpoint:
    fingerprints = verify(path)
    policy = json.loads((path / "policy.json").read_text())
    if policy["format"] != FORMAT:
        raise ValueError(f"checkpoint {path} has format {policy['format']}, this version reads {FORMAT}")
    with np.load(path / "state.npz") as arrays:
        state = dict(arrays)
    return Checkpoint(
        path=path,
        decisions=policy["decisions"],
        model=_arrays(path / "model.safetensors"),
        optimizer=_arrays(path / "optimizer.safetensors"),
        state=state,
        net=NetConfig(**policy["net"]),
        layout=ObservationLayout(**policy["layout"]),
        ema=_arrays(path / "ema.safetensors") if "ema.safetensors" in fingerprints else None,
    )


def _arrays(path: Path) -> dict[str, mx.array]:
    arrays = mx.load(str(path))
    assert isinstance(arrays, dict)  # always, for a safetensors file
    return arrays


def part(state: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The entries whose names start with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def unflatten(arrays: dict[str, mx.array]) -> Any:
    """Rebuild the parameter tree that `save` flattened."""
    return tree_unflatten(list(arrays.items()))


def weights_digest(model: ActorCritic | Ensemble) -> str:
    """SHA-256 over names and bytes of all weights: equal exactly when two policies are bit for bit the same."""
    digest = hashlib.sha256()
    for name, value in sorted(dict(tree_flatten(model.parameters())).items()):
        digest.update(name.encode())
        digest.update(np.asarray(value.astype(mx.float32)).tobytes())
    return digest.hexdigest()


class NetworkPolicy:
    """A trained network, or several, as an `evaluate.Policy`."""

    def __init__(self, model: ActorCritic | Ensemble, mode: Mode, seed: int) -> None:
        if mode not in ("argmax", "sample"):
            raise ValueError(f"mode must be 'argmax' or 'sample', got {mode!r}")
        self.model = model
        self.layout = model.layout
        self.mode = mode
        self.rng = np.random.default_rng(seed)

    def act(self, view: PublicView) -> np.ndarray:
        """Choose a placement i32[N] for every game (0 for games that have ended)."""
        if tuple(view.plane_names) != self.layout.plane_names:
            raise ValueError(
                f"the policy was trained on planes {self.layout.plane_names}, the games have {view.plane_names}"
            )
        action = np.zeros(view.num_envs, np.int32)
        rows = np.flatnonzero(~view.ended)
        if not rows.size:
            return action
        after = AfterstateRows.of(view, self.model.needs_bottles) if self.model.needs_afterstates else None
        for part in np.array_split(rows, -(-len(rows) // self.model.most_decisions)):
            log_probs, _ = self.model(
                mx.array(view.planes[part]),
                mx.array(view.scalars[part]),
                mx.array(view.legal[part]),
                Afterstates(*map(mx.array, after.take(part))) if after else None,
            )
            if self.mode == "argmax":
                action[part] = np.asarray(mx.argmax(log_probs, axis=1))
            else:
                action[part] = sample_numpy(self.rng, np.asarray(log_probs))
        return action


def load_policy(path: Path | str, mode: Mode = "argmax", seed: int = 0) -> NetworkPolicy:
    """Load the policy of a run directory (its newest intact checkpoint) or of one checkpoint directory.

    A run that keeps averaged weights (optimizer.ema) is played with those.
    `mode` is "argmax" (the most probable placement) or "sample"; `seed` matters for "sample" alone.
    """
    return NetworkPolicy(_network(Path(path)), mode, seed)


def load_ensemble(
    paths: Sequence[Path | str], mean: EnsembleMean = "log_prob", mode: Mode = "argmax", seed: int = 0
) -> NetworkPolicy:
    """Load several policies as one that plays by the mean of their log-probabilities or probabilities.

    Raises ValueError for no paths or for networks that read different observations, and what load_policy raises.
    """
    return NetworkPolicy(Ensemble([_network(Path(path)) for path in paths], mean), mode, seed)


def _network(path: Path) -> ActorCritic:
    checkpoint = load(path)
    model = make_policy(checkpoint.net, checkpoint.layout, seed=0)
    model.load_weights(list((checkpoint.ema or checkpoint.model).items()))
    model.update(in_dtype(checkpoint.net, model.parameters()))
    mx.eval(model.parameters())
    return model


def _fingerprint(file: Path) -> list[Any]:
    """[size in bytes, SHA-256] of a file."""
    content = file.read_bytes()
    return [len(content), hashlib.sha256(content).hexdigest()]


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fresh(root: Path, name: str) -> Path:
    """An empty directory to write `name` in; `_prune` removes it if it is never published."""
    temporary = root / f".writing-{os.getpid()}-{name}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    return temporary


def _intact(path: Path) -> bool:
    try:
        verify(path)
    except ValueError:
        return False
    return True


def _publish(temporary: Path, target: Path) -> None:
    """Force everything to disk, then give it its name, from which a damaged checkpoint has to go."""
    for file in temporary.iterdir():
        _fsync(file)
    _fsync(temporary)
    if target.exists():
        _remove(target)
    os.rename(temporary, target)
    _fsync(target.parent)


def _point(root: Path, link: str, name: str) -> None:
    """Repoint a symlink by renaming a new one over it: readers see the old or the new, never none."""
    temporary = root / f".{link}-{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(name)
    os.replace(temporary, root / link)
    _fsync(root)


def _prune(root: Path, keep: int) -> None:
    """Remove old checkpoints and what killed writers left."""
    for old in sorted(root.glob("step_*"))[:-keep]:
        _remove(old)
    for leftover in [*root.glob(".removing-*"), *root.glob(".writing-*")]:
        shutil.rmtree(leftover)


def _remove(old: Path) -> None:
    """A checkpoint loses its name before it loses its files."""
    hidden = old.with_name(f".removing-{old.name}")
    shutil.rmtree(hidden, ignore_errors=True)
    os.rename(old, hidden)
    shutil.rmtree(hidden)
