"""ONNX Runtime, told to keep to itself before it is loaded: whoever needs it imports it from here.

Its published builds send usage data to their vendor from 1.29 on (Privacy.md in the package). They begin with it when
they are loaded, and write an identifier of the machine into the user's cache folder. The variable is the one switch for
all of that.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

__all__ = ["onnxruntime"]
