"""What watches over `fit`: pictures, history, progress, checkpoints, and ends before their time.

It imports `pictures`, `sampling`, `random_streams`, `data`, `metrics` and `support`; nothing of
runs.
"""
