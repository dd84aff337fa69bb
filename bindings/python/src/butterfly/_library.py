"""The library, behind the code that was generated for it and that the wheel brings."""

from __future__ import annotations

from importlib import import_module
from typing import Any

ffi: Any = import_module("._generated.butterfly_ffi", __package__)
"""Generated code has no types that checkers accept: what comes from it is made a public value at once."""
