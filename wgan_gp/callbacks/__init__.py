"""Callbacks of `fit`: monitor, history, progress, quality, checkpoints, early stops.

It imports `pictures`, `sampling`, `random_streams`, `data`, `metrics` and `support`; nothing of
runs.
"""
