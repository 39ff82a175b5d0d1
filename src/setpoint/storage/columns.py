"""Column types: what a value is in Setpoint, and what any database can hold of it."""

from __future__ import annotations

from abc import abstractmethod
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Struct, json, to_builtins
from sqlalchemy import BigInteger, Text, TypeDecorator

from setpoint.wire import body

if TYPE_CHECKING:
    from sqlalchemy import Dialect

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

T = TypeVar("T")


class Stored(TypeDecorator[T], Generic[T]):
    """A type of ours in terms of a plain one: `write` and `read` say how. None stays None."""

    impl = Text
    cache_ok = True

    @abstractmethod
    def write(self, value: T) -> object:
        """What the database holds for this value."""

    @abstractmethod
    def read(self, stored: Any) -> T:
        """The value for what the database holds."""

    def process_bind_param(self, value: T | None, dialect: Dialect) -> object:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else self.write(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> T | None:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else self.read(value)


class Moment(Stored[datetime]):
    """An aware datetime, as whole microseconds since 1970 in UTC."""

    impl = BigInteger
    cache_ok = True

    def write(self, value: datetime) -> int:
        return (value - _EPOCH) // _MICROSECOND

    def read(self, stored: int) -> datetime:
        return _EPOCH + timedelta(microseconds=stored)


class Money(Stored[Decimal]):
    """US dollars, as the decimal number written out: exact, whatever its length."""

    cache_ok = True

    def write(self, value: Decimal) -> str:
        return str(value)

    def read(self, stored: str) -> Decimal:
        return Decimal(stored)


class Json(Stored[bytes]):
    """Raw JSON that came through `wire.body`, byte for byte: UTF-8, and what UTF-8 cannot say is escaped in it."""

    cache_ok = True

    def write(self, value: bytes) -> str:
        return value.decode()

    def read(self, stored: str) -> bytes:
        return stored.encode()


class FreeText(Stored[str]):
    """Text that anyone may have written. What no database holds (NUL, lone surrogates) is kept as its escape."""

    cache_ok = True

    def write(self, value: str) -> str:
        if value.isascii() and "\0" not in value:
            return value
        return value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")

    def read(self, stored: str) -> str:
        return stored


class Words(Stored[tuple[str, ...]]):
    """Several strings in order, as a JSON array."""

    cache_ok = True

    def write(self, value: tuple[str, ...]) -> str:
        return bytes(body.raw(value)).decode()

    def read(self, stored: str) -> tuple[str, ...]:
        return tuple(body.value(stored.encode()))


class Structs(Stored[tuple[Any, ...]]):
    """Several records of one kind in order, as a JSON array of objects."""

    cache_ok = True

    def __init__(self, kind: type[Struct]) -> None:
        super().__init__()
        self.kind = kind
        self._encoder = json.Encoder()
        self._decoder = json.Decoder(tuple[kind, ...])

    def write(self, value: tuple[Struct, ...]) -> str:
        try:
            return self._encoder.encode(value).decode()
        except UnicodeEncodeError:  # a lone surrogate somewhere in it
            return bytes(body.raw(to_builtins(value))).decode()

    def read(self, stored: str) -> tuple[Any, ...]:
        return body.read(stored.encode(), self._decoder)
