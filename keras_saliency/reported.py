"""What papers report, to be set beside what is measured here.

Each number with its source. The papers' protocols differ in part from those of
`protocols`, and SALICON's numbers are of its 2015 edition.
"""

from keras_saliency.protocols import heading

SOURCES = {
    "salgan": "SalGAN, arXiv 1701.01081",
    "poster": "SalGAN poster, SUNw 2017",
    "replication": "Khanna 2021, without pretraining",
    "lsun": "JuntingNet, LSUN 2015",
    "pix2pix": "Chaldaiopoulos, pix2pix for saliency",
}


# Dataset and split, then lines of: model | source | scores
REPORTED = {
    ("salicon", "test"): """
        SalGAN | salgan | auc_borji 0.884, sauc 0.772, nss 2.459, cc 0.781
        SalGAN | replication | auc_borji 0.839, sauc 0.698, nss 1.581, cc 0.756
        ML-NET | poster | auc_borji 0.866, sauc 0.768, nss 2.789, cc 0.743
        SalNet | poster | auc_borji 0.858, sauc 0.724, nss 1.859, cc 0.609
        DSCLRCN | salgan | auc_borji 0.884, sauc 0.776, nss 3.157, cc 0.831
        JuntingNet | lsun | auc_judd 0.8364, auc_borji 0.8291, sauc 0.6698, cc 0.5957, sim 0.5198
        BMS | lsun | auc_judd 0.7899, auc_borji 0.7699, sauc 0.6935, cc 0.4268, sim 0.4542
        GBVS | lsun | auc_judd 0.7899, auc_borji 0.7816, sauc 0.6303, cc 0.4212, sim 0.4460
        Itti | lsun | auc_judd 0.6669, auc_borji 0.6603, sauc 0.6101, cc 0.2046, sim 0.3777
    """,
    ("salicon", "val"): """
        SalGAN, BCE only | poster | auc_borji 0.833, sauc 0.757, nss 2.580, cc 0.772, ig 1.067
        SalGAN | poster | auc_borji 0.859, sauc 0.773, nss 2.560, cc 0.786, ig 1.243
        SalGAN, MSE only | salgan | auc_borji 0.820, sauc 0.728, nss 1.680, cc 0.708, ig 0.628
    """,
    ("isun", "test"): """
        JuntingNet | lsun | auc_judd 0.8693, auc_borji 0.8463, sauc 0.6650, cc 0.8230, sim 0.6833
        BMS | lsun | auc_judd 0.6914, auc_borji 0.6560, sauc 0.5885, cc 0.3465, sim 0.5026
        GBVS | lsun | auc_judd 0.8115, auc_borji 0.7913, sauc 0.6208, cc 0.5087, sim 0.4798
        Itti | lsun | auc_judd 0.7489, auc_borji 0.7262, sauc 0.6024, cc 0.3728, sim 0.4251
    """,
    ("cat2000", "val"): """
        pix2pix, 128 discriminator filters | pix2pix | nss 1.43
        pix2pix, 64 discriminator filters | pix2pix | nss 1.37
        minimum human baseline | pix2pix | nss 1.54
        CEDNS | pix2pix | nss 2.39
    """,
}


def rows(data: str, split: str) -> dict[str, dict[str, float]]:
    """The reported scores of a dataset's split, by model and source; empty if there are none.

    Args:
        data: the dataset's name, as in `datasets`, perhaps with its release:
            of "salicon:2017" none, its scores cannot be compared with 2015's, and
            none of "salicon:2015-json", which has no fixations but all mouse samples.
        split: its split.

    Example:
        >>> rows("salicon", "val")["SalGAN (SalGAN poster, SUNw 2017)"]["nss"]
        2.56
        >>> rows("osie", "test"), rows("salicon:2017", "val")
        ({}, {})
    """
    name, _, release = data.partition(":")
    if release in ("2017", "2015-json"):
        return {}
    found = {}
    for line in REPORTED.get((name, split), "").strip().splitlines():
        model, source, scores = (part.strip() for part in line.split("|"))
        pairs = (score.split() for score in scores.split(","))
        found[f"{model} ({SOURCES[source]})"] = {name: float(value) for name, value in pairs}
    return found


def table(data: str, split: str) -> str:
    """The reported scores as a Markdown table, or nothing if there are none.

    Args:
        data: the dataset's name, as in `datasets`, perhaps with its release:
            of "salicon:2017" none, its scores cannot be compared with 2015's, and
            none of "salicon:2015-json", which has no fixations but all mouse samples.
        split: its split.

    Example:
        >>> table("osie", "test")
        ''
        >>> print(table("cat2000", "val").splitlines()[-1])
        | CEDNS (Chaldaiopoulos, pix2pix for saliency) | 2.39 |
    """
    found = rows(data, split)
    if not found:
        return ""
    names = list(dict.fromkeys(name for scores in found.values() for name in scores))
    lines = [
        f"\nReported for {data} {split}:\n",
        f"| | {' | '.join(map(heading, names))} |",
        "|---" * (len(names) + 1) + "|",
    ]
    for model, scores in found.items():
        cells = [f"{scores[name]:g}" if name in scores else "–" for name in names]
        lines.append(f"| {model} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
