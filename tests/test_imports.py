"""Imports only go down, TensorFlow stays where it has to be, and importing is cheap."""

import ast
import importlib
import pathlib
import subprocess
import sys

import keras
import pytest

import keras_saliency

PACKAGE = pathlib.Path(keras_saliency.__file__).parent

# A module imports from the rows above its own, and from its own folder.
LEVELS = [
    {"errors", "progress", "bootstrap", "kernels", "provenance"},
    {"tensorflow_only", "untrusted"},
    {
        "archives",
        "files",
        "generators",
        "runtimes",
        "replicas",
        "sharing",
        "tensorflow_only",
        "videos",
    },
    {"shipped"},
    {
        "layers",
        "targets",
        "optimizers",
        "regularizers",
        "scores",
        "maps",
        "pictures",
        "auc",
        "mat_files",
        "resizing",
        "stopping",
        "stores",
        "salgan_reference",
    },
    {
        "folding",
        "losses",
        "metrics",
        "models",
        "datasets",
        "densities",
        "fitting",
        "inputs",
        "legacy",
        "downloads",
    },
    {
        "map_files",
        "classical",
        "attention_regions",
        "cropping",
        "protocols",
        "emd",
        "sheets",
        "salgan_weights",
        "submissions",
    },
    {
        "truths",
        "comparison",
        "attention",
        "outputs",
        "reported",
        "augmentation",
        "recipes",
        "choosing",
    },
    {"epoch_maps", "attention_pictures", "checking", "fields"},
    {"pipeline"},
    {"baselines", "gan", "serving", "shards", "blurs"},
    {"evaluation", "event_files", "prediction", "checkpoints", "export", "reports"},
    {
        "callbacks",
        "console",
        "early_stopping",
        "mending",
        "tables",
        "formats",
        "listed",
        "worklists",
        "hparams",
    },
    {"board", "devices", "engines", "fingerprints", "resuming"},
    {"strategies"},
    {"runs", "loading"},
    {"trained", "training", "bulk"},
    {"bulk_shards"},
    {"bulk_pipeline"},
]
USES_TENSORFLOW = {
    "augmentation", "board", "bulk_shards", "callbacks", "devices", "event_files", "export",
    "fingerprints", "formats", "gan", "hparams", "kernels", "listed", "mending", "pipeline",
    "prediction", "provenance", "replicas", "serving", "shards", "strategies", "tensorflow_only",
    "training",
}  # fmt: skip


def imported(source):
    """Every dotted name that some Python text imports, at its top or in a function."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports are not used here"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def first_names():
    """Module or folder below the package -> what its files import."""
    names = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        names.setdefault(name, set()).update(imported(path.read_text(encoding="utf-8")))
    return names


IMPORTS = first_names()
MODULES = sorted(IMPORTS.keys() - {"__init__"})


def level(module):
    return next(i for i, modules in enumerate(LEVELS) if module in modules)


def test_the_reader_of_imports_sees_all_kinds():
    source = (
        "import a.b, c as d\nfrom e import f as g\ndef h():\n    if i:\n        from j.k import l"
    )
    assert imported(source) == {"a.b", "c", "e.f", "j.k.l"}


def test_every_module_has_a_level():
    assert set(MODULES) <= set().union(*LEVELS)


@pytest.mark.parametrize("module", MODULES)
def test_imports_only_go_down(module):
    ours = {n.split(".")[1] for n in IMPORTS[module] if n.startswith("keras_saliency.")}
    upwards = {other for other in ours - {module} if level(other) >= level(module)}
    assert not upwards


def test_only_provenance_imports_the_package_itself():
    # The package's own file could hand out any module, whatever its level.
    assert {m for m in MODULES if "keras_saliency" in IMPORTS[m]} <= {"provenance"}


@pytest.mark.parametrize("module", sorted(set(MODULES) - USES_TENSORFLOW))
def test_tensorflow_is_not_imported(module):
    own = "keras_saliency.tensorflow_only.tf"
    assert not {n for n in IMPORTS[module] if n == own or n.split(".")[0] == "tensorflow"}


@pytest.mark.parametrize("module", ["gan", "pipeline", "prediction", "serving"])
def test_on_another_backend_one_line_says_what_needs_tensorflow(module, monkeypatch):
    # An earlier import of either would hide it.
    for name in (module, "tensorflow_only"):
        monkeypatch.delitem(sys.modules, f"keras_saliency.{name}", raising=False)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(keras_saliency.InputError, match="need TensorFlow, but Keras runs on jax"):
        importlib.import_module(f"keras_saliency.{module}")


@pytest.mark.parametrize("module", [*MODULES, "__init__"])
def test_nothing_imports_the_experiments(module):
    assert not {name for name in IMPORTS[module] if name.split(".")[0] == "experiments"}


@pytest.mark.parametrize(
    "line",
    ["import keras_saliency", "import keras_saliency.training", "import keras_saliency.evaluation"],
)
def test_importing_is_cheap(line):
    script = f"{line}\nimport sys\nprint({{'keras', 'tensorflow'}} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PACKAGE.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("name", keras_saliency.__all__)
def test_every_public_name_can_be_got(name):
    if name == "bulk_pipeline":
        pytest.importorskip("apache_beam")
    assert getattr(keras_saliency, name) is not None
    assert name in dir(keras_saliency)


def test_every_module_is_public():
    assert set(MODULES) <= set(keras_saliency.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'nothing'"):
        _ = keras_saliency.nothing
