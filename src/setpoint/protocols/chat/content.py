"""One part of a message's content, both ways: words, an image, a file, sound or film."""

from __future__ import annotations

from base64 import b64encode
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Raw, structs

from setpoint.canonical.parts import Media, Refusal, Text
from setpoint.errors import FieldError
from setpoint.protocols.media import read_url, write_url
from setpoint.wire.body import (
    NULL,
    Body,
    as_array,
    as_text,
    is_array,
    is_null,
    is_object,
    is_string,
    join,
    members,
    raw,
    value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from setpoint.canonical.parts import MediaKind, Part

KINDS: Mapping[str, MediaKind] = MappingProxyType(
    {"image_url": "image", "file": "file", "input_audio": "audio", "video_url": "video", "input_video": "video"}
)
"""Type of a part to the kind of its medium."""

_TYPES: dict[MediaKind, str] = {"image": "image/png", "file": "application/pdf", "video": "video/mp4"}
"""What content is taken for when nobody says."""

_FILENAMES = {"application/pdf": "document.pdf", "text/plain": "document.txt"}
"""A file's content needs a name; these stand where there is none."""

_KIND_CHARACTERS = 64


def unsayable(path: str, kind: str) -> FieldError:
    """The error for content that only chat has a word for."""
    return FieldError(
        path, f"{kind[:_KIND_CHARACTERS]} has no word in another protocol", metadata={"reason": "unsupported"}
    )


def refused(part: Part, kind: str) -> FieldError:
    """The error for content that chat has no word for."""
    return FieldError(part.path, f"{kind} cannot be said to this provider", metadata={"reason": "unsupported"})


def string_in(body: Body, name: str, path: str) -> Raw:
    """A member that must be a string. Raises: `FieldError` naming it."""
    content = body.get(name, NULL)
    if not is_string(content):
        raise FieldError(f"{path}.{name}", "is required" if content == NULL else "must be a string")
    return content


def object_in(body: Body, name: str, path: str) -> Body:
    """The members of a member that must be an object. Raises: `FieldError` naming it."""
    content = body.get(name, NULL)
    if not is_object(content):
        raise FieldError(f"{path}.{name}", "is required" if content == NULL else "must be an object")
    return members(content)


def array_in(body: Body, name: str, path: str) -> list[Raw]:
    """The entries of a member that must be an array where it is said at all. Raises: `FieldError` naming it."""
    content = body.get(name, NULL)
    if not (is_null(content) or is_array(content)):
        raise FieldError(f"{path}.{name}", "must be an array")
    return as_array(content)


def string_or_none(body: Body, name: str) -> Raw | None:
    """A member that may be a string."""
    content = body.get(name)
    return content if content is not None and is_string(content) else None


def cache_mark(body: Body) -> Raw | None:
    """The cache mark of a part, None without one."""
    mark = body.get("cache_control")
    return mark if mark is not None and is_object(mark) else None


# --- reading -------------------------------------------------------------------------------------------------


def read_part(data: Raw, path: str) -> Text | Refusal | Media:
    """One part of a content list.

    Raises: `FieldError` naming the member that is wrong, or the part when no other protocol has a word for its kind.
    """
    if not is_object(data):
        raise FieldError(path, "must be an object")
    part = members(data)
    match kind := as_text(part.get("type")):
        case None:
            raise FieldError(f"{path}.type", "is required" if part.get("type", NULL) == NULL else "must be a string")
        case "text":
            return Text(text=string_in(part, "text", path), cache=cache_mark(part), path=path)
        case "refusal":
            return Refusal(text=string_in(part, "refusal", path), path=path)
        case "image_url":
            image = object_in(part, "image_url", path)
            url, detail = string_in(image, "url", f"{path}.image_url"), string_or_none(image, "detail")
            medium = read_url("image", url, path=path, detail=detail)
        case "file":
            medium = _read_file(object_in(part, "file", path), path)
        case "input_audio":
            audio = object_in(part, "input_audio", path)
            data = string_in(audio, "data", f"{path}.input_audio")
            medium = Media(kind="audio", data=data, media_type=as_text(audio.get("format")), path=path)
        case "video_url" | "input_video":  # the second is an older name for the same part
            video = object_in(part, "video_url", path)
            medium = read_url("video", string_in(video, "url", f"{path}.video_url"), path=path)
        case _:
            raise unsayable(path, kind)
    return structs.replace(medium, cache=cache_mark(part))


def _read_file(file: Body, path: str) -> Media:
    filename, file_id = string_or_none(file, "filename"), string_or_none(file, "file_id")
    data = string_or_none(file, "file_data")
    if data is not None:
        return structs.replace(read_url("file", data, path=path, filename=filename), file_id=file_id)
    if file_id is None:
        raise FieldError(f"{path}.file", "must have file_data or file_id")
    return Media(kind="file", file_id=file_id, filename=filename, path=path)


# --- writing -------------------------------------------------------------------------------------------------


def write_parts(parts: Iterable[Text | Refusal | Media], *, cache_marks: bool) -> list[Raw]:
    """A content list. Raises: `FieldError` naming what chat has no word for."""
    written: list[Raw] = []
    for part in parts:
        match part:
            case Text(text=text):
                told: Body = {"type": raw("text"), "text": text}
            case Refusal(text=text):
                told = {"type": raw("refusal"), "refusal": text}
            case Media(context=context):
                if context is not None:  # what is said of a document stands in front of it
                    written.append(raw({"type": "text", "text": context}))
                told = _write_medium(part)
        if cache_marks and not isinstance(part, Refusal) and part.cache is not None:
            told["cache_control"] = part.cache
        written.append(Raw(join(told)))
    return written


def _write_medium(medium: Media) -> Body:
    match medium.kind:
        case "image":
            image: Body = {"url": _url_of(medium)}
            if medium.detail is not None:
                image["detail"] = medium.detail
            return {"type": raw("image_url"), "image_url": Raw(join(image))}
        case "video":
            return {"type": raw("video_url"), "video_url": Raw(join({"url": _url_of(medium)}))}
        case "audio":
            if medium.data is None:
                raise refused(medium, "audio by reference")
            audio: Body = {"data": medium.data}
            if medium.media_type is not None:
                audio["format"] = raw(medium.media_type)
            return {"type": raw("input_audio"), "input_audio": Raw(join(audio))}
        case "file":
            return {"type": raw("file"), "file": Raw(join(_write_file(medium)))}


def _url_of(medium: Media) -> Raw:
    url = write_url(medium, _TYPES[medium.kind])
    if url is None:
        raise refused(medium, f"{medium.kind} by file id")
    return url


def _write_file(medium: Media) -> Body:
    file: Body = {}
    if medium.text is not None:
        medium = structs.replace(medium, data=_base64(medium.text), media_type="text/plain")
    if medium.filename is not None:
        file["filename"] = medium.filename
    elif medium.data is not None:
        file["filename"] = raw(_FILENAMES.get(medium.media_type or _TYPES["file"], "document"))
    data = write_url(medium, _TYPES["file"])
    if data is not None:
        file["file_data"] = data
    if medium.file_id is not None:
        file["file_id"] = medium.file_id
    elif data is None:
        raise refused(medium, "file without content")
    return file


def _base64(text: Raw) -> Raw:
    return raw(b64encode(str(value(text)).encode("utf-8", "replace")).decode())
