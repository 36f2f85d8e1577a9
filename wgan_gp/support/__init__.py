"""What the other rooms stand on: Keras's habits, several devices, shapes, errors, whole files.

It imports nothing of this package, and every room may import it.
"""
