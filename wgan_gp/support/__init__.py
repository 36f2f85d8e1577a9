"""What has little to do with a GAN: errors, files, packages, a quiet TensorFlow, Keras's habits.

It imports nothing of this package, and every room may import it.
"""
