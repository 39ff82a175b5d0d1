"""Which preset a body names: the grammar of the model string and of the `preset` field.

    model    := base variants? [ "@preset/" slug pin? variants? ]  |  "@preset/" slug pin? variants?
    variants := ( ":" word )+
    pin      := "@" ( version | label | "latest" | "designated" )

Without `@preset/` in it a model string is nobody's business here and comes out as it went in.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from msgspec import Struct

from setpoint.errors import FieldError
from setpoint.wire.body import NULL, is_string, value

if TYPE_CHECKING:
    from msgspec import Raw

    from setpoint.wire.body import Body

_MARK = "@preset/"

_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_NUMBER = re.compile(r"0|[1-9][0-9]*")
_WORD = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_VARIANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

_SLUG_RULE = "a preset's slug is 1 to 128 of A-Z a-z 0-9 . _ - and begins with a letter or digit"
_PIN_RULE = "a version is digits without a leading zero, a label is lower-case and begins with a letter"

_BEYOND = 2**63 - 1
"""Stands for every number too large to be a version."""


class Reference(Struct, frozen=True):
    """A preset by its slug. `pin` is a version's digits, a label, `latest` or `designated`; None: no pin."""

    slug: str
    pin: str | None = None


class ModelName(Struct, frozen=True):
    """A model string taken apart. `base` is None when it names only a preset."""

    base: str | None
    variants: tuple[str, ...] = ()
    preset: Reference | None = None

    @property
    def text(self) -> str | None:
        """The model that the string names beside the preset, None when it names none."""
        return None if self.base is None else ":".join((self.base, *self.variants))


def parse_model(text: str) -> ModelName:
    """The parts of a model string. Raises: `FieldError` at `model`."""
    if not text:
        raise FieldError("model", "must not be empty")
    before, mark, after = text.partition(_MARK)
    base, *variants = before.split(":")
    if not mark:
        return ModelName(base, tuple(variants))
    if _MARK in after:
        raise FieldError("model", "names more than one preset")
    if (variants and not base) or "" in variants:
        raise FieldError("model", "has an empty part beside a colon")
    named, *words = after.split(":")
    if not all(map(_VARIANT.fullmatch, words)):
        raise FieldError("model", "has a malformed variant behind its preset")
    slug, at, pin = named.partition("@")
    preset = _reference("model", unquote(slug), pin if at else None)
    return ModelName(base or None, tuple(dict.fromkeys((*variants, *words))), preset)


def parse_preset(text: str) -> Reference:
    """What the `preset` field of a body names. Raises: `FieldError` at `preset`."""
    slug, at, pin = text.removeprefix(_MARK).partition("@")
    return _reference("preset", slug, pin if at else None)


def reference(body: Body) -> Reference | None:
    """The preset that a body names in its model string, its `preset` field, or both alike. None: no preset.

    Raises: `FieldError` at `model` or `preset`.
    """
    model = body.get("model", NULL)
    field = body.get("preset", NULL)
    in_model = None if model == NULL else parse_model(_text("model", model)).preset
    in_field = None if field == NULL else parse_preset(_text("preset", field))
    if in_model is None or in_field is None:
        return in_model or in_field
    if in_model.slug != in_field.slug:
        raise FieldError("preset", "names another preset than model does")
    if in_model.pin and in_field.pin and in_model.pin != in_field.pin:
        raise FieldError("preset", "names another version than model does")
    return in_model if in_model.pin else in_field


def check_slug(text: str) -> bool:
    """Whether this can be a preset's slug."""
    return _SLUG.fullmatch(text) is not None


def parse_slug(text: str) -> str:
    """A slug as it came. Raises: `FieldError` at `slug`."""
    if not check_slug(text):
        raise FieldError("slug", _SLUG_RULE)
    return text


def parse_ref(text: str) -> int | str:
    """A version's number, or the word that stands for one. Raises: `FieldError` at `version`.

    A number beyond 64 bits comes back as the largest that fits, which no version has.
    """
    if _NUMBER.fullmatch(text):
        return min(int(text), _BEYOND) if len(text) < 20 else _BEYOND
    if _WORD.fullmatch(text):
        return text
    raise FieldError("version", _PIN_RULE)


def _reference(path: str, slug: str, pin: str | None) -> Reference:
    if not check_slug(slug):
        raise FieldError(path, _SLUG_RULE)
    if pin is not None and not (_NUMBER.fullmatch(pin) or _WORD.fullmatch(pin)):
        raise FieldError(path, _PIN_RULE)
    return Reference(slug, pin)


def _text(path: str, content: Raw) -> str:
    if not is_string(content):
        raise FieldError(path, "must be a string")
    return value(content)
