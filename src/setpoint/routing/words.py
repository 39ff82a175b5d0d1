"""What the values in the tables of providers and models may be, where that is their own: URLs, prices, headers, ids."""

from __future__ import annotations

import re
from decimal import Decimal
from ipaddress import AddressValueError, IPv6Address
from typing import TYPE_CHECKING

from setpoint.settings.kinds import Kind, KindError, is_null, matching, scalar, text_of
from setpoint.settings.nodes import Members, Node, Report, Scalar, member, shown

if TYPE_CHECKING:
    from setpoint.settings.nodes import Place

_MOST_DOLLARS = 1_000_000
_MOST_PLACES = 30

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]*")
SLUG = matching("a slug of a-z, 0-9 and -", _SLUG)
TAG = matching("a provider's slug, or slug/suffix", re.compile(r"[a-z0-9][a-z0-9-]*(/[A-Za-z0-9._-]+)?"))
FIELD_NAME = matching("a field name", re.compile(r"[a-z][a-z0-9_.]*"))


def is_slug(text: str) -> bool:
    """Whether the text can be a provider's slug."""
    return _SLUG.fullmatch(text) is not None


# --- URLs ----------------------------------------------------------------------------------------------------

# Strict on purpose: what a parser here and the HTTP client there could read differently is refused.
_URL = re.compile(
    r"https?://"
    r"(?:(?P<user>[^/@\s?#]+)@)?"
    r"(?:(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)|\[(?P<ipv6>[0-9A-Fa-f:.]+)\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[A-Za-z0-9._~!$&'()*+,;=:-]+)*)/*"
)


def _url(text: str) -> re.Match[str]:
    match = _URL.fullmatch(text)
    if match is None or not 0 < int(match["port"] or 1) < 65536:
        raise KindError
    if any(set(part) == {"."} for part in match["path"].split("/")):
        raise KindError
    if match["ipv6"] is not None:
        try:
            IPv6Address(match["ipv6"])
        except AddressValueError:
            raise KindError from None
    return match


def _base_url(node: Scalar) -> str:
    if _url(text_of(node))["user"] is not None:
        raise KindError
    return node.text.rstrip("/")


def _proxy(node: Scalar) -> str:
    if _url(text_of(node))["path"]:
        raise KindError
    return node.text.rstrip("/")


BASE_URL = scalar("an http or https URL without query, fragment, user part, `..` or escapes", _base_url)
PROXY = scalar("an http or https URL without path, query or fragment", _proxy, secret=True)


# --- prices --------------------------------------------------------------------------------------------------

_PRICE = re.compile(r"([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,2})?")


def _price(node: Scalar) -> Decimal:
    # The scalar's own text, quoted or not: a float would not keep its digits.
    if is_null(node) or not _PRICE.fullmatch(node.text) or len(node.text) > 2 * _MOST_PLACES:
        raise KindError
    price = Decimal(node.text)
    exponent = price.as_tuple().exponent
    if price > _MOST_DOLLARS or not isinstance(exponent, int) or exponent < -_MOST_PLACES:
        raise KindError
    return price


PRICE = scalar('US dollars per single token, "0" or more, as a decimal such as "0.0000025"', _price)


# --- headers -------------------------------------------------------------------------------------------------

# What the gateway itself writes into each request: who it is for, its credential, its framing.
_OWN_HEADERS = frozenset(
    {
        *("authorization", "proxy-authorization", "x-api-key", "api-key"),
        *("host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", "expect"),
        *("content-type", "content-encoding", "accept", "accept-encoding", "user-agent"),
    }
)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"([\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?)?")


def _headers(node: Node, path: str, report: Report) -> tuple[tuple[str, str], ...]:
    if not isinstance(node, Members):
        raise KindError
    seen: dict[str, Place] = {}
    found: list[tuple[str, str]] = []
    for key, content in node.entries:
        name = key.text.lower()
        problem = _header_problem(name, content)
        if problem is not None:
            report.wrong(key.place, f"{member(path, key.text)}: {problem}")
        elif name in seen:
            report.wrong(key.place, f"{path}: {shown(key.text)} is there already, in line {seen[name].line}")
        elif isinstance(content, Scalar) and content.form != "lost":
            found.append((key.text, content.text))
        seen[name] = key.place
    return tuple(found)


def _header_problem(name: str, content: Node) -> str | None:
    if not _HEADER_NAME.fullmatch(name):
        return "is not a header's name"
    if name in _OWN_HEADERS:
        return "cannot be set here: the gateway writes this header itself"
    if not isinstance(content, Scalar) or not _HEADER_VALUE.fullmatch(content.text):
        return "must be a string of visible ASCII characters"
    return None


HEADERS = Kind("a table of headers and their values", _headers, secret=True)
