"""What a trained generator is turned into: files for other programs, their card, films of walks.

It imports the model's modules, `metrics` and `support`; nothing of callbacks or runs.
"""
