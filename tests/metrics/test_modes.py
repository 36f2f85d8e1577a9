"""The modes of drawn flowers: the truth, and what the classifier makes of it."""

import keras
import numpy as np
import pytest
from helpers.drawn import draw_flowers

from wgan_gp.data.synthetic import PETAL_COLOURS, draw_labelled_picture, draw_picture
from wgan_gp.metrics import modes
from wgan_gp.metrics.modes import FlowerModes
from wgan_gp.support.errors import InputError
from wgan_gp.support.layer_defaults import layer_defaults


@pytest.fixture(scope="module")
def flower_modes() -> FlowerModes:
    """Trained on a quarter of what it would be: less accurate, and soon ready."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(modes, "_TRAINING", 1000)
        patch.setattr(modes, "_TEST", 300)
        return FlowerModes()


@pytest.fixture
def told(flower_modes, monkeypatch):
    """The function (colours, numbers of flowers) -> the modes of images classified so."""

    def modes_of(colours: list[int], counts: list[int]):
        found = {"colour": np.array(colours), "flowers": np.array(counts) - 1}
        monkeypatch.setattr(flower_modes, "_classify", lambda images: found)
        return flower_modes(np.zeros((len(colours), 32, 32, 3), np.uint8))

    return modes_of


@pytest.mark.parametrize(
    ("picture", "checksum"),
    [
        ((64, 0, 0), 233.8),
        ((64, 0, 11), 403.8),
        ((32, 7, 3), -274.0),
        ((128, 123, 42), 1449.6),
    ],
)
def test_telling_what_is_drawn_changes_no_picture(picture, checksum):
    # Each pixel counts by its place; measured before the content was told.
    pixels = draw_picture(*picture).astype(float).ravel()
    assert pixels @ np.sin(np.arange(pixels.size)) == pytest.approx(checksum, abs=3)


def test_the_content_is_the_same_at_any_size():
    for number in range(20):
        picture, content = draw_labelled_picture(32, 3, number)
        np.testing.assert_array_equal(picture, draw_picture(32, 3, number))
        assert content == draw_labelled_picture(64, 3, number)[1]


def test_contents_have_their_true_shares():
    contents = [draw_labelled_picture(2, 0, number)[1] for number in range(3000)]
    counts = np.bincount([content.n_flowers for content in contents], minlength=4) / 3000
    np.testing.assert_allclose(counts, [0, 0.85, 0.1, 0.05], atol=0.025)
    colours = np.bincount([content.colour for content in contents]) / 3000
    np.testing.assert_allclose(colours, np.full(7, 1 / 7), atol=0.025)


def test_the_petals_have_the_colour_that_is_told():
    whiteness, blueness, redness = {}, {}, {}
    for number in range(300):
        picture, content = draw_labelled_picture(32, 0, number)
        if content.n_flowers == 1:
            red, green, blue = picture[8:16, 12:20].reshape(-1, 3).astype(float).mean(axis=0)
            whiteness.setdefault(content.colour, []).append(min(red, green, blue))
            blueness.setdefault(content.colour, []).append(blue - red)
            redness.setdefault(content.colour, []).append(red - (green + blue) / 2)
    for name, measure in (("white", whiteness), ("blue", blueness), ("red", redness)):
        means = {PETAL_COLOURS[colour]: np.mean(values) for colour, values in measure.items()}
        assert max(means, key=means.get) == name


def test_shares_and_their_variation_are_those_of_the_classes_found(told):
    result = told([0, 0, 1, 6], [1, 1, 1, 3])
    assert result["colour"].shares == {**dict.fromkeys(PETAL_COLOURS, 0), "white": 0.5,
                                       "yellow": 0.25, "blue": 0.25}  # fmt: skip
    assert result["colour"].total_variation == pytest.approx(4 / 7)
    assert result["flowers"].shares == {"1": 0.75, "2": 0, "3": 0.25}
    assert result["flowers"].true_shares == {"1": 0.85, "2": 0.1, "3": 0.05}
    assert result["flowers"].total_variation == pytest.approx(0.2)


def test_true_shares_have_no_variation_and_one_colour_the_most(told):
    flowers = [1] * 119 + [2] * 14 + [3] * 7  # of 140
    assert told([*range(7)] * 20, flowers)["colour"].total_variation == pytest.approx(0)
    assert told([*range(7)] * 20, flowers)["flowers"].total_variation == pytest.approx(0)
    assert told([2] * 140, flowers)["colour"].total_variation == pytest.approx(6 / 7)


def test_even_a_small_training_set_tells_most_modes(flower_modes):
    assert flower_modes.accuracy["colour"] > 0.85
    assert flower_modes.accuracy["flowers"] > 0.9


def test_drawn_flowers_have_about_their_true_shares_and_one_repeated_has_not(flower_modes):
    flowers = draw_flowers(300, 64, seed=5)
    found = flower_modes(flowers)
    assert found["colour"].total_variation < 0.15
    assert found["flowers"].total_variation < 0.1
    collapsed = flower_modes(np.repeat(flowers[:1], 50, axis=0))
    assert collapsed["colour"].total_variation == pytest.approx(6 / 7)
    assert collapsed["colour"].accuracy == flower_modes.accuracy["colour"]


def test_training_leaves_keras_random_state_alone(monkeypatch):
    monkeypatch.setattr(modes, "_TRAINING", 64)
    monkeypatch.setattr(modes, "_TEST", 10)

    def begin_anew() -> None:
        keras.utils.clear_session()  # before Keras 3.13 a seed alone does not do it
        keras.utils.set_random_seed(1)

    def next_random() -> float:
        return float(keras.random.uniform(()))

    begin_anew()
    expected = next_random()
    begin_anew()
    first = FlowerModes()
    assert next_random() == expected
    with layer_defaults("mixed_bfloat16"):  # of a model that is measured, not of what measures
        second = FlowerModes()
    for a, b in zip(first._classifier.weights, second._classifier.weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow  # 20 s
def test_the_classifier_tells_colours_and_counts_of_new_drawings():
    accuracy = FlowerModes().accuracy
    assert accuracy["colour"] > 0.94
    assert accuracy["flowers"] > 0.96


def test_grey_images_have_no_such_modes(flower_modes):
    with pytest.raises(InputError, match="modes are those of RGB"):
        flower_modes(np.zeros((2, 32, 32, 1), np.uint8))


def test_the_accuracy_is_that_on_drawings_that_were_not_trained_on(monkeypatch):
    monkeypatch.setattr(modes, "_TRAINING", 64)
    monkeypatch.setattr(modes, "_TEST", 10)
    labelled, seeds = modes._labelled, []

    def noted(count: int, seed: int):
        seeds.append(seed)
        return labelled(count, seed)

    monkeypatch.setattr(modes, "_labelled", noted)
    FlowerModes()
    assert len({0, *seeds}) == 3  # nor on those that `draw_flowers` draws by default
