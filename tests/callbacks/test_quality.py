"""Quality while `fit` runs: what it logs, when, and which generator it keeps."""

import csv
import dataclasses
import errno
import json

import keras
import numpy as np
import pytest
from PIL import Image

from wgan_gp import Checkpoint, HistoryFile, InputError, Monitor, Quality, image_grid, make_dataset
from wgan_gp.metrics.checkerboard import grid_power_share
from wgan_gp.metrics.diversity import diversity
from wgan_gp.metrics.swd import sliced_wasserstein_distance
from wgan_gp.model import build_model
from wgan_gp.random_streams import QUALITY, draw_latents, stream_seed
from wgan_gp.sampling import render


@pytest.fixture
def fit(tiny_config, tiny_images):
    """Trains to an iteration in epochs of 2, from where the model is."""

    def train(model: keras.Model, to: int, *callbacks: keras.callbacks.Callback):
        done = int(model.iteration)
        return model.fit(
            make_dataset(tiny_images, tiny_config, start_iteration=done),
            initial_epoch=done // 2, epochs=to // 2, steps_per_epoch=2, callbacks=[*callbacks],
            verbose=0,
        )  # fmt: skip

    return train


def test_it_logs_the_metrics_of_the_images_of_that_moment(fit, tiny_config, tiny_images):
    model = build_model(tiny_config)
    quality = Quality(tiny_images, every=4, count=20, seed=3)
    history = fit(model, 4, quality).history
    latents = draw_latents(20, tiny_config.latent_dim, stream_seed(3, QUALITY))
    generated = render(model.generator, latents).numpy()
    swd = sliced_wasserstein_distance(quality.images, generated)["mean"]
    assert history["val_swd"][-1] == pytest.approx(swd)
    assert history["val_diversity"][-1] == pytest.approx(diversity(quality.images, generated))
    assert history["val_checkerboard"][-1] == pytest.approx(grid_power_share(generated))
    assert quality.curve[1:] == [(4, pytest.approx(swd))]


def test_every_epoch_logs_the_latest_measurement(fit, tiny_config, tiny_images):
    quality = Quality(tiny_images, every=3, count=16, last_iteration=10)
    logged = fit(build_model(tiny_config), 10, quality).history["val_swd"]
    iterations, distances = zip(*quality.curve, strict=True)
    assert iterations == (1, 3, 6, 9, 10)
    assert logged == [distances[i] for i in (0, 1, 2, 2, 4)]


def test_a_model_that_begins_anew_has_a_curve_of_its_own(fit, tiny_config, tiny_images):
    quality = Quality(tiny_images, every=3, count=16)
    for _ in range(2):
        fit(build_model(tiny_config), 4, quality)
        assert [iteration for iteration, _ in quality.curve] == [1, 3]


def test_a_model_taken_back_does_not_log_what_was_measured_later(fit, tiny_config, tiny_images):
    model, quality = build_model(tiny_config), Quality(tiny_images, every=4, count=16)
    fit(model, 8, quality)
    assert [iteration for iteration, _ in quality.curve] == [1, 4, 8]
    model.iteration.assign(2)
    assert (
        "val_swd"
        not in model.fit(
            make_dataset(tiny_images, tiny_config, start_iteration=2),
            steps_per_epoch=1,
            callbacks=[quality],
            verbose=0,
        ).history
    )
    assert [iteration for iteration, _ in quality.curve] == [1]


def test_measuring_has_no_effect_on_training(fit, tiny_config, tiny_images):
    plain, measured = build_model(tiny_config), build_model(tiny_config)
    fit(plain, 4)
    fit(measured, 4, Quality(tiny_images, every=1, count=16))
    for expected, found in zip(plain.get_weights(), measured.get_weights(), strict=True):
        np.testing.assert_array_equal(expected, found)


def test_the_best_generator_is_kept(fit, tiny_config, tiny_images, tmp_path):
    rates = dataclasses.replace(tiny_config, generator_learning_rate=0.05)
    model, snapshots = build_model(rates), {}

    class Note(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            snapshots[int(self.model.iteration)] = self.model.generator.get_weights()

    quality = Quality(tiny_images, every=1, count=16, best=tmp_path / "best.keras")
    fit(model, 12, quality, Note())
    best = min(quality.curve, key=lambda point: point[1])[0]
    assert best < 12  # so that the last one is not the best one anyway
    assert json.loads((tmp_path / "best.json").read_text())["iteration"] == best
    kept = keras.saving.load_model(tmp_path / "best.keras").get_weights()
    for expected, found in zip(snapshots[best], kept, strict=True):
        np.testing.assert_array_equal(expected, found)


def test_keras_s_own_callbacks_follow_it(fit, tiny_config, tiny_images, tmp_path):
    quality = Quality(tiny_images, every=4, count=16)  # only in every second epoch
    stop = keras.callbacks.EarlyStopping("val_swd", mode="min", patience=3, min_delta=1e9)
    saved = []

    class Keep(keras.callbacks.ModelCheckpoint):
        def _save_model(self, epoch, batch, logs):
            before = file.stat().st_mtime_ns if file.exists() else None
            super()._save_model(epoch, batch, logs)
            if file.exists() and file.stat().st_mtime_ns != before:
                saved.append((int(self.model.iteration), logs["val_swd"]))

    file = tmp_path / "best.weights.h5"
    keep = Keep(file, "val_swd", mode="min", save_best_only=True, save_weights_only=True)
    model = build_model(tiny_config)
    fit(model, 40, quality, keep, stop)
    assert int(model.iteration) == 8  # three epochs after the first, none better by a billion
    distances = [distance for _, distance in saved]
    assert distances == sorted(set(distances), reverse=True)  # a save is an improvement, each once
    assert distances[-1] == min(distance for _, distance in quality.curve)


def test_a_checkpoint_brings_its_curve_and_its_best_back(fit, tiny_config, tiny_images, tmp_path):
    def run(name: str, *ends: int) -> tuple[list, np.ndarray]:
        for end in ends:
            model = build_model(tiny_config)
            best = tmp_path / f"{name}.keras"
            quality = Quality(tiny_images, every=3, count=16, best=best)
            checkpoint = Checkpoint(tmp_path / name, every="epoch", callbacks=[quality])
            checkpoint.restore(model)
            fit(model, end, quality, checkpoint)
        return quality.curve, keras.saving.load_model(best).get_weights()

    # The checkpoints at 2 and 8 lie between two measurements.
    whole, parts = run("whole", 10), run("parts", 2, 8, 10)
    assert whole[0] == parts[0]
    for expected, found in zip(whole[1], parts[1], strict=True):
        np.testing.assert_array_equal(expected, found)


def test_the_history_file_has_a_column_for_it(fit, tiny_config, tiny_images, tmp_path):
    history = HistoryFile(tmp_path / "history.csv")
    quality = Quality(tiny_images, every=4, count=16)
    fit(build_model(tiny_config), 6, quality, history)
    with (tmp_path / "history.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [float(row["val_swd"]) for row in rows] == [quality.curve[i][1] for i in (0, 1, 1)]
    assert all(float(row["critic_loss"]) for row in rows)


def test_the_monitor_draws_its_curve(fit, tiny_config, tiny_images, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "wgan_gp.callbacks.monitor_figure._draw_quality", lambda axes, curve: drawn.append([*curve])
    )
    quality = Quality(tiny_images, every=2, count=16)
    fit(build_model(tiny_config), 4, quality, Monitor(tmp_path, every=2, quality=quality))
    assert drawn == [quality.curve[:1], quality.curve[:2], quality.curve]


def test_its_state_is_json(fit, tiny_config, tiny_images):
    quality = Quality(tiny_images, every=1, count=16)
    fit(build_model(tiny_config), 2, quality)
    other = Quality(tiny_images, count=16)
    other.set_state(json.loads(json.dumps(quality.get_state())))
    assert other.curve == quality.curve


@pytest.mark.parametrize(
    ("images", "options", "said"),
    [
        (np.zeros((20, 32, 32, 3), np.uint8), {"every": 0}, "every must be a whole number, at lea"),
        (np.zeros((20, 32, 32, 3), np.uint8), {"count": -1}, "count must be a whole number from 1"),
        (np.zeros((20, 32, 32, 3), np.uint8), {"count": 2.5}, "count must be a whole number from"),
        (np.zeros((20, 32, 32, 3), np.uint8), {"seed": -1}, "seed must be a whole number from 0"),
        (np.zeros((20, 32, 32, 3), np.uint8), {}, "the real images are all the same"),
        (np.zeros((20, 32, 32, 3), np.float32), {}, "a metric takes uint8 images"),
        (np.zeros((1, 32, 32, 3), np.uint8), {}, "the metric needs 2 images or more"),
        ("held out", {}, "a metric takes uint8 images"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_training(images, options, said):
    with pytest.raises(InputError, match=said):
        Quality(images, **options)


def test_images_of_another_size_are_refused_before_training(fit, tiny_config):
    images = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3), dtype=np.uint8)
    with pytest.raises(InputError, match=r"images of \(64, 64, 3\), but the generator makes"):
        fit(build_model(tiny_config), 2, Quality(images))


def test_a_place_for_the_best_generator_is_made_or_refused_before_training(
    fit, tiny_config, tiny_images, tmp_path
):
    with pytest.raises(InputError, match=r"must be a file that ends in \.keras, not 'best'"):
        Quality(tiny_images, best="best")
    best = tmp_path / "new" / "best.keras"
    fit(build_model(tiny_config), 2, Quality(tiny_images, every=1, count=16, best=best))
    assert best.is_file()


def test_the_averaged_generator_is_measured_and_drawn(fit, tiny_config, tiny_images, tmp_path):
    model = build_model(dataclasses.replace(tiny_config, ema_half_life=8))
    for weight in model.generator.trainable_weights:
        weight.assign(weight + 0.1)  # so that the average is another
    quality = Quality(tiny_images, every=4, count=16, best=tmp_path / "best.keras")
    monitor = Monitor(tmp_path, every=4)
    fit(model, 4, quality, monitor)
    latents = draw_latents(16, tiny_config.latent_dim, stream_seed(0, QUALITY))
    drawn = render(model.ema_generator, latents).numpy()
    assert quality.curve[-1][1] == pytest.approx(
        sliced_wasserstein_distance(quality.images, drawn)["mean"]
    )
    tile = np.asarray(Image.open(tmp_path / "grids" / "iteration-000004.png"))
    np.testing.assert_array_equal(tile, image_grid(render(model.ema_generator, monitor.latents)))


def test_the_best_is_kept_of_the_averaged_generator(fit, tiny_config, tiny_images, tmp_path):
    model = build_model(dataclasses.replace(tiny_config, ema_half_life=8))
    for weight in model.generator.trainable_weights:
        weight.assign(weight + 0.1)
    fit(
        model,
        2,
        Quality(tiny_images, every=99, last_iteration=None, count=16, best=tmp_path / "best.keras"),
    )
    # It was measured at iteration 1 alone, where another one stops.
    other = build_model(dataclasses.replace(tiny_config, ema_half_life=8))
    for weight in other.generator.trainable_weights:
        weight.assign(weight + 0.1)
    other.fit(make_dataset(tiny_images, tiny_config), steps_per_epoch=1, verbose=0)
    kept = keras.saving.load_model(tmp_path / "best.keras").get_weights()
    for a, b in zip(other.ema_generator.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(a, b)


def test_real_images_are_drawn_by_the_seed_from_all(tiny_images):
    chosen = [Quality(tiny_images, count=16, seed=seed).images for seed in (0, 1)]
    assert not np.array_equal(*chosen)
    assert not np.array_equal(chosen[0], tiny_images[:16])


def test_the_latest_measurement_is_restored(fit, tiny_config, tiny_images, tmp_path):
    for end in (4, 6):  # measured at 1 and 3
        quality = Quality(tiny_images, every=3, count=16)
        model, checkpoint = build_model(tiny_config), Checkpoint(tmp_path, callbacks=[quality])
        done = checkpoint.restore(model)
        if done:
            quality.every = 100
        history = fit(model, end, quality, checkpoint).history
    assert history["val_swd"] == [quality.curve[-1][1]]


def test_the_best_is_the_best_of_all(fit, tiny_config, tiny_images, tmp_path, monkeypatch):
    quality = Quality(tiny_images, every=1, count=16, best=tmp_path / "best.keras")
    distances = iter([5.0, 3.0, 4.0, 3.5])
    monkeypatch.setattr(quality, "_distance", lambda images: {"mean": next(distances)})
    fit(build_model(tiny_config), 4, quality)
    assert json.loads((tmp_path / "best.json").read_text())["iteration"] == 2


@pytest.mark.parametrize(
    ("goes_on", "is_there", "best"), [(True, True, 2), (True, False, 3), (False, True, 1)]
)
def test_another_one_keeps_the_best_of_a_model_that_goes_on(
    fit, tiny_config, tiny_images, tmp_path, monkeypatch, goes_on, is_there, best
):
    model = build_model(tiny_config)
    for distances, to in (([5.0, 3.0], 2), ([4.0, 6.0], 4 if goes_on else 2)):
        quality = Quality(tiny_images, every=1, count=16, best=tmp_path / "best.keras")
        measured = iter(distances)
        monkeypatch.setattr(quality, "_distance", lambda images, of=measured: {"mean": next(of)})
        fit(model, to, quality)
        model = model if goes_on else build_model(tiny_config)
        if to == 2 and not is_there:
            (tmp_path / "best.keras").unlink()
    noted = json.loads((tmp_path / "best.json").read_text())
    assert noted["iteration"] == best
    assert noted["val_swd"] == (3.0 if best == 2 else 4.0)
    assert (tmp_path / "best.keras").is_file()


@pytest.fixture
def improving(tiny_config, tiny_images, tmp_path, monkeypatch) -> Quality:
    """Has measured once, and finds the generator better the next time."""
    quality = Quality(tiny_images, every=1, count=16, best=tmp_path / "best.keras")
    distances = iter([5.0, 3.0])
    monkeypatch.setattr(quality, "_distance", lambda images: {"mean": next(distances)})
    quality.set_model(build_model(tiny_config))
    quality.on_train_begin()
    quality.measure(1)
    return quality


def test_the_note_of_the_best_is_never_that_of_another_one(improving, tmp_path, monkeypatch):
    """Killed once the file of a better generator is in place, and nothing after it."""
    before = (tmp_path / "best.keras").stat().st_ino

    def be_killed(*_) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wgan_gp.callbacks.quality.write_whole", be_killed)
    with pytest.raises(KeyboardInterrupt):
        improving.measure(2)
    assert (tmp_path / "best.keras").stat().st_ino != before
    assert not (tmp_path / "best.json").exists()


@pytest.mark.parametrize("failing", ["keras.Model.save", "os.fsync"])
def test_a_full_disk_leaves_the_best_and_its_note(improving, tmp_path, monkeypatch, failing):
    before = [(tmp_path / name).read_bytes() for name in ("best.keras", "best.json")]

    def be_full(*_) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(failing, be_full)
    with pytest.raises(OSError, match="no space left"):
        improving.measure(2)
    assert [(tmp_path / name).read_bytes() for name in ("best.keras", "best.json")] == before


@pytest.mark.parametrize("content", ["{", "[]", '{"iteration": "many"}'])
def test_a_damaged_note_of_the_best_is_replaced(tiny_config, tiny_images, tmp_path, content):
    (tmp_path / "best.json").write_text(content)
    quality = Quality(tiny_images, every=1, count=16, best=tmp_path / "best.keras")
    quality.set_model(build_model(tiny_config))
    quality.on_train_begin()
    quality.measure(1)
    assert json.loads((tmp_path / "best.json").read_text())["iteration"] == 1


def test_the_best_of_a_mixed_precision_is_portable(tiny_config, tiny_images, tmp_path):
    model = build_model(dataclasses.replace(tiny_config, precision="mixed_bfloat16"))
    quality = Quality(tiny_images, every=1, count=16, best=tmp_path / "best.keras")
    dataset = make_dataset(tiny_images, tiny_config)
    model.fit(dataset, steps_per_epoch=1, callbacks=[quality], verbose=0)
    kept = keras.saving.load_model(tmp_path / "best.keras")
    assert {layer.compute_dtype for layer in kept.layers} == {"float32"}


def test_of_equals_the_first_stays_the_best(tiny_config, tiny_images, tmp_path, monkeypatch):
    quality = Quality(tiny_images, every=1, count=16, best=tmp_path / "best.keras")
    monkeypatch.setattr(quality, "_distance", lambda images: {"mean": 3.0})
    quality.set_model(build_model(tiny_config))
    quality.on_train_begin()
    for iteration in (1, 2):
        quality.measure(iteration)
    assert json.loads((tmp_path / "best.json").read_text())["iteration"] == 1
