"""What a trained generator is turned into: files for other programs, their card, films of walks.

It imports `config`, `pictures`, `sampling`, `random_streams`, `metrics` and `support`; nothing of
callbacks or runs.
"""
