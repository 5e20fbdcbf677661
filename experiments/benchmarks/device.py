"""What computes: its name, its clock, and the most that it can do."""

import importlib
import time

import keras
import numpy as np
from keras import ops

from keras_saliency import provenance

LEAST_SECONDS, BLOCKS = 0.2, 5  # of a block of calls, and how many are measured


class Device:
    """What Keras' backend computes on, in one precision; and how long it takes for something."""

    def __init__(self, precision):
        self.backend = keras.backend.backend()
        self.dtype = precision if precision.endswith("float16") else "float32"
        module = importlib.import_module(self.backend)
        whole = precision != "tensorfloat32"
        if self.backend == "jax":
            multiplied = {"float32": "highest", "tensorfloat32": "tensorfloat32"}
            module.config.update("jax_default_matmul_precision", multiplied.get(precision))
            self.gpu = module.default_backend() == "gpu"
            name = module.devices()[0].device_kind
        elif self.backend == "torch":
            module.backends.cudnn.allow_tf32 = not whole
            module.backends.cuda.matmul.allow_tf32 = not whole
            module.backends.cudnn.benchmark = True
            self.gpu = module.cuda.is_available()
            name = module.cuda.get_device_name() if self.gpu else ""
        else:
            module.config.experimental.enable_tensor_float_32_execution(not whole)
            gpus = module.config.list_physical_devices("GPU")
            self.gpu = bool(gpus)
            details = module.config.experimental.get_device_details
            name = details(gpus[0])["device_name"] if gpus else ""
        self.place = "cuda" if self.gpu else "cpu"
        self.name = name if self.gpu else provenance.processor()
        self.module = module

    def wait(self, result):
        if self.backend == "jax":
            self.module.block_until_ready(result)
        elif self.backend == "torch" and self.gpu:
            self.module.cuda.synchronize()
        elif self.backend == "tensorflow":
            self.module.test.experimental.sync_devices()

    def seconds(self, call):
        """Of a call, one for each block of many, between which the machine is waited for."""
        for _ in range(3):
            begin = time.perf_counter()
            self.wait(call())
        many = max(1, int(LEAST_SECONDS / (time.perf_counter() - begin)))
        found = []
        for _ in range(BLOCKS):
            begin = time.perf_counter()
            for _ in range(many):
                result = call()
            self.wait(result)
            found.append((time.perf_counter() - begin) / many)
        return found

    def peak(self):
        """TFLOP/s of a large product of matrices, and of a large convolution."""
        side, pictures = (8192, 64) if self.gpu else (1024, 1)
        maps = pictures, 48, 64, 256
        matrix, images, kernel = (
            ops.cast(np.random.default_rng(0).normal(size=shape).astype("float32"), self.dtype)
            for shape in ((side, side), maps, (3, 3, 256, 256))
        )
        compiled = {"jax": "jit", "tensorflow": "function"}.get(self.backend)
        compiled = getattr(self.module, compiled) if compiled else lambda function: function
        product = compiled(lambda a, b: a @ b)
        convolution = compiled(lambda a, b: ops.conv(a, b, padding="same"))
        times = (
            self.seconds(lambda: product(matrix, matrix)),
            self.seconds(lambda: convolution(images, kernel)),
        )
        work = 2 * side**3, 2 * 9 * 256 * int(np.prod(maps))
        found = [n / float(np.median(t)) / 1e12 for n, t in zip(work, times, strict=True)]
        return dict(zip(("product", "convolution"), found, strict=True))
