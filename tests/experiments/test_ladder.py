"""The ablation: what each rung is trained with, what is trained again, and the table."""

import json
import os
import types

import ladder
import numpy as np
import pytest
import train_salgan

from keras_saliency import files
from keras_saliency.errors import InputError

TINY = {"size": (32, 48), "batch_size": 2, "content_epochs": 1, "epochs": 1, "width": 1 / 16}
LEVELS = {"MSE": 1.0, "BCE": 1.5, "BCE_4": 1.6, "GAN_4": 1.6}  # of NSS


@pytest.fixture
def trained(monkeypatch):
    """The flags of the runs, which only write scores: NSS by rung, seed and picture."""
    seen = []

    def train(flags):
        seen.append(flags)
        run_dir = flags[-1]
        rung, seed = os.path.split(run_dir)
        level = LEVELS[os.path.basename(rung)] + 0.1 * int(seed.removeprefix("seed_"))
        steps = np.linspace(-0.1, 0.1, 20)
        rows = [
            {"image": f"{i}.jpg", "nss": level + i + steps[i] * (rung[-1] == "4"), "kld": 1.0}
            for i in range(20)
        ]
        files.write_json(os.path.join(run_dir, "config.json"), {})
        files.write_csv(os.path.join(run_dir, "scores.csv"), rows)

    monkeypatch.setattr(ladder, "train", train)
    return seen


def climb(output, *flags):
    ladder.main(["--output", str(output), *flags])


def test_every_rung_trains_for_as_many_epochs(trained, tmp_path):
    climb(tmp_path, "--seeds", "1", "--encoder", "mobilenet", "--content-epochs", "3")
    own = {}
    for flags in trained:
        assert flags[:4] == ["--encoder", "mobilenet", "--content-epochs", "3"]
        args = train_salgan.parse_args(flags)
        phases = args.content_epochs, args.epochs
        own[os.path.relpath(flags[-1], tmp_path)] = (
            args.content_loss, args.content_downsample, phases, args.seed,
        )  # fmt: skip
    epochs = train_salgan.QUICK["epochs"]
    assert own == {
        "MSE/seed_0": ("mse", 1, (3 + epochs, 0), 0),
        "BCE/seed_0": ("bce", 1, (3 + epochs, 0), 0),
        "BCE_4/seed_0": ("bce", 4, (3 + epochs, 0), 0),
        "GAN_4/seed_0": ("bce", 4, (3, epochs), 0),
    }


def test_the_light_recipe_less_one_part_each(trained, tmp_path):
    LEVELS.update({name.replace(" ", "_"): 1.0 for name in ladder.WITHOUT})
    climb(tmp_path, "--without", "--seeds", "1", "--encoder", "mobilenet", "--content-epochs", "6")
    recipe = train_salgan.parse_args(["--decoder", "light", "--encoder", "mobilenet"])
    changed = {}
    for flags in trained:
        args = vars(train_salgan.parse_args(flags))
        name = os.path.basename(os.path.dirname(flags[-1]))
        same = {"run_dir", "content_epochs", "set", "encoder_weights", "width"}
        changed[name] = {k: v for k, v in args.items() if k not in same and v != vars(recipe)[k]}
        assert args["content_epochs"] + args["epochs"] == 6
    assert changed.pop("adversary_at_last") == {"epochs": 2}
    assert changed == {
        "all": {},
        "BCE_alone": {"content_loss": "bce"},
        "KLD_alone": {"content_loss": "kld"},
        "no_zoom,_no_color": {"zoom": 0.0, "color": 0.0},
        "no_dropout": {"dropout": 0.0},
        "one_rate": {"encoder_slowdown": 1.0},
        "random_encoder": {},
    }
    table = (tmp_path / "ladder.md").read_text()
    assert "Difference: to the first line" in table and "| no dropout | 10.5" in table


def test_what_is_finished_stays_and_what_was_cut_off_goes_on(trained, tmp_path):
    climb(tmp_path, "--seeds", "1", "--rungs", "BCE/4", "MSE", "--size", "32x48")
    assert len(trained) == 2
    os.remove(tmp_path / "MSE" / "seed_0" / "scores.csv")
    climb(tmp_path, "--seeds", "2", "--rungs", "MSE", "BCE/4", "--size", "32x48")
    resumed, *begun = trained[2:]
    assert resumed == ["--resume", "--run-dir", str(tmp_path / "MSE" / "seed_0")]
    assert [flags[-3:-1] for flags in begun] == [["1", "--run-dir"]] * 2
    with pytest.raises(InputError, match="was begun with --size 32x48"):
        climb(tmp_path, "--size", "64x64")
    assert json.loads((tmp_path / "ladder.json").read_text()) == ["--size", "32x48"]


def test_the_table_has_means_spread_and_paired_differences(trained, tmp_path, capsys):
    climb(tmp_path, "--seeds", "2")
    table = (tmp_path / "ladder.md").read_text()
    assert table in capsys.readouterr().out
    cells = [line.strip("| ").split(" | ") for line in table.splitlines() if line[:1] == "|"]
    rows = dict(zip(ladder.RUNGS, [row[-6:] for row in cells[2:6]], strict=True))
    # Twenty pictures, 0 to 19: 9.5 on average; two seeds 0.1 apart.
    assert rows["MSE"] == ["10.550", "0.071", "–", "–", "–", "–"]
    assert rows["BCE"][:4] == ["11.050", "0.071", "+0.500", "+0.500 to +0.500"]
    assert float(rows["BCE"][4].strip("<")) <= 0.001
    low, high = map(float, rows["BCE/4"][3].split(" to "))
    assert rows["BCE/4"][2] == "+0.100" and low < 0.1 < high
    assert rows["GAN/4"][2:5] == ["+0.000", "+0.000 to +0.000", "1.000"]
    assert "KLD ↓" in table


def test_a_rung_is_trained_by_the_training_script(tmp_path, monkeypatch):
    commands = []

    def run(command):
        commands.append(command)
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(train_salgan.RECIPES, "synthetic", {**train_salgan.QUICK, **TINY})
            train_salgan.main(command[2:])
        return types.SimpleNamespace(returncode=0)

    monkeypatch.setattr(ladder, "subprocess", types.SimpleNamespace(run=run))
    monkeypatch.setitem(train_salgan.RECIPES, "synthetic", {**train_salgan.QUICK, **TINY})
    climb(tmp_path, "--rungs", "MSE", "--seeds", "1", "--limit", "4", "--epochs", "0")
    assert commands[0][1] == train_salgan.__file__
    assert "| NSS ↑ | MSE |" in (tmp_path / "ladder.md").read_text()
    config = json.loads((tmp_path / "MSE" / "seed_0" / "config.json").read_text())
    wanted = {"content_loss": "mse", "content_downsample": 1, "content_epochs": 1, "epochs": 0}
    assert {name: config["arguments"][name] for name in wanted} == wanted


@pytest.mark.parametrize("flag", ["--seed", "--run-dir", "--content-loss", "--resume"])
def test_what_the_rungs_differ_in_cannot_be_given(tmp_path, flag):
    with pytest.raises(InputError, match=f"{flag} is what the rungs"):
        climb(tmp_path / "new", f"{flag}=3")
    assert not (tmp_path / "new").exists()


def test_a_run_that_fails_ends_the_ladder(tmp_path, monkeypatch):
    failing = types.SimpleNamespace(run=lambda _: types.SimpleNamespace(returncode=2))
    monkeypatch.setattr(ladder, "subprocess", failing)
    with pytest.raises(SystemExit) as end:
        climb(tmp_path)
    assert end.value.code == 2
    # What was wrong with the flags does not bind the next ones: nothing was begun.
    with pytest.raises(SystemExit):
        climb(tmp_path, "--limit", "3")
    assert json.loads((tmp_path / "ladder.json").read_text()) == ["--limit", "3"]
