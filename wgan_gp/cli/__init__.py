"""The command line, the only place that knows its words: `main`, its options and its commands.

It imports everything else where it is needed; nothing but `__main__` imports it.
"""
