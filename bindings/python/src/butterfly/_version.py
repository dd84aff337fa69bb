"""The version of the library."""

from ._generated import butterfly_ffi as _ffi

__version__: str = _ffi.version()
