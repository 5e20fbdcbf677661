"""What this machine's processor or GPUs are fast at.

TensorFlow is imported inside the functions: a command line is answered before
it has loaded.
"""

import contextlib
import os

MOST_STEPS = 16  # that a GPU takes at once
CPUINFO = "/proc/cpuinfo"


def choose_precision(precision: str) -> tuple[str, str]:
    """The dtype policy that is fastest here, and why.

    Args:
        precision: "auto" or a policy, which is then taken.
    """
    if precision != "auto":
        return precision, "as asked"
    from keras_saliency.tensorflow_only import tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return _precision_of_gpus([tf.config.experimental.get_device_details(g) for g in gpus])
    if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0":
        # TensorFlow's own kernels take 20 times as long for bfloat16.
        return "float32", "no GPU, and oneDNN is switched off (TF_ENABLE_ONEDNN_OPTS=0)"
    try:
        with open(CPUINFO, encoding="utf-8") as file:
            flags = next((line for line in file if line.startswith("flags")), "").split()
    except OSError:
        return "float32", f"no GPU, and no {CPUINFO} that tells what the processor can"
    for flag in ("amx_bf16", "avx512_bf16"):
        if flag in flags:
            return "mixed_bfloat16", f"the processor has {flag}"
    return "float32", "neither a GPU nor a processor with bfloat16 instructions"


def choose_precision_to_predict(precision: str) -> tuple[str, str]:
    """As `choose_precision`, but not float16, with which a loss scale goes: float32 then."""
    precision, reason = choose_precision(precision)
    if precision == "mixed_float16":
        return "float32", f"{reason}; maps are not predicted in float16"
    return precision, reason


def fix_threads() -> int:
    """Says how many threads an operation has, before TensorFlow chooses; sums depend on it.

    As many as TensorFlow would take: the environment's TF_NUM_INTRAOP_THREADS, or one
    a core that this process may use.
    """
    import tensorflow as tf

    threading = tf.config.threading
    threads = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    if threading.get_intra_op_parallelism_threads() == 0:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        with contextlib.suppress(RuntimeError):  # it has chosen, as in a notebook
            threading.set_intra_op_parallelism_threads(
                int(threads) if threads.isdecimal() and int(threads) else cores
            )
    return threading.get_intra_op_parallelism_threads()


def steps_per_execution(steps: int) -> int:
    """How many steps a GPU takes before Python looks at what came of them.

    In between it need not wait for the callbacks and the losses' way to the
    host. On a CPU, which computes within the same time that it waits, 1.

    Args:
        steps: of an epoch. The answer divides it: of an endless dataset Keras
            would take more, and the next epoch begin elsewhere.
    """
    import tensorflow as tf

    most = MOST_STEPS if tf.config.list_physical_devices("GPU") else 1
    return max(count for count in range(1, most + 1) if steps % count == 0)


def _precision_of_gpus(details):
    """What the oldest of the GPUs is fast at, from TensorFlow's details of them."""
    oldest = min(details, key=lambda one: one.get("compute_capability", (0, 0)))
    name = oldest.get("device_name", "a GPU")
    if "compute_capability" not in oldest:
        return "float32", f"{name} does not tell its compute capability"
    capability = oldest["compute_capability"]
    seen = f"{name} has compute capability {'.'.join(map(str, capability))}"
    # Tensor cores came with 7.0, for float16. Since 8.0 they take bfloat16 as fast, whose range
    # is float32's: no features that overflow, no loss scale, no step skipped.
    if capability >= (8, 0):
        return "mixed_bfloat16", f"{seen}: bfloat16 is as fast as float16 and needs no loss scale"
    if capability >= (7, 0):
        return "mixed_float16", f"{seen}: tensor cores for float16, none for bfloat16"
    return "float32", f"{seen}: no tensor cores"
