"""Every code block of the pages runs, or is at least parsed by the program that it calls.

The pages' files are made up (`document_files`), networks and trainings tiny. A
word in capitals in a command (`DIR`, `MAPS`) is a file or folder of that name.
"""

import argparse
import contextlib
import glob
import importlib
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys

import document_files
import keras
import pytest
import train_salgan
from document_blocks import (
    PAGES,
    ROOT,
    blocks,
    commands,
    inline_commands,
    shell,
    without_fences,
)

import keras_saliency as ks

# Other programs of the pages, and why they are not run here.
NOT_RUN = {
    "pip": "it would change the environment that the tests run in; .ci/run does both installs",
    "pip-audit": "it asks a service on the net",
    "pytest": "it is what runs this",
    "ruff": ".ci/run does",
    "sphinx-build": "the last test here does",
    "tensorboard": "it stays open",
    "docker": "the server's image comes from the net: docs/serving.md says what is tested",
    "curl": "asks the server", "printf": "for curl", "jq": "for curl", "base64": "for curl",
    "export": "sets a variable for the next line",
    "addons=$(mktemp": ".ci/run does", "python3.11": ".ci/run does",
    "...": "Beam's own flags, for clusters that are not here",
}  # fmt: skip
# Scripts that take seconds on made-up data; the others, and other data, are parsed. Of trainings
# the README's own on `mydata` is run, by `prepared`; tests/experiments has the others.
RUN = {"attention", "check_data", "compare", "convert_pickle", "evaluate", "export", "predict",
       "predict_many"}  # fmt: skip
RESUMED = []  # commands that went on with a run; two pages have the same
FASTER = ("bms", "itti")  # a baseline with a fifth of its work
# What is not made up here: tests/test_videos.py, test_formats.py, test_bulk.py have it.
NOT_MADE = (".mp4", "--format", ".tfrecord")
# Python that is run elsewhere, as it needs what extras bring.
ELSEWHERE = {"docs/formats.md": "tests/test_formats.py"}
# What text blocks without a reader are: files' names, and what programs print.
SHOWN = ("mydata/images/", "photo.jpg\n", "SALICON, release", "train_salgan.py: lost", "max_batch",
         "prometheus_config")  # fmt: skip
TINY_RECIPE = {"size": (32, 48), "batch_size": 4, "content_epochs": 1, "epochs": 0, "width": 1 / 16}
# In the pages' Python, so that it takes seconds.
SMALLER = {
    "(96, 128": "(32, 48",
    "width=0.25": "width=0.0625",
    "steps_per_epoch=30, epochs=16": "steps_per_epoch=1, epochs=1",
    "last=10": "last=1",
    "SalGANGenerator(weights=None)": "SalGANGenerator((32, 48, 3), weights=None, width=0.0625)",
    "(16, 192, 256, ": "(8, 32, 48, ",
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder with all files that examples name, a trained run among them."""
    folder = tmp_path_factory.mktemp("pages")
    document_files.write(folder)
    scripts = [command[1:] for command in shell("README.md") if "--run-dir" in command]
    [(_, *flags)] = [given for given in scripts if "--resume" not in given]
    with contextlib.chdir(folder), small():
        train_salgan.main(flags)
    for name in ("NAME", "osie"):
        (folder / "runs" / name).symlink_to("mine")
    (folder / "RUN").symlink_to("runs/mine")
    shutil.copy(folder / "runs" / "mine" / "model.keras", folder / "salgan.keras")
    return folder


@pytest.fixture
def here(prepared, tmp_path, monkeypatch):
    """A page's own copy of it, as the current folder."""
    folder = tmp_path / "here"
    shutil.copytree(prepared, folder, symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())  # a page sets another
    return folder


@contextlib.contextmanager
def small():
    """Few made-up scenes, and a training of an epoch."""
    load = ks.datasets.synthetic.load
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(train_salgan.RECIPES, "folder", {**train_salgan.QUICK, **TINY_RECIPE})
        patch.setattr(
            ks.datasets.synthetic,
            "load",
            lambda *given, **options: load(*given, **{**options, "limit": 8}),
        )
        yield


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of(page, here):
    names = {"build_network": lambda: ks.legacy.load_model("old.h5")}
    with small():
        for block in blocks(page):
            try:
                check_block(page, block, names)
            except pytest.skip.Exception as lacking:
                print(f"{block.where} not run: {lacking}")
            except (Exception, SystemExit) as error:
                raise AssertionError(f"{block.where}: {type(error).__name__}: {error}") from error
        for command in inline_commands(page):
            parse(command[1], command[2:])


def check_block(page, block, names):
    if block.language == "python":
        if page not in ELSEWHERE:
            run_python(block, names)
    elif block.language == "sh":
        for command in commands(block.text):
            run_command(command)
    elif block.language == "json":
        json.loads(block.text)
    elif block.language == "text":
        check_text(block)
    else:
        assert block.language.startswith("{"), "a block needs its language"


def run_python(block, names):
    code = block.text
    for whole, small in SMALLER.items():
        code = code.replace(whole, small)
    if "maps/manifest.json" in code:
        pytest.importorskip("apache_beam")  # which wrote them
    exec(compile(code, block.where, "exec"), names)


def run_command(command):
    if command[0].startswith("KERAS_SALIENCY_PROFILE="):  # tests/test_board.py sets it
        command = command[1:]
    program = os.path.basename(command[0])
    if program != "python":
        assert program in NOT_RUN, f"{program}: run it here, or say in NOT_RUN why not"
    elif command[1] == "-c":
        exec(command[2], {})
    elif not command[1].startswith("experiments/"):
        assert (ROOT / command[1]).is_file() and "addons" in command[1]
    else:
        call(command[1], [word for given in command[2:] for word in expanded(given)])


def expanded(word):
    return sorted(glob.glob(word)) or [word.replace(*FASTER)]


def call(script, given):
    """Runs a script that takes seconds; of the others only the flags are read."""
    parse(script, given)
    name = pathlib.Path(script).stem
    resumes = "--resume" in given and name == "train_salgan" and given not in RESUMED
    RESUMED.extend([given] if resumes else [])
    not_here = "--data" in given and "folder" not in given
    not_made = [word for word in given for kind in NOT_MADE if kind in word]
    if name == "predict_many" and not importlib.util.find_spec("apache_beam"):
        return
    if (
        (name in RUN or resumes)
        and not (not_here or not_made)
        and os.path.dirname(script) == "experiments"
    ):
        importlib.import_module(name).main(given)


class Parsed(Exception):  # noqa: N818 - not an error
    pass


def parse(script, given):
    """Reads the flags as the script does."""
    path = ROOT / script
    assert path.is_file(), f"{script} is not there"
    if path.parent.name == "experiments":
        importlib.import_module(path.stem).parse_args(given)
        return
    with pytest.MonkeyPatch.context() as patch:  # they parse in `main`, and begin

        def stop(parser, args=None, namespace=None):
            _, unknown = known(parser, args, namespace)
            assert not unknown, f"{script} has no {unknown}"
            raise Parsed

        known = argparse.ArgumentParser.parse_known_args
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        patch.setattr(sys, "argv", [str(path), *given])
        patch.syspath_prepend(str(path.parent))
        spec = importlib.util.spec_from_file_location(f"documented_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        with pytest.raises(Parsed):
            module.main()


def check_text(block):
    assert not [line for line in block.text.splitlines() if line.startswith(("python ", "pip "))]
    if block.text.startswith("image,x,y"):
        document_files.write_shown(pathlib.Path("shown"), block.text)
        assert not any(example.dropped for example in ks.datasets.folder.load("shown"))
    elif block.text.startswith("model_config_list"):
        configs = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
        from google.protobuf import text_format

        found = text_format.Parse(block.text, configs.ModelServerConfig())
        assert [each.name for each in found.model_config_list.config] == ["salgan", "juntingnet"]
    else:
        assert block.text.startswith(SHOWN), "what is it? give it a reader, or add it to SHOWN"


@pytest.mark.parametrize("page", PAGES)
def test_commands_stand_in_fences(page):
    indented = [line for line in without_fences(page).splitlines() if line.startswith("    python")]
    assert not indented


def test_what_is_listed_is_there():
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    assert [word for word in (*SMALLER, *SHOWN) if word not in text] == []
    assert NOT_RUN.keys() <= {os.path.basename(words[0]) for page in PAGES for words in shell(page)}
    for page, test in ELSEWHERE.items():
        assert page.split("/")[-1] in (ROOT / test).read_text(encoding="utf-8")


def test_the_reader_of_commands_sees_all_kinds():
    text = "a 'b c' && d \\\n  -e | f > g  # h\nexport I='j\nk'\n... -- --l"
    expected = [["a", "b c"], ["d", "-e"], ["f"], ["export", "I=j\nk"], ["...", "--", "--l"]]
    assert commands(text) == expected


def test_a_wrong_flag_is_found(here):
    for wrong in ("experiments/export.py --model runs/NAME --target served/1",
                  "experiments/predict.py --model runs/NAME photo.jpg --output maps --fit wide",
                  "experiments/benchmarks/salgan.py --pytorch PYTHON"):  # fmt: skip
        script, *given = wrong.split()
        with pytest.raises((SystemExit, AssertionError)):
            parse(script, given)
    with pytest.raises(AssertionError, match="say in NOT_RUN why not"):
        run_command(["wget", "http://localhost"])


def test_the_documents_build(tmp_path):
    pytest.importorskip("furo")
    pytest.importorskip("myst_parser")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-qW", "--keep-going", "docs", str(tmp_path / "built")],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    reference = (tmp_path / "built" / "reference" / "scores.html").read_text(encoding="utf-8")
    assert "keras_saliency.scores.nss" in reference and "Vision Research 2005" in reference
