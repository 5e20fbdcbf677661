"""What computed a run's numbers: versions, processor, commit."""

import os
import platform
import subprocess

import keras_saliency


def versions() -> dict[str, str]:
    """Of this package, Python, and the libraries that a result depends on."""
    import keras
    import numpy
    import PIL
    import scipy
    import tensorflow as tf

    libraries = (("keras", keras), ("tensorflow", tf), ("numpy", numpy), ("scipy", scipy))
    return {
        "keras_saliency": keras_saliency.__version__,
        "python": platform.python_version(),
        **{name: library.__version__ for name, library in (*libraries, ("pillow", PIL))},
    }


def processor() -> str:
    """The processor's name, for tables of times."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = (line.split(":", 1)[1].strip() for line in file if "model name" in line)
            return next(names, platform.processor())
    except OSError:
        return platform.processor()


def git_commit() -> str | None:
    """Of the package's own checkout; None if it is installed from elsewhere."""
    folder = os.path.dirname(os.path.abspath(__file__))
    command = ["git", "-C", folder, "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
