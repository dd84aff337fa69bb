"""The library, behind the code that was generated for it."""

from __future__ import annotations

from typing import Any

from ._generated import butterfly_ffi

ffi: Any = butterfly_ffi
"""Generated code has no types that checkers accept: what comes from it is made a public value at once."""
