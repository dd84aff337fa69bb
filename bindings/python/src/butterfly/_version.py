"""The version of the library."""

from ._library import ffi as _ffi

__version__: str = _ffi.version()
