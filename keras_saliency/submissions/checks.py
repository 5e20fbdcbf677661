"""What can be wrong with predictions for a benchmark."""

import numpy as np
from scipy import special

from keras_saliency.errors import InputError
from keras_saliency.submissions.stimuli import stem

TOLERANCE = 1e-3  # of the logarithm of a density's sum: the Tuebingen server's own
LISTED = 10  # problems that a message names; the others it counts


def check(predictions, sizes: dict, log_density: bool = False) -> list[str]:
    """What is wrong with predictions: a line each, none if nothing is.

    Args:
        predictions: iterable of `(name, map)`, as for the writers.
        sizes: name of every picture -> `(height, width)`, as `stimulus_sizes`
            returns it.
        log_density: the maps are log densities, not saliency maps.

    Example:
        >>> maps = [("a.png", np.eye(3)), ("b.png", np.ones((3, 3)))]
        >>> check(maps, {"a.jpg": (3, 3), "b.jpg": (3, 3), "c.jpg": (3, 3)})
        ['b.png: the same value everywhere', 'c.jpg: missing']
    """
    problems = []
    for _ in accepted(predictions, sizes, problems, log_density):
        pass
    return problems


def accepted(predictions, sizes: dict, problems: list, log_density: bool = False):
    """Yields predictions that nothing is wrong with, until the first that something is.

    Args:
        predictions, sizes, log_density: as in `check`.
        problems: list to which a line is added for each problem; it is complete
            when the generator is at its end.

    Yields: `(name, map)`: the picture's own name and an array `(height, width)`.
    """
    pictures = {stem(name): name for name in sizes}
    seen = set()
    for name, values in predictions:
        picture = pictures.get(stem(name))
        if picture is None:
            problems.append(f"{name}: there is no stimulus of this name")
        elif picture in seen:
            problems.append(f"{name}: comes twice")
        elif isinstance(values, InputError):
            problems.append(str(values))
        elif wrong := _wrong(np.asarray(values), sizes[picture], log_density):
            problems.append(f"{name}: {wrong}")
        elif not problems:  # else it would be written for nothing
            yield picture, np.asarray(values).reshape(sizes[picture])
        seen.add(picture)
    problems.extend(f"{name}: missing" for name in sizes if name not in seen)


def raise_problems(problems: list[str], path: str) -> None:
    """Raises one `InputError` for all problems, if there are any."""
    if problems:
        more = [f"and {len(problems) - LISTED} more"] if len(problems) > LISTED else []
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        text = "; ".join(problems[:LISTED] + more).replace("\n", " ")
        raise InputError(f"{path}: {count}: {text}")


def _wrong(values, size, log_density):
    if values.shape not in (size, (*size, 1)):
        return f"{values.shape} instead of {size} (height, width)"
    if not np.isfinite(values).all():
        return "not finite somewhere"
    if values.min() == values.max():
        return "the same value everywhere"
    if log_density:
        total = special.logsumexp(values.astype("float64"))
        if abs(total) > TOLERANCE:
            return f"no log density: the logarithm of its sum is {total:.3g} instead of 0"
    elif values.min() < 0:
        return f"negative somewhere: {values.min():.3g}"
    return None
