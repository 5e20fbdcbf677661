"""Writes reference.json: pysaliency's own scores of the cases.

In an environment of its own, since pysaliency wants NumPy 1:

    python3 -m venv /tmp/pysaliency && . /tmp/pysaliency/bin/activate
    pip install "numpy<2" "setuptools<80" wheel cython "pandas<2.3" torch
    pip install --no-build-isolation pysaliency==0.2.22
    python tests/pysaliency/make_reference.py
"""

import importlib.metadata
import json
import pathlib

import cases
import numpy as np
import pysaliency
from pysaliency.models import SaliencyMapNormalizingModel
from pysaliency.saliency_map_models import FixationMap, SaliencyMapModel

EPSILON = 2.2204e-16


class Given(SaliencyMapModel):
    """The maps of one kind; the stimulus tells the picture."""

    def __init__(self, maps, stimuli):
        super().__init__(caching=False)
        self.maps = dict(zip(stimuli.stimulus_ids, maps, strict=True))

    def _saliency_map(self, stimulus):
        return self.maps[pysaliency.datasets.get_image_hash(stimulus)]


def main():
    points = cases.fixations()
    stimuli = pysaliency.Stimuli(cases.stimuli())
    fixations = pysaliency.Fixations.create_without_history(
        x=np.concatenate(points)[:, 0],
        y=np.concatenate(points)[:, 1],
        n=np.repeat(np.arange(len(points)), [len(p) for p in points]),
    )
    truth = FixationMap(stimuli, fixations, kernel_size=cases.SIGMA)
    indices = range(len(points))
    base = SaliencyMapNormalizingModel(Given([cases.baseline(i) for i in indices], stimuli))
    found = {}
    for kind in cases.KINDS:
        model = Given([cases.saliency_map(kind, i) for i in indices], stimuli)
        gains = SaliencyMapNormalizingModel(model).information_gains(stimuli, fixations, base)
        nss = model.NSSs(stimuli, fixations)
        found[kind] = {
            "auc": model.AUC_per_image(stimuli, fixations),
            "sauc": model.AUC_per_image(stimuli, fixations, nonfixations="shuffled"),
            "nss": [nss[fixations.n == i].mean() for i in indices],
            "cc": model.CCs(stimuli, truth),
            "sim": model.SIMs(stimuli, truth),
            "kld": model.image_based_kl_divergences(
                stimuli,
                truth,
                minimum_value=0,
                log_regularization=EPSILON,
                quotient_regularization=EPSILON,
            ),
            "ig": [gains[fixations.n == i].mean() for i in indices],
        }
    rounded = {
        kind: {name: [float(value) for value in values] for name, values in scores.items()}
        for kind, scores in found.items()
    }
    reference = {"pysaliency": importlib.metadata.version("pysaliency"), "scores": rounded}
    path = pathlib.Path(__file__).with_name("reference.json")
    path.write_text(json.dumps(reference, indent=1) + "\n")


if __name__ == "__main__":
    main()
