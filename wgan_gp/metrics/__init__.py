"""Measures of generated images: one file a metric, each a plain function over images or features.

Imports only `errors`, `extras`, the drawn flowers and the standard numeric libraries.
"""
