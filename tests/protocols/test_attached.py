"""Which media a request has, from its bytes."""

from __future__ import annotations

import json

import pytest

from setpoint.protocols.attached import media_in


@pytest.mark.parametrize(
    ("part", "kinds"),
    [
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}, ["image"]),
        ({"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}, ["audio"]),
        ({"type": "file", "file": {"file_data": "AA"}}, ["file"]),
        ({"type": "video_url", "video_url": {"url": "https://a.test"}}, ["video"]),
        ({"type": "image", "source": {"type": "base64", "data": "AA"}}, ["image"]),
        ({"type": "document", "source": {"type": "url", "url": "https://a.test"}}, ["file"]),
        ({"type": "input_image", "image_url": "https://a.test"}, ["image"]),
        ({"type": "input_file", "file_data": "AA"}, ["file"]),
        ({"type": "text", "text": '{"type": "image"}'}, []),
        ({"type": "tool_use", "input": {"kind": "image"}}, []),
    ],
)
def test_a_medium_is_known_by_its_type_in_any_protocol(part: object, kinds: list[str]) -> None:
    assert media_in(json.dumps([part]).encode()) == kinds
    assert media_in(memoryview(json.dumps([part], separators=(",", ":")).encode())) == kinds
