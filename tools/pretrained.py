"""Makes a finished run into a generator that comes with the package.

    python tools/pretrained.py RUN_DIR NAME PHOTOGRAPHS DATA FEATURES

Weights in float16, settings, history, a short film, these weights' quality, and a model card. DATA
is what the photographs are called in `wgan_gp/export/model_card.py`, which knows their licence; the
FEATURES are those of `wgan-gp evaluate`.
"""

import io
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import h5py
from PIL import Image

import wgan_gp
from wgan_gp.config import Config
from wgan_gp.export.model_card import model_card
from wgan_gp.pictures import save_film
from wgan_gp.runs.evaluating import evaluate_run
from wgan_gp.runs.folder import RunFolder
from wgan_gp.support.quiet_tensorflow import load_tensorflow

_NETWORK, _WEIGHTS = "config.json", "model.weights.h5"


def main(run_dir: str, name: str, photographs: str, data: str, features: str) -> None:
    load_tensorflow()
    run = RunFolder.find(Path(run_dir))
    root = Path(__file__).parents[1]
    config, known = run.read()
    iteration = known["generator_iteration"]  # which a finished run has
    wgan_gp.load_images(photographs, config.image_size)  # found out before anything is removed
    made = RunFolder(root / "wgan_gp" / "runs" / "pretrained_runs" / name)
    shutil.rmtree(made.path, ignore_errors=True)
    made.path.mkdir(parents=True)
    made.write_settings(config)
    how = how_made(config, known["preset"], root)
    made.write_facts({**known, "data": data, "data_dir": None, "how_made": how})
    shutil.copy(run.history, made.history)
    save_short_film(list(run.tiles().values()), config.image_size, made.film)
    halve(run.generator, made.generator)
    made.note_generator(iteration)
    print(evaluate_run(made, features=features, data=photographs))
    _, nearest = made.report_files()
    nearest.unlink(missing_ok=True)  # it shows photographs
    card = model_card(
        config,
        made.read()[1],
        made.metrics_at(iteration),
        made.load_generator(),
        made.read_quality(),
    )
    (made.path / "README.md").write_text(card, encoding="utf-8")


def save_short_film(tiles: list[Path], image_size: int, path: Path) -> None:
    """9 of each tile's pictures in 128 colours, 14 frames: the notebook holds the film, too."""
    with tempfile.TemporaryDirectory() as folder:
        for tile in tiles:
            with Image.open(tile) as picture:
                part = picture.convert("RGB").crop((0, 0, 3 * image_size, 3 * image_size))
            part.quantize(128, dither=Image.Dither.NONE).save(Path(folder) / tile.name)
        frames = [Path(folder) / tile.name for tile in tiles]
        save_film(frames, path, seconds_per_frame=0.25, at_most=14)


def halve(generator: Path, path: Path) -> None:
    """The `.keras` file with its weights in float16; Keras loads them as float32 again."""
    with zipfile.ZipFile(generator) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    parts[_NETWORK] = for_any_keras(parts[_NETWORK])
    halved = io.BytesIO()
    with h5py.File(io.BytesIO(parts[_WEIGHTS])) as weights, h5py.File(halved, "w") as file:

        def copy(name: str, node: h5py.Group | h5py.Dataset) -> None:
            if isinstance(node, h5py.Dataset):
                halves = node[()].astype("float16")
                # In one piece and shuffled, the exponents lie side by side, and compress.
                packed = {"compression": "gzip", "shuffle": True, "chunks": halves.shape}
                file.create_dataset(name, data=halves, **packed)
            else:
                file.require_group(name).attrs.update(node.attrs)

        weights.visititems(copy)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, content in {**parts, _WEIGHTS: halved.getvalue()}.items():
            archive.writestr(part, content)


def for_any_keras(network: bytes) -> bytes:
    """The description of a network without those settings that Keras 3.12 does not know."""
    # None or off, all of them.
    newer = {"quantization_config", "input_axes", "output_axes"}
    newer |= {"renorm", "renorm_clipping", "renorm_momentum"}

    def known(settings: dict) -> dict:
        return {name: x for name, x in settings.items() if name not in newer}

    return json.dumps(json.loads(network, object_hook=known)).encode()


def option(name: str, value: object) -> str:
    """A setting as the command line takes it."""
    name = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no-{name}"
    return f"--{name} {value}"


def how_made(config: Config, preset: str, root: Path) -> str:
    as_preset = vars(Config.preset(preset))
    changed = {name: value for name, value in vars(config).items() if value != as_preset[name]}
    options = "".join(f" {option(name, value)}" for name, value in changed.items())
    command = ["git", "-C", str(root), "log", "-1", "--format=%h"]
    commit = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return f"""
## How it was made

`wgan-gp train --preset {preset}{options} --data PHOTOGRAPHS`, and `python tools/pretrained.py`
at commit {commit}, which halves the weights, leaves out what Keras 3.12 does not know, and measures
the result. The weights are under the licence of the code, Apache-2.0.
"""


if __name__ == "__main__":
    main(*sys.argv[1:])
