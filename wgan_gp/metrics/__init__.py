"""How good generated images are: one file a metric, each a plain function of images or features.

It imports `sampling`, `data`, `imagenet` and `support`; nothing of training.
"""
