"""What looks like a secret, and what does not. None of these is one."""

from __future__ import annotations

import time
from typing import Any

import pytest
from msgspec import Raw

from setpoint.presets.secrets import Kind, Suspect, suspect
from setpoint.wire.body import raw

HEX = "4f9a0c71d2e85b36aa90bc1244d0e7f5"
WORD = "Zk3vT9xQw7LmB2nR8sYc4dFg6hJp1aKe5uXo"

HANG_S = 10
"""A hundred times what it takes. Were each place looked at anew to the end, it would be minutes."""

LOOKS: list[tuple[str, Kind]] = [
    (f"sk-sp-v1-{HEX}{HEX}", "an API key"),
    (f"sk-proj-{WORD}", "an API key"),
    (f"sk-ant-api03-{WORD}", "an API key"),
    (f"sk-or-v1-{HEX}", "an API key"),
    (f"sk_live_{HEX}", "an API key"),
    (f"gsk_{WORD}", "an API key"),
    (f"hf_{WORD}", "an API key"),
    (f"AIza{WORD}"[:39], "an API key"),
    ("AKIA4XQ7ZP2MLW9TDB6E", "an API key"),
    (f"ghp_{WORD}", "an access token"),
    (f"github_pat_{WORD}", "an access token"),
    (f"glpat-{WORD}"[:26], "an access token"),
    (f"xoxb-{HEX}", "an access token"),
    (f"npm_{WORD}", "an access token"),
    (f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{WORD}", "an access token"),
    (f"Authorization: Bearer {WORD}", "an access token"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "a private key"),
    ("-----BEGIN PRIVATE KEY-----", "a private key"),
    ("postgres://setpoint:hunter2@db.internal/app", "an address with a password in it"),
]


@pytest.mark.parametrize(("text", "kind"), LOOKS)
@pytest.mark.parametrize("before", ["", "the key:\n", "(", "\u2028", "key=", 'x "'])
def test_what_issuers_give_is_known_by_its_shape(text: str, kind: Kind, before: str) -> None:
    assert suspect(raw(before + text + ".")) == Suspect("", kind)


@pytest.mark.parametrize(
    "text",
    [
        "sk-learn-based-classification-of-tickets-v2",
        "task-1234567890-1234567890-abcdefgh",
        "sk-short1234",
        "Use the Bearer scheme of authentication-in-general here.",
        "see https://example.com/path?a=b:c@d and http://127.0.0.1:8787/api",
        "git@github.com:team/repository.git",
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----",
        "eyJust.some.text",
        "AKIAbcdefghijklmnopq",
        "0123456789abcdef0123456789abcdef",
        "",
    ],
)
def test_what_only_begins_like_one_is_none(text: str) -> None:
    assert suspect(raw(text)) is None


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ({"a": ["x", {"b/c": f"sk-{WORD}"}]}, "/a/1/b~1c"),
        ({"a": {"x": 1, f"sk-{WORD}": 1}}, "/a"),
        ([1, True, None, f"sk-{WORD}", f"ghp_{WORD}"], "/3"),
    ],
)
def test_the_first_of_a_value_is_told_by_its_place(content: Any, path: str) -> None:
    found = suspect(raw(content))
    assert found is not None
    assert found.path == path


def test_what_is_deeper_than_anybody_can_follow_is_told_as_a_whole() -> None:
    found = {suspect(Raw(b"[" * depth + f'"sk-{WORD}"'.encode() + b"]" * depth)) for depth in (900, 2_000)}
    assert found == {Suspect("/0" * 900, "an API key"), Suspect("", "an API key")}


def test_a_number_of_any_size_may_stand_beside_it() -> None:
    assert suspect(Raw(b"[1e999," + b"1" * 5_000 + f',"sk-{WORD}"]'.encode())) == Suspect("/2", "an API key")


def test_escapes_of_json_are_no_letters_of_the_text() -> None:
    for before in (rb"\n", rb"\t", rb"\u000a"):
        assert suspect(Raw(b'"key' + before + f'sk-{WORD}"'.encode())) == Suspect("", "an API key")


def test_it_is_found_wherever_it_stands_in_a_long_text() -> None:
    for at in (262_140, 262_141, 262_142, 262_143, 262_144, 600_000):
        assert suspect(raw("a " * (at // 2) + "." * (at % 2) + f"sk-{WORD}")) == Suspect("", "an API key"), at


@pytest.mark.parametrize("unit", ["sk-", "eyJ", "eyJaaaaaaa.", "://a:", "Bearer ", "-----BEGIN ", "xoxb-", "\\n", "a1"])
def test_no_text_takes_much_longer_than_it_is_long(unit: str) -> None:
    content = raw(unit * (300_000 // len(unit)))
    began = time.perf_counter()
    assert suspect(content) is None
    assert time.perf_counter() - began < HANG_S
