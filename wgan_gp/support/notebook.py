"""Where the program runs."""


def in_notebook() -> bool:
    """Whether a notebook's kernel runs it, which shows pictures and keeps a line up to date."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return hasattr(get_ipython(), "kernel")
