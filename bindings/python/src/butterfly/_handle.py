"""What every object has that holds a pointer into the library."""

from __future__ import annotations

from types import TracebackType
from typing import Any, NoReturn, Self

from ._errors import ClosedError


class Handle:
    """Owns one object of the library; freed by `close`, or when it is forgotten.

    It may be used from any thread. It can be neither copied nor pickled: a copy
    would hold the same pointer, and free it twice.
    """

    __slots__ = ("__weakref__", "_object")

    _object: Any

    def _held(self) -> Any:
        held = self._object
        if held is None:
            raise ClosedError(f"this {type(self).__name__} is closed")
        return held

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._object is None

    def close(self) -> None:
        """Frees the object; a call that is under way in another thread ends first.

        Every later call raises `ClosedError`; closing again does nothing.
        """
        self._object = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} can be neither copied nor pickled: it is a pointer into this process")

    def __copy__(self) -> NoReturn:
        self.__reduce_ex__(2)

    def __deepcopy__(self, memo: object) -> NoReturn:
        self.__reduce_ex__(2)
