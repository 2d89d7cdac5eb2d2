"""What is written is whole or not there, whatever the writer meets."""

import os
from pathlib import Path

import pytest

from mlx_drmario import files


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "games.csv"
    files.write_text(path, "old")
    with pytest.raises(OSError, match="disk full"), files.replacing(path) as temporary:
        temporary.write_text("half of the n")
        assert path.read_text() == "old"
        raise OSError("disk full")
    assert path.read_text() == "old" and names(tmp_path) == ["games.csv"]
    files.write_text(path, "new")
    assert path.read_text() == "new" and names(tmp_path) == ["games.csv"]


def test_a_body_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), files.replacing(tmp_path / "x"):
        pass
    assert names(tmp_path) == []


def test_directories_are_replaced_whole(tmp_path):
    path = tmp_path / "step"
    for content in ("a", "b"):
        with files.replacing(path) as temporary:
            temporary.mkdir()
            (temporary / content).write_text(content)
        assert names(path) == [content] and names(tmp_path) == ["step"]
    with pytest.raises(KeyboardInterrupt), files.replacing(path) as temporary:
        temporary.mkdir()
        (temporary / "c").write_text("c")
        raise KeyboardInterrupt
    assert names(path) == ["b"] and names(tmp_path) == ["step"]


def test_links_are_repointed(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        with files.replacing(tmp_path / "latest") as temporary:
            temporary.symlink_to(name)
        assert os.readlink(tmp_path / "latest") == name
    assert names(tmp_path) == ["latest", "one", "two"]


def test_what_killed_writers_left_is_swept(tmp_path):
    (tmp_path / f"{files.WRITING}1-2-step").mkdir()
    (tmp_path / f"{files.WRITING}1-2-step" / "half").touch()
    (tmp_path / f"{files.REMOVING}1-step").mkdir()
    (tmp_path / "kept").touch()
    files.sweep(tmp_path)
    assert names(tmp_path) == ["kept"]
