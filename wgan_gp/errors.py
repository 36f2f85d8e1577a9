"""The one exception that stands for a user's mistake."""


class InputError(ValueError):
    """Something the user gave cannot be used; the message says what, and what to do.

    The command line prints the message alone and exits with status 2; any other exception is a
    defect of the program and keeps its traceback.
    """
