"""Flowers drawn by code: an embedded data set that needs no download.

Every picture is one to three flowers (petals, centre, stem, leaves) before a soft sky and meadow,
with varied colour, petal count, size, tilt, position and light. Picture number i is a function of
(seed, i) alone.
"""

from typing import NamedTuple

import numpy as np


def _colours(*values) -> np.ndarray:
    """8-bit colours as red, green and blue in 0..1."""
    return np.array(values, np.float32) / 255


_SKIES = _colours([150, 195, 235], [190, 215, 240], [240, 215, 190], [120, 170, 225])
_MEADOWS = _colours([70, 125, 50], [95, 145, 60], [50, 100, 55], [120, 150, 70])
_GREENS = _colours([50, 110, 35], [75, 130, 45], [40, 90, 40])
_CENTRES = _colours([240, 190, 40], [110, 65, 25], [225, 150, 30], [70, 45, 35])
PETAL_COLOURS = ("white", "yellow", "pink", "red", "violet", "orange", "blue")
FLOWER_COUNT_SHARES = {1: 0.85, 2: 0.1, 3: 0.05}
_PETALS = _colours(  # near the centre, at the tip
    [[235, 225, 200], [255, 255, 250]],
    [[250, 170, 20], [255, 220, 50]],
    [[200, 40, 100], [255, 150, 190]],
    [[130, 10, 25], [225, 40, 45]],
    [[90, 40, 140], [180, 120, 225]],
    [[225, 80, 15], [255, 160, 60]],
    [[40, 60, 160], [115, 150, 240]],
)


def draw_picture(image_size: int, seed: int, number: int) -> np.ndarray:
    """Picture `number` of the set that `seed` makes: uint8 `(image_size, image_size, 3)`."""
    return draw_labelled_picture(image_size, seed, number)[0]


class Content(NamedTuple):
    """What a picture shows."""

    n_flowers: int  # 1, 2 or 3
    colour: int  # of the petals of the flower in front, a number in `PETAL_COLOURS`


def draw_labelled_picture(image_size: int, seed: int, number: int) -> tuple[np.ndarray, Content]:
    """`draw_picture`, and what it drew; the content is the same at any size."""
    rng = np.random.default_rng([seed, number])
    axis = ((np.arange(image_size) + 0.5) / image_size * 2 - 1).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    page = _Page(x, y, _background(rng, x, y))
    places = _places(rng)
    for cx, cy, radius in places:
        _draw_stem(page, rng, cx, cy, radius)
        colour = _draw_bloom(page, rng, cx, cy, radius)
    daylight = rng.uniform(0.85, 1.08)
    picture = (np.clip(page.canvas * daylight, 0, 1) * 255).round().astype(np.uint8)
    return picture, Content(len(places), colour)


class _Page(NamedTuple):
    """A rectangle to draw on: the coordinates and the colours of its pixels."""

    x: np.ndarray  # (height, width), the whole picture being -1..1
    y: np.ndarray  # (height, width), downwards
    canvas: np.ndarray  # (height, width, 3), 0..1

    def around(self, cx: float, cy: float, reach: float) -> "_Page":
        """A view of the part within `reach` of (cx, cy), so that small shapes are quick to draw."""
        rows = _span(np.abs(self.y[:, 0] - cy) <= reach)
        columns = _span(np.abs(self.x[0] - cx) <= reach)
        return _Page(*(array[rows, columns] for array in self))

    def paint(self, colour: np.ndarray, depth: np.ndarray, pixel: float) -> None:
        """Lay `colour` over a shape; its outline, where `depth` crosses 0, fades over a pixel."""
        opacity = np.clip(depth / pixel + 0.5, 0, 1)[..., None]
        self.canvas[:] += opacity * (colour - self.canvas)


def _span(is_inside: np.ndarray) -> slice:
    """The slice from the first to the last True, or an empty one."""
    (inside,) = np.nonzero(is_inside)
    return slice(inside[0], inside[-1] + 1) if inside.size else slice(0, 0)


def _background(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Sky above, meadow below, and a few blurred patches of light and shade."""
    sky, meadow = _pick(rng, _SKIES), _pick(rng, _MEADOWS)
    horizon, softness = rng.uniform(-0.5, 0.7), rng.uniform(0.05, 0.2)
    meadow_part = 1 / (1 + np.exp((horizon - y - 0.1 * x) / softness))
    canvas = _mix(sky, meadow, meadow_part)
    for _ in range(4):
        px, py, spread = rng.uniform(-1, 1), rng.uniform(-1, 1), rng.uniform(0.15, 0.45)
        patch = np.exp(-((x - px) ** 2 + (y - py) ** 2) / spread**2)
        canvas += rng.uniform(-0.12, 0.12) * patch[..., None]
    return canvas


def _places(rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Centre x, centre y and radius of each flower, the smaller ones first: they stand behind."""
    n_flowers = int(rng.choice([*FLOWER_COUNT_SHARES], p=[*FLOWER_COUNT_SHARES.values()]))
    if n_flowers == 1:
        return [(rng.uniform(-0.2, 0.2), rng.uniform(-0.35, 0.0), rng.uniform(0.5, 0.75))]
    places = []
    for column in range(n_flowers):
        cx = column / (n_flowers - 1) - 0.5 + rng.uniform(-0.12, 0.12)
        places.append((float(cx), rng.uniform(-0.5, 0.25), rng.uniform(0.28, 0.46)))
    return sorted(places, key=lambda place: place[2])


def _draw_stem(page: _Page, rng: np.random.Generator, cx: float, cy: float, radius: float) -> None:
    """A bent stem from the bloom to the bottom edge, with a leaf on either side."""
    colour = _pick(rng, _GREENS)
    bend = rng.uniform(-0.25, 0.25)
    half_width = 0.05 * (radius + 0.4)
    pixel = 2 / page.x.shape[1]
    aside = np.abs(page.x - cx - bend * (page.y - cy) ** 2)
    roundness = 1.15 - 0.5 * np.clip(aside / half_width, 0, 1)
    page.paint(colour * roundness[..., None], np.minimum(half_width - aside, page.y - cy), pixel)
    for side in (-1, 1):
        foot = rng.uniform(0.5, 0.9) * (1 - cy)  # how far below the bloom the leaf begins
        _draw_leaf(page, rng, colour, cx + bend * foot**2, cy + foot, side)


def _draw_leaf(
    page: _Page, rng: np.random.Generator, colour: np.ndarray, x: float, y: float, side: int
) -> None:
    """A leaf that begins at (x, y) and points up to the left (side -1) or right (side 1)."""
    angle, length = side * rng.uniform(0.4, 0.9), rng.uniform(0.25, 0.4)
    pixel = 2 / page.x.shape[1]
    page = page.around(x, y, length)
    along = (page.x - x) * np.sin(angle) - (page.y - y) * np.cos(angle)
    across = (page.x - x) * np.cos(angle) + (page.y - y) * np.sin(angle)
    half_width = 0.28 * length * np.sin(np.pi * np.clip(along / length, 0, 1) ** 0.8)
    shade = 0.9 + 0.35 * np.tanh(across / (0.2 * length))
    page.paint(colour * shade[..., None], half_width - np.abs(across) - pixel / 2, pixel)


def _draw_bloom(page: _Page, rng: np.random.Generator, cx: float, cy: float, radius: float) -> int:
    """Two rings of petals around a centre, seen a little from the side, lit from one direction.

    Returns:
        The number of the petals' colour.
    """
    pixel = 2 / page.x.shape[1]
    page = page.around(cx, cy, radius + pixel)
    tilt, turn, light = rng.uniform(0.75, 1.0), rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
    u, v = page.x - cx, page.y - cy
    u, v = u * np.cos(turn) + v * np.sin(turn), (v * np.cos(turn) - u * np.sin(turn)) / tilt
    distance, angle = np.hypot(u, v) / radius, np.arctan2(v, u)
    sunlight = 1 + 0.15 * distance * np.cos(angle - light)

    petals = int(rng.integers(len(_PETALS)))
    inner, tip = _altered(rng, _PETALS[petals])
    n_petals = int(rng.choice([5, 5, 6, 8, 8, 10, 12]))
    roundness, start = rng.uniform(0.35, 0.8), rng.uniform(0, 2 * np.pi)
    for reach, phase, brightness in ((1.0, start, 0.88), (0.72, start + np.pi / n_petals, 1.04)):
        ridge = np.abs(np.cos((angle - phase) * n_petals / 2))  # 1 along a petal, 0 between two
        colour = _mix(inner, tip, np.clip(distance / reach, 0, 1))
        shade = brightness * sunlight * (0.72 + 0.28 * np.sqrt(ridge))
        outline = reach * (0.35 + 0.65 * ridge**roundness)
        page.paint(colour * shade[..., None], (outline - distance) * radius, pixel)

    centre, centre_radius = _pick(rng, _CENTRES), rng.uniform(0.2, 0.32)
    dome = 1.15 - 0.5 * np.clip(distance / centre_radius, 0, 1) ** 2
    grain = 1 + 0.1 * np.cos(angle * 9) * np.cos(distance * 40)
    shade = dome * grain * sunlight
    page.paint(centre * shade[..., None], (centre_radius - distance) * radius, pixel)
    return petals


def _pick(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    """One of the colours, a little altered."""
    return _altered(rng, rng.choice(colours))


def _altered(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    return colours + rng.uniform(-0.05, 0.05, 3).astype(np.float32)


def _mix(a: np.ndarray, b: np.ndarray, part_of_b: np.ndarray) -> np.ndarray:
    return a + (b - a) * part_of_b[..., None]
