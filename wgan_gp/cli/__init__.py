"""The command line: `main`, its options and its commands. Nothing else knows its words.

It imports everything else where it is needed; nothing but `__main__` imports it.
"""
