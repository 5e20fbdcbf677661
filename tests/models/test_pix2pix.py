"""pix2pix: every layer's shape, the papers' parameter counts, and what its convolutions see."""

import keras
import numpy as np
import pytest

from keras_saliency import models
from keras_saliency.errors import InputError
from keras_saliency.layers import AlwaysDropout, InstanceNormalization

# Height, width and channels of what each convolution gives.
CAT2000 = {
    "encoder1": (72, 128, 64),
    "encoder2": (36, 64, 128),
    "encoder3": (18, 32, 256),
    "encoder4": (9, 16, 512),
    "encoder5": (5, 8, 1024),
    "bottleneck": (5, 8, 1024),
    "pair1": (5, 8, 2048),
    "decoder1_border": (9, 16, 512),
    "pair2": (9, 16, 1024),
    "decoder2": (18, 32, 256),
    "pair3": (18, 32, 512),
    "decoder3": (36, 64, 128),
    "pair4": (36, 64, 256),
    "decoder4": (72, 128, 64),
    "pair5": (72, 128, 128),
    "map": (144, 256, 1),
}
LAYOUT_B = {
    **CAT2000,
    "encoder6": (3, 4, 1024),
    "bottleneck_border": (5, 8, 1024),
}
LAYOUT_B.pop("bottleneck")
ISOLA = {
    **{
        f"encoder{i}": (256 // 2**i, 256 // 2**i, count)
        for i, count in enumerate((64, 128, 256, 512, 512, 512, 512, 512), start=1)
    },
    **{
        f"decoder{i}": (2**i, 2**i, count)
        for i, count in enumerate((512, 512, 512, 512, 256, 128, 64), start=1)
    },
    # What the decoder's convolutions take: the paper's CD512-CD1024-CD1024-C1024-...
    **{
        f"pair{i}": (2**i, 2**i, count)
        for i, count in enumerate((1024, 1024, 1024, 1024, 512, 256, 128), start=1)
    },
    "map": (256, 256, 3),
}


def shapes(model, wanted):
    return {name: tuple(model.get_layer(name).output.shape[1:]) for name in wanted}


@pytest.fixture(scope="module")
def cat2000():
    return models.Pix2PixGenerator()


@pytest.fixture(scope="module")
def isola():
    return models.Pix2PixGenerator("isola256", channels=3)


@pytest.fixture
def small():
    return models.Pix2PixGenerator(input_shape=(48, 64, 3), width=1 / 16)


def test_the_reports_network(cat2000):
    assert cat2000.input_shape == (None, 144, 256, 3)
    assert shapes(cat2000, CAT2000) == CAT2000
    assert cat2000.count_params() == 31_859_585


def test_layout_b_halves_once_more():
    model = models.Pix2PixGenerator(layout="B")
    assert shapes(model, LAYOUT_B) == LAYOUT_B
    # Layout A's, and one more 3x3 convolution of 1024 to 1024.
    assert model.count_params() == 31_859_585 + 9 * 1024**2 + 1024


def test_the_papers_network(isola):
    assert shapes(isola, ISOLA) == ISOLA
    assert isola.count_params() == 54_409_603


@pytest.mark.parametrize("filters", [64, 128])
@pytest.mark.parametrize(
    ("size", "patches"), [((144, 256), (16, 30)), ((256, 256), (30, 30)), ((48, 64), (4, 6))]
)
def test_patches(filters, size, patches):
    model = models.PatchGANDiscriminator(size, filters)
    assert model.output_shape == (None, *patches, 1)
    assert model.count_params() == {64: 2_764_865, 128: 11_034_753}[filters]
    names = {f"conv{i}": filters * 2 ** (i - 1) for i in (1, 2, 3, 4)}
    assert {name: model.get_layer(name).filters for name in names} == names


def test_the_papers_factors_of_batch_normalization():
    def factors(model):
        return sum(
            4 * layer.gamma.shape[0]
            for layer in model.layers
            if isinstance(layer, keras.layers.BatchNormalization)
        )

    model = models.Pix2PixGenerator("isola256", channels=3, normalization="batch")
    normalized = [128, 256, 512, 512, 512, 512, 512, 512, 512, 512, 512, 256, 128, 64]
    normalized.remove(512)  # the innermost has none
    assert factors(model) == 4 * sum(normalized)
    assert model.count_params() == 54_409_603 + factors(model)
    judge = models.PatchGANDiscriminator((256, 256), 64, "batch")
    assert factors(judge) == 4 * (128 + 256 + 512)


def seen_by(model, row, column, size):
    """Height and width of the input pixels that one logit depends on."""
    stimulus = np.zeros((1, *size, 3), "float32")
    random = np.random.default_rng(0)
    saliency_map = random.random((1, *size, 1)).astype("float32")
    before = np.asarray(model([stimulus, saliency_map]))[0, row, column, 0]
    seen = np.zeros(size, bool)
    for axis in (0, 1):
        other = size[1 - axis] // 2
        for place in range(size[axis]):
            pixel = (place, other) if axis == 0 else (other, place)
            changed = saliency_map.copy()
            changed[0, *pixel, 0] += 50
            after = np.asarray(model([stimulus, changed]))[0, row, column, 0]
            seen[pixel] = after != before
    return seen.any(1).sum(), seen.any(0).sum()


def test_a_logit_sees_a_patch_of_70_by_70():
    """One pixel at a time; without normalization, through which each sees everything."""
    keras.utils.set_random_seed(0)
    size = (144, 144)
    model = models.PatchGANDiscriminator(size, 4, normalization=None)
    for layer in model.layers:
        if layer.weights:  # large enough that no change is rounded away
            layer.kernel.assign(layer.kernel * 20)
    assert seen_by(model, 8, 8, size) == (70, 70)


@pytest.mark.parametrize("variant", ["A", "B"])
def test_decoder_mirrors_the_encoder(variant):
    """Transposed convolutions are the adjoints of the encoder's: <conv x, y> = <x, conv^T y>.

    What PyTorch's padding 1 (and output padding) means; Keras' own "same" puts
    the border of 3x3 kernels on the other side.
    """
    model = models.Pix2PixGenerator(layout=variant, width=1 / 16)
    random = np.random.default_rng(0)
    pairs = [("encoder5", "decoder1"), ("encoder4", "decoder2")]
    pairs += [("encoder6", "bottleneck")] if variant == "B" else []
    for down, up in pairs:
        conv, transposed = model.get_layer(down), model.get_layer(up)
        kernel = random.normal(size=(*conv.kernel_size, 1, 1)).astype("float32")
        size = tuple(conv.input.shape[1:3])
        if conv.kernel_size == (3, 3):
            size = tuple(side - 2 for side in size)  # its input has its border
        x = random.normal(size=(1, *size, 1)).astype("float32")
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        halved = keras.ops.conv(padded, kernel, 2, "valid")
        y = random.normal(size=halved.shape).astype("float32")
        layer = keras.layers.Conv2DTranspose(
            1, transposed.kernel_size, 2, transposed.padding, use_bias=False
        )
        layer.build(y.shape)
        layer.kernel.assign(kernel)
        doubled = layer(y)
        if conv.kernel_size == (3, 3):
            doubled = model.get_layer(f"{up}_border")(doubled)
        assert doubled.shape == x.shape
        expected, found = np.sum(np.asarray(halved) * y), np.sum(np.asarray(doubled) * x)
        assert found == pytest.approx(expected, rel=1e-4)


def test_the_encoders_convolutions_have_one_zero_on_every_side(small):
    """`same` is that for 4x4 kernels at even sizes; the others get it explicitly."""
    for layer in small.layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.strides == (2, 2):
            height, width = layer.input.shape[1:3]
            if layer.kernel_size == (4, 4):
                assert (layer.padding, height % 2, width % 2) == ("same", 0, 0)
            else:
                assert layer.padding == "valid"
    assert small.get_layer("encoder5_border").padding == ((1, 1), (1, 1))


def test_first_weights_are_normal_and_differ(cat2000):
    kernels = [layer.kernel.numpy() for layer in cat2000.layers if hasattr(layer, "kernel")]
    for kernel in kernels:
        assert kernel.std() == pytest.approx(0.02, rel=0.1)
        assert abs(kernel.mean()) < 0.002
    sized = [kernel.ravel()[:100].tobytes() for kernel in kernels]
    assert len(set(sized)) == len(kernels)
    biases = [layer.bias.numpy() for layer in cat2000.layers if hasattr(layer, "bias")]
    assert not any(bias.any() for bias in biases)


@pytest.mark.parametrize("variant", ["cat2000", "isola256"])
def test_where_there_is_normalization_and_dropout(variant, cat2000, isola):
    model = cat2000 if variant == "cat2000" else isola
    normalized = [x.name for x in model.layers if isinstance(x, InstanceNormalization)]
    dropped = [x.name for x in model.layers if isinstance(x, keras.layers.Dropout)]
    if variant == "cat2000":
        wanted = [f"encoder{i}_norm" for i in (2, 3, 4, 5)] + ["bottleneck_norm"]
        wanted += [f"decoder{i}_norm" for i in (1, 2, 3, 4)]
        assert dropped == [f"{x}_dropout" for x in ("bottleneck", "decoder1", "decoder2")]
    else:
        wanted = [f"encoder{i}_norm" for i in range(2, 8)]
        wanted += [f"decoder{i}_norm" for i in range(1, 8)]
        assert dropped == [f"decoder{i}_dropout" for i in (1, 2, 3)]
    assert normalized == wanted
    assert all(model.get_layer(name).epsilon == 1e-5 for name in normalized)
    assert all(not model.get_layer(name).weights for name in normalized)


def test_maps_are_0_to_1_and_repeat(small):
    stimuli = np.random.default_rng(0).integers(0, 256, (2, 48, 64, 3)).astype("float32")
    maps = small.predict(stimuli, verbose=0)
    assert maps.shape == (2, 48, 64, 1) and maps.dtype == "float32"
    assert 0 <= maps.min() < maps.max() <= 1
    np.testing.assert_array_equal(maps, small.predict(stimuli, verbose=0))


def test_dropout_in_prediction_is_asked_for(tmp_path):
    model = models.Pix2PixGenerator(input_shape=(48, 64, 3), width=1 / 16, test_dropout=True)
    stimuli = np.zeros((1, 48, 64, 3))
    stimuli[:, 20:] = 255
    assert sum(isinstance(layer, AlwaysDropout) for layer in model.layers) == 3
    model.save(tmp_path / "model.keras")
    for each in (model, keras.models.load_model(tmp_path / "model.keras")):
        first, second = (each.predict(stimuli, verbose=0) for _ in range(2))
        assert np.abs(first - second).max() > 1e-6


@pytest.mark.parametrize("normalization", ["instance", None])
def test_a_picture_does_not_depend_on_its_neighbours(normalization):
    model = models.Pix2PixGenerator(
        input_shape=(48, 64, 3), width=1 / 16, normalization=normalization
    )
    stimuli = np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3)).astype("float32")
    together = np.asarray(model(stimuli))
    alone = np.concatenate([np.asarray(model(stimuli[i : i + 1])) for i in range(3)])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_saved_and_loaded_alike(small, tmp_path):
    stimuli = np.random.default_rng(0).integers(0, 256, (2, 48, 64, 3)).astype("float32")
    judge = models.PatchGANDiscriminator((48, 64), 4)
    small.save(tmp_path / "generator.keras")
    judge.save(tmp_path / "judge.keras")
    loaded = keras.models.load_model(tmp_path / "generator.keras")
    maps = np.asarray(small(stimuli))
    np.testing.assert_array_equal(loaded(stimuli), maps)
    again = keras.models.load_model(tmp_path / "judge.keras")
    np.testing.assert_array_equal(again([stimuli, maps]), judge([stimuli, maps]))


def test_mixed_precision_ends_in_float32():
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        model = models.Pix2PixGenerator(input_shape=(48, 64, 3), width=1 / 16)
        judge = models.PatchGANDiscriminator((48, 64), 4)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.output.dtype == "float32" and judge.output.dtype == "float32"
    assert model.get_layer("encoder3").compute_dtype == "bfloat16"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"variant": "isola"}, "variant"),
        ({"layout": "C"}, "layout"),
        ({"normalization": "group"}, "normalization"),
        ({"input_shape": (150, 256, 3)}, "150x256"),
        ({"input_shape": (32, 64, 3)}, "32x64"),
        ({"input_shape": (144, 256)}, "height, width, 3"),
        ({"variant": "isola256", "input_shape": (144, 256, 3)}, "144x256"),
    ],
)
def test_wrong_arguments_of_the_generator(arguments, word):
    with pytest.raises(InputError, match=word):
        models.Pix2PixGenerator(**arguments)


def test_wrong_arguments_of_the_discriminator():
    with pytest.raises(InputError, match="100x128"):
        models.PatchGANDiscriminator((100, 128))
    with pytest.raises(InputError, match="normalization"):
        models.PatchGANDiscriminator((144, 256), normalization="group")
