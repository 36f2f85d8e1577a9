"""Feature networks by their names, or from a file.

Scores with different features do not compare: name the network beside every one of them.
"""

from pathlib import Path

import keras

from wgan_gp.imagenet.efficientnet_lite0 import load_efficientnet_lite0
from wgan_gp.imagenet.inception import load_inception
from wgan_gp.metrics.feature_network import FeatureNetwork
from wgan_gp.metrics.onnx_features import load_onnx_features
from wgan_gp.support.errors import InputError
from wgan_gp.support.files import digest, plain_path, reading
from wgan_gp.support.shapes import input_shape, output_shape


def load_feature_network(
    name: str | Path | keras.Model, value_range: tuple[float, float] = (-1.0, 1.0)
) -> FeatureNetwork:
    """The network called `name`, or the one in that file.

    Args:
        name: one of
            'inception' - Keras's InceptionV3, 2,048 features; weights downloaded once (88 MB);
            'efficientnet-lite0' - 1,280 features;
            a file .h5 or .weights.h5 - weights of Keras's InceptionV3 without its classes;
            a file .keras - any Keras model images -> features;
            a file .onnx - any network images -> features, channels last or first (extra `onnx`);
            or a Keras model itself.
        value_range: of the images that the network in a .keras or .onnx file takes. Those with a
            name have their own: InceptionV3 -1..1, as its `preprocess_input`; EfficientNet-Lite0
            (x - 127) / 128.

    Raises:
        InputError: there is no such network or file, it cannot be read, its weights are out of
            reach (found out within seconds), or an extra is missing.
    """
    if isinstance(name, keras.Model):
        return _of_model(name.name, name, value_range)
    if name == "inception":
        return _inception("inception_v3", load_inception())
    if name == "efficientnet-lite0":
        run = load_efficientnet_lite0().predict_on_batch
        return FeatureNetwork(name, run, 224, (-127 / 128, 1.0))
    check_feature_name(name)
    return _from_file(plain_path(Path(name)), value_range)


def check_feature_name(name: str | Path) -> None:
    """Raise an InputError if there is neither a network nor a file of that name."""
    if not isinstance(name, str | Path):
        raise InputError(f"features are a network's name, its file, or a Keras model, not {name!r}")
    path = plain_path(Path(name))
    is_file = path.is_file() and path.suffix in (".h5", ".keras", ".onnx")
    if not is_file and name not in ("inception", "efficientnet-lite0"):
        raise InputError(
            f"there are no features '{name}': use inception, efficientnet-lite0 or a file .h5, "
            f".keras or .onnx"
        )


def _from_file(path: Path, value_range: tuple[float, float]) -> FeatureNetwork:
    with reading(path):
        name = f"{path.name}@{digest(path)[:8]}"
    if path.suffix == ".h5":
        return _inception(name, load_inception(path))
    if path.suffix == ".onnx":
        return load_onnx_features(path, name, value_range)
    return _of_model(name, _load_keras(path), value_range)


def _of_model(name: str, model: keras.Model, value_range: tuple[float, float]) -> FeatureNetwork:
    match input_shape(model):
        case (_, size, width, 1 | 3 | None as channels) if size == width:
            pass
        case shape:
            raise InputError(
                f"'{name}' does not take square images of 1 or 3 channels, but {shape}"
            )
    if not isinstance(output_shape(model), tuple):
        raise InputError(f"'{name}' has several outputs: of features there is one")
    return FeatureNetwork(name, model.predict_on_batch, size, value_range, channels or 3)


def _inception(name: str, model: keras.Model) -> FeatureNetwork:
    return FeatureNetwork(name, model.predict_on_batch, 299, (-1.0, 1.0))


def _load_keras(path: Path) -> keras.Model:
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # as many kinds as there are layers
        raise InputError(f"'{path}' cannot be read as a Keras model: {error}") from error
