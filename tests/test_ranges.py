"""Every number of every config has a range, and everything outside it is refused in one sentence."""

import dataclasses
import importlib
import re
import subprocess
import sys
from fractions import Fraction
from math import inf, nan
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import mlx_drmario as dm
from mlx_drmario.cli import COMMANDS, main
from mlx_drmario.cli.train import ResumeConfig
from mlx_drmario.cli.training import NEW, NewRunConfig
from mlx_drmario.files import check_directory, check_output
from mlx_drmario.memory import MemoryBudget
from mlx_drmario.nets.config import NetConfig
from mlx_drmario.ranges import Range, choices, ranges
from mlx_drmario.rl.config import EnvConfig
from mlx_drmario.rl.ppo.config import PRESET_HELP, PRESETS, PPORunConfig
from mlx_drmario.settings import from_json, to_json


def dataclasses_in(hint: Any) -> set[type]:
    """The dataclasses of a type hint and of their fields."""
    if get_origin(hint) in (Annotated, Union, UnionType):
        return set().union(*(dataclasses_in(part) for part in get_args(hint)))
    if not (isinstance(hint, type) and dataclasses.is_dataclass(hint)):
        return set()
    fields = get_type_hints(hint, include_extras=True)
    return {hint}.union(*(dataclasses_in(fields[field.name]) for field in dataclasses.fields(hint)))


def configs() -> list[type]:
    """Every config that the command line or a file can fill."""
    found: set[type] = set()
    for kind in (*NEW.values(), ResumeConfig, MemoryBudget):
        found |= dataclasses_in(kind)
    for module, name, _ in COMMANDS.values():
        if name is not None:
            found |= dataclasses_in(getattr(importlib.import_module(f"mlx_drmario.cli.{module}"), name))
    return sorted(found, key=lambda kind: (kind.__module__, kind.__name__))


def numbers(kind: type) -> list[str]:
    """The fields of a dataclass that hold a number, or several."""
    hints = get_type_hints(kind)
    parts = {field.name: (hints[field.name], *get_args(hints[field.name])) for field in dataclasses.fields(kind)}
    return [name for name, hint in parts.items() if {int, float} & {*hint}]


NUMBERS = [(kind, name) for kind in configs() for name in numbers(kind)]
VALUES = st.one_of(st.sampled_from([nan, inf, -inf, -1, 0, 1, 0.0, 10**30, True, "3"]), st.integers(), st.floats())


def make(kind: type, name: str, value: object) -> object:
    """The config with this value; others as they come."""
    required = {
        field.name: Path("x")
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    return kind(**required | {name: value})


@pytest.mark.parametrize("kind", [kind for kind in configs() if choices(kind)], ids=lambda kind: kind.__name__)
def test_every_word_is_one_of_those_that_are_declared(kind):
    for name, allowed in choices(kind).items():
        several = get_origin(get_type_hints(kind)[name]) is tuple
        with pytest.raises(ValueError, match=rf"{name} must be one of {re.escape(str(allowed[0]))}, .*got 'warp'"):
            make(kind, name, ("warp",) if several else "warp")


def test_all_commands_are_looked_at():
    assert len(NUMBERS) > 60
    wanted = {"EnvConfig", "PPOConfig", "NetConfig", "RewardConfig", "BestConfig", "CloneConfig", "EvalConfig"}
    assert wanted | {"BenchConfig", "MemoryBudget"} <= {kind.__name__ for kind, _ in NUMBERS}


@pytest.mark.parametrize(("kind", "name"), NUMBERS, ids=lambda part: getattr(part, "__name__", part))
def test_every_number_has_a_range_and_keeps_to_it(kind, name):
    limits, whole, _ = ranges(kind)[name]
    several = get_origin(get_type_hints(kind)[name]) is tuple

    @example(limits.low)
    @example(limits.high)
    @given(VALUES)
    def check(value):
        given = (value,) if several else value
        right_type = type(value) is int or (type(value) is float and not whole)
        if right_type and limits.holds(value):
            try:
                make(kind, name, given)
            except ValueError as error:  # does not go with the other settings
                assert str(limits) not in str(error)
            return
        with pytest.raises(ValueError) as error:
            make(kind, name, given)
        sentence = str(error.value)
        assert name in sentence and str(limits) in sentence and repr(value) in sentence and "\n" not in sentence

    check()


@pytest.mark.parametrize(("kind", "name"), NUMBERS, ids=lambda part: getattr(part, "__name__", part))
def test_none_is_for_fields_that_may_be_it(kind, name):
    if type(None) in get_args(get_type_hints(kind)[name]):
        make(kind, name, None)
        return
    limits, whole, _ = ranges(kind)[name]
    wanted = "a whole number" if whole else "a number"
    with pytest.raises(ValueError, match=rf"(^|\.){re.escape(f'{name} must be {wanted} {limits}, got None')}$"):
        make(kind, name, None)


def test_ends_of_a_range():
    assert [Range(0, 1, without=w).holds(0) for w in ("", "low", "high", "both")] == [True, False, True, False]
    assert [Range(0, 1, without=w).holds(1) for w in ("", "low", "high", "both")] == [True, True, False, False]
    assert not Range(-inf, inf).holds(nan)


REFUSED = {
    "train --ppo.learning-rate nan": "--ppo.learning-rate must be between 0 and 10, got nan",
    "train level0 --ppo.learning_rate=-1": "--ppo.learning_rate must be between 0 and 10, got -1.0",
    "train demo --minutes nan": "--minutes must be between 0 and 525,600, got nan",
    "train level0 --env.threads -1": "--env.threads must be between 0 and 256, got -1",
    "train level0 --net.width 100000000": "--net.width must be between 1 and 2,048, got 100000000",
    "train level0 --env.num-envs 65536 --ppo.horizon 65536": "--env.num-envs * ppo.horizon must be at most 16,777,216",
    "train level0 --name ../../x": "--name must be 1 to 100 letters",
    "train resume x --minutes nan": "--minutes must be between 0 and 525,600, got nan",
    "train resume x --env.level 25": "--env.level must be between 0 and 24, got 25",
    "demo --minutes inf": "--minutes must be more than 0 and at most 525,600, got inf",
    "eval --seeds 0": "--seeds must be between 1 and 65,536, got 0",
    "eval --seeds 3585": "--seeds is 3585; the validation split has 3,584 games",
    "eval --policy nosuch": "--policy is 'nosuch'; it must be best (the network that comes with this), random",
    "eval --policy search:2ply,width=0": "--policy is 'search:2ply,width=0': width must be between 1 and 16, got 0",
    "eval --against nosuch": "--against is 'nosuch'; it must be best",
    "watch --policy nosuch": "--policy is 'nosuch'; it must be best",
    "perft --depth 9": "--depth must be between 1 and 8, got 9",
    "solve --seed 0x1": "--seed must be between 2 and 65,535, got 1",
    "watch --seed 0x1": "--seed must be between 2 and 65,535, got 1",
    "play --seed 0x10000": "--seed must be between 2 and 65,535, got 65536",
    "tune --levels 0 25": "--levels must be between 0 and 24, got 25",
    "tune --regression.budget.plies 4": "--regression.budget.plies must be between 1 and 3, got 4",
    "trace movie a --out b --menus.gap -1": "--menus.gap must be between 2 and 600, got -1",
    "trace html a --out b --episodes -1": "--episodes must be between 0 and",
    "records list --level 25": "--level must be between 0 and 24, got 25",
    "train --out=": "--out must not be empty",
}


@pytest.mark.parametrize("arguments", REFUSED)
def test_wrong_use_is_one_sentence_and_2(arguments, capsys):
    assert main(arguments.split()) == 2
    out, error = capsys.readouterr()
    assert out == "" and error.count("\n") == 1, out + error
    assert error.startswith(f"drmario {arguments.split()[0]}: {REFUSED[arguments]}")


def options(kind: type, prefix: str = "--") -> list[str]:
    """Every option of a config that takes a number."""
    hints = get_type_hints(kind)
    found = [prefix + name.replace("_", "-") for name in numbers(kind)]
    for field in dataclasses.fields(kind):
        if dataclasses.is_dataclass(hints[field.name]):
            found += options(hints[field.name], f"{prefix}{field.name.replace('_', '-')}.")
    return found


OPTIONS = [
    (command, option)
    for command, (module, name, _) in COMMANDS.items()
    if name is not None
    and dataclasses.is_dataclass(kind := getattr(importlib.import_module(f"mlx_drmario.cli.{module}"), name))
    for option in options(kind)
] + [pytest.param("train", option, marks=pytest.mark.slow) for option in options(NewRunConfig)]


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_what_is_no_number(command, option, capsys):
    assert main([command, option, "x1"]) == 2
    assert re.fullmatch(
        rf"drmario {command}: {option} (must be (a whole number|a number|whole numbers), got|is) 'x1'.*\n",
        capsys.readouterr().err,
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("eval --speed fast", "invalid choice 'fast' for argument '--speed'. Expected one of ('low', 'med', 'hi')"),
        ("eval --nosuch", "Unrecognized options: --nosuch"),
        ("train nosuch", "there is no preset 'nosuch'; choose one of level0, demo, ladder, evaluator"),
        ("train --minutes", "Missing value for argument '--minutes'. Expected 1 values"),
        ("train --config", "--config: expected one argument"),
        ("train resume", "Missing from drmario train resume: PATH run directory (required)"),
        ("trace", "Missing subcommand: Expected one of {info, validate,"),
        ("trace info", "name at least one file or directory"),
        ("records add", "name at least one file or directory"),
        ("bench --compare one", "--compare must be two paths, got 'one'"),
        ("tui nosuch", "command: invalid choice: 'nosuch' (choose from"),
        ("tui --nosuch", "no option '--nosuch'"),
        ("tui attach", "attach needs one run directory"),
        ("tui --port nan", "--port must be a whole number, got 'nan'"),
        ("tui --port 70000", "--port must be between 1 and 65,535, got 70000"),
        ("tui train --minutes nan", "--minutes must be between 0 and 525,600, got nan"),
        ("play --seed=", "--seed must not be empty"),
    ],
)
def test_what_the_parsers_refuse_is_one_sentence(arguments, sentence, capsys):
    assert main(arguments.split()) == 2
    out, error = capsys.readouterr()
    assert out == "" and error.startswith(f"drmario {arguments.split()[0]}: {sentence}")
    assert error.count("\n") == 1 and not re.search("dummy|Config|--- ", error)


OUTPUTS = (
    ["eval", "--json"],
    ["perft", "--json"],
    ["bench", "--json"],
    ["solve", "--json"],
    ["tune", "--header"],
    ["records", "export", "--out"],
    ["records", "add", "in", "--db"],
    *(["trace", command, "in", "--out"] for command in ("filter", "dedup", "merge", "movie", "import", "html")),
    ["trace", "export", "in", "--parquet"],
)


@pytest.mark.parametrize("command", OUTPUTS, ids=" ".join)
def test_output_paths_are_looked_at_before_the_work(command, tmp_path, capsys, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    for path, problem in (
        (tmp_path, "which is a directory"),
        (tmp_path / "nowhere" / "x.json", "is no directory that can be written to"),
        (file / "x.json", "is no directory that can be written to"),
    ):
        assert main([*command, str(path)]) == 2
        out, error = capsys.readouterr()
        assert out == "" and error.startswith(f"drmario {command[0]}: {command[-1]} is {path}") and problem in error
        assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "ends"),
    [
        *((["trace", command, "in"], ".dmtrace.h5") for command in ("filter", "dedup", "merge", "import")),
        (["trace", "movie", "in"], ".fm2 or .bk2"),
        (["records", "export"], ".csv or .json or .dmtrace.h5"),
    ],
)
def test_names_end_in_what_the_file_holds(command, ends, tmp_path, capsys):
    path = tmp_path / "x.txt"
    assert main([*command, "--out", str(path)]) == 2
    error = capsys.readouterr().err
    assert error == f"drmario {command[0]}: --out is {path}; it must end in {ends}\n" and not path.exists()


@pytest.mark.parametrize(
    "command",
    [
        ["eval", "--out"],
        ["eval", "--capture"],
        ["play", "--capture"],
        ["train", "--capture"],
        ["trace", "split", "in", "--out"],
    ],
    ids=" ".join,
)
def test_output_directories_are_looked_at_before_the_work(command, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "file"
    file.touch()
    if command[0] == "play":  # which says first that it needs one
        monkeypatch.setattr("mlx_drmario.cli.shown.problem", lambda: None)
    for path in (file, file / "x"):
        assert main([*command, str(path)]) == 2
        out, error = capsys.readouterr()
        assert out == ""
        assert (
            error
            == f"drmario {command[0]}: {command[-1]} is {path}; it must be a directory, and a file is in the way\n"
        )
    assert sorted(tmp_path.iterdir()) == [file]


def test_an_attempt_tells_what_can_be_written(tmp_path, capsys):
    """Root may write anywhere, says os.access, but not even root makes a file in /proc."""
    check_output("--json", tmp_path / "x")
    check_directory("--out", tmp_path / "new" / "er")
    assert [path.name for path in tmp_path.rglob("*")] == ["new", "er"]
    read_only = tmp_path / "read-only"
    read_only.mkdir(mode=0o555)
    target = Path("/proc") if Path("/proc").is_dir() else read_only
    with pytest.raises(OSError, match=f"^--json is {target}/x, and {target} is no directory that can be written to"):
        check_output("--json", target / "x")
    assert main(["train", "--out", str(target / "new" / "run"), "--dry-run"]) == 2
    out, error = capsys.readouterr()
    assert out == "" and f"--out is {target}/new/run, and {target} is no directory that can be written to" in error


def test_help_tells_the_presets_apart(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "--help"])
    text = " ".join(capsys.readouterr().out.replace("│", "").split())
    assert stop.value.code == 0 and PRESET_HELP.keys() == PRESETS.keys()
    assert all(f"{name} {words}" in text for name, words in PRESET_HELP.items())


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"drmario {dm.__version__}\n"
    done = subprocess.run([sys.executable, "-m", "mlx_drmario", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"drmario {dm.__version__}\n")


def test_numbers_of_other_types_become_python_s():
    """So that what a config is saved as is what it was."""
    config = PPORunConfig(
        seed=np.int64(3), minutes=Fraction(1, 2), env=EnvConfig(level=np.uint8(2)), net=NetConfig(width=np.int64(8))
    )
    assert [type(value) for value in (config.seed, config.minutes, config.env.level)] == [int, float, int]
    assert from_json(to_json(config), PPORunConfig) == config
    with pytest.raises(TypeError, match="settings must be plain values and paths, got"):
        to_json(dataclasses.replace(config, name=np.str_("x"), out=object()))
