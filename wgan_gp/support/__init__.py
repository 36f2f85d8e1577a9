"""What has nothing to do with a GAN: errors, files, packages, a quiet TensorFlow.

It imports nothing of this package, and every room may import it.
"""
