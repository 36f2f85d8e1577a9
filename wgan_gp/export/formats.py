"""The formats of an export, by name. Apart from their code, which takes seconds to import."""

from typing import Literal

Format = Literal["saved_model", "onnx", "litert", "keras"]

# How the name of a file in the format ends; a SavedModel is a folder.
ENDINGS: dict[Format, str] = {
    "saved_model": "",
    "onnx": ".onnx",
    "litert": ".tflite",
    "keras": ".keras",
}
