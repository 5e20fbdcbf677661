"""What `check_data.py` says first: which files a dataset's folder holds."""

import cat2000_tree
from checks import refused

from keras_saliency.datasets import (
    cat2000,
    folder,
    isun,
    mit300,
    mit1003,
    pysaliency,
    synthetic,
)


def test_what_was_found_is_described_in_a_line(tmp_path):
    """In every dataset's own words; of one's own data, whether it is a CSV or maps."""
    root = str(tmp_path)
    refused(lambda: isun.describe(root), "training.mat")
    refused(lambda: mit1003.describe(root), "ALLSTIMULI")
    refused(lambda: mit300.describe(root), "BenchmarkIMAGES")
    assert cat2000.describe(root) == "CAT2000; trainSet: nothing; testSet: nothing"
    cat2000_tree.write_tree(tmp_path, ("Action", "Art"), 1, 1, (27, 48))
    assert "trainSet" in cat2000.describe(root) and "2 categories" in cat2000.describe(root)
    for name in ("maps", "fixations", "BenchmarkIMAGES", "ALLSTIMULI", "ALLFIXATIONMAPS", "image"):
        (tmp_path / name).mkdir()
    assert folder.describe(root).endswith("images/ with maps in fixations/ and maps/")
    (tmp_path / "fixations.csv").touch()
    described = "fixations in fixations.csv; fixations/ and maps/ not read"
    assert folder.describe(root).endswith(described)
    assert mit300.describe(root).startswith(f"MIT300 in {tmp_path / 'BenchmarkIMAGES'}")
    for name in ("a_fixPts.jpg", "a_fixMap.jpg", "b_fixMap.jpg"):
        (tmp_path / "ALLFIXATIONMAPS" / name).touch()
    assert mit1003.describe(root).endswith(
        "ALLSTIMULI (0 .jpeg), ALLFIXATIONMAPS (1 _fixPts.jpg), ALLFIXATIONMAPS (2 _fixMap.jpg)"
    )
    (tmp_path / "validation.mat").touch()
    pictures_in = tmp_path / "image"
    assert isun.describe(root) == f"iSUN in {root}: validation.mat; pictures in {pictures_in}"
    pysaliency.save(synthetic.load(split="test", limit=2), root)
    assert pysaliency.describe(root).startswith(f"pysaliency's files in {root}: stimuli.hdf5 (")
