"""A curve over all iterations of a run, in bounded space."""

MOST = 10_000  # points: those of the MATLAB example's plot, one for each of its iterations


class Curve:
    """Points `(iteration, value, ...)`, each the mean over `stride` iterations, up to the last one.

    Up to `MOST` iterations that is each one. Whenever there is no room for another point,
    neighbours become one, and `stride` is twice what it was. So the points are a function of the
    values alone, however often the run is stopped in between.
    """

    def __init__(self) -> None:
        self.points: list[tuple[float, ...]] = []
        self.stride = 1
        self._in_last = 0  # iterations in the last point

    def append(self, iteration: int, *values: float) -> None:
        """Add the values of the next iteration."""
        if self.points and self._in_last < self.stride:
            self._in_last += 1
            means = self.points[-1][1:]
            moved = (m + (v - m) / self._in_last for m, v in zip(means, values, strict=True))
            self.points[-1] = (iteration, *moved)
            return
        if len(self.points) == MOST:
            self._halve()
        self.points.append((iteration, *values))
        self._in_last = 1

    def ends_after(self, iteration: int) -> bool:
        """Whether there are values of later iterations."""
        return bool(self.points) and self.points[-1][0] > iteration

    def get_state(self) -> dict:
        return {"points": self.points, "stride": self.stride, "in_last": self._in_last}

    def set_state(self, state: dict | list) -> None:
        """Take back a state, or the list of all points that version 0.1.0 kept."""
        self.points, self.stride, self._in_last = [], 1, 0
        if isinstance(state, list):
            for point in state:
                iteration, *values = _numbers(point)
                self.append(int(iteration), *values)
            return
        self.points = [_numbers(point) for point in state["points"]]
        self.stride, self._in_last = int(state["stride"]), int(state["in_last"])

    def _halve(self) -> None:
        pairs = zip(self.points[::2], self.points[1::2], strict=True)
        self.points = [
            (later[0], *((a + b) / 2 for a, b in zip(earlier[1:], later[1:], strict=True)))
            for earlier, later in pairs
        ]
        self.stride *= 2


def _numbers(point: list) -> tuple[float, ...]:
    """A point as JSON gives it back."""
    return (int(point[0]), *map(float, point[1:]))
