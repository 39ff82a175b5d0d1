"""Which preset a body names, in every spelling, and what is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.errors import FieldError
from setpoint.presets.reference import (
    ModelName,
    Reference,
    check_slug,
    parse_model,
    parse_preset,
    parse_ref,
    parse_slug,
    reference,
)
from setpoint.wire.body import split


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("@preset/s", ModelName(None, (), Reference("s"))),
        ("@preset/s@7", ModelName(None, (), Reference("s", "7"))),
        ("@preset/s@production", ModelName(None, (), Reference("s", "production"))),
        ("@preset/s@latest:nitro", ModelName(None, ("nitro",), Reference("s", "latest"))),
        ("@preset/s:nitro", ModelName(None, ("nitro",), Reference("s"))),
        ("openai/gpt-4@preset/s", ModelName("openai/gpt-4", (), Reference("s"))),
        ("x:nitro@preset/s", ModelName("x", ("nitro",), Reference("s"))),
        ("x@preset/s:nitro", ModelName("x", ("nitro",), Reference("s"))),
        ("x:nitro@preset/s@7:nitro:online", ModelName("x", ("nitro", "online"), Reference("s", "7"))),
        ("llama3:8b@preset/s:nitro", ModelName("llama3", ("8b", "nitro"), Reference("s"))),
        ("user/model@2024@preset/s", ModelName("user/model@2024", (), Reference("s"))),
        ("~author/family-latest@preset/S.1_x-y", ModelName("~author/family-latest", (), Reference("S.1_x-y"))),
        ("@preset/a%2Db", ModelName(None, (), Reference("a-b"))),
        ("user/model@2024", ModelName("user/model@2024")),
        ("x@preset", ModelName("x@preset")),
        ("x@presets/s", ModelName("x@presets/s")),
        ("llama3:8b", ModelName("llama3", ("8b",))),
    ],
)
def test_a_model_string_has_one_meaning(text: str, name: ModelName) -> None:
    assert parse_model(text) == name


@pytest.mark.parametrize(
    "text",
    [
        *("", "@preset/", "x@preset/", "@preset/@7", "@preset/:nitro", "@preset/s:", "@preset/s::nitro"),
        *("@preset/a@preset/b", "x@preset/a@preset/b", "@preset/@preset/a", ":nitro@preset/s", "x:@preset/s"),
        *("@preset/s@", "@preset/s@007", "@preset/s@-1", "@preset/s@1.0", "@preset/s@V1", "@preset/s@7@8"),
        *("@preset/s:nitro@7", "@preset/s@ü", "@preset/s@7\n", "@preset/s@\u0667", "@preset/s@" + "a" * 65),
        *("@preset/a%2Fb", "@preset/..%2f", "@preset/a%252Db", "@preset/a%00", "@preset/a%ff", "@preset/a%zz"),
        *("@preset/../etc", "@preset/a\\b", "@preset/a b", "@preset/s\n", "@preset/\u0430", "@preset/" + "a" * 129),
        "@preset/s%407",
    ],
)
def test_a_malformed_model_string_is_refused_at_model(text: str) -> None:
    with pytest.raises(FieldError) as caught:
        parse_model(text)
    assert caught.value.path == "model"


@given(st.text(alphabet="ab:@/%.-~ \u00e9", min_size=1).filter(lambda text: "@preset/" not in text))
def test_a_model_string_without_a_preset_comes_out_as_it_went_in(text: str) -> None:
    name = parse_model(text)
    assert (name.text, name.preset) == (text, None)


SLUGS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
PINS = st.from_regex(r"[1-9][0-9]{0,30}|[a-z][a-z0-9_-]{0,20}", fullmatch=True)
VARIANTS = st.lists(st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True), max_size=3, unique=True)


@given(
    base=st.none() | st.from_regex(r"~?[a-z]{1,8}/[a-z0-9.@-]{1,12}", fullmatch=True),
    slug=SLUGS,
    pin=st.none() | PINS,
    before=VARIANTS,
    behind=VARIANTS,
)
def test_what_is_written_by_the_grammar_is_read_by_it(
    base: str | None, slug: str, pin: str | None, before: list[str], behind: list[str]
) -> None:
    before = [] if base is None else before
    text = ":".join(filter(None, [base, *before])) + f"@preset/{slug}" + (f"@{pin}" if pin else "")
    name = parse_model(":".join([text, *behind]))
    assert name == ModelName(base, tuple(dict.fromkeys([*before, *behind])), Reference(slug, pin))
    if name.text is not None:
        assert parse_model(name.text).text == name.text


@given(st.text() | st.text(alphabet="ab@preset/:7%"))
def test_any_text_is_a_model_name_or_refused(text: str) -> None:
    try:
        name = parse_model(text)
    except FieldError:
        return
    assert name.preset is None or check_slug(name.preset.slug)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s", Reference("s")),
        ("s@7", Reference("s", "7")),
        ("@preset/s", Reference("s")),
        ("@preset/s@production", Reference("s", "production")),
    ],
)
def test_the_preset_field_takes_four_spellings(text: str, expected: Reference) -> None:
    assert parse_preset(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "a b", "s@", "s@007", "s:nitro", "@preset/", "@preset/@preset/s", "x@preset/s", "s@7@8", "s\n", "a%2Db"],
)
def test_a_malformed_preset_field_is_refused_at_preset(text: str) -> None:
    with pytest.raises(FieldError) as caught:
        parse_preset(text)
    assert caught.value.path == "preset"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, None),
        ({"model": None, "preset": None}, None),
        ({"model": "openai/gpt-4"}, None),
        ({"model": "@preset/s"}, Reference("s")),
        ({"preset": "s"}, Reference("s")),
        ({"model": "openai/gpt-4", "preset": "s@7"}, Reference("s", "7")),
        ({"model": "x@preset/s", "preset": "s"}, Reference("s")),
        ({"model": "x@preset/s", "preset": "@preset/s@7"}, Reference("s", "7")),
        ({"model": "x@preset/s@7", "preset": "s"}, Reference("s", "7")),
        ({"model": "x@preset/s@7", "preset": "s@7"}, Reference("s", "7")),
    ],
)
def test_a_body_names_its_preset_in_the_model_in_the_field_or_in_both(body: object, expected: Reference | None) -> None:
    assert reference(split(json.dumps(body).encode())) == expected


def test_escapes_do_not_hide_a_preset() -> None:
    assert reference(split(rb'{"model":"\u0040preset\/s"}')) == Reference("s")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"model": "x@preset/a", "preset": "b"}, "preset"),
        ({"model": "x@preset/a", "preset": "A"}, "preset"),
        ({"model": "x@preset/a@7", "preset": "a@8"}, "preset"),
        ({"model": "@preset/", "preset": "a"}, "model"),
        ({"model": 7}, "model"),
        ({"preset": 5}, "preset"),
        ({"preset": "a b"}, "preset"),
    ],
)
def test_two_spellings_that_differ_are_refused(body: object, path: str) -> None:
    with pytest.raises(FieldError) as caught:
        reference(split(json.dumps(body).encode()))
    assert caught.value.path == path


@pytest.mark.parametrize("slug", ["a", "7", "versions", "chat", "export", "A.b_c-d", "x" * 128])
def test_no_word_is_reserved_as_a_slug(slug: str) -> None:
    assert check_slug(slug)
    assert parse_slug(slug) == slug


@pytest.mark.parametrize(
    "slug",
    [
        *("", ".", "..", "../a", "a/b", "a\\b", "a\x00", "a\n", "-a", "_a", "a b", "a:b", "a@b", "a%2e", "x" * 129),
        *("x" * 10_000, "é", "e\u0301", "\u0430dmin", "a\u202eb", "a\u200bb", "😀", "\uff41", "\u0663"),
    ],
)
def test_what_could_be_mistaken_is_no_slug(slug: str) -> None:
    assert not check_slug(slug)
    with pytest.raises(FieldError) as caught:
        parse_slug(slug)
    assert caught.value.path == "slug"
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("1", 1),
        ("42", 42),
        ("0", 0),
        ("9223372036854775806", 2**63 - 2),
        ("9999999999999999999", 2**63 - 1),
        ("9" * 5000, 2**63 - 1),
        ("latest", "latest"),
        ("designated", "designated"),
        ("v1_x-y", "v1_x-y"),
        ("a" * 64, "a" * 64),
    ],
)
def test_a_ref_is_a_number_or_a_word(text: str, ref: int | str) -> None:
    assert parse_ref(text) == ref


@pytest.mark.parametrize(
    "text", ["", "007", "00", "-1", "+1", "1.0", "V1", "1a", "1\n", "a\n", " 1", "\u0663", "a" * 65]
)
def test_anything_else_is_no_ref(text: str) -> None:
    with pytest.raises(FieldError) as caught:
        parse_ref(text)
    assert caught.value.path == "version"
