"""Traces for other tools: Parquet tables and Minari datasets."""

import contextlib
import os
import re
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import mlx_drmario as dm
from mlx_drmario import rewards
from mlx_drmario.files import WRITING, replacing, sync
from mlx_drmario.traces import schema, storage
from mlx_drmario.traces.games import Games
from mlx_drmario.traces.schema import CLEARED, DECISION, TOP_OUT

EPISODE_COLUMNS = ("seed", "level", "speed", "frame_counter", "custom", "outcome", "winner", "frames", "policy")
"""columns of the episode that the Parquet table repeats in every decision"""
ROOT = "MINARI_DATASETS_PATH"
GROUP = 32
"""episodes whose observations are in memory together"""


def parquet(paths: Sequence[Path | str], out: Path | str) -> int:
    """Write one row per decision of all files, with its episode's number and columns; returns the number of rows.

    Columns are those of docs/traces.md; arrays become fixed-size lists. Raises OSError when it cannot be written.
    """
    import pyarrow  # type: ignore[import-untyped]
    from pyarrow import parquet as pq

    table_writer, rows, episodes = None, 0, 0
    with replacing(Path(out)) as temporary, open(temporary, "wb") as file:
        for path in paths:
            for block in storage.blocks(path):
                table = pyarrow.table(_columns(block, episodes))
                table_writer = table_writer or pq.ParquetWriter(file, table.schema, compression="zstd")
                table_writer.write_table(table)
                rows, episodes = rows + block.rows, episodes + len(block)
        if table_writer is None:
            raise ValueError(f"paths are {', '.join(map(str, paths))}, which hold no episode")
        table_writer.close()
    return rows


def _columns(block: Games, first: int) -> dict[str, Any]:
    owner = np.repeat(np.arange(len(block)), block.episode["decisions"])
    player = block.decision["player"]

    def of_episode(name: str) -> np.ndarray:
        column = block.episode[name]
        value = column[owner, player] if column.ndim == 2 else column[owner]
        return schema.decoded(value) if name == "policy" else value

    columns: dict[str, Any] = {"episode": owner + first}
    columns |= {name: _arrow(of_episode(name)) for name in EPISODE_COLUMNS}
    columns |= {name: _arrow(block.decision[name]) for name in DECISION}
    return columns


def _arrow(column: np.ndarray) -> Any:
    import pyarrow

    if column.ndim == 1:
        return pyarrow.array(column)
    flat = pyarrow.array(np.ascontiguousarray(column).reshape(-1))
    return pyarrow.FixedSizeListArray.from_arrays(flat, column.shape[1])


DATASET = r"([-\w][-\w/]*[-\w]/)?[-\w]+-v\d+"
"""What the id of a dataset may be (a regular expression): what Minari can find again."""


def check_dataset(option: str, dataset: str) -> None:
    """ValueError for what is no id. Minari itself finds out when it has written a part of the dataset."""
    if not re.fullmatch(DATASET, dataset, re.ASCII):
        form = "[NAMESPACE/]NAME-vNUMBER of letters, digits, - and _ (two or more of a namespace)"
        raise ValueError(f"{option} is {dataset!r}; it must be {form}, such as drmario/greedy-v0")


def minari(
    paths: Sequence[Path | str],
    dataset: str,
    reward: rewards.RewardConfig | None = None,
    planes: str = "bitplane",
) -> tuple[int, int]:
    """Make a Minari dataset of one-player games; returns (episodes, episodes left out).

    Observations, actions and rewards are those of DrMarioPlacement-v0. An episode's options hold what
    `Decisions.reset` needs to play it again: game_seed, level, speed and frame_counter. Left out are games from custom
    starts, games played by buttons with placements that have no name, and games without a decision. Where all games
    have one level and speed, the dataset knows its environment.

    Minari decides where it lies: MINARI_DATASETS_PATH, else ~/.minari/datasets. Raises ValueError without the package
    (pip install "mlx-drmario[minari]"), for an id that Minari refuses or that exists, or when no episode is left.
    """
    try:
        import minari as library
    except ImportError:
        raise ValueError('Minari is not installed: pip install "mlx-drmario[minari]"') from None
    check_dataset("dataset", dataset)
    about = _about(paths)
    place = library.storage.datasets_root_dir.get_dataset_path(dataset)
    if place.exists():
        raise ValueError(f"dataset is {dataset}, which already exists in {place}; name another one, or remove that")
    place.parent.mkdir(parents=True, exist_ok=True)
    made, left_out, count = None, 0, 0
    with _elsewhere(place.parent) as root:
        for path in paths:
            for block in storage.blocks(path):
                keep = _exportable(block)
                left_out += int((~keep).sum())
                for group in _groups(block.take(np.flatnonzero(keep))):
                    buffers = list(_buffers(group, reward or rewards.RewardConfig(), planes, count))
                    count += len(buffers)
                    if made is None:
                        made = _begin(dataset, buffers, planes, about)
                    else:
                        made.storage.update_episodes(buffers)
        if made is None:
            raise ValueError(f"paths are {', '.join(map(str, paths))}, which hold no episode that can be exported")
        for folder, _, _ in os.walk(root / dataset):
            sync(Path(folder))
        os.rename(root / dataset, place)
    namespace = dataset.rpartition("/")[0]
    if namespace and namespace not in library.namespace.list_local_namespaces():
        library.namespace.create_namespace(namespace)
    return count, left_out


class _About(NamedTuple):
    """What holds for all games of a dataset."""

    setting: dict[str, int] | None
    """their level and speed, None where they differ"""
    policies: set[str]


@contextlib.contextmanager
def _elsewhere(parent: Path) -> Iterator[Path]:
    """Minari makes its datasets in a hidden directory beside `parent`'s, which goes in the end: a dataset has its name
    when it is whole."""
    before = os.environ.get(ROOT)
    with tempfile.TemporaryDirectory(prefix=WRITING, dir=parent) as root:
        os.environ[ROOT] = root
        try:
            yield Path(root)
        finally:
            os.environ.pop(ROOT)
            if before is not None:
                os.environ[ROOT] = before


def _begin(dataset: str, buffers: Sequence[Any], planes: str, about: _About) -> Any:
    """A new dataset of these episodes."""
    import minari as library

    with warnings.catch_warnings():  # what is not given is for whoever publishes a dataset to add
        warnings.filterwarnings("ignore", ".*is set to None|.*env_spec is None")
        return library.create_dataset_from_buffers(
            dataset,
            buffers,
            **_environment(planes, about.setting),
            algorithm_name=", ".join(sorted(about.policies)),
            description=f"Dr. Mario, recorded by mlx_drmario {dm.__version__}; format {schema.VERSION}",
            requirements=[f"mlx-drmario=={dm.__version__}"],
            jpeg_encoding=False,
        )


def _about(paths: Sequence[Path | str]) -> _About:
    """ValueError for games of two players."""
    found: set[tuple[int, int]] = set()
    policies: set[str] = set()
    for path in paths:
        table = storage.episodes(path)
        if table.players == 2:
            raise ValueError(f"path is {path}, games of two players; a Minari dataset holds one player's")
        found |= set(zip(table.episode["level"].tolist(), table.episode["speed"].tolist(), strict=True))
        policies |= set(schema.decoded(table.episode["policy"]).tolist())
    return _About(dict(zip(("level", "speed"), found.pop(), strict=True)) if len(found) == 1 else None, policies)


def _environment(planes: str, settings: dict[str, int] | None) -> dict[str, Any]:
    """Arguments that tell Minari the environment, or the spaces alone."""
    import gymnasium

    options: dict[str, Any] = {"planes": planes, **(settings or {})}
    made = gymnasium.make("mlx_drmario.envs:DrMarioPlacement-v0", **options)
    if settings is not None:
        return {"env": made}
    return {"observation_space": made.observation_space, "action_space": made.action_space}


def _exportable(block: Games) -> np.ndarray:
    table = block.episode
    unnamed = np.zeros(len(block), np.bool_)
    owner = np.repeat(np.arange(len(block)), table["decisions"])
    unnamed[owner[block.decision["action"] < 0]] = True
    return (table["custom"] == 0) & (table["decisions"] > 0) & ~unnamed & (table["buttons"] == 0)


def _groups(block: Games) -> Iterator[Games]:
    for first in range(0, len(block), GROUP):
        yield block.take(np.arange(first, min(first + GROUP, len(block))))


def _buffers(group: Games, reward: rewards.RewardConfig, planes: str, first: int) -> Iterator[Any]:
    """Minari's buffers of some episodes, played again for what rows do not hold."""
    from minari.data_collector import EpisodeBuffer

    table, count = group.episode, group.episode["decisions"].astype(np.int64)
    play = dm.Decisions(num_envs=len(group), planes=planes)
    play.set_state(group.start)
    names = ("planes", "scalars", "legal", "frames_to_lock")
    seen: dict[str, list[np.ndarray]] = {name: [] for name in names}
    paid: list[np.ndarray] = []
    for step in range(int(count.max()) + 1):
        for name in names:
            seen[name].append(getattr(play, name).copy())
        active = np.flatnonzero(step < count)
        if step == count.max():
            break
        action = play.sample_legal(0)
        action[active] = group.decision["action"][table["first_decision"].astype(np.int64)[active] + step]
        play.step(action)
        paid.append(rewards.compute(reward, play)["total"].copy())
    for e in range(len(group)):
        n, rows, outcome = int(count[e]), group.decisions_of(e), int(table["outcome"][e])
        observations = {name: np.stack([column[e] for column in seen[name][: n + 1]]) for name in names}
        observations["legal"] = observations["legal"].astype(np.int8)
        last = np.arange(n) == n - 1
        yield EpisodeBuffer(
            id=first + e,
            options={
                "game_seed": int(table["seed"][e]),
                **{name: int(table[name][e]) for name in ("level", "speed", "frame_counter")},
            },
            observations=observations,
            actions=group.decision["action"][rows].astype(np.int64),
            rewards=[float(column[e]) for column in paid[:n]],
            terminations=list(last & (outcome in (CLEARED, TOP_OUT))),
            truncations=list(last & (outcome not in (CLEARED, TOP_OUT))),
            infos={"tau": np.concatenate([[0], group.decision["tau"][rows]])},
        )
