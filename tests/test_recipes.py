"""A training script's recipe, and the pictures it holds out."""

import argparse

import numpy as np
import pytest

from keras_saliency import recipes
from keras_saliency.datasets import Example
from keras_saliency.errors import InputError

RECIPE = {"size": (96, 128), "epochs": 3, "rate": 0.5, "mirror": True, "order": "first"}
CHOICES = {"order": ("first", "last")}
RANGES = {"epochs": (0, 10), "rate": (0, 1)}


def filled(*flags):
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int)
    recipes.add_flags(parser, RECIPE)
    args = parser.parse_args(flags)
    recipes.fill(args, RECIPE, CHOICES, RANGES)
    return args


def test_what_is_not_given_is_the_recipes():
    args = filled()
    assert {name: getattr(args, name) for name in RECIPE} == RECIPE


def test_flags_and_set_come_first():
    args = filled("--epochs", "7", "--set", "mirror=no", "rate=0.25", "--set", "order=last")
    assert (args.epochs, args.mirror, args.rate, args.order) == (7, False, 0.25, "last")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--set", "speed=3"], ["NAME=VALUE", "epochs, rate, mirror, order", "speed=3"]),
        (["--set", "rate"], ["NAME=VALUE"]),
        (["--set", "rate=fast"], ["rate is a number", "fast"]),
        (["--set", "rate=nan"], ["rate is a number"]),
        (["--set", "rate=2"], ["rate is 0 to 1", "2"]),
        (["--set", "mirror=perhaps"], ["yes or no"]),
        (["--set", "order=middle"], ["first, last", "middle"]),
        (["--set", "size=3x4"], ["given by its own flag"]),
        (["--epochs", "2", "--set", "epochs=3"], ["epochs is given twice"]),
        (["--epochs", "11"], ["epochs is 0 to 10"]),
    ],
)
def test_mistakes(flags, words):
    with pytest.raises(InputError) as caught:
        filled(*flags)
    assert all(word in str(caught.value) for word in words), caught.value


def test_a_picture_is_not_judged_by_its_mirror_image():
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (20, 8, 8, 3)).astype("uint8")
    both = [*pictures, *pictures[:, :, ::-1]]
    examples = [
        Example(str(i), (8, 8), np.zeros((0, 2)), image=image) for i, image in enumerate(both)
    ]
    kept, held = recipes.held_out(examples, 0.25, seed=0)
    assert (len(kept), len(held)) == (30, 10)
    assert not {int(e.name) % 20 for e in kept} & {int(e.name) % 20 for e in held}


def test_the_seed_decides_what_is_held_out():
    examples = [Example(str(i), (8, 8), np.zeros((0, 2)), f"{i}.jpg") for i in range(50)]
    names = [{e.name for e in recipes.held_out(examples, 0.2, seed)[1]} for seed in (0, 0, 1)]
    assert names[0] == names[1] != names[2] and len(names[0]) == 10


def test_something_must_be_left_on_both_sides():
    examples = [Example(str(i), (8, 8), np.zeros((0, 2)), f"{i}.jpg") for i in range(4)]
    assert [len(part) for part in recipes.held_out(examples, 0.01, 0)] == [3, 1]
    with pytest.raises(InputError, match="leaves nothing"):
        recipes.held_out(examples, 0.99, 0)
    with pytest.raises(InputError, match="leaves nothing"):
        recipes.held_out(examples[:1], 0.1, 0)


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("bce", {"bce": 1.0}),
        ("kld+0.5*cc+0.1*nss", {"kld": 1.0, "cc": 0.5, "nss": 0.1}),
        (" 2 * mse + 1e-2*bhattacharyya", {"mse": 2.0, "bhattacharyya": 0.01}),
    ],
)
def test_sums_of_losses_are_read(text, weights):
    assert recipes.loss_weights(text) == weights


@pytest.mark.parametrize(
    "text", ["", "kld+", "emd", "kld-cc", "-1*kld", "0*kld", "nan*cc", "x*cc", "kld*2", "cc+cc"]
)
def test_what_is_no_sum_of_losses_is_one_line(text, capsys):
    with pytest.raises(InputError, match="a loss is a sum such as kld"):
        recipes.loss_weights(text)
    parser = argparse.ArgumentParser()
    recipes.add_loss(parser, "--loss", default="mse", papers="mse", allowed=("mse", "kld", "cc"))
    with pytest.raises(SystemExit):
        parser.parse_args([f"--loss={text}"])
    line = capsys.readouterr().err.splitlines()[-1]
    assert "--loss: a loss is a sum" in line and "once: mse, kld, cc." in line


def test_a_loss_of_fixations_needs_fixations():
    looked = Example("a.jpg", (4, 4), np.zeros((3, 2)))
    unseen = Example("b.jpg", (4, 4), np.zeros((0, 2)))
    recipes.check_looked_at({"nss": 1.0}, [unseen, looked])
    recipes.check_looked_at({"kld": 1.0}, [unseen])
    with pytest.raises(InputError, match="nss needs fixations"):
        recipes.check_looked_at({"kld": 1.0, "nss": 0.1}, [unseen])
