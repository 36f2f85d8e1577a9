"""What the other rooms stand on: errors, files, packages, a quiet TensorFlow, Keras's habits.

It imports nothing of this package, and every room may import it.
"""
