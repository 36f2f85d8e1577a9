"""Networks that were trained on ImageNet: to measure images with, and for a critic to look through.

It imports `support` alone.
"""
