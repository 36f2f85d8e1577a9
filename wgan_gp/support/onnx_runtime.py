"""onnxruntime, without what it sends to its makers."""

import os
from types import ModuleType


def load_onnxruntime() -> ModuleType:
    """The module, told not to report its use to Microsoft, as its packages do unless they are told.

    It looks when it is first imported (its Privacy.md); what the user has set counts.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime
