"""What watches over `fit`: pictures, history, progress, checkpoints, and ends before their time.

It imports the model's modules, `data`, `metrics` and `support`; nothing of runs.
"""
