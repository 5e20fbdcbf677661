"""How fast the scores are, against pysaliency, in one run on one machine.

    python experiments/benchmarks/scores.py --pysaliency /tmp/pysaliency/bin/python

Both score the same maps and fixations with AUC, shuffled AUC, NSS, CC, SIM,
KLD and information gain, one process each, one after the other, and must agree
to 1e-9. pysaliency wants NumPy 1 and so an environment of its own:
tests/pysaliency/make_reference.py says how to make it.

    python experiments/benchmarks/scores.py --dataset 5000

scores that many pictures under the `mit` protocol and prints minutes and peak
memory.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time

import measuring
import numpy as np

SIZE = (480, 640)  # SALICON's
SIGMA = 19.0
FIXATIONS = 140  # a picture, as OSIE's
DISTINCT = 50  # maps; they come again, for they are many
SCORES = ("auc", "sauc", "nss", "cc", "sim", "kld", "ig")


def fixations(index):
    random = np.random.default_rng((1, index))
    middle = np.array(SIZE[::-1]) / 2
    points = random.normal(middle, middle / 2.5, (FIXATIONS, 2))
    return points.clip(0, np.array(SIZE[::-1]) - 1)


def saliency_maps(pictures):
    """Float32 maps without ties: bumps and noise."""
    distinct = [saliency_map(index) for index in range(DISTINCT)]
    return [distinct[index % DISTINCT] for index in range(pictures)]


def saliency_map(index):
    random = np.random.default_rng((2, index))
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    values = 0.1 * random.random(SIZE)
    for y, x in random.random((5, 2)) * SIZE:
        values += np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 9000)
    return values.astype("float32")


def gaussian():
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.exp(-((rows / SIZE[0] - 0.5) ** 2 + (columns / SIZE[1] - 0.5) ** 2) / 0.1)


def time_pysaliency(pictures):
    """Seconds and values by score; runs in pysaliency's environment."""
    import pysaliency
    from pysaliency.models import SaliencyMapNormalizingModel
    from pysaliency.saliency_map_models import FixationMap, SaliencyMapModel

    class Given(SaliencyMapModel):
        """Maps by number; the number is written into the stimulus' first pixel."""

        def __init__(self, maps):
            super().__init__(caching=False)
            self.maps = maps

        def saliency_map(self, stimulus):
            pixel = getattr(stimulus, "stimulus_data", stimulus)[0, 0]
            return self.maps[int(pixel[0]) * 256 + int(pixel[1])]

        def _saliency_map(self, stimulus):
            raise NotImplementedError

    stimuli = np.zeros((pictures, *SIZE, 3), "uint8")
    stimuli[:, 0, 0, 0], stimuli[:, 0, 0, 1] = np.divmod(np.arange(pictures), 256)
    stimuli = pysaliency.Stimuli(list(stimuli))
    points = np.concatenate([fixations(index) for index in range(pictures)])
    numbers = np.repeat(np.arange(pictures), FIXATIONS)
    fixed = pysaliency.Fixations.create_without_history(x=points[:, 0], y=points[:, 1], n=numbers)
    distinct = [values.astype("float64") for values in saliency_maps(DISTINCT)]
    model = Given([distinct[index % DISTINCT] for index in range(pictures)])
    baseline = SaliencyMapNormalizingModel(Given([gaussian()] * pictures))
    density = FixationMap(stimuli, fixed, kernel_size=SIGMA)
    of_picture = stimuli.stimulus_objects
    [stimulus.stimulus_id for stimulus in of_picture]  # the hashes, which are not scoring

    def mean(values):
        return np.array(values).reshape(pictures, -1).mean(1)

    truth = Given(None)
    regularized = {
        "minimum_value": 0,
        "log_regularization": 2.2204e-16,
        "quotient_regularization": 2.2204e-16,
    }
    steps = {
        "density": lambda: setattr(truth, "maps", [density.saliency_map(s) for s in of_picture]),
        "auc": lambda: model.AUC_per_image(stimuli, fixed),
        "sauc": lambda: model.AUC_per_image(stimuli, fixed, nonfixations="shuffled"),
        "nss": lambda: mean(model.NSSs(stimuli, fixed)),
        "cc": lambda: model.CCs(stimuli, truth),
        "sim": lambda: model.SIMs(stimuli, truth),
        "kld": lambda: model.image_based_kl_divergences(stimuli, truth, **regularized),
        "ig": lambda: mean(
            SaliencyMapNormalizingModel(model).information_gains(stimuli, fixed, baseline)
        ),
    }
    few = fixed[fixed.n < 1]  # compiles what is compiled at the first call
    model.AUC_per_image(stimuli, few)
    seconds, values = {}, {}
    for name, step in steps.items():
        start = time.perf_counter()
        found = step()
        seconds[name] = time.perf_counter() - start
        if name in SCORES:
            values[name] = np.asarray(found).tolist()
    return {"seconds": seconds, "values": values}


def ours(pictures, protocol, maps, baseline):
    """Seconds and rows."""
    from keras_saliency import evaluation
    from keras_saliency.datasets import Example
    from keras_saliency.truths import Truths

    examples = [Example(str(index), SIZE, fixations(index)) for index in range(pictures)]
    truths = Truths(examples, protocol, SIGMA, baseline=baseline)
    truths.of(0)  # tabulates what is tabulated at the first call
    start = time.perf_counter()
    rows = evaluation.score(maps, truths)
    return time.perf_counter() - start, rows


def against_pysaliency(python, pictures):
    """Both score the same maps, in turn and over and over; their values must be the same."""
    found = [in_turn(python, pictures) for _ in range(measuring.REPETITIONS)]
    for name in (*SCORES, "density"):
        spent = np.median([theirs[name] for theirs, _ in found])
        print(f"{name:8} {spent / pictures * 1e3:7.1f} ms a picture in pysaliency")
    theirs = [1e3 * sum(theirs.values()) / pictures for theirs, _ in found]
    ms = [1e3 * seconds / pictures for _, seconds in found]
    row = measuring.row("scoring", "", "ms a picture", ms, theirs, "pysaliency")
    measuring.hand_over([row])
    print(measuring.comparison([row]))


def in_turn(python, pictures):
    """pysaliency's seconds of each score, and ours of all."""
    command = [python, __file__, "--in-pysaliency", "--pictures", str(pictures)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    theirs = json.loads(done.stdout.splitlines()[-1])
    seconds, rows = ours(pictures, "tuebingen", saliency_maps(pictures), gaussian())
    for name in SCORES:
        difference = np.abs(np.array([row[name] for row in rows]) - theirs["values"][name]).max()
        assert difference < 1e-9, (name, difference)
    return theirs["seconds"], seconds


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pysaliency", metavar="PYTHON", help="of an environment that has it")
    parser.add_argument("--pictures", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--dataset", type=int, metavar="N", help="score N pictures under `mit`")
    parser.add_argument("--in-pysaliency", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not (args.pysaliency or args.dataset or args.in_pysaliency):
        parser.error("nothing to measure: give --pysaliency PYTHON or --dataset N")
    if args.in_pysaliency:
        print(json.dumps(time_pysaliency(args.pictures)))
        return
    from keras_saliency import provenance

    print(
        f"{provenance.processor()}, {os.cpu_count()} cores; Python {sys.version.split()[0]}, "
        f"NumPy {np.__version__}; {SIZE[0]}x{SIZE[1]}, {FIXATIONS} fixations a picture"
    )
    if args.pysaliency:
        against_pysaliency(args.pysaliency, args.pictures)
    if args.dataset:
        seconds, _ = ours(args.dataset, "mit", saliency_maps(args.dataset), None)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{args.dataset} pictures: {seconds / 60:.1f} minutes, peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()
