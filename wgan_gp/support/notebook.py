"""Where the program runs."""


def in_notebook() -> bool:
    """Whether a notebook's kernel runs it, which shows pictures and keeps a line up to date."""
    return running_cell() is not None


def running_cell() -> int | None:
    """The number of the notebook's cell that runs; None where there is no notebook."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    shell = get_ipython()
    return shell.execution_count if hasattr(shell, "kernel") else None
