import hypothesis
import numpy as np
import pytest

from keras_saliency import SaliencyGAN, models

# Of a busy machine no deadline can be asked; and what fails, fails every time.
hypothesis.settings.register_profile("here", deadline=None, derandomize=True)
hypothesis.settings.load_profile("here")


@pytest.fixture(autouse=True, scope="session")
def keras_home(tmp_path_factory):
    """What tests keep for the next time is not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras-home")))
        yield


@pytest.fixture
def small_gan():
    """Makes an uncompiled SaliencyGAN of tiny SalGAN networks for 32x32 pictures."""

    def make():
        generator = models.SalGANGenerator((32, 32, 3), weights=None, width=1 / 16)
        return SaliencyGAN(generator, models.SalGANDiscriminator((32, 32), width=0.25))

    return make


@pytest.fixture
def batch():
    """Eight random stimuli with a density and a fixation map each."""
    random = np.random.default_rng(0)
    targets = {
        "density": random.random((8, 32, 32, 1), "float32"),
        "fixation_map": (random.random((8, 32, 32, 1)) > 0.9).astype("float32"),
    }
    return random.integers(0, 256, (8, 32, 32, 3)).astype("float32"), targets


# They run in environments of their own.
collect_ignore = ["far_store.py", "addons/make_reference.py", "pysaliency/make_reference.py"]
