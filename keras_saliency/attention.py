"""What people do with a saliency map: attention in regions, its focal point, two designs compared.

"Attention" is the map's mass: the share of all glances that falls somewhere,
as far as the map is right about them. docs/attention.md says how far that is.
"""

import dataclasses

import numpy as np
from scipy import ndimage

from keras_saliency import attention_regions, densities, protocols
from keras_saliency.cropping import TIE
from keras_saliency.errors import InputError

REACH = 1 / 4  # of the picture's shorter side


def region_shares(saliency_map, regions) -> list[float]:
    """The share of a map's mass in each region.

    Args:
        saliency_map: `(height, width)` or `(height, width, 1)`, real numbers; a
            map with negative values is shifted up so that its smallest is 0, and
            one of zeros is uniform.
        regions: iterable of `(x, y, width, height)` in pixels, or of masks of the
            map's size, boolean or uint8. They may overlap.

    Returns: a float from 0 to 1 for each region, in their order.

    Raises:
        InputError: if a region is empty or reaches out of the map.

    Example:
        >>> saliency_map = np.array([[0, 1, 2], [0, 1, 4]])
        >>> region_shares(saliency_map, [(2, 0, 1, 2), (0, 0, 2, 1), saliency_map == 1])
        [0.75, 0.125, 0.25]
    """
    density = densities.to_density(saliency_map)[..., 0]
    regions = [attention_regions.checked(region, density.shape) for region in regions]
    return [_sum(density, region) for region in regions]


def per_area(saliency_map, regions) -> list[float]:
    """How many times more attention each region has than its share of the area.

    1 is what a region of that size has if people look everywhere alike. The
    number depends on where the region lies: at the middle of a picture it is
    above 1 in most pictures.

    Args:
        saliency_map, regions: as in `region_shares`.

    Returns: a float from 0 up for each region, in their order.

    Example:
        >>> per_area(np.array([[0, 1, 2], [0, 1, 4]]), [(2, 0, 1, 2), (0, 0, 2, 1)])
        [2.25, 0.375]
    """
    shares, areas = region_shares(saliency_map, regions), area_shares(saliency_map, regions)
    return [share / area for share, area in zip(shares, areas, strict=True)]


def area_shares(saliency_map, regions) -> list[float]:
    """The share of the area that each region covers; `region_shares` of a uniform map."""
    return region_shares(np.ones(np.shape(saliency_map)[:2]), regions)


def elsewhere(saliency_map, regions) -> float:
    """The share of a map's mass that is in none of the regions.

    Example:
        >>> elsewhere(np.array([[0, 1, 2], [0, 1, 4]]), [(2, 0, 1, 1), (2, 0, 1, 2)])
        0.25
    """
    density = densities.to_density(saliency_map)[..., 0]
    rest = np.ones(density.shape, bool)
    for region in regions:
        region = attention_regions.checked(region, density.shape)
        rest &= ~attention_regions.as_mask(region, density.shape)
    return _sum(density, rest)


def _sum(density, region):
    if isinstance(region, tuple):
        x, y, width, height = region
        return float(density[y : y + height, x : x + width].sum())
    return float(density[region].sum())


def focal_point(saliency_map, reach: float = REACH) -> tuple[int, int]:
    """The one pixel that has most attention around it.

    Around a pixel, mass counts the less the further away it is: fully at the
    pixel, linearly less across and down, not at all from `reach` on. The map's
    largest value alone would be brittle: one bright pixel beats a face. Of
    several such pixels the one nearest to the picture's middle is taken, which
    of a constant map is the middle itself.

    Args:
        saliency_map: as in `region_shares`.
        reach: as a share of the picture's shorter side, 0-1; 0: the pixel alone.
            By default a quarter: of a 600x800 picture seen as OSIE's were, 6
            degrees of visual angle. From 1/8 to 1/3 matters little.

    Returns: x and y, 0-based, in pixels.

    Raises:
        InputError: if it is no map, or no such reach.

    Example:
        >>> saliency_map = np.zeros((40, 60))
        >>> saliency_map[10, 5], saliency_map[30:33, 40:43] = 3, 1
        >>> focal_point(saliency_map), focal_point(saliency_map, reach=0)
        ((41, 31), (5, 10))
    """
    if not 0 <= reach <= 1:
        raise InputError(f"reach must be from 0 to 1. Received: {reach!r}")
    near = densities.to_density(saliency_map)[..., 0]
    height, width = near.shape
    # Two running means of an odd number of pixels make the linear fall; with
    # zeros around, so that nothing beyond the border counts.
    side = 2 * round((reach * min(height, width) - 1) / 2) + 1
    if side > 1:
        near = np.pad(near, side)
        for axis in (0, 1, 0, 1):
            near = ndimage.uniform_filter1d(near, side, axis, mode="constant")
        near = near[side:-side, side:-side]
    y, x = np.nonzero(near >= near.max() * (1 - TIE))
    nearest = ((2 * x - width + 1) ** 2 + (2 * y - height + 1) ** 2).argmin()
    return int(x[nearest]), int(y[nearest])


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What `compare_designs` found.

    Args:
        regions: a dict a region: "name", "a" and "b", its shares of attention in
            the two designs, and "difference", b less a; None where a design does
            not have that region.
        cc, sim: how alike the two maps are, 1 if equal, as the scores of these
            names; None if the designs' sizes differ or a map is constant.
    """

    regions: list[dict]
    cc: float | None
    sim: float | None


def compare_designs(map_a, map_b, regions_a: dict, regions_b: dict) -> Comparison:
    """Where attention goes in one design and in another.

    Args:
        map_a, map_b: saliency maps, as in `region_shares`, of any sizes.
        regions_a, regions_b: name to region, of `attention_regions.read`. What is
            called the same in both is compared, wherever it lies.

    Example:
        >>> a, b = np.array([[3, 1], [0, 0]]), np.array([[1, 1], [1, 1]])
        >>> found = compare_designs(a, b, {"logo": (0, 0, 1, 1)}, {"logo": (0, 0, 2, 1)})
        >>> found.regions
        [{'name': 'logo', 'a': 0.75, 'b': 0.5, 'difference': -0.25}]
    """
    a = dict(zip(regions_a, region_shares(map_a, regions_a.values()), strict=True))
    b = dict(zip(regions_b, region_shares(map_b, regions_b.values()), strict=True))
    rows = []
    for name in dict.fromkeys([*a, *b]):
        both = name in a and name in b
        difference = b[name] - a[name] if both else None
        rows.append({"name": name, "a": a.get(name), "b": b.get(name), "difference": difference})
    return Comparison(rows, *_alike(map_a, map_b))


def _alike(map_a, map_b):
    """CC and SIM, or None."""
    a, b = (densities.to_density(each)[..., 0] for each in (map_a, map_b))
    if a.shape != b.shape or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None, None
    truth = protocols.Truth(a.shape, np.zeros(0, int), a, None, None, ())
    found = protocols.score(b, truth, "mit")
    return found["cc"], found["sim"]
