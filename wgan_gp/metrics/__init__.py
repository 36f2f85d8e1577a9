"""How good generated images are: one file a metric, each a plain function of images or features.

It imports `sampling`, the drawn flowers of `data` and `support`; nothing of training.
"""
