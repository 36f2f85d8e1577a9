"""Whole runs: what one is told, the folder it leaves, how it starts, goes on and is exported.

It imports every room but the command line's.
"""
