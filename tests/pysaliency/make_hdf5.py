"""Writes hdf5/: small datasets in pysaliency's own files, and what pysaliency reads in them.

In the environment of make_reference.py, with h5py:

    pip install h5py
    python tests/pysaliency/make_hdf5.py

`python tests/pysaliency/make_hdf5.py DIR` prints what pysaliency reads in a
folder that `keras_saliency.datasets.pysaliency.save` wrote.
"""

import importlib.metadata
import json
import pathlib
import shutil
import sys

import numpy as np
from PIL import Image

FOLDER = pathlib.Path(__file__).with_name("hdf5")
SIZES = {"a.png": (12, 16), "sub/b.png": (9, 20), "sub/c.png": (15, 10)}
# Of picture, subject: x, y, seconds. Some lie on borders, 15.99 as pysaliency clips.
SCANPATHS = [
    (0, 0, [3.0, 2.7, 15.99], [2.0, 11.99, 5.5], [0.2, 0.35, 0.1]),
    (2, 4, [0.0, 9.6], [14.5, 0.49], [0.25, 0.3]),
    (0, 4, [3.0], [2.0], [0.15]),
    (1, 1, [19.0, 7.25, 7.75, 0.5], [8.0, 0.0, 4.5, 8.7], [0.4, 0.1, 0.2, 0.3]),
]


def main():
    import pysaliency

    if len(sys.argv) > 1:
        print(json.dumps(read(pathlib.Path(sys.argv[1])), indent=1))
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    ns, subjects, xs, ys, seconds = (list(column) for column in zip(*SCANPATHS, strict=True))
    trains = pysaliency.FixationTrains.from_fixation_trains(
        xs, ys, [np.arange(len(x)) for x in xs], ns, subjects,
        scanpath_fixation_attributes={"durations": seconds},
        scanpath_attribute_mapping={"durations": "duration"},
    )  # fmt: skip
    files = FOLDER / "files"
    for number, (name, size) in enumerate(SIZES.items()):
        path = files / "Stimuli" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(number, size)).save(path)
    paths = [str(files / "Stimuli" / name) for name in SIZES]
    pysaliency.FileStimuli(paths, attributes={"category": ["x", "y", "ü"]}).to_hdf5(
        str(files / "stimuli.hdf5")
    )
    trains.to_hdf5(str(files / "fixations.hdf5"))

    arrays = FOLDER / "arrays"
    arrays.mkdir()
    pictures = [picture(number, size) for number, size in enumerate(SIZES.values())]
    pictures[1] = pictures[1][..., 0]
    pysaliency.Stimuli(pictures).to_hdf5(str(arrays / "stimuli.hdf5"))
    pysaliency.Fixations.create_without_history(trains.x, trains.y, trains.n).to_hdf5(
        str(arrays / "fixations.hdf5")
    )
    expected = {name: read(FOLDER / name) for name in ("files", "arrays")}
    expected["pysaliency"] = importlib.metadata.version("pysaliency")
    text = json.dumps(expected, indent=1, sort_keys=True) + "\n"
    (FOLDER / "expected.json").write_text(text)


def picture(number, size):
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.stack([rows * 9, columns * 9, np.full(size, 80 * number)], axis=2).astype("uint8")


def read(folder):
    """What pysaliency finds in a folder, and its own scores of a map that rises to the right."""
    import pysaliency
    from pysaliency.saliency_map_models import SaliencyMapModel

    class Ramp(SaliencyMapModel):
        def _saliency_map(self, stimulus):
            rows, columns = np.mgrid[: stimulus.shape[0], : stimulus.shape[1]]
            return columns * 2.0 + rows

    stimuli = pysaliency.read_hdf5(str(folder / "stimuli.hdf5"))
    fixations = pysaliency.read_hdf5(str(folder / "fixations.hdf5"))
    durations = getattr(fixations, "duration", None)
    return {
        "sizes": [list(map(int, size)) for size in stimuli.sizes],
        "means": [float(np.mean(picture)) for picture in stimuli.stimuli],
        "x": fixations.x.tolist(),
        "y": fixations.y.tolist(),
        "column": fixations.x_int.tolist(),
        "row": fixations.y_int.tolist(),
        "n": fixations.n.tolist(),
        "subjects": fixations.subjects.tolist(),
        "durations": durations if durations is None else durations.tolist(),
        "names": list(stimuli.attributes.get("name", [])),
        "nss": Ramp().NSSs(stimuli, fixations).tolist(),
        "auc": Ramp().AUC_per_image(stimuli, fixations),
    }


if __name__ == "__main__":
    main()
