"""The time that training takes, over all the sessions of a run."""

import math
import time


class Stopwatch:
    """Counts the seconds between `start` and the last `tick`, on top of those it begins with."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = float(seconds)
        if not math.isfinite(self.seconds):  # from a file
            raise ValueError(f"seconds are {seconds}")

    def start(self) -> None:
        """Leave out the time since the last tick."""
        self._since = time.monotonic()

    def tick(self) -> float:
        """Count the time up to now; gives the seconds in all."""
        now = time.monotonic()
        self.seconds += now - self._since
        self._since = now
        return self.seconds
