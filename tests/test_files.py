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


@pytest.mark.parametrize("refused", [False, True])
def test_what_has_to_be_on_the_disk_is_flushed_as_the_system_wants_it(refused, tmp_path, monkeypatch):
    """By fsync alone macOS leaves it to the drive; not every file system there knows the other way."""
    asked = []

    def full(descriptor: int, command: int) -> None:
        asked.append(command)
        if refused:
            raise OSError("not supported")

    monkeypatch.setattr(files.fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(files.fcntl, "fcntl", full)
    monkeypatch.setattr(files.os, "fsync", lambda descriptor: asked.append("fsync"))
    with open(tmp_path / "file", "wb") as file:
        files.flush(file.fileno())
    assert asked == ([51, "fsync"] if refused else [51])


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
        with files.replacing(tmp_path / "latest", follow=False) as temporary:
            temporary.symlink_to(name)
        assert os.readlink(tmp_path / "latest") == name
    assert names(tmp_path) == ["latest", "one", "two"]


def test_a_file_is_written_through_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    for name in ("there", "not_yet"):
        link, target = tmp_path / name, tmp_path / "disk" / f"{name}.json"
        link.symlink_to(target)
        if name == "there":
            target.write_text("old")
        files.check_output("--json", link)
        files.write_text(link, "new")
        assert os.readlink(link) == str(target) and target.read_text() == "new"
    assert names(tmp_path) == ["disk", "not_yet", "there"]
    assert names(tmp_path / "disk") == ["not_yet.json", "there.json"]


def test_an_output_that_is_no_file_is_refused_and_stays(tmp_path):
    """A pipe stands for devices; a link may point to one, or to itself."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to_pipe").symlink_to("pipe")
    (tmp_path / "loop").symlink_to("loop")
    for name in ("pipe", "to_pipe", "loop"):
        with pytest.raises(OSError, match=rf"^--json is {tmp_path / name}, which is no regular file; name one, "):
            files.check_output("--json", tmp_path / name)
    assert names(tmp_path) == ["loop", "pipe", "to_pipe"] and (tmp_path / "pipe").is_fifo()


def test_what_killed_writers_left_is_swept(tmp_path):
    (tmp_path / f"{files.WRITING}1-2-step").mkdir()
    (tmp_path / f"{files.WRITING}1-2-step" / "half").touch()
    (tmp_path / f"{files.REMOVING}1-step").mkdir()
    (tmp_path / "kept").touch()
    files.sweep(tmp_path)
    assert names(tmp_path) == ["kept"]


@pytest.mark.parametrize("name", ["game.dmtrace.h5", "game.dmtrace.h5.journal"])
def test_nothing_else_is_written_under_the_name_of_a_trace(name, tmp_path):
    (tmp_path / name).write_text("games")
    for ends in ((), (".html",)):
        with pytest.raises(ValueError, match=rf"^--json is {tmp_path / name}, the name of a trace"):
            files.check_output("--json", tmp_path / name, ends)
    files.check_output("--out", tmp_path / "other.dmtrace.h5", (".csv", files.TRACE))


def test_a_trace_is_not_written_through_a_link(tmp_path):
    (tmp_path / "game.dmtrace.h5").write_text("games")
    (tmp_path / "out.json").symlink_to("game.dmtrace.h5")
    with pytest.raises(ValueError, match=rf"^--json is {tmp_path / 'out.json'}, the name of a trace"):
        files.check_output("--json", tmp_path / "out.json")


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="no names of open files here")
def test_a_pipe_without_a_name_is_no_file():
    ends = os.pipe()
    with pytest.raises(OSError, match=rf"^--json is /dev/fd/{ends[1]}, which is no regular file"):
        files.check_output("--json", Path(f"/dev/fd/{ends[1]}"))
    for end in ends:
        os.close(end)
