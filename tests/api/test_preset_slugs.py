"""Slugs in paths: one written rule, no twins, no way out of the segment they stand in."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from api.api_support import SKINS, create, data_of, fresh, get, refused

if TYPE_CHECKING:
    from support.processes import Gateway

RULE = "slug: a preset's slug is 1 to 128 of A-Z a-z 0-9 . _ - and begins with a letter or digit"

LEGAL = [
    *("a", "Z", "7", "a.b", "a..b", "a_b", "a-b-", "x" * 128, "2024-06-01", "1", "0"),
    *("chat", "messages", "responses", "completions", "versions", "labels", "export", "designate", "diff"),
    *("latest", "designated", "presets", "preset", "models", "keys", "null", "CON"),
]
ILLEGAL = {
    "empty": "",
    "too long": "x" * 129,
    "ten kilobytes": "x" * 10_240,
    "a dot first": ".hidden",
    "one up": "..",
    "here": ".",
    "a hyphen first": "-a",
    "an underscore first": "_a",
    "up and over": "../../etc/passwd",
    "a slash": "a/b",
    "a slash at its end": "a/",
    "a backslash": "a\\b",
    "NUL": "a\0b",
    "NUL at its end": "a\0",
    "a newline at its end": "a\n",
    "a space": "a b",
    "a pin": "a@1",
    "a variant": "a:nitro",
    "a percent sign": "a%2Fb",
    "a question": "a?b",
    "a fragment": "a#b",
    "an umlaut in one": "caf\u00e9",
    "an umlaut in two": "cafe\u0301",
    "Cyrillic a": "\u0430dmin",
    "full width": "\uff41bc",
    "an Arabic digit": "\u0661",
    "right to left": "a\u202eb",
    "zero width": "a\u200bb",
    "a soft hyphen": "a\u00adb",
    "an emoji": "\U0001f600",
    "a tag": "a\U000e0061",
}


@pytest.mark.parametrize("slug", LEGAL)
def test_a_legal_slug_works_in_every_operation_whatever_else_the_word_means(shared_gateway: Gateway, slug: str) -> None:
    for number, skin in enumerate(SKINS, start=1):
        made = create(shared_gateway, slug, {"model": "sim/solo"}, skin)
        assert (made["slug"], made["name"], made["designated_version"]["version"]) == (slug, slug, number)
    assert shared_gateway.call("GET", f"/presets/{slug}/versions").json()["total_count"] == 3
    assert data_of(shared_gateway.call("GET", f"/presets/{slug}/versions/2"))["version"] == 2
    moved = data_of(shared_gateway.call("POST", f"/presets/{slug}/versions/2/designate", {}))
    assert moved["designated_version"]["version"] == 2
    assert data_of(shared_gateway.call("PATCH", f"/presets/{slug}", {"name": "n"}))["name"] == "n"
    assert data_of(shared_gateway.call("DELETE", f"/presets/{slug}"))["status"] == "archived"
    assert get(shared_gateway, slug)["slug"] == slug


@pytest.mark.parametrize("slug", ILLEGAL.values(), ids=ILLEGAL)
def test_an_illegal_slug_is_refused_everywhere_and_nothing_comes_of_it(shared_gateway: Gateway, slug: str) -> None:
    def state() -> tuple[int, list[str]]:
        files = sorted(path.name for path in shared_gateway.data_dir.rglob("*"))
        return shared_gateway.call("GET", "/presets").json()["total_count"], files

    before = state()
    written = quote(slug, safe="")
    path = f"/presets/{written}"
    for skin in SKINS:
        assert refused(shared_gateway.call("POST", f"{path}/{skin}", {}), 400) == RULE
    for rest in ("", "/versions", "/versions/1"):
        assert refused(shared_gateway.call("GET", path + rest), 400) == RULE
    assert refused(shared_gateway.call("PATCH", path, {"name": "n"}), 400) == RULE
    assert refused(shared_gateway.call("DELETE", path), 400) == RULE
    assert refused(shared_gateway.call("POST", f"{path}/versions/1/designate", {}), 400) == RULE
    assert state() == before


def test_a_percent_encoded_slug_is_decoded_once(shared_gateway: Gateway) -> None:
    made = create(shared_gateway, slug := fresh("my-preset.v"), {})
    encoded = "".join(f"%{ord(character):02x}" for character in slug)
    assert get(shared_gateway, encoded) == made
    assert create(shared_gateway, encoded, {})["id"] == made["id"]
    assert refused(shared_gateway.call("GET", f"/presets/{encoded.replace('%', '%25')}"), 400) == RULE


def test_slugs_that_differ_in_case_are_two_presets(shared_gateway: Gateway) -> None:
    slug = fresh("case")
    lower, upper = create(shared_gateway, slug, {"seed": 1}), create(shared_gateway, slug.upper(), {"seed": 2})
    assert lower["id"] != upper["id"]
    assert get(shared_gateway, slug) == lower
    refused(shared_gateway.call("GET", f"/presets/{slug.title()}"), 404)


@pytest.mark.parametrize("slug", ["%ff", "a%c3", "%ed%a0%80"])
def test_bytes_that_are_no_text_are_no_slug(shared_gateway: Gateway, slug: str) -> None:
    refused(shared_gateway.call("GET", f"/presets/{slug}"), 400)
    refused(shared_gateway.call("POST", f"/presets/{slug}/messages", {}), 400)


def test_traversal_written_plainly_reaches_nothing(shared_gateway: Gateway) -> None:
    create(shared_gateway, slug := fresh(), {})
    for path in (f"/presets/x/../{slug}", f"/presets/./{slug}", f"/presets//{slug}", f"/presets/{slug}/.."):
        refused(shared_gateway.call("GET", path), 404)
