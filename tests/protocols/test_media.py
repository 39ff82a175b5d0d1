"""Data URLs and addresses, read and written."""

from __future__ import annotations

import pytest
from msgspec import Raw

from setpoint.protocols.media import read_url, write_url
from setpoint.wire.body import raw, value


@pytest.mark.parametrize(
    "url", ["https://a.test/x.png", "http://a.test/?q=data:image/png;base64,AA", "", "data:text/plain,hello", "data:,x"]
)
def test_what_is_no_base64_data_url_is_an_address(url: str) -> None:
    medium = read_url("image", raw(url), path="p")
    assert (medium.url, medium.data, medium.media_type) == (raw(url), None, None)
    assert write_url(medium, "image/png") == raw(url)


@pytest.mark.parametrize(
    ("url", "media_type", "data"),
    [
        ("data:image/png;base64,iVBORw0KGgo=", "image/png", "iVBORw0KGgo="),
        ("data:;base64,AAAA", None, "AAAA"),
        ("data:text/plain;charset=utf-8;base64,aGk=", "text/plain", "aGk="),
        ("data:application/pdf;base64,", "application/pdf", ""),
    ],
)
def test_a_data_url_is_its_type_and_its_content(url: str, media_type: str | None, data: str) -> None:
    medium = read_url("file", raw(url), path="p")
    assert (medium.url, medium.media_type, value(medium.data or b"null")) == (None, media_type, data)
    written = write_url(medium, "image/png")
    assert value(written or b"null") == f"data:{media_type or 'image/png'};base64,{data}"


def test_escapes_in_a_data_url_do_not_hide_it() -> None:
    medium = read_url("image", Raw(b'"data:image\\/png;base64,iVBO\\/w=="'), path="p")
    assert (medium.media_type, value(medium.data or b"null")) == ("image/png", "iVBO/w==")


def test_a_medium_that_is_neither_has_no_url() -> None:
    assert write_url(read_url("image", raw(""), path="p"), "image/png") == raw("")
