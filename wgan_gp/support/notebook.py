"""Whether a notebook runs the program, which shows pictures and keeps a line up to date."""

import sys


def running_cell() -> int | None:
    """The number of the notebook's cell that runs; None where there is no notebook."""
    ipython = sys.modules.get("IPython")  # which a kernel has imported
    shell = ipython.get_ipython() if ipython else None
    return shell.execution_count if hasattr(shell, "kernel") else None
