"""Where training images come from, the cache that keeps them, and the stream that training reads.

It imports `config`, `random_streams` and `support`; nothing of networks.
"""
