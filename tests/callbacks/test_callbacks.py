"""What the callbacks leave behind while `fit` runs."""

import contextlib
import csv
import dataclasses
import io
import os
import re
import signal
import sys
import types
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from wgan_gp import Checkpoint, HistoryFile, image_grid, make_dataset
from wgan_gp.callbacks import monitor_figure
from wgan_gp.callbacks.curve import Curve
from wgan_gp.callbacks.monitor import Monitor, _clock
from wgan_gp.callbacks.progress import IterationCount, ProgressBar
from wgan_gp.callbacks.stopping import StopAtNaN, StopOnSignal
from wgan_gp.model import WGANGP, build_model
from wgan_gp.random_streams import MONITOR, draw_latents, stream_seed
from wgan_gp.support.errors import DivergedError, InputError, Interrupted


@pytest.fixture
def fit(tiny_config, tiny_images):
    """Trains for 7 iterations, in epochs of 3, with the given callbacks."""

    def run(*callbacks: keras.callbacks.Callback):
        model = build_model(tiny_config)
        model.fit_to(
            7,
            lambda start: make_dataset(tiny_images, tiny_config, start),
            steps_per_epoch=3,
            callbacks=[IterationCount(), *callbacks],
            verbose=0,
        )
        return model

    return run


def test_each_epoch_logs_the_iteration_and_the_seconds(fit):
    model = fit()
    assert model.history.history["iteration"] == [3, 6, 7]
    seconds = model.history.history["seconds"]
    assert 0 < seconds[0] < seconds[1] < seconds[2]


def test_the_seconds_go_on_from_those_of_a_checkpoint():
    count = IterationCount()
    count.set_state({"seconds": 1000.0})
    assert count.get_state() == {"seconds": 1000.0}


@pytest.mark.parametrize("seed", [5, 6])
def test_the_monitor_s_latents_are_those_of_its_seed(tiny_config, seed):
    monitor = Monitor(seed=seed)
    monitor.set_model(build_model(tiny_config))
    monitor.on_train_begin()
    expected = draw_latents(25, tiny_config.latent_dim, stream_seed(seed, MONITOR))
    np.testing.assert_array_equal(monitor.latents, expected)


def test_the_monitor_draws_at_iteration_1_and_every_so_many(fit, tmp_path):
    fit(Monitor(tmp_path, every=3))
    names = sorted(path.name for path in (tmp_path / "grids").iterdir())
    assert names == [f"iteration-{i:06d}.png" for i in (1, 3, 6)]


def test_the_monitor_draws_the_last_iteration_too(fit, tmp_path):
    model = fit(Monitor(tmp_path, every=3, last_iteration=7))
    assert (tmp_path / "grids" / "iteration-000007.png").exists()
    assert int(model.iteration.numpy()) == 7


def test_the_tile_is_the_generators_images_of_fixed_latents(fit, tmp_path):
    monitor = Monitor(tmp_path, every=7, seed=5)
    model = fit(monitor)
    tile = np.asarray(Image.open(tmp_path / "grids" / "iteration-000007.png"))
    assert tile.shape == (5 * 32, 5 * 32, 3)
    np.testing.assert_array_equal(tile, image_grid(model(monitor.latents).numpy()))
    again = Monitor(tmp_path, every=7, seed=5)
    fit(again)
    np.testing.assert_array_equal(again.latents, monitor.latents)


def test_the_curve_holds_both_losses_of_every_iteration(fit):
    monitor = Monitor(every=100)
    model = fit(monitor)
    curve = np.array(monitor.curve.points)
    assert curve[:, 0].tolist() == list(range(1, 8))
    history = model.history.history
    np.testing.assert_allclose(curve[:3, 1].mean(), history["critic_loss"][0], rtol=1e-5)
    np.testing.assert_allclose(
        curve[3:6, 2].mean(), history["critic_loss_unregularized"][1], rtol=1e-4
    )


def test_the_curve_of_a_model_that_begins_anew_begins_anew(fit):
    monitor = Monitor(every=100)
    fit(monitor)
    fit(monitor)
    assert [point[0] for point in monitor.curve.points] == list(range(1, 8))


def test_the_figure_is_a_picture_of_tiles_and_curves(fit, tmp_path):
    fit(Monitor(tmp_path, every=3))
    with Image.open(tmp_path / "progress.png") as figure:
        width, height = figure.size
        colours = {colour for _, colour in figure.convert("RGB").getcolors(maxcolors=1 << 20)}
    assert width > 1.5 * height
    assert {(0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00)} <= colours  # the two curves


def test_the_figure_shows_grey_images_as_they_are():
    grey = np.full((40, 40, 1), 128, np.uint8)
    curve = Curve()
    curve.append(1, 0.0, 0.0)
    figure = monitor_figure.figure_png(grey, curve, [], "")
    with Image.open(io.BytesIO(figure)) as picture:
        width, height = picture.size
        assert picture.convert("RGB").getpixel((width // 4, height // 2)) == (128, 128, 128)


def test_a_notebook_shows_one_figure_and_updates_it(fit, monkeypatch):
    shown = []

    class Handle:
        def update(self, picture):
            shown.append(picture.data)

    opened = []
    notebook = types.SimpleNamespace(kernel=object(), execution_count=5)
    monkeypatch.setattr("IPython.get_ipython", lambda: notebook)
    monkeypatch.setattr(
        "IPython.display.display", lambda text, display_id: opened.append(text) or Handle()
    )
    monitor = Monitor(every=3)
    fit(monitor)
    assert len(shown) == 3
    fit(monitor)  # in the same cell, as `fit_to` does after a stop within an epoch
    assert len(opened) == 1
    notebook.execution_count = 6
    fit(monitor)
    assert len(opened) == 2
    assert all(data.startswith(b"\x89PNG") for data in shown)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "00:00:00"), (59.9, "00:00:59"), (3_661, "01:01:01"), (360_000, "100:00:00")],
)
def test_elapsed_time_is_hours_minutes_seconds(seconds, text):
    assert _clock(seconds) == text


def test_the_history_has_a_row_an_epoch_and_no_empty_columns(fit, tmp_path):
    path = tmp_path / "a folder that is not there" / "history.csv"
    model = fit(HistoryFile(path))
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["iteration"] for row in rows] == ["3", "6", "7"]
    for name, values in model.history.history.items():
        assert [float(row[name]) for row in rows] == pytest.approx(values)
    assert set(rows[0]) == {"epoch", *model.history.history}


class EverySecondEpoch(keras.callbacks.Callback):
    """Logs a metric that sorts before all others, as a rare evaluation does."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch % 2:
            logs["a_distance"] = 10.0 + epoch


@pytest.mark.parametrize("content", [b"epoch,loss\n0,1.5\n", b"\x89PNG\r\n\x1a\n" + b"\x07" * 99])
def test_a_file_that_is_no_history_is_named_and_kept(fit, tmp_path, content):
    file = tmp_path / "other.csv"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"other.csv' is no history of this program, and would"):
        fit(HistoryFile(file))
    assert file.read_bytes() == content


def test_a_folder_is_no_history(fit, tmp_path):
    with pytest.raises(InputError, match=r"' is no history of this program"):
        fit(HistoryFile(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_history_that_somebody_removes_meanwhile_is_whole_again(fit, tmp_path):
    path = tmp_path / "history.csv"
    removing = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: path.unlink())
    fit(removing, HistoryFile(path))
    assert len(read_rows(path)) == 3


def test_an_empty_file_may_become_a_history(fit, tmp_path):
    file = tmp_path / "history.csv"
    file.touch()
    fit(HistoryFile(file))
    assert file.read_text().startswith("epoch,critic_loss,")


def test_a_metric_of_some_epochs_leaves_empty_cells_and_shifts_nothing(fit, tmp_path):
    model = fit(EverySecondEpoch(), HistoryFile(tmp_path / "history.csv"))
    rows = read_rows(tmp_path / "history.csv")
    assert [row["a_distance"] for row in rows] == ["", "11.0", ""]
    for name in ("critic_loss", "iteration", "seconds"):
        assert [float(row[name]) for row in rows] == pytest.approx(model.history.history[name])


def test_words_that_another_callback_logs_are_left_out(fit, tmp_path):
    def add_words(epoch: int, logs: dict) -> None:
        logs |= {"note": "words", "nothing": None, "more": {"a": 1.0}, "ragged": [[1], [2, 3]]}
        logs |= {"is_better": True, "number": 3}

    noting = keras.callbacks.LambdaCallback(on_epoch_end=add_words)
    fit(noting, HistoryFile(tmp_path / "history.csv"))
    rows = read_rows(tmp_path / "history.csv")
    assert len(rows) == 3
    assert not {"note", "nothing", "more", "ragged"} & rows[0].keys()
    assert {(row["is_better"], row["number"]) for row in rows} == {("1.0", "3.0")}


def test_each_number_of_an_array_has_a_column(fit, tmp_path):
    def add_array(epoch: int, logs: dict) -> None:
        logs["recall"] = np.array([0.25, epoch])

    adding = keras.callbacks.LambdaCallback(on_epoch_end=add_array)
    fit(adding, HistoryFile(tmp_path / "history.csv"))
    rows = read_rows(tmp_path / "history.csv")
    assert [(row["recall_0"], row["recall_1"]) for row in rows] == [
        ("0.25", "0.0"), ("0.25", "1.0"), ("0.25", "2.0"),
    ]  # fmt: skip


def read_rows(path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def fit_3(tiny_config, tiny_images):
    """Trains a model for 3 iterations, one epoch, with a history file."""
    dataset = make_dataset(tiny_images, tiny_config)

    def run(model, history: HistoryFile) -> None:
        model.fit(dataset, epochs=1, steps_per_epoch=3, verbose=0, callbacks=[history])

    return run


@pytest.mark.parametrize("is_same", [True, False], ids=["one callback", "a new one each time"])
def test_one_epoch_three_times_makes_three_rows(fit_3, tiny_config, tmp_path, is_same):
    model, history = build_model(tiny_config), HistoryFile(tmp_path / "history.csv")
    for _ in range(3):
        fit_3(model, history if is_same else HistoryFile(history.path))
    rows = read_rows(history.path)
    assert [(row["epoch"], row["iteration"]) for row in rows] == [
        ("0", "3"),
        ("0", "6"),
        ("0", "9"),
    ]


def test_a_model_taken_back_drops_the_rows_after_it(fit_3, tiny_config, tmp_path):
    model, history = build_model(tiny_config), HistoryFile(tmp_path / "history.csv")
    for iteration in (0, 3, 3):
        model.iteration.assign(iteration)
        fit_3(model, history)
    assert [row["iteration"] for row in read_rows(history.path)] == ["3", "6"]


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_an_epoch_without_a_step_has_no_row(tiny_config, tiny_images, tmp_path):
    six = make_dataset(tiny_images, tiny_config).take(6).filter(lambda images: True)
    history = HistoryFile(tmp_path / "history.csv")
    model = build_model(tiny_config)
    model.fit(six, epochs=4, steps_per_epoch=3, verbose=0, callbacks=[history])
    assert model.iterations_done == 9  # the end is found in an epoch of its own
    assert [row["iteration"] for row in read_rows(history.path)] == ["3", "6", "9"]


def test_a_row_that_was_cut_short_is_left_out(fit_3, tiny_config, tmp_path):
    model, history = build_model(tiny_config), HistoryFile(tmp_path / "history.csv")
    fit_3(model, history)
    fit_3(model, history)
    history.path.write_bytes(history.path.read_bytes()[:-40])
    fit_3(model, HistoryFile(history.path))
    assert [row["iteration"] for row in read_rows(history.path)] == ["3", "9"]


def test_a_row_with_more_cells_than_there_are_columns_is_left_out(fit_3, tiny_config, tmp_path):
    model, history = build_model(tiny_config), HistoryFile(tmp_path / "history.csv")
    fit_3(model, history)
    with history.path.open("a") as file:
        file.write(",".join("2" * 20) + "\n")
    fit_3(model, HistoryFile(history.path))
    assert [row["iteration"] for row in read_rows(history.path)] == ["3", "6"]


def test_rows_that_are_gone_are_told(fit_3, tiny_config, tmp_path, caplog):
    model, history = build_model(tiny_config), HistoryFile(tmp_path / "history.csv")
    fit_3(model, history)
    state = history.get_state()
    history.path.unlink()
    history.set_state(state)
    fit_3(model, history)
    assert [record.getMessage() for record in caplog.records] == [
        f"'{history.path}' has lost 1 rows"
    ]
    assert [row["iteration"] for row in read_rows(history.path)] == ["6"]
    model.iteration.assign(0)  # whose rows are not lost, but taken back
    fit_3(model, history)
    assert len(caplog.records) == 1


def test_nan_ends_training_at_its_iteration(tiny_config, tiny_images, tmp_path):
    config = dataclasses.replace(tiny_config, iterations=9)
    model = build_model(config)

    class Poison(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 3:
                self.model.critic.layers[0].bias.assign([np.nan, 0.0])

    callbacks = [Poison(), StopAtNaN(), Monitor(tmp_path, every=1)]
    with pytest.raises(
        DivergedError,
        match=r"iteration 4: .*critic_loss.* Try a new run with a lower critic_learning_rate",
    ):
        model.fit(
            make_dataset(tiny_images, config), steps_per_epoch=9, verbose=0,
            callbacks=callbacks,
        )  # fmt: skip
    assert len(list((tmp_path / "grids").iterdir())) == 3  # nothing broken is drawn


def test_an_infinite_loss_ends_training_too(tiny_config):
    stop = StopAtNaN()
    stop.set_model(build_model(tiny_config))
    with pytest.raises(DivergedError, match="critic_loss not finite"):
        stop.on_train_batch_end(0, {"critic_loss": np.inf, "generator_loss": 1.0})


def test_each_number_of_an_array_is_looked_at(tiny_config):
    stop = StopAtNaN()
    stop.set_model(build_model(tiny_config))
    stop.on_train_batch_end(0, {"recall": np.array([0.5, 1.0])})
    with pytest.raises(DivergedError, match="recall not finite"):
        stop.on_train_batch_end(0, {"recall": np.array([0.5, np.nan])})


@pytest.fixture
def python_s_own_handler() -> Iterator[None]:
    """What Python does at Ctrl-C: raise a KeyboardInterrupt."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_signal_ends_fit_after_the_iteration_and_saves(fit, python_s_own_handler):
    class Press(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                signal.raise_signal(signal.SIGINT)

    saved = []
    with (
        pytest.raises(Interrupted, match=r"^stopped after iteration 2$") as stopped,
        StopOnSignal(lambda: saved.append(1)) as stop,
    ):
        fit(Press(), stop)
    assert stopped.value.signal == signal.SIGINT
    assert saved == [1]


@contextlib.contextmanager
def nobody_reading() -> Iterator[None]:
    """Both outputs are pipes whose reader is gone, as after Ctrl-C on `... | tee`."""
    with contextlib.ExitStack() as stack:
        pipes = []
        for _ in range(2):
            reading, writing = os.pipe()
            os.close(reading)
            pipes.append(stack.enter_context(os.fdopen(writing, "w")))
        stack.enter_context(contextlib.redirect_stdout(pipes[0]))
        stack.enter_context(contextlib.redirect_stderr(pipes[1]))
        yield


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_obeyed_where_nobody_reads(fit, number):
    saved = []
    before = signal.signal(number, signal.SIG_DFL)  # which may be to ignore it, as under `nohup`
    try:
        with (
            nobody_reading(),
            pytest.raises(Interrupted) as stopped,
            StopOnSignal(lambda: saved.append(1)) as stop,
        ):
            signal.raise_signal(number)
            fit(stop)
    finally:
        signal.signal(number, before)
    assert saved == [1]
    assert stopped.value.signal == number


def test_training_goes_on_without_any_output(fit, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert int(fit(ProgressBar(7)).iteration) == 7


def test_training_goes_on_where_nobody_reads(fit, monkeypatch):
    monkeypatch.setattr("wgan_gp.support.progress_bar._LOG_FILE_INTERVAL", 0.0)
    with nobody_reading():
        assert int(fit(ProgressBar(7)).iteration) == 7


def test_a_second_signal_stops_at_once(python_s_own_handler):
    sent = []
    with pytest.raises(KeyboardInterrupt), StopOnSignal(lambda: None):
        for number in (1, 2, 3):
            sent.append(number)
            signal.raise_signal(signal.SIGINT)
    assert sent == [1, 2]


class Terminal:
    """A standard output that says it is a terminal."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return True


def test_the_bar_shows_iteration_losses_and_rate_within_80_columns(fit, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr("wgan_gp.support.progress_bar._TERMINAL_INTERVAL", 0.0)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    fit(ProgressBar(7))
    lines = [line.strip() for line in terminal.text.split("\r") if line.strip()]
    for number, line in enumerate(lines[1:8], start=1):
        assert f"{number}/7 [" in line
        assert re.search(r"it.*, critic=\S+, generator=\S+\]$", line)
        assert len(line) <= 80


def test_a_bar_that_starts_midway_counts_only_its_own_time(tiny_config, tiny_images, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    model = build_model(tiny_config)
    model.iteration.assign(5)
    model.fit(
        make_dataset(tiny_images, tiny_config, start_iteration=5), steps_per_epoch=2,
        verbose=0, callbacks=[ProgressBar(7)],
    )  # fmt: skip
    first, *_, last = (line for line in terminal.text.split("\r") if line.strip())
    assert "5/7 [00:00<" in first
    assert "7/7 [" in last


def test_the_first_iteration_does_not_count_in_the_time_left(fit, monkeypatch):
    terminal, clock = Terminal(), [0.0]
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr("wgan_gp.support.progress_bar._TERMINAL_INTERVAL", 0.0)
    monkeypatch.setattr("tqdm.std.time", lambda: clock[0])

    def take(batch: int, logs: dict) -> None:
        clock[0] += 1.0 if batch else 100.0  # to build the graph

    fit(keras.callbacks.LambdaCallback(on_train_batch_end=take), ProgressBar(7))
    second = next(line for line in terminal.text.split("\r") if "2/7" in line)
    assert "[00:01<00:05,  1.00it/s" in second


def test_nothing_of_the_bar_comes_after_what_ends_fit(fit, capsys):
    def stop(batch: int, logs: dict) -> None:
        raise KeyboardInterrupt

    bar = ProgressBar(7)
    with pytest.raises(KeyboardInterrupt), bar:
        fit(bar, keras.callbacks.LambdaCallback(on_train_batch_end=stop))
    assert "1/7" in capsys.readouterr().out
    bar._bar.refresh()
    del bar
    assert capsys.readouterr().out == ""


def test_a_log_file_is_not_flooded(fit, capsys):
    fit(ProgressBar(7))
    lines = [line for line in capsys.readouterr().out.split("\n") if line.strip()]
    assert len(lines) <= 2  # the first iteration and the last
    assert "7/7" in lines[-1]


def test_what_replicas_count_of_an_iteration_adds_up_to_one(tmp_path):
    class OnReplicas(types.SimpleNamespace):
        iterations_averaged = WGANGP.iterations_averaged

    count = keras.Variable(0.0)
    model = OnReplicas(iterations_done=0, generator_loss=types.SimpleNamespace(count=count))
    for replicas in (1, 2, 3, 6, 7):
        parts = np.cumsum(np.full(1000, 1 / replicas, np.float32), dtype=np.float32)
        for iterations in (1, 2, 19, 1000):
            count.assign(replicas * parts[iterations - 1])
            assert model.iterations_averaged == iterations
    history = HistoryFile(tmp_path / "history.csv")
    history.set_model(model)
    history.on_train_begin()
    for counted, done in ((0, 3), (0, 4), (0.9999999, 6)):  # the second is cut short, and goes on
        count.assign(counted)
        history.on_train_batch_begin(0)
        model.iterations_done = done
        history.on_epoch_end(0, {"critic_loss": 1.0})
    with history.path.open() as file:
        assert [row["iteration"] for row in csv.DictReader(file)] == ["3", "6"]


def test_a_monitor_that_cannot_draw_says_so_before_training():
    layers = [keras.Input((2,)), keras.layers.Dense(64), keras.layers.Reshape((4, 4, 4))]
    monitor = Monitor()
    monitor.set_model(types.SimpleNamespace(drawing_generator=keras.Sequential(layers)))
    with pytest.raises(InputError, match="images of 1 or 3 channels, not of 4"):
        monitor.on_train_begin()


@pytest.mark.parametrize("method", ["evaluate", "test_on_batch"])
def test_whoever_evaluates_within_an_epoch_changes_no_row(fit, tiny_images, tmp_path, method):
    images = (tiny_images / 127.5 - 1).astype("float32")

    def evaluate(batch: int, logs: dict) -> None:
        if watch.model.iterations_done == 5:
            getattr(watch.model, method)(images)

    watch = keras.callbacks.LambdaCallback(on_train_batch_end=evaluate)
    tables = []
    for callbacks in ([], [watch]):
        file = HistoryFile(tmp_path / f"{len(callbacks)}.csv")
        fit(file, *callbacks)
        tables.append([{**row, "seconds": None} for row in read_rows(file.path)])
    assert [row["iteration"] for row in tables[0]] == ["3", "6", "7"]
    assert tables[0] == tables[1]


def test_a_last_epoch_that_was_cut_short_has_one_row(tiny_config, tiny_images, tmp_path):
    for stop in (6, 8):
        model, history = build_model(tiny_config), HistoryFile(tmp_path / "history.csv")
        checkpoint = Checkpoint(tmp_path / "checkpoints", callbacks=[history])
        checkpoint.restore(model)
        model.fit_to(
            stop,
            lambda start: make_dataset(tiny_images, tiny_config, start),
            steps_per_epoch=4,
            callbacks=[history, checkpoint],
            verbose=0,
        )
    with history.path.open() as file:
        assert [row["iteration"] for row in csv.DictReader(file)] == ["4", "8"]


def test_each_curve_is_of_the_losses_it_is_named_after(monkeypatch):
    draw, drawn = monitor_figure._draw_curve, {}

    def watched(axes, iterations, losses, colour, label):
        drawn[label] = losses.tolist()
        draw(axes, iterations, losses, colour, label)

    monkeypatch.setattr(monitor_figure, "_draw_curve", watched)
    curve = Curve()
    curve.append(1, 5.0, -3.0)
    monitor_figure.figure_png(np.zeros((40, 40, 3), np.uint8), curve, [], "")
    assert drawn == {"critic loss with penalty": [5.0], "critic loss, unregularised": [-3.0]}


@pytest.mark.parametrize("earlier", [[], [(1, 5.0, -3.0)]], ids=["alone", "after a finite one"])
def test_losses_that_are_not_finite_are_drawn_past(earlier):
    curve = Curve()
    for point in (*earlier, (2, np.nan, np.inf)):
        curve.append(*point)
    figure = monitor_figure.figure_png(np.zeros((40, 40, 3), np.uint8), curve, [], "")
    assert figure.startswith(b"\x89PNG")


def test_a_running_mean_stands_at_the_end_of_its_window():
    axes = Figure().subplots()
    monitor_figure._draw_curve(axes, np.arange(1.0, 101.0), np.arange(1.0, 101.0), "black", "")
    mean = axes.lines[1]
    np.testing.assert_array_equal(mean.get_xdata(), np.arange(2.0, 101.0))  # of this and the last
    np.testing.assert_allclose(mean.get_ydata(), mean.get_xdata() - 0.5)


def test_the_monitor_counts_the_seconds_of_all_sessions_of_one_model(tiny_config, tiny_images):
    monitor = Monitor(every=100)
    monitor.set_state({"curve": [[1, 0.0, 0.0], [2, 0.0, 0.0]], "seconds": 1000.0})
    dataset = make_dataset(tiny_images, tiny_config)
    model = build_model(tiny_config)
    model.iteration.assign(2)
    model.fit(dataset, steps_per_epoch=1, callbacks=[monitor], verbose=0)
    assert monitor.get_state()["seconds"] > 1000
    model.iteration.assign(0)
    model.fit(dataset, steps_per_epoch=1, callbacks=[monitor], verbose=0)
    assert monitor.get_state()["seconds"] < 1000


def test_a_signal_in_the_last_iteration_is_obeyed(tiny_config, tiny_images):
    press = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: signal.raise_signal(signal.SIGTERM)
    )
    saved = []
    dataset = make_dataset(tiny_images, tiny_config)
    with pytest.raises(Interrupted), StopOnSignal(lambda: saved.append(1)) as stop:
        # of one iteration: no other follows at whose beginning it could stop
        build_model(tiny_config).fit(dataset, steps_per_epoch=1, callbacks=[press, stop], verbose=0)
    assert saved == [1]


def test_a_signal_while_the_last_checkpoint_is_written_is_obeyed(fit):
    press = keras.callbacks.LambdaCallback(
        on_train_end=lambda logs: signal.raise_signal(signal.SIGTERM)
    )
    with pytest.raises(Interrupted), StopOnSignal(lambda: None) as stop:
        fit(press, stop)


def test_rows_reach_the_disk_before_a_checkpoint_counts_on_them(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr("wgan_gp.callbacks.history.sync", synced.append)
    history = HistoryFile(tmp_path / "history.csv")
    history.get_state()
    assert synced == []
    history.path.touch()
    history.get_state()
    assert synced == [history.path]


def test_in_a_thread_which_can_hear_no_signal_training_runs_all_the_same():
    def handler() -> object:
        with StopOnSignal(lambda: None):
            return signal.getsignal(signal.SIGINT)

    with ThreadPoolExecutor() as pool:
        assert pool.submit(handler).result() == signal.getsignal(signal.SIGINT)


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` has it
    try:
        with StopOnSignal(lambda: None):
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
