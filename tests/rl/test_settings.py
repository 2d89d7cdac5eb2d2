"""Settings in layers: preset < YAML file < environment < command line, and what is said about a wrong one."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from mlx_drmario.cli import main
from mlx_drmario.cli.train import parse
from mlx_drmario.rl.config import EnvConfig
from mlx_drmario.rl.ppo.config import PRESETS, PPOConfig, PPORunConfig
from mlx_drmario.settings import STRICT, from_json, layered, to_json, variable


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    """The shell's own DRMARIO_* variables are not part of these tests."""
    for name in list(os.environ):
        if name.startswith("DRMARIO_"):
            monkeypatch.delenv(name)


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "my.yaml"
        path.write_text(text)
        return path

    return write


def dry_run(capsys, *arguments: object) -> PPORunConfig:
    assert main(["train", *map(str, arguments), "--shards", "1", "--dry-run"]) == 0
    return from_json(capsys.readouterr().out, PPORunConfig)


def test_precedence(write, monkeypatch, capsys):
    file = write("seed: 1\nname: file\nppo: {gamma: 0.1, clip: 0.1, epochs: 1}\n")
    monkeypatch.setenv("DRMARIO_PPO__CLIP", "0.2")
    monkeypatch.setenv("DRMARIO_PPO__GAMMA", "0.2")
    monkeypatch.setenv("DRMARIO_SEED", "2")
    preset = dataclasses.replace(PRESETS["demo"], shards=1)
    ppo = dataclasses.replace(preset.ppo, epochs=1, clip=0.2, gamma=0.3)
    expected = dataclasses.replace(preset, name="file", seed=2, ppo=ppo)
    assert dry_run(capsys, "demo", "--config", file, "--ppo.gamma", 0.3) == expected
    assert dry_run(capsys, "demo", f"--config={file}", "--seed", 4, "--ppo.gamma", 0.3).seed == 4


def test_what_is_trained_with_is_saved_and_the_seed_is_printed(write, tiny, monkeypatch, tmp_path, capsys):
    file, run = write(to_json(dataclasses.replace(tiny, decisions=256, compile=False))), tmp_path / "run"
    assert main(["train", "--config", str(file), "--out", str(run)]) == 0
    assert "seed 0" in capsys.readouterr().out
    expected = dataclasses.replace(tiny, decisions=256, compile=False, out=run)
    assert from_json((run / "config.json").read_text(), PPORunConfig) == expected
    monkeypatch.setenv("DRMARIO_SEED", "3")
    assert main(["train", "--config", str(file), "--out", str(run), "--overwrite"]) == 0
    assert "seed 3" in capsys.readouterr().out
    assert from_json((run / "config.json").read_text(), PPORunConfig).seed == 3


def test_train_without_a_preset_is_level0(write, capsys):
    level0 = dataclasses.replace(PRESETS["level0"], shards=1)
    assert dry_run(capsys) == dry_run(capsys, "level0") == level0
    assert level0.seed == 0
    assert dry_run(capsys, "--config", write("seed: 8")) == dataclasses.replace(level0, seed=8)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_every_field_can_be_set(write, preset):
    """A whole config, as a file and as variables, over another preset."""
    base = PPORunConfig(seed=9, env=EnvConfig(level=7), overwrite=True)
    assert layered(base, write(to_json(preset)), {}) == preset

    def variables(data: dict, prefix: str = "") -> dict[str, str]:
        found = {}
        for name, value in data.items():
            key = prefix + name
            found |= variables(value, f"{key}.") if isinstance(value, dict) else {variable(key): str(value)}
        return found

    assert layered(base, None, variables(json.loads(to_json(preset)))) == preset


def test_parsing_does_not_touch_what_is_not_given(write):
    base = PRESETS["level0"]
    assert layered(base, None, {"HOME": "/", "DRMARIOX": "1"}) == base
    assert layered(base, write("# nothing\n"), {}) == base
    assert layered(base, write("ppo: {}\n"), {}) == base


FILES = {
    "sede: 3": "there is no setting 'sede'. Did you mean 'seed'?",
    "ppo: {learning-rate: 1}": "there is no setting 'ppo.learning-rate'. Did you mean 'ppo.learning_rate'?",
    "learning_rate: 1": "there is no setting 'learning_rate'. Did you mean 'ppo.learning_rate'?",
    "ppo.gamma: 1": "there is no setting 'ppo.gamma'",
    "dry_run: true": "there is no setting 'dry_run'",
    "3: 4": "there is no setting '3'",
    "seed: 1.5": "seed should be a valid integer, got 1.5",
    "seed: true": "seed should be a valid integer, got True",
    "seed: null": "seed should be a valid integer, got None",
    "name: 3": "name should be a valid string, got 3",
    "compile: 1": "compile should be a valid boolean, got 1",
    "out: [1]": "out should be a valid string, got [1]",
    "ppo: {gamma: high}": "ppo.gamma should be a valid number, got 'high'",
    "ppo: {gamma: .nan}": "ppo.gamma should be a finite number, got nan",
    "ppo: {gamma: true}": "ppo.gamma should be a valid number, got True",
    "seed: 0x10": "seed should be a valid integer, got '0x10'",
    "seed: 1_000": "seed should be a valid integer, got '1_000'",
    "seed: 0b11": "seed should be a valid integer, got '0b11'",
    "minutes: 1:30": "minutes should be a valid number, got '1:30'",
    "ppo: {learning_rate: 3e-4x}": "ppo.learning_rate should be a valid number, got '3e-4x'",
    "seed: 1\nname: a\nseed: 2": "the setting 'seed' is given twice",
    "ppo: {gamma: 1, clip: 1, gamma: 1}": "the setting 'gamma' is given twice",
    "ppo: 3": "ppo should be an object, got 3",
    "env: {speed: fast}": "env.speed should be 'low', 'med' or 'hi', got 'fast'",
    "env: {level: 99}": "env.level must be between 0 and 24, got 99",
    "- seed": "must hold a mapping of settings, got ['seed']",
    "seed: [": "is not YAML: while parsing",
    "x: &a [*a]": "holds a list or a mapping that holds itself",
    'out: ""': "out must not be empty",
}


@pytest.mark.parametrize("text", FILES)
def test_a_wrong_file_is_one_sentence(write, capsys, text):
    file = write(text)
    assert main(["train", "level0", "--config", str(file), "--dry-run"]) == 2
    out, error = capsys.readouterr()
    assert out == "" and error.count("\n") == 1
    assert str(file) in error and FILES[text] in error


VARIABLES = {
    ("DRMARIO_SEDE", "3"): "there is no setting 'sede'. Did you mean 'DRMARIO_SEED'?",
    ("DRMARIO_PPO__LEARNING_RAT", "3"): "Did you mean 'DRMARIO_PPO__LEARNING_RATE'?",
    ("DRMARIO_PPO_GAMMA", "1"): "Did you mean 'DRMARIO_PPO__GAMMA'?",
    ("DRMARIO_seed", "1"): "Did you mean 'DRMARIO_SEED'?",
    ("DRMARIO_", "1"): "there is no setting ''",
    ("DRMARIO_SEED", "three"): "seed should be a valid integer, got 'three'",
    ("DRMARIO_SEED", ""): "seed should be a valid integer, got None",
    ("DRMARIO_OUT", '""'): "out must not be empty",
    ("DRMARIO_SEED", "1_0"): "seed should be a valid integer, got '1_0'",
    ("DRMARIO_MINUTES", "1:30"): "minutes should be a valid number, got '1:30'",
    ("DRMARIO_PPO", "{gamma: 1, gamma: 1}"): "the setting 'gamma' is given twice",
    ("DRMARIO_COMPILE", "[1"): "compile should be a valid boolean, got '[1'",
    ("DRMARIO_NET__ENCODER", "axle"): "net.encoder should be 'mlp' or 'axial', got 'axle'",
    ("DRMARIO_PPO", "&a {gamma: *a}"): "holds a list or a mapping that holds itself",
    ("DRMARIO_PPO", "3"): "ppo should be an object, got 3",
    ("DRMARIO_PPO__GAMMA", "2"): "ppo.gamma must be between 0 and 1, got 2.0",
}


@pytest.mark.parametrize("name, text", VARIABLES)
def test_a_wrong_variable_is_one_sentence(monkeypatch, capsys, name, text):
    monkeypatch.setenv(name, text)
    assert main(["train", "--dry-run"]) == 2
    out, error = capsys.readouterr()
    assert out == "" and error.count("\n") == 1
    assert error.startswith(f"drmario train: {name}: ") and VARIABLES[name, text] in error


def test_a_refused_combination_names_its_sources(write):
    file = write("ppo: {horizon: 4}")
    with pytest.raises(ValueError, match=r"my\.yaml, DRMARIO_PPO__MINIBATCH: ppo\.minibatch must divide"):
        layered(PRESETS["level0"], file, {"DRMARIO_PPO__MINIBATCH": "768", "DRMARIO_SEED": "1"})
    changed = layered(PRESETS["level0"], file, {"DRMARIO_PPO__MINIBATCH": "256"})
    assert changed.ppo == PPOConfig(horizon=4, minibatch=256)


def test_a_file_that_is_not_there(tmp_path, capsys):
    assert main(["train", "--config", str(tmp_path / "no.yaml"), "--dry-run"]) == 1
    assert "no.yaml" in capsys.readouterr().err


def test_resume_keeps_the_settings_of_the_run(monkeypatch, tmp_path):
    monkeypatch.setenv("DRMARIO_SEDE", "3")
    assert parse(["resume", str(tmp_path)]).run == tmp_path
    with pytest.raises(ValueError, match="DRMARIO_SEDE"):
        parse(["level0"])


@dataclasses.dataclass(frozen=True)
class Rung:
    level: int
    speed: Literal["low", "hi"] = "hi"
    __pydantic_config__: ClassVar = STRICT


@dataclasses.dataclass(frozen=True)
class Nested:
    """Shapes of fields that a config may get."""

    rungs: tuple[Rung, ...] = ()
    size: tuple[int, float] = (1, 1.0)
    best: Rung | None = None
    pace: Literal[1, 2, "most"] = 1
    __pydantic_config__: ClassVar = STRICT


def test_lists_and_optional_groups(write):
    file = write("rungs: [{level: 1}, {level: 2, speed: low}]\nsize: [3, 4]\nbest: {level: 5}\npace: most\n")
    expected = Nested((Rung(1), Rung(2, "low")), (3, 4.0), Rung(5), "most")
    assert layered(Nested(), file, {}) == expected
    assert layered(Nested(), file, {"DRMARIO_BEST": "none"}) == dataclasses.replace(expected, best=None)
    assert layered(Nested(), write("best: null"), {"DRMARIO_BEST": "{level: 3}"}).best == Rung(3)
    assert layered(Nested(), None, {"DRMARIO_SIZE": "[2, 1e-1]", "DRMARIO_PACE": "2"}) == Nested(size=(2, 0.1), pace=2)
    with pytest.raises(ValueError, match=r"my\.yaml: size.*3"):
        layered(Nested(), write("size: [1, 2, 3]"), {})
    with pytest.raises(ValueError, match=r"there is no setting 'rungs\.0\.speeed'"):
        layered(Nested(), write("rungs: [{level: 1, speeed: low}]"), {})


def test_numbers_as_in_yaml_1_2(write):
    assert layered(PRESETS["level0"], write("ppo: {learning_rate: 3e-4}"), {}).ppo.learning_rate == 3e-4
    assert layered(PRESETS["level0"], write("seed: 010"), {}).seed == 10
    assert layered(PRESETS["level0"], None, {"DRMARIO_SEED": "010"}).seed == 10
    for text, number in (("1", 1), ("+1.", 1), (".5", 0.5), ("0.5", 0.5), ("5.e-1", 0.5), ("1e-2", 0.01)):
        assert layered(PRESETS["level0"], None, {"DRMARIO_PPO__GAMMA": text}).ppo.gamma == number


@pytest.mark.parametrize("arguments", [["--help"], ["train", "level0", "--help"], ["train", "--dry-run"]])
def test_nobody_reads_the_output(arguments):
    """As in `drmario runs list | head -1`, but with the reader gone from the start: no message."""
    read, write = os.pipe()
    os.close(read)
    code = "import sys; from mlx_drmario.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code, *arguments], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if not line.startswith("dry run:")] == []
