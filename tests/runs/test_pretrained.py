"""The generators that come with the package."""

import os
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

import wgan_gp as package
from wgan_gp.metrics.checkerboard import grid_power_share
from wgan_gp.metrics.diversity import diversity
from wgan_gp.metrics.memorization import nearest_images
from wgan_gp.metrics.swd import SlicedWasserstein
from wgan_gp.runs.pretrained import pretrained_run
from wgan_gp.support.errors import InputError


@pytest.fixture(scope="module")
def run():
    return pretrained_run("flowers")


def test_its_quality_is_that_of_its_weights(run):
    report = run.read_quality()  # None, if it were of other weights
    assert report.reference == "held-out images"
    assert report.scores["swd"].generated < 0.2 * report.scores["swd"].untrained


def test_it_is_small_and_tells_where_it_comes_from(run):
    assert sum(file.stat().st_size for file in run.path.iterdir()) < 3_000_000
    card = (run.path / "README.md").read_text()
    for told in ("licence of the data", "| swd |", "wgan-gp train --preset flowers", "at commit"):
        assert told in card
    assert "not known" not in card
    assert not [file for file in run.path.iterdir() if file.suffix in (".png", ".jpg")]
    assert "/" not in run.read()[1]["data"]


def test_an_installer_may_link_its_files(run, tmp_path, monkeypatch):
    shutil.copytree(run.path, tmp_path / "flowers", copy_function=os.symlink)
    monkeypatch.setattr("wgan_gp.runs.pretrained._RUNS", tmp_path)
    assert package.load_pretrained("flowers").output_shape == (None, 64, 64, 3)


def test_its_images_differ_and_come_again():
    generator = package.load_pretrained("flowers")
    images = package.generate_images(generator, 64)
    assert images.shape == (64, 64, 64, 3)
    np.testing.assert_array_equal(images, package.generate_images(generator, 64))
    assert len(np.unique(images.reshape(64, -1), axis=0)) == 64


def test_its_pictures_of_inference_are_those_of_training():
    """The averaged generator keeps statistics of its own, or they would not be.

    A single batch's are too noisy to compare with: so those kept are held against the means of
    eight batches.
    """
    generator = package.load_pretrained("flowers")
    draw = np.random.default_rng(0).standard_normal
    latents = draw((256, 100)).astype("float32")
    by_those_kept = generator(latents).numpy()
    norms = [x for x in generator.layers if isinstance(x, keras.layers.BatchNormalization)]
    statistics = [variable for norm in norms for variable in norm.non_trainable_variables]
    of_batches = []
    for norm in norms:
        norm.momentum = 0.0  # so that the latest batch's are kept
    for _ in range(8):
        generator(draw((512, 100)).astype("float32"), training=True)
        of_batches.append([variable.numpy() for variable in statistics])
    for variable, values in zip(statistics, zip(*of_batches, strict=True), strict=True):
        variable.assign(np.mean(values, axis=0))
    by_those_of_batches = generator(latents).numpy()
    off = np.abs(by_those_kept - by_those_of_batches).mean()
    assert off < 0.06 * by_those_of_batches.std()


def test_they_are_like_photographs_and_are_none(flower_photographs, tmp_path):
    real = package.load_images(flower_photographs, 64, cache_dir=tmp_path)
    images = package.generate_images(package.load_pretrained("flowers"), 256)
    sample = np.random.default_rng(0).permutation(len(real))[:512]
    distance = SlicedWasserstein(real[sample[:256]])
    assert distance(images)["mean"] < 1.6 * distance(real[sample[256:]])["mean"]
    assert diversity(real[sample], images) > 0.9
    assert grid_power_share(images) < 0.002
    noise = np.random.default_rng(1).integers(-16, 17, (8, 64, 64, 3))
    copies = np.clip(real[sample[:8]] + noise, 0, 255).astype(np.uint8)
    nearness = nearness_to_one(np.concatenate([images, copies]), real)
    assert nearness[:256].min() > 0.7 > nearness[256:].max()


def nearness_to_one(images, real):
    """How far each is from its nearest photograph, to how far from the nearest that is nobody's.

    Smooth pictures are near to all smooth photographs without being copies; of copies it is small.
    """
    nearest = nearest_images(images, real)
    others = np.delete(real, nearest.numbers, axis=0)
    return nearest.distances / nearest_images(images, others).distances


def test_each_command_takes_it(wgan_gp):
    wgan_gp("generate", "--pretrained", "flowers", "--output", "flowers.png")
    with Image.open(wgan_gp.folder / "flowers.png") as picture:
        assert picture.size == (320, 320)
    film = ["--tiles=1", "--stations=2", "--frames=2"]
    wgan_gp("interpolate", "--pretrained", "flowers", *film)
    assert (wgan_gp.folder / "walk.gif").is_file()
    wgan_gp("export", "--pretrained", "flowers", "--format", "keras")
    card = (wgan_gp.folder / "flowers.keras.md").read_text()
    assert "overlaps tf_flowers" in card
    assert "each photographer's own" in card
    assert "The weights are under the licence of the code, Apache-2.0." in card
    assert "| swd |" in card


@pytest.mark.parametrize("command", ["generate", "interpolate", "export"])
@pytest.mark.parametrize("options", [[], ["--run-dir", "run", "--pretrained", "flowers"]])
def test_one_generator_has_to_be_named(wgan_gp, command, options):
    assert "name one generator: --run-dir DIR" in wgan_gp.mistake(command, *options)


def test_a_name_that_there_is_not_is_answered_with_those_that_there_are():
    with pytest.raises(InputError, match="no pretrained generator 'roses': choose from flowers"):
        package.load_pretrained("roses")
