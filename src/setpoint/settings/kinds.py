"""What a value may be: each kind says it in words, for messages and the manual, and reads a node accordingly."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

from msgspec import UNSET, Struct

from setpoint.settings.nodes import Items, Members, Node, Report, Scalar, nearest

# The core schema of YAML 1.2.
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# What YAML 1.1 takes for truth and we do not: without quotes it is refused, since either reading may be meant.
_OLD_TRUTH = re.compile(r"yes|no|on|off", re.IGNORECASE)
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)|0o[0-7]+|0x[0-9a-fA-F]+")

_CREDENTIAL = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


class KindError(ValueError):
    """The node is not of its kind. Without a message of its own it "must be" what the kind says."""


class Kind(Struct, frozen=True):
    """What a value may be. `read` takes the node, its path and the report, and raises `KindError`."""

    words: str
    read: Callable[[Node, str, Report], object]
    unit: str = ""
    secret: bool = False


def read_as(kind: Kind, node: Node, path: str, report: Report) -> object:
    """What the node says as this kind, UNSET when it is wrong, which is then in the report."""
    if isinstance(node, Scalar) and node.form == "lost":
        return UNSET
    try:
        return kind.read(node, path, report)
    except KindError as error:
        report.wrong(node.place, f"{path}: {str(error) or f'must be {kind.words}'}")
        return UNSET


def scalar(words: str, parse: Callable[[Scalar], object], *, unit: str = "", secret: bool = False) -> Kind:
    """A kind that is one piece of text."""

    def read(node: Node, path: str, report: Report) -> object:
        del path, report
        if not isinstance(node, Scalar):
            raise KindError
        return parse(node)

    return Kind(words, read, unit, secret)


def is_null(node: Node) -> bool:
    """Whether the node says null."""
    if not isinstance(node, Scalar):
        return False
    return node.text in _NULLS if node.form == "plain" else node.form == "given" and node.text == "null"


# --- text ----------------------------------------------------------------------------------------------------


def text_of(node: Scalar) -> str:
    """The text of a scalar that is a string. Raises: `KindError`."""
    if node.form == "plain":
        if is_null(node):
            raise KindError
        if node.text in _TRUTH or any(form.fullmatch(node.text) for form in (_NUMBER, _SPECIAL, _OLD_TRUTH)):
            raise KindError("must be a string: put it in quotes")
    return node.text


def matching(words: str, pattern: re.Pattern[str]) -> Kind:
    """A string that matches as a whole."""

    def parse(node: Scalar) -> str:
        if not pattern.fullmatch(text_of(node)):
            raise KindError
        return node.text

    return scalar(words, parse)


def _name(node: Scalar) -> str:
    text = text_of(node)
    if not text.strip() or not text.isprintable():
        raise KindError
    return text


def is_model_id(text: str) -> bool:
    """Whether the text can be a model's id: not empty, without white space, and no reference to a preset."""
    return text.isprintable() and bool(text) and " " not in text and "@preset/" not in text


def _model_id(node: Scalar) -> str:
    if not is_model_id(text_of(node)):
        raise KindError
    return node.text


def is_credential(text: str) -> bool:
    """Whether the text can stand in a header: visible ASCII, with spaces only inside."""
    return _CREDENTIAL.fullmatch(text) is not None


def _credential(node: Scalar) -> str:
    if not is_credential(text_of(node)):
        raise KindError
    return node.text


def _path(node: Scalar) -> Path:
    try:
        return Path(_name(node)).expanduser()
    except RuntimeError:
        raise KindError("`~` has no meaning here: the user has no home folder") from None


STRING = scalar("a string", text_of)
NAME = scalar("a string of printable characters, not empty", _name)
CREDENTIAL = scalar("a string of visible ASCII characters", _credential, secret=True)
MODEL_ID = scalar("a model id: no white space, no `@preset/`", _model_id)
PATH = scalar("a path", _path)


def word(*words: str) -> Kind:
    """One of a few words."""
    said = f"one of {', '.join(words)}"

    def parse(node: Scalar) -> str:
        if node.text not in words:
            raise KindError(f"must be {said}{nearest(node.text, words)}")
        return node.text

    return scalar(said, parse)


# --- numbers and truth ---------------------------------------------------------------------------------------


def _number_text(node: Scalar, pattern: re.Pattern[str], words: str) -> str:
    if not pattern.fullmatch(node.text):
        raise KindError
    if node.form == "quoted":
        raise KindError(f"must be {words}, without quotes")
    return node.text


def integer(least: int, most: int | None = None, *, unit: str = "") -> Kind:
    """A whole number within bounds."""
    words = f"an integer of at least {least}" if most is None else f"an integer from {least} to {most}"

    def parse(node: Scalar) -> int:
        number = int(_number_text(node, _INTEGER, words))
        if number < least or (most is not None and number > most):
            raise KindError
        return number

    return scalar(words, parse, unit=unit)


def number(words: str, fits: Callable[[float], bool], *, unit: str = "") -> Kind:
    """A finite number that fits."""

    def parse(node: Scalar) -> float:
        content = float(_number_text(node, _NUMBER, words))
        if not math.isfinite(content) or not fits(content):
            raise KindError
        return content

    return scalar(words, parse, unit=unit)


def _boolean(node: Scalar) -> bool:
    if node.form == "quoted" or node.text not in _TRUTH:
        raise KindError
    return _TRUTH[node.text]


BOOLEAN = scalar("true or false", _boolean)
SECONDS = number("a number of seconds greater than 0", lambda seconds: seconds > 0, unit="seconds")


# --- made of other kinds -------------------------------------------------------------------------------------


def or_null(kind: Kind) -> Kind:
    """The kind, or null, which reads as None."""

    def read(node: Node, path: str, report: Report) -> object:
        if is_null(node):
            return None
        try:
            return kind.read(node, path, report)
        except KindError as error:
            raise KindError(str(error) or f"must be {kind.words}, or null") from None

    return Kind(f"{kind.words}, or null", read, kind.unit, kind.secret)


def either(first: Kind, second: Kind) -> Kind:
    """What reads as the first kind, else as the second."""
    words = f"{first.words}, or {second.words}"

    def read(node: Node, path: str, report: Report) -> object:
        try:
            return first.read(node, path, report)
        except KindError:
            try:
                return second.read(node, path, report)
            except KindError:
                raise KindError(f"must be {words}") from None

    return Kind(words, read, first.unit, first.secret or second.secret)


def list_of(kind: Kind, *, least: int = 0) -> Kind:
    """A list, which reads as a tuple. An entry that is wrong is reported and left out."""
    words = f"a list; each entry {kind.words}" if least == 0 else f"a list of at least {least}; each entry {kind.words}"

    def read(node: Node, path: str, report: Report) -> object:
        if not isinstance(node, Items) or len(node.entries) < least:
            raise KindError
        found = (read_as(kind, entry, f"{path}[{at}]", report) for at, entry in enumerate(node.entries))
        return tuple(entry for entry in found if entry is not UNSET)

    return Kind(words, read, secret=kind.secret)


def one_or_many(kind: Kind) -> Kind:
    """One, or a list of at least one; both read as a tuple."""
    many = list_of(kind, least=1)

    def read(node: Node, path: str, report: Report) -> object:
        if isinstance(node, Items):
            return many.read(node, path, report)
        return (kind.read(node, path, report),)

    return Kind(f"{kind.words}, or a list of them", read, secret=kind.secret)


def _members(node: Node, path: str, report: Report) -> Members:
    del path, report
    if not isinstance(node, Members):
        raise KindError
    return node


MEMBERS = Kind("a table", _members)
