"""A database of records is made where there is none; what is something else stays as it is, to the byte."""

import sqlite3
from pathlib import Path

import pytest

from mlx_drmario.cli import main
from mlx_drmario.traces import record_files
from mlx_drmario.traces.records import Records


def database(path: Path, version: int, *statements: str) -> None:
    db = sqlite3.connect(path)
    for statement in (f"PRAGMA user_version = {version}", *statements):
        db.execute(statement)
    db.close()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (0, "it is another program's: it has no table 'line'"),
        (1, "it is another program's: it has no table 'line'"),
        (5, "it is another program's: it has no table 'line'"),
        ("version", "version 2, this release reads 1"),
        ("no tables", "version 7, this release reads 1"),
        ("letter", "file is not a database"),
        ("text", "file is not a database"),
    ],
)
def test_what_is_no_database_of_records_is_left_as_it_is(
    kind: int | str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine"
    if isinstance(kind, int):
        database(path, kind, "CREATE TABLE mine (a)")
    elif kind == "version":
        database(path, 2, "CREATE TABLE line (a)")
    elif kind == "no tables":
        database(path, 7)
    else:
        path.write_text("x" if kind == "letter" else "words")
    (tmp_path / "nothing.json").write_text("[]")
    before, sentence = path.read_bytes(), f"path is {path}, which is not a database of records: {said}"
    for words in (["list"], ["verify"], ["add", str(tmp_path / "nothing.json")]):
        assert main(["records", *words, "--db", str(path)]) == 1
        assert capsys.readouterr().err == f"drmario records: {sentence}\n"
        assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 2


def test_only_lines_that_are_added_make_a_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "empty"
    path.touch()
    for words in (["list"], ["list", "--top", "1"], ["verify"], ["export", "--out", str(tmp_path / "x.csv")]):
        assert main(["records", *words, "--db", str(path)]) == 1
        assert capsys.readouterr().err.endswith("which is not a database of records: it is empty\n")
    assert path.stat().st_size == 0 and [path] == list(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError, match="none, which does not exist"):
        Records(tmp_path / "none", create=False)
    assert [path] == list(tmp_path.iterdir())
    (tmp_path / "nothing.json").write_text("[]")
    assert main(["records", "add", str(tmp_path / "nothing.json"), "--db", str(path)]) == 0
    with Records(path, create=False) as records:
        assert records.count() == 0 and records.verify() == []


def test_what_sqlite_says_of_tables_that_are_no_records_names_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine"
    database(path, 1, "CREATE TABLE line (a)")
    with Records(path, create=False) as records:
        for ask in (records.lines, records.verify):
            with pytest.raises(OSError, match="no such column") as caught:
                ask()
            assert caught.value.filename == str(path)
    assert main(["records", "list", "--db", str(path)]) == 1
    assert str(path) in capsys.readouterr().err


def test_a_file_that_cannot_be_read_takes_nothing_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may fill the database meanwhile."""
    db = tmp_path / "r.sqlite"
    (tmp_path / "bad.json").write_text("{bad")

    def slow(path: Path) -> record_files.Found:
        with Records(db) as records:
            records.admit([], "other")
        return read(path)

    read = record_files.read
    monkeypatch.setattr(record_files, "read", slow)
    assert main(["records", "add", str(tmp_path / "bad.json"), "--db", str(db)]) != 0
    assert db.exists()
    db.unlink()
    monkeypatch.setattr(record_files, "read", read)
    assert main(["records", "add", str(tmp_path / "bad.json"), "--db", str(db)]) != 0
    assert not db.exists()
