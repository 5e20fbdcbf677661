"""Published densities beside blurred fixations: the sigma is found, misfits are named."""

import numpy as np
import pytest

from keras_saliency import blurs, map_files, maps
from keras_saliency.checking import Entry
from keras_saliency.datasets import Example

SIZE = (120, 160)
SIGMA = 10.0


def entries(sigma=SIGMA, count=6, **fields):
    random = np.random.default_rng(0)
    made = []
    for i in range(count):
        points = random.normal(random.uniform(30, 90, 2), 15, (40, 2)).clip(0, 119)
        density = maps.density(points, SIZE, sigma)
        made.append(Entry("train", Example(f"{i}", SIZE, points, **{"density": density, **fields})))
    return made


def test_densities_of_the_datasets_sigma_fit():
    found, findings = blurs.compare(entries(), SIGMA)
    assert found.pictures == 6
    assert found.best == 1.0
    assert found.ccs[1.0] > 0.999
    assert found.worst[1] > 0.999
    assert findings == []


@pytest.mark.parametrize("times", [0.5, 1.4, 2.0])
def test_the_better_sigma_is_found(times):
    found, findings = blurs.compare(entries(times * SIGMA), SIGMA)
    assert found.best == times
    assert found.ccs[times] > 0.999 > found.ccs[1.0]
    assert [(f.wrong, f.text) for f in findings] == [
        (False, f"the densities fit {times:g} times that blur better")
    ]


def test_without_a_sigma_it_is_a_part_of_the_width():
    found, _ = blurs.compare(entries(160 / 34), None)
    assert found.best == 1.0


def test_a_density_in_a_file_of_another_size(tmp_path):
    path = str(tmp_path / "a.png")
    (entry,) = entries(count=1)
    map_files.write_png(path, entry.example.density[::2, ::2])
    found, findings = blurs.compare(entries(count=1, density=None, density_path=path), SIGMA)
    assert found.ccs[1.0] > 0.99
    assert findings == []


def test_turned_densities_do_not_fit():
    turned = [
        Entry("train", Example(e.example.name, SIZE, e.example.fixations, density=d[::-1, ::-1]))
        for e, d in ((entry, entry.example.density) for entry in entries())
    ]
    _, (finding,) = blurs.compare(turned, SIGMA)
    assert finding.wrong
    assert "do not fit" in finding.text


def test_one_that_does_not_fit_is_named():
    found = entries(count=9)
    density = found[4].example.density[::-1, ::-1]
    found[4] = Entry("train", Example("odd", SIZE, found[4].example.fixations, density=density))
    result, (finding,) = blurs.compare(found, SIGMA)
    assert finding.wrong
    assert "train odd" in finding.text
    assert result.worst[0] == "train odd"


def test_a_constant_density_does_not_fit():
    _, (finding,) = blurs.compare(entries(density=np.ones(SIZE)), SIGMA)
    assert finding.wrong


def test_a_density_that_cannot_be_read(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    found = [*entries(count=1), *entries(count=1, density=None, density_path=str(path))]
    result, (finding,) = blurs.compare(found, SIGMA)
    assert finding.wrong
    assert str(path) in finding.text
    assert result.pictures == 1


def test_nothing_to_compare():
    assert blurs.compare(entries(density=None), SIGMA) == (None, [])
    empty = [Entry("a", Example("a", SIZE, np.zeros((0, 2)), density=np.ones(SIZE)))]
    assert blurs.compare(empty, SIGMA) == (None, [])


def test_of_many_a_sample_is_compared():
    assert blurs.compare(entries(count=70), SIGMA)[0].pictures == blurs.SAMPLE
