"""Is one model really better than another? Their scores compared, picture by picture."""

import csv
import dataclasses
import math

import numpy as np
from scipy import stats

from keras_saliency import bootstrap, untrusted
from keras_saliency.errors import InputError
from keras_saliency.protocols import LOWER_IS_BETTER, heading

SCORES = ("auc_judd", "auc_borji", "auc", "sauc", "nss", "cc", "sim", "kld", "ig", "emd")
SIGNIFICANT = 0.05


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
    """What two score files have in common."""

    pictures: tuple[str, ...]  # in the first file's order
    scores: tuple[str, ...]  # in the order of `SCORES`
    a: np.ndarray  # float64 `(pictures, scores)`, NaN where a picture has no score
    b: np.ndarray
    only_a: int  # how many pictures the other file does not have
    only_b: int


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One score of two models on the same pictures; NaN is what cannot be told."""

    score: str
    pictures: int  # that have it in both files; what follows is of these
    mean_a: float
    mean_b: float
    difference: float  # mean of b - a
    low: float  # of the 95% interval of `difference`
    high: float
    p: float  # of Wilcoxon's signed-rank test, two-sided
    holm_p: float  # corrected for the number of scores
    better: str  # "a" or "b", to whose side the signed ranks lean, or ""
    win_rate: float  # share of the pictures on which b is better, ties half


def read_csv(path: str) -> dict[str, dict[str, float]]:
    """The scores of every picture, as `experiments/evaluate.py` writes them.

    Args:
        path: CSV file with a header: a column `image` and any of `SCORES`.
            Other columns are left out; "nan" or nothing means no score.

    Returns: scores by name, by picture, in the file's order.

    Raises:
        InputError: if the file is missing, empty or damaged, has a picture
            twice, or something that is not a finite number.

    Example:
        >>> import os, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "scores.csv")
        ...     _ = open(path, "w").write("image,nss\\n1001.jpg,1.5\\n")
        ...     read_csv(path)
        {'1001.jpg': {'nss': 1.5}}
    """
    try:
        with untrusted.table(path) as file:
            return _read(csv.reader(file, strict=True), path)
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as CSV ({error})") from error


def _read(lines, path):
    header = [name.strip() for name in next(lines, [])]
    scores = [name for name in header if name in SCORES]
    if header.count("image") != 1 or not scores or len(set(scores)) < len(scores):
        raise InputError(
            f"{path} must have one column `image` and, once each, some of {', '.join(SCORES)}; "
            f"its first line is {','.join(header)[:80]!r}"
        )
    rows = {}
    for line in filter(None, lines):
        where = f"{path}, line {lines.line_num}"
        if len(line) != len(header):
            raise InputError(f"{where}: {len(line)} values, the header has {len(header)}")
        values = dict(zip(header, line, strict=True))
        values["image"] = untrusted.from_cell(values["image"])
        if values["image"] in rows:
            raise InputError(f"{where}: {values['image']!r} comes a second time")
        rows[values["image"]] = {name: _number(values[name], name, where) for name in scores}
    if not rows:
        raise InputError(f"{path} has a header and no pictures")
    return rows


def _number(text, name, where):
    try:
        value = float(text.strip() or "nan")
    except ValueError:
        value = math.inf
    if math.isinf(value):
        raise InputError(f"{where}: {name} is {text!r}, wanted a finite number or nan")
    return value


def paired(a: dict, b: dict) -> Pairs:
    """The pictures and scores that two files have in common.

    Args:
        a, b: as from `read_csv`.

    Raises:
        InputError: if they have no picture or no score in common.

    Example:
        >>> pairs = paired({"1.jpg": {"nss": 1.0}, "2.jpg": {"nss": 2.0}}, {"2.jpg": {"nss": 3.0}})
        >>> pairs.pictures, pairs.b.tolist(), pairs.only_a, pairs.only_b
        (('2.jpg',), [[3.0]], 1, 0)
    """
    pictures = tuple(name for name in a if name in b)
    if not pictures:
        first = " and ".join(repr(next(iter(rows), "")) for rows in (a, b))
        raise InputError(f"the two files have no picture in common; their first ones are {first}")
    rows = [rows[name] for rows in (a, b) for name in pictures]
    scores = tuple(name for name in SCORES if all(name in row for row in rows))
    if not scores:
        raise InputError(f"the two files share no score: {list(rows[0])} and {list(rows[-1])}")
    values = np.array([[row[name] for name in scores] for row in rows])
    only = len(a) - len(pictures), len(b) - len(pictures)
    return Pairs(pictures, scores, *np.split(values, 2), *only)


def compare(a: dict, b: dict, resamples: int = 10_000, seed: int = 0) -> list[Comparison]:
    """Compares two models on the pictures that both were scored on.

    The interval is the percentile bootstrap's over the pictures; p values are
    two-sided. They tell how the two trained models differ on pictures like
    these, not how two trainings of them would.

    Args:
        a, b: as from `read_csv`.
        resamples: how often the pictures are drawn anew.
        seed: of the draws.

    Returns: one record a score, in the order of `SCORES`.

    Raises:
        InputError: if they have no picture or no score in common.

    Example:
        >>> a = {f"{i}.jpg": {"nss": 1.0} for i in range(8)}
        >>> b = {f"{i}.jpg": {"nss": 1.0 + i} for i in range(8)}
        >>> record = compare(a, b)[0]
        >>> record.difference, round(record.low, 1), round(record.high, 1), record.win_rate
        (3.5, 1.9, 5.1, 0.9375)

    Reference: Wilcoxon, Biometrics Bulletin 1(6):80-83, 1945 (the test); Efron,
    Annals of Statistics 7(1):1-26, 1979 (the bootstrap).
    """
    pairs = paired(a, b)
    means = bootstrap.resampled_means(pairs.b - pairs.a, resamples, seed)
    records = [
        _one(score, pairs.a[:, i], pairs.b[:, i], means[:, i])
        for i, score in enumerate(pairs.scores)
    ]
    corrected = holm([record.p for record in records]).tolist()
    return [dataclasses.replace(r, holm_p=p) for r, p in zip(records, corrected, strict=True)]


def _one(score, a, b, resampled_means):
    """The record of one score, not yet corrected for the others."""
    known = ~np.isnan(b - a)
    a, b, n = a[known], b[known], known.sum()
    if not n:
        return Comparison(score, 0, *[math.nan] * 7, "", math.nan)
    # From one picture nothing is known of the others.
    low, high = np.nanpercentile(resampled_means, [2.5, 97.5]) if n > 1 else [math.nan] * 2
    moved = (b - a)[a != b]
    gains = -moved if score in LOWER_IS_BETTER else moved
    lean = np.sum(np.sign(gains) * stats.rankdata(np.abs(gains)))
    better = "b" if lean > 0 else "a" if lean < 0 else ""
    p = stats.wilcoxon(moved).pvalue if len(moved) else 1.0
    wins = np.sum(gains > 0) + (n - len(gains)) / 2
    numbers = map(float, (a.mean(), b.mean(), (b - a).mean(), low, high, p, math.nan))
    return Comparison(score, int(n), *numbers, better, float(wins / n))


def holm(p_values) -> np.ndarray:
    """Corrects p values for how many there are, by Holm's step-down method.

    Args:
        p_values: `(n,)`; NaN, of a test that could not be made, does not count.

    Returns: float64 `(n,)`, in the same order.

    Example:
        >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
        [0.03, 0.06, 0.06]

    Reference: Holm, "A simple sequentially rejective multiple test procedure",
    Scandinavian Journal of Statistics 6(2):65-70, 1979.
    """
    p_values = np.asarray(p_values, "float64")
    order = np.argsort(p_values)  # NaN comes last
    corrected = np.empty_like(p_values)
    steps = p_values[order] * (np.sum(~np.isnan(p_values)) - np.arange(len(order)))
    corrected[order] = np.maximum.accumulate(steps).clip(max=1)
    return corrected


def most_different(a: dict, b: dict, score: str, count: int) -> list[str]:
    """The pictures on which two models differ most, both ways.

    Args:
        a, b: as from `read_csv`.
        score: one of the scores that both have.
        count: at most so many pictures; of an odd number b's half is the larger.

    Returns: names, where a is most ahead, then where b is, largest difference first.

    Raises:
        InputError: if they have no picture in common, or not the score.

    Example:
        >>> a = {"1.jpg": {"kld": 1.0}, "2.jpg": {"kld": 2.0}, "3.jpg": {"kld": 3.0}}
        >>> b = {"1.jpg": {"kld": 1.1}, "2.jpg": {"kld": 2.2}, "3.jpg": {"kld": 2.5}}
        >>> most_different(a, b, "kld", 2)
        ['2.jpg', '3.jpg']
    """
    pairs = paired(a, b)
    if score not in pairs.scores:
        raise InputError(f"the two files share no {score}; they share {', '.join(pairs.scores)}")
    differences = (pairs.b - pairs.a)[:, pairs.scores.index(score)]
    gains = -differences if score in LOWER_IS_BETTER else differences
    order = np.argsort(gains, kind="stable")
    for_a = [i for i in order if gains[i] < 0]
    for_b = [i for i in order[::-1] if gains[i] > 0]
    # What one side cannot fill is the other's.
    for_a = for_a[: max(count // 2, count - len(for_b))]
    for_b = for_b[: count - len(for_a)]
    return [pairs.pictures[i] for i in [*for_a, *for_b]]


def table(records: list[Comparison], name_a: str, name_b: str) -> str:
    """A Markdown table: one line a score, arrows to the better side.

    Args:
        records: as from `compare`.
        name_a, name_b: the models'.

    Example:
        >>> record = Comparison("kld", 40, 1.0, 0.8, -0.2, -0.31, -0.09, 2e-4, 2e-4, "b", 0.75)
        >>> print(table([record], "old", "new").splitlines()[2])
        | KLD ↓ | 40 | 1.000 | 0.800 | -0.200 | -0.310 to -0.090 | <0.001 | <0.001 | 75% | **new** |
    """
    name_a, name_b = (name.replace("|", "\\|") for name in (name_a, name_b))
    columns = "difference | 95% interval | p | Holm p | wins | better"
    note = (
        f"difference: {name_b} - {name_a}, mean over the pictures, and its bootstrap interval; "
        "p: Wilcoxon's signed-rank test; Holm p: corrected for the number of scores; "
        f"wins: pictures on which {name_b} is better, ties half; better: at Holm p < {SIGNIFICANT}"
    )
    lines = [f"| | pictures | {name_a} | {name_b} | {columns} |", "|---" * 10 + "|"]
    lines += [_line(record, {"a": name_a, "b": name_b}) for record in records]
    return "\n".join([*lines, "", note])


def _line(record, names):
    lower = record.score in LOWER_IS_BETTER
    cells = [heading(record.score), str(record.pictures)]
    if not record.pictures:
        return f"| {' | '.join([*cells, *['–'] * 8])} |"
    cells += [f"{record.mean_a:.3f}", f"{record.mean_b:.3f}", f"{record.difference:+.3f}"]
    cells += ["–" if math.isnan(record.low) else f"{record.low:+.3f} to {record.high:+.3f}"]
    cells += ["<0.001" if p < 0.001 else f"{p:.3f}" for p in (record.p, record.holm_p)]
    better = "–"
    if record.holm_p < SIGNIFICANT and record.better:
        better = f"**{names[record.better]}**"
        # The test goes by ranks: a few pictures can pull the mean to the other side.
        if (record.better == "b") != ((record.difference < 0) == lower):
            better += " (not by mean)"
    return f"| {' | '.join([*cells, f'{record.win_rate:.0%}', better])} |"
