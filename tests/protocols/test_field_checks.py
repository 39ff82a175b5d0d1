"""The field checks of the three skins against `field_cases.toml`, value by value."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from setpoint.errors import FieldError
from setpoint.protocols.chat import fields as chat
from setpoint.protocols.messages import fields as messages
from setpoint.protocols.responses import fields as responses
from setpoint.wire.body import split

if TYPE_CHECKING:
    from setpoint.protocols.checks import Check
    from setpoint.wire.body import Body

SKINS = {"C": chat, "M": messages, "R": responses}
MOMENTS = {"creating": True, "calling": False}

# The least that each skin answers.
ASKED = {
    "C": b'{"messages":[{"role":"user","content":"x"}]}',
    "M": b'{"messages":[{"role":"user","content":"x"}]}',
    "R": b'{"input":"x"}',
}


class Case(NamedTuple):
    """One value of one field in one skin at one moment; `path` is None when it passes."""

    skin: str
    creating: bool
    field: str
    value: str
    path: str | None
    beside: str

    def check(self) -> None:
        asked = {} if self.creating else split(ASKED[self.skin])
        body: Body = asked | split(self.beside.encode()) | split(f'{{"{self.field}":{self.value}}}'.encode())
        SKINS[self.skin].check(body, creating=self.creating)

    def complaint(self) -> str | None:
        try:
            self.check()
        except FieldError as refusal:
            return refusal.message
        return None


def _unfold(text: str) -> str:
    return re.sub("«([^»]+)\\*([0-9]+)»", lambda found: found[1] * int(found[2]), text)


def _cases_of(row: dict[str, Any]) -> list[Case]:
    values = [(value, None) for value in row.get("valid", [])]
    values += [(value, _unfold(path)) for value, path in row.get("invalid", [])]
    return [
        Case(skin, MOMENTS[moment], row["field"], _unfold(value), path, row.get("beside", "{}"))
        for skin in row["skins"]
        for moment in ([row["when"]] if "when" in row else MOMENTS)
        for value, path in values
    ]


def _name(case: Case) -> str:
    moment = "creating" if case.creating else "calling"
    return f"{case.skin}-{moment}-{case.field}={case.value[:60].encode('unicode_escape').decode()}"


TABLE = tomllib.loads(Path(__file__).with_name("field_cases.toml").read_text(encoding="utf-8"))["row"]
CASES = [case for row in TABLE for case in _cases_of(row)]
VALID = [case for case in CASES if case.path is None]
INVALID = [case for case in CASES if case.path is not None]
VALUES = sorted({case.value for case in CASES if len(case.value) < 2000})
CHECKS: list[Check] = [
    check for skin in SKINS.values() for table in (skin.FIELDS, skin.AT_INFERENCE) for check in table.values()
]


# --- the table -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", VALID, ids=_name)
def test_valid_value_passes(case: Case) -> None:
    case.check()


@pytest.mark.parametrize("case", INVALID, ids=_name)
def test_invalid_value_is_refused_by_its_path(case: Case) -> None:
    with pytest.raises(FieldError) as refusal:
        case.check()
    assert refusal.value.path == case.path
    assert refusal.value.message.startswith(f"{case.path}: ")
    assert refusal.value.type == "invalid_request"


def test_table_and_skins_have_the_same_fields() -> None:
    for name, skin in SKINS.items():
        assert {row["field"] for row in TABLE if name in row["skins"]} == set(skin.FIELDS)
        assert {case.field for case in INVALID if case.skin == name} == set(skin.FIELDS)


def test_null_counts_as_absent() -> None:
    for name, skin in SKINS.items():
        for field in skin.FIELDS:
            Case(name, True, field, "null", None, "{}").check()
            if field not in skin.AT_INFERENCE:
                Case(name, False, field, "null", None, "{}").check()


def test_field_of_another_skin_is_unknown_and_not_checked() -> None:
    foreign = [
        case._replace(skin=name, creating=creating, beside="{}")
        for name, skin in SKINS.items()
        for creating in (True, False)
        for case in INVALID
        if case.field not in skin.FIELDS
    ]
    assert {case.field for case in foreign} >= {"input", "messages", "thinking", "seed", "min_p", "text", "store"}
    for case in foreign:
        case.check()


def test_field_that_no_skin_knows_is_not_checked() -> None:
    for name in SKINS:
        for creating in (True, False):
            for value in VALUES:
                Case(name, creating, "x_not_known", value, None, "{}").check()


# --- what is needed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SKINS)
def test_creation_needs_nothing(name: str) -> None:
    SKINS[name].check({}, creating=True)


@pytest.mark.parametrize(("name", "path"), [("C", "messages"), ("M", "messages"), ("R", "input")])
def test_inference_needs_something_to_answer(name: str, path: str) -> None:
    with pytest.raises(FieldError) as refusal:
        SKINS[name].check({}, creating=False)
    assert refusal.value.path == path


def test_chat_answers_a_prompt_without_messages() -> None:
    chat.check(split(b'{"prompt":"Once upon a time"}'), creating=False)
    with pytest.raises(FieldError, match=r"^messages: "):
        chat.check(split(b'{"prompt":null}'), creating=False)


def test_second_unnamed_advisor_is_refused_in_the_documented_words() -> None:
    with pytest.raises(FieldError) as refusal:
        Case(
            "C", False, "tools", '[{"type":"openrouter:advisor"},{"type":"openrouter:advisor"}]', "tools", "{}"
        ).check()
    assert refusal.value.message == (
        "tools: Only one advisor tool can serve as the default. All other advisor tools must have a name defined."
    )


def test_server_tool_that_the_skin_lacks_is_refused_with_the_api_that_has_it() -> None:
    with pytest.raises(FieldError, match=r"openrouter:shell .* Chat Completions .* Messages or Responses API"):
        Case("C", False, "tools", '[{"type":"openrouter:shell"}]', "", "{}").check()
    with pytest.raises(FieldError, match=r"openrouter:bash .* Responses .* Messages API"):
        Case("R", False, "tools", '[{"type":"openrouter:bash"}]', "", "{}").check()


@pytest.mark.parametrize("field", ["preset_variables", "preset_variables_schema"])
def test_what_is_not_supported_yet_says_so(field: str) -> None:
    with pytest.raises(FieldError) as refusal:
        Case("C", False, field, "{}", field, "{}").check()
    assert refusal.value.metadata == {"reason": "unsupported"}


# --- what a complaint shows ----------------------------------------------------------------------------------


def test_complaint_never_repeats_a_value() -> None:
    secret = "sk-sp-v1-0123456789abcdef"
    members = dict.fromkeys(("type", "id", "mode", "by", "effort", "role", "verbosity", "format", "ttl"), secret)
    hidden = [secret, [secret], {"a": [secret]}, members, [members], [{"type": "openrouter:" + secret}]]
    complaints = [
        complaint
        for name, skin in SKINS.items()
        for field in skin.FIELDS
        for value in hidden
        if (complaint := Case(name, False, field, json.dumps(value), None, "{}").complaint())
    ]
    assert len(complaints) > 100
    assert not [complaint for complaint in complaints if secret in complaint]


def test_complaint_can_be_written_whatever_the_key_is_called() -> None:
    for key in ("\\ud800", "a\\nb", "é", "k" * 100_000):
        with pytest.raises(FieldError) as refusal:
            Case("C", True, "logit_bias", f'{{"{key}":1000}}', None, "{}").check()
        assert len(refusal.value.message.encode()) < 1000
        assert "\n" not in refusal.value.message


# --- the two halves of a check -------------------------------------------------------------------------------


def _takes(check: Check, value: str) -> bool:
    try:
        msgspec.json.Decoder(check.shape).decode(value.encode())
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


def _agree(value: str) -> int:
    """How many checks take the value by their shape; `explain` must find nothing wrong with it either."""
    taken = [check for check in CHECKS if check.shape is not None and _takes(check, value)]
    for check in taken:
        check.explain(Raw(value.encode()), "it")
    return len(taken)


def test_shapes_take_nothing_that_is_wrong() -> None:
    assert sum(_agree(value) for value in VALUES) > 1000


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-3, 30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(
        ["function", "custom", "openrouter:advisor", "web", "user", "tokens", "@preset/x", "item_reference"]
    ),
    st.just([]),
    st.just({}),
)


@st.composite
def _changed(draw: st.DrawFn) -> Any:
    """A value of the table with one piece of it replaced, dropped or named otherwise."""
    whole = [json.loads(draw(st.sampled_from(VALUES)))]
    place: dict[Any, Any] | list[Any] = whole
    while True:
        key: Any = draw(st.sampled_from(list(range(len(place))) if isinstance(place, list) else list(place)))
        piece: Any = place[key]
        if not (isinstance(piece, (list, dict)) and piece and draw(st.booleans())):
            break
        place = cast("dict[Any, Any] | list[Any]", piece)
    if draw(st.booleans()):
        place[key] = draw(SCALARS)
    else:
        place.pop(key)
        if isinstance(place, dict):
            place[draw(st.sampled_from(["type", "id", "name", "parameters", "model", "x"]))] = piece
    return whole[0] if whole else None


@given(_changed())
def test_shapes_take_nothing_that_is_wrong_in_changed_values(value: Any) -> None:
    _agree(json.dumps(value))


@pytest.mark.parametrize("number", ["5", "5.0", "5e0", "50e-1"])
def test_integer_may_be_written_as_a_whole_number(number: str) -> None:
    Case("C", False, "top_logprobs", number, None, "{}").check()


def test_content_of_messages_is_not_read() -> None:
    # No decoder takes this number, so it only passes unread.
    unreadable = '[{"role":"user","content":[1e999]}]'
    for name, field in (("C", "messages"), ("M", "messages"), ("R", "input")):
        Case(name, False, field, unreadable, None, "{}").check()


def test_two_megabytes_of_messages_are_checked_at_once() -> None:
    messages_ = ",".join(['{"role":"user","content":"a short message"}'] * 45_000)
    body = split(f'{{"messages":[{messages_}]}}'.encode())
    assert len(bytes(body["messages"])) > 1_900_000
    chat.check(body, creating=False)
    with pytest.raises(FieldError) as refusal:
        chat.check(split(f'{{"messages":[{messages_},{{"role":"zebra"}}]}}'.encode()), creating=False)
    assert refusal.value.path == "messages[45000].role"
