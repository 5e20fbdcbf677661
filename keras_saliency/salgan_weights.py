"""The weights that SalGAN's authors published, in our network.

Their file could not be had here, so that nothing was checked against the released
weights themselves. What the file holds, in which order and which layers turn
their kernels around, is from the authors' code and Lasagne's; checked is that our
network, with random weights converted from such a file, gives the maps of their
layers' definitions, computed in NumPy and SciPy.
"""

import os
import warnings
import zipfile

import keras
import numpy as np

from keras_saliency import models
from keras_saliency.errors import InputError

MOST_HEADER = 4096  # characters of an array's
MOST_DIRECTORY = 65536  # bytes of the archive's list of arrays; numpy's of 54 takes 3 kB


def convert(
    path: str, input_shape: tuple[int, int, int] = (192, 256, 3), width: float = 1.0
) -> keras.Model:
    """SalGAN's generator with the weights of `gen_modelWeights0090.npz`.

    The file has 54 arrays, `arr_0` to `arr_53`: kernels `(filters, channels,
    height, width)` and biases of VGG16's 13 convolutions, of the decoder's 13 and
    of the last. VGG16's come from Caffe and are laid over the picture as they
    are, which Keras does too; the others are true convolutions: their kernels
    are turned around here. Both networks take RGB and turn it into BGR inside.

    Args:
        path: the `.npz`, float32 or float64.
        input_shape: `(height, width, 3)` that the network shall have; the
            weights fit any.
        width: float, of a file whose layers have so many times the filters.

    Returns: a `models.SalGANGenerator`, nothing of it frozen.

    Raises:
        InputError: names the array that does not fit and what was expected, or
            says that the file is missing, damaged or not to be trusted.

    Example:
        >>> import tempfile
        >>> from keras_saliency import models
        >>> network = models.SalGANGenerator((32, 32, 3), weights=None, width=0.0625)
        >>> published = [w.T for w in network.get_weights()]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(folder + "/gen_modelWeights0090.npz", *published)
        ...     model = convert(folder + "/gen_modelWeights0090.npz", (32, 48, 3), width=0.0625)
        >>> model.output_shape
        (None, 32, 48, 1)

    Reference: Pan et al., "SalGAN: Visual Saliency Prediction with Generative
    Adversarial Networks", 2017, and its authors' code.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise InputError(f"no such file: {path}")
    model = models.SalGANGenerator(input_shape, weights=None, width=width)
    convolutions = [x for x in model.layers if isinstance(x, keras.layers.Conv2D)]
    expected = []
    for layer in convolutions:
        height, columns, channels, filters = layer.kernel.shape
        expected.append((f"kernel of {layer.name}", (filters, channels, height, columns)))
        expected.append((f"bias of {layer.name}", (filters,)))
    arrays = _read(path, expected)
    for layer, kernel, bias in zip(convolutions, arrays[::2], arrays[1::2], strict=True):
        if not layer.name.startswith("block"):  # VGG16's blocks are not turned around
            kernel = kernel[:, :, ::-1, ::-1]
        layer.set_weights([kernel.transpose(2, 3, 1, 0), bias])
    return model


def _read(path, expected):
    """The file's arrays as float32; `expected`: what each is, and its shape."""
    try:
        _check_directory(path)
        with zipfile.ZipFile(path) as archive:
            _check_names(archive, len(expected), path)
            return [_array(archive, f"arr_{i}", *each, path) for i, each in enumerate(expected)]
    except InputError:
        raise
    except (Exception, MemoryError) as error:  # damaged, it raises a dozen kinds
        raise InputError(
            f"{path} cannot be read as an .npz file ({type(error).__name__}): it is damaged or "
            "another kind of file; fetch it again"
        ) from error


def _check_directory(path):
    """Raises unless the list at the archive's end, which is read whole, is short."""
    with open(path, "rb") as file:
        file.seek(-42, os.SEEK_END)
        end = file.read()
    listed = int.from_bytes(end[32:36], "little")
    # Before the end's own mark would be that of a list of more than 4 GB.
    if end[20:24] != b"PK\5\6" or end[:4] == b"PK\6\7" or listed > MOST_DIRECTORY:
        raise zipfile.BadZipFile


def _check_names(archive, count, path):
    found = archive.namelist()
    names = {f"arr_{i}.npy" for i in range(count)}
    if len(found) == count and names == set(found):
        return
    strange = sorted(set(found) - names)
    held = f", {ascii(strange[0].removesuffix('.npy'))[:60]} among them" if strange else ""
    raise InputError(
        f"{path} holds {len(found)} arrays{held}; SalGAN's generator has {count}, arr_0 to "
        f"arr_{count - 1}: take the generator's file, gen_modelWeights0090.npz"
    )


def _array(archive, name, what, shape, path):
    """One array; what it says of itself is looked at before room is made for it."""
    kinds = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if archive.getinfo(f"{name}.npy").compress_type not in kinds:
        raise zipfile.BadZipFile  # the others unpack without a limit
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about headers of Python 2
        with archive.open(f"{name}.npy") as file:
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError  # of headers that may be endless
            found, _, dtype = np.lib.format.read_array_header_1_0(file, MOST_HEADER)
        if found != shape or dtype.kind != "f" or dtype.itemsize not in (4, 8):
            raise InputError(
                f"{path}: {name}, the {what}, is {str(dtype)[:60]} of shape {str(found)[:60]}; "
                f"expected float32 of shape {shape}"
            )
        with archive.open(f"{name}.npy") as file, np.errstate(over="ignore"):
            array = np.lib.format.read_array(file, max_header_size=MOST_HEADER).astype("float32")
            if file.read(1):  # which also compares the checksum
                raise ValueError
    if not np.isfinite(array).all():
        raise InputError(f"{path}: {name}, the {what}, has numbers that are not finite")
    return array
