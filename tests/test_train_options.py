"""What `drmario train` makes of options, files and variables for every kind of run, without training where it can."""

import dataclasses
import json

import pytest

import mlx_drmario as dm  # noqa: F401 (before mlx.core: it loads the fast BLAS)
from mlx_drmario.cli import main
from mlx_drmario.rl.clone.config import CloneRunConfig
from mlx_drmario.rl.evaluator.config import EvaluatorConfig
from mlx_drmario.rl.ppo.config import PRESETS
from mlx_drmario.rl.qrdqn.config import QRDQNRunConfig
from mlx_drmario.settings import to_json

KINDS = {"clone": CloneRunConfig(), "qrdqn": QRDQNRunConfig(), "evaluator": EvaluatorConfig()}
SMALL = (
    "--decisions 64 --env.num-envs 8 --env.max-decisions 8 --ppo.horizon 8 --ppo.minibatch 32 --net.width 8"
    " --net.encoder mlp --net.head dense --no-compile --best.games 0"
)


@pytest.fixture(params=KINDS)
def run(request, tmp_path):
    """A run of a kind that the app cannot train, just begun."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text(to_json(KINDS[request.param]))
    return run


def kind_of(run):
    return json.loads((run / "config.json").read_text())["name"]


def test_an_evaluator_is_looked_at_before_a_run_is_begun(tmp_path, capsys):
    run, nothing = tmp_path / "run", tmp_path / "nothing"
    nothing.mkdir()
    for more in ([], ["--dry-run"]):
        assert main(["train", "--out", str(run), "--shaping.evaluator", str(nothing), *more]) == 2
        out, error = capsys.readouterr()
        assert (out, error) == (
            "",
            f"drmario train: --shaping.evaluator is {nothing}: no intact checkpoint in {nothing}\n",
        )
    assert not run.exists()


def test_a_policy_is_no_evaluator(capsys):
    from mlx_drmario.cli.policy import SHIPPED

    assert main(["train", "--shaping.evaluator", str(SHIPPED), "--dry-run"]) == 2
    assert f"{SHIPPED} holds a policy, no evaluator" in capsys.readouterr().err
    assert main(["calibrate", str(SHIPPED)]) == 1
    assert f"{SHIPPED} holds a policy, no evaluator" in capsys.readouterr().err


def test_a_directory_that_holds_a_run_is_refused_before_anything_is_said(run, capsys):
    assert main(["train", "--out", str(run)]) == 2
    out, error = capsys.readouterr()
    assert out == "" and error.startswith(f"drmario train: --out is {run}, which already holds a run: go on with")


def test_every_kind_reads_files_and_variables(tmp_path, monkeypatch, capsys):
    file = tmp_path / "my.yaml"
    file.write_text("seed: 4\nkeep: 5\n")
    monkeypatch.setenv("DRMARIO_KEEP", "6")
    for kind in KINDS:
        assert main(["train", kind, "--config", str(file), "--dry-run"]) == 0
        made = json.loads(capsys.readouterr().out)
        assert (made["name"], made["seed"], made["keep"]) == (kind, 4, 6)
        assert "config" not in made
    monkeypatch.setenv("DRMARIO_NET__WIDTH", "x")
    for kind in ("level0", *KINDS):
        assert main(["train", kind, "--dry-run"]) == 2
        assert "DRMARIO_NET__WIDTH: net.width should be a valid integer, got 'x'" in capsys.readouterr().err


def test_a_resumed_run_has_one_new_budget(run, capsys):
    assert main(["train", "resume", str(run), "--minutes", "1", "--decisions", "5"]) == 2
    assert "--decisions must not be given with minutes, got 5 and 1" in capsys.readouterr().err
    kind = kind_of(run)
    for option, value, name in (("--minutes", "7", "minutes"), ("--decisions", "700", "decisions")):
        status = main(["train", "resume", str(run), option, value, "--dry-run"])
        out, error = capsys.readouterr()
        if kind == "evaluator":
            assert status == 2 and f"{option} must not be given for {run}, a run of `drmario train evaluator`" in error
        else:
            assert status == 0 and json.loads(out)[name] == int(value)
            assert f"changed {name}: " in error


@pytest.mark.parametrize("kind", ["level0", "clone", "qrdqn"])
def test_a_lost_place_for_recordings_leaves_no_run(kind, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert main(["train", kind, "--capture", "file/x"]) == 2
    assert capsys.readouterr().err.startswith("drmario train: --capture is file/x")
    assert not (tmp_path / "runs").exists()


def test_a_budget_in_decisions_replaces_the_minutes_of_a_preset(tmp_path, monkeypatch, capsys):
    """Wherever it is given; they alone would count."""

    def budget(*options: str) -> tuple[int, float]:
        assert main(["train", "demo", "--dry-run", *options]) == 0
        made = json.loads(capsys.readouterr().out)
        return made["decisions"], made["minutes"]

    assert budget() == (500_000, 3.0)
    assert budget("--decisions", "4096") == budget("--decisions=4096") == (4096, 0.0)
    file = tmp_path / "my.yaml"
    file.write_text("decisions: 4096\n")
    assert budget("--config", str(file)) == (4096, 0.0)
    assert budget("--config", str(file), "--minutes", "2") == (4096, 2.0)
    file.write_text("decisions: 4096\nminutes: 5\n")
    assert budget("--config", str(file)) == (4096, 5.0)
    monkeypatch.setenv("DRMARIO_DECISIONS", "8192")
    assert budget("--config", str(file)) == (8192, 0.0)
    assert main(["train", "demo", "--decisions", "4096", "--minutes", "2"]) == 2
    assert "--decisions must not be given with --minutes, got 4096 and 2\n" in capsys.readouterr().err


def test_an_evaluator_plays_no_games_of_training(tmp_path, capsys):
    (tmp_path / "config.json").write_text(to_json(KINDS["evaluator"]))
    assert main(["train", "resume", str(tmp_path), "--capture", "t"]) == 2
    assert f"--capture must not be given for {tmp_path}, a run of `drmario train evaluator`" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--env.level", "--env.num-envs"])
def test_other_kinds_refuse_what_they_do_not_have(run, option, capsys):
    assert main(["train", "resume", str(run), option, "3"]) == 2
    expected = f"{option} must not be given for {run}, a run of `drmario train {kind_of(run)}`"
    assert capsys.readouterr().err == f"drmario train: {expected}\n"


@pytest.mark.parametrize(("option", "value"), [("--env.level", "3"), ("--env.speed", "low"), ("--env.last-level", "3")])
def test_a_curriculum_refuses_games_that_it_does_not_play(option, value, tmp_path, capsys):
    """They would only throw its games away."""
    (tmp_path / "config.json").write_text(to_json(PRESETS["ladder"]))
    assert main(["train", "resume", str(tmp_path), option, value, "--dry-run"]) == 2
    expected = f"drmario train: {option} must not be given with a curriculum, got {value}\n"
    assert capsys.readouterr().err == expected
    assert main(["train", "resume", str(tmp_path), "--env.num-envs", "512", "--dry-run"]) == 0


def test_a_spent_budget_is_told_and_a_larger_one_goes_on(tmp_path, capsys):
    spent = "nothing to do: the budget of 64 decisions is spent; give a larger one with --minutes or --decisions"
    run = tmp_path / "run"
    assert main(["train", "level0", "--out", str(run), *SMALL.split()]) == 0
    assert "nothing to do" not in capsys.readouterr().out
    assert main(["train", "resume", str(run)]) == 0
    assert spent in capsys.readouterr().out
    assert main(["train", "resume", str(run), "--decisions", "128"]) == 0
    assert "nothing to do" not in capsys.readouterr().out


def test_a_cloned_run_goes_on_with_a_larger_budget(tmp_path, capsys):
    """And its schedules are of the new one."""
    run = tmp_path / "run"
    small = "--decisions 128 --env.num-envs 16 --env.max-decisions 8 --clone.horizon 8 --clone.minibatch 64"
    small += " --clone.teacher 1ply --clone.epochs 1 --clone.retries 0"
    small += " --net.width 8 --net.depth 1 --net.summary 16 --no-compile"
    assert main(["train", "clone", "--out", str(run), *small.split()]) == 0
    assert main(["train", "resume", str(run)]) == 0
    assert "the budget of 128 decisions is spent" in capsys.readouterr().out
    assert main(["train", "resume", str(run), "--decisions", "512"]) == 0
    out, error = capsys.readouterr()
    assert "nothing to do" not in out and "changed decisions: 128 -> 512" in error
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["stats/progress"] for row in rows] == [1.0, 0.5, 0.75, 1.0]
    assert rows[1]["stats/learning_rate"] == pytest.approx(4e-3 * (1 - 0.25 * 0.98))


def test_games_that_the_shards_of_a_run_cannot_share(tmp_path, capsys):
    (tmp_path / "config.json").write_text(to_json(dataclasses.replace(PRESETS["level0"], shards=2)))
    assert main(["train", "resume", str(tmp_path), "--env.num-envs", "7"]) == 2
    assert "--env.num-envs must be a multiple of the run's 2 shards, got 7" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("ladder --env.level 7", "env.level has no effect: the stages of a curriculum have their own"),
        ("ladder --env.speed low", "env.speed has no effect: the stages of a curriculum have their own"),
        ("level0 --curriculum.last-level 5", "curriculum.last-level has no effect: it needs --curriculum.enabled"),
        ("level0 --net.hidden 16", "net.hidden has no effect: only --net.head features reads it"),
        ("demo --net.outcome-scale 2", "net.outcome-scale has no effect: only --net.head outcome reads it"),
        ("level0 --shaping.weight 2", "shaping.weight has no effect: it needs --shaping.evaluator"),
        ("level0 --net.encoder mlp --net.summary 3", "net.summary has no effect: only --net.encoder axial has one"),
        ("level0 --best.games 0 --best.every 2", "best.every has no effect: it needs --best.games"),
        ("level0 --best.games 0 --best.alpha 0.1", "best.alpha has no effect: it needs --best.games"),
        (
            "clone --clone.follow 1 --clone.weaning 0.5",
            "clone.weaning has no effect: with --clone.follow 1 the teacher takes all decisions",
        ),
        (
            "qrdqn --qrdqn.epsilon 1 --qrdqn.exploring 0.5",
            "qrdqn.exploring has no effect: with --qrdqn.epsilon 1 all placements are random",
        ),
        ("evaluator --fit.target-every 7", "fit.target-every has no effect: it needs --fit.steps"),
        (
            "evaluator --data.disturbed 0 --data.random-moves 0.1",
            "data.random-moves has no effect: it needs --data.disturbed",
        ),
    ],
)
def test_a_setting_that_changes_nothing_is_refused(options, sentence, capsys):
    assert main(["train", *options.split(), "--dry-run"]) == 2
    assert capsys.readouterr().err == f"drmario train: --{sentence}\n"


@pytest.mark.parametrize("policy", ["search:sampled,ms=2", "memory:ms=5"])
def test_games_of_an_evaluator_do_not_depend_on_the_time(policy, capsys):
    assert main(["train", "evaluator", "--data.policy", policy, "--dry-run"]) == 2
    assert f"data.policy is '{policy}'; how it plays must not depend on the time it takes" in capsys.readouterr().err


def test_settings_that_are_read_are_taken(capsys):
    for options in (
        "ladder --curriculum.last-level 5",
        "level0 --curriculum.enabled --curriculum.last-level 5",
        "level0 --net.head features --net.hidden 16",
        "clone --net.hidden 16",
        "evaluator --data.policy greedy",
        "evaluator --data.policy search:sampled,nodes=2000 --fit.steps 2 --fit.target-every 7",
    ):
        assert main(["train", *options.split(), "--dry-run"]) == 0, options


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--curriculum.threshold 0.99999999999", "--curriculum.threshold is 0.99999999999: 1,073,741,824 successes in"),
        ("--curriculum.alpha 1e-320", "--curriculum.alpha must be at least 1e-09 and less than 1, got "),
        ("--best.alpha 1e-323", "--best.alpha must be at least 1e-09 and less than 1, got "),
        ("clone --clone.temperature 1e-46", "--clone.temperature must be 0 or at least 0.001, got 1e-46"),
        ("qrdqn --qrdqn.kappa 1e-46", "--qrdqn.kappa must be between 1e-06 and 1,000, got 1e-46"),
        ("evaluator --fit.kappa 1e-46", "--fit.kappa must be between 1e-06 and 1,000, got 1e-46"),
    ],
)
def test_numbers_that_would_end_in_none_are_refused(options, sentence, capsys):
    assert main(["train", *options.split(), "--dry-run"]) == 2
    assert sentence in capsys.readouterr().err


def test_what_an_evaluator_is_to_learn_from_is_looked_at_before_its_directory_is_made(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for more in ([], ["--dry-run"]):
        assert main(["train", "evaluator", "--data.policy", "risk:0.5:best", *more]) == 2
        assert "--data.policy is 'risk:0.5:best': " in capsys.readouterr().err
    monkeypatch.setenv("MLX_DRMARIO_DEVICE", "tpu")
    assert main(["train", "level0", *SMALL.split()]) != 0
    assert "MLX_DRMARIO_DEVICE is 'tpu'" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_an_evaluator_goes_on_without_the_policy_that_played(tmp_path, capsys):
    assert main(["train", "level0", "--out", str(tmp_path / "a"), *SMALL.split()]) == 0
    small = "--data.games 4 --data.rows 2 --fit.epochs 1 --fit.minibatch 8 --net.width 8 --net.encoder mlp --no-compile"
    words = ["--data.policy", str(tmp_path / "a"), "--data.max-decisions", "10", "--out", str(tmp_path / "e")]
    assert main(["train", "evaluator", *words, *small.split()]) == 0
    (tmp_path / "a").rename(tmp_path / "b")
    assert main(["train", "resume", str(tmp_path / "e")]) == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "games"),
    [
        ("--env.level 3 --env.speed low", " --levels 3 --speed low"),
        ("--env.last-level 12", " --levels 0,5,10,12"),
        ("", ""),
    ],
)
def test_the_games_that_are_suggested_are_as_those_of_the_run(options, games, tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["train", "level0", "--out", str(run), *SMALL.split(), *options.split()]) == 0
    assert f"  drmario eval --policy {run}{games}\n" in capsys.readouterr().out
