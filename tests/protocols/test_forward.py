"""What of a chat request goes to an endpoint: nothing that is the gateway's own, and nothing lost in silence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from setpoint.errors import FieldError, RequestError
from setpoint.presets.merge import said
from setpoint.protocols import chat, forward
from setpoint.protocols.chat.fields import FIELDS
from setpoint.protocols.registry import PROTOCOLS
from setpoint.protocols.rules import RULES
from setpoint.wire.body import Body, join, members, split, value
from support import records

if TYPE_CHECKING:
    from setpoint.protocols.forward import Lowered
    from setpoint.records import Endpoint

OPEN = records.endpoint("acme", "acme/sage-2", model="sage-2-2026")
MESSAGES = '"messages":[{"role":"user","content":"Hi"}]'


def listing(*parameters: str) -> Endpoint:
    """An endpoint that takes these fields and no others."""
    return structs.replace(OPEN, parameters=frozenset(parameters))


def at(**given: Any) -> Endpoint:
    """An endpoint of a provider that is different in this."""
    return structs.replace(OPEN, provider=records.provider(**given))


def lower(body: Body, endpoint: Endpoint, *, stream: bool, identity_key: bytes) -> Lowered:
    """A chat request on its way to an endpoint of the chat dialect."""
    chat = PROTOCOLS["chat"]
    return forward.lower(body, endpoint, skin=chat, dialect=chat, stream=stream, identity_key=identity_key)


def lowered(members: str, endpoint: Endpoint = OPEN, *, stream: bool = False) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What is sent of a body with these members beside its messages, and what is named as left out."""
    done = lower(split(f"{{{MESSAGES},{members}}}".encode()), endpoint, stream=stream, identity_key=b"key")
    sent = json.loads(join(done.body))
    assert sent.pop("messages") == [{"role": "user", "content": "Hi"}]
    assert sent.pop("model") == "sage-2-2026"
    return sent, done.unsaid


# --- which fields go -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("preset", "preset_variables", "preset_variables_schema", "models", "fallbacks", "route", "transforms"),
        *("usage", "session_id", "trace", "debug", "deferred_tools", "stop_server_tools_when", "max_tool_calls"),
        *("cache_enabled", "cache_ttl_seconds", "client_metadata", "provider", "plugins"),
    ],
)
def test_what_is_the_gateways_own_is_never_sent_and_not_named(name: str) -> None:
    for endpoint in (OPEN, listing(name), at(takes=frozenset({name}))):
        assert lowered(f'"{name}":{{"a":1}}', endpoint) == ({}, ())


@pytest.mark.parametrize("name", ["user", "safety_identifier"])
def test_an_identity_goes_only_as_a_keyed_hash_and_only_where_it_is_listed(name: str) -> None:
    member = f'"{name}":"ann@example.com"'
    assert lowered(member) == ({}, ())
    assert lowered(member, listing("seed")) == ({}, ())
    for endpoint in (listing(name), at(takes=frozenset({name}))):
        sent, unsaid = lowered(member, endpoint)
        assert unsaid == ()
        assert "ann" not in sent[name]
        assert sent == lowered(member, endpoint)[0]
        assert sent != lowered(f'"{name}":"bob@example.com"', endpoint)[0]
        other = lower(split(f"{{{member}}}".encode()), endpoint, stream=False, identity_key=b"other").body
        assert value(other[name]) != sent[name]


def test_a_service_tier_goes_where_it_is_listed_in_the_word_that_providers_know() -> None:
    assert lowered('"service_tier":"flex"') == ({}, ("/service_tier",))
    assert lowered('"service_tier":"flex"', at(takes=frozenset({"service_tier"}))) == ({"service_tier": "flex"}, ())
    assert lowered('"service_tier":"fast"', listing("service_tier")) == ({"service_tier": "priority"}, ())


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, canonical in PROTOCOLS["chat"].FIELDS.items()
        if RULES.get(canonical) == "supported" and "reas" not in name and "tool" not in name
    ],
)
def test_a_parameter_goes_where_it_is_taken_or_nothing_is_known(name: str) -> None:
    member = f'"{name}":[]'
    beside = {"logprobs": True} if name == "top_logprobs" else {}  # which chat wants with it
    assert lowered(member) == ({name: [], **beside}, ())
    assert lowered(member, listing(name)) == ({name: []}, ())
    hints = ("metadata", "cache_control", "prompt_cache_key", "prompt_cache_options")
    assert lowered(member, listing("x")) == ({}, () if name in hints else (f"/{name}",))


def test_a_field_that_one_dialect_of_a_provider_lacks_is_left_out_there() -> None:
    both = at(lacks=frozenset({"responses.stop"}))
    body = split(b'{"input":"Hi","stop":["a"]}')
    responses = PROTOCOLS["responses"]
    done = forward.lower(body, both, skin=responses, dialect=responses, stream=False, identity_key=b"")
    assert ("stop" in done.body, done.unsaid) == (False, ("/stop",))
    assert lowered('"stop":["a"]', both) == ({"stop": ["a"]}, ())


def test_what_is_unknown_to_us_goes_byte_for_byte() -> None:
    body = split(b'{"temperature":0.20,"x_new":{"a":1.50, "b":[ 1e2 ]},"n":2,"stop":"\\u0048"}')
    sent = lower(body, OPEN, stream=False, identity_key=b"").body
    assert join(sent) == (
        b'{"model":"sage-2-2026","temperature":0.20,"x_new":{"a":1.50, "b":[ 1e2 ]},"n":2,"stop":"\\u0048"}'
    )


def test_the_body_that_came_is_not_changed() -> None:
    body = split(b'{"model":"m","stream":true,"stream_options":{"a":1},"reasoning":{"effort":"low"},"tools":[]}')
    before = dict(body)
    lower(body, at(reasoning_form="effort"), stream=True, identity_key=b"")
    assert body == before


def test_the_model_is_the_endpoints_own_whatever_the_body_says() -> None:
    sent = lower(split(b'{"model":"acme/sage-2"}'), OPEN, stream=False, identity_key=b"").body
    assert sent == {"model": Raw(b'"sage-2-2026"')}


@pytest.mark.parametrize(
    ("asked", "listed", "sent"),
    [
        ("max_tokens", (), "max_tokens"),
        ("max_completion_tokens", (), "max_completion_tokens"),
        ("max_tokens", ("max_completion_tokens",), "max_completion_tokens"),
        ("max_completion_tokens", ("max_tokens",), "max_tokens"),
        ("max_tokens", ("max_tokens", "max_completion_tokens"), "max_tokens"),
    ],
)
def test_the_output_limit_goes_under_the_name_that_the_endpoint_lists(
    asked: str, listed: tuple[str, ...], sent: str
) -> None:
    assert lowered(f'"{asked}":7', listing("seed", *listed)) == ({sent: 7}, ())


def test_a_stream_always_asks_for_its_usage_and_keeps_other_options() -> None:
    members = '"stream":true,"stream_options":{"include_usage":false,"x":1}'
    assert lowered(members, stream=True)[0] == {"stream": True, "stream_options": {"include_usage": True, "x": 1}}
    assert lowered('"stream":true', stream=True)[0] == {"stream": True, "stream_options": {"include_usage": True}}
    assert lowered('"stream":false,"stream_options":{"x":1}')[0] == {"stream": False}


def test_provider_options_go_to_providers_that_take_them_and_nothing_else_of_the_object() -> None:
    takes = at(takes=frozenset({"provider"}))
    assert lowered('"provider":{"options":{"a":1},"only":["x"]}', takes) == ({"provider": {"options": {"a": 1}}}, ())
    assert lowered('"provider":{"options":null}', takes) == ({}, ())
    assert lowered('"provider":{"options":{"a":1}}') == ({}, ("/provider/options",))


def test_plugins_that_were_asked_for_are_named() -> None:
    plugins = '"plugins":[{"id":"web"},{"id":"web","enabled":false},{"id":"file-parser","enabled":true}]'
    assert lowered(plugins) == ({}, ("/plugins/0", "/plugins/2"))


# --- reasoning -----------------------------------------------------------------------------------------------

EFFORT = at(reasoning_form="effort")
OBJECT = at(reasoning_form="object")


@pytest.mark.parametrize(
    "members", ['"reasoning":{"effort":"low", "x":1.50}', '"reasoning_effort":"low"', '"include_reasoning":false']
)
def test_reasoning_goes_as_it_came_where_the_form_is_not_known(members: str) -> None:
    body = split(f"{{{members}}}".encode())
    assert lower(body, OPEN, stream=False, identity_key=b"").body == {"model": Raw(b'"sage-2-2026"'), **body}


def test_an_object_for_an_endpoint_that_takes_one_keeps_its_bytes() -> None:
    body = split(b'{"reasoning":{"effort":"low", "x":1.50}}')
    for endpoint in (OBJECT, listing("reasoning")):
        assert lower(body, endpoint, stream=False, identity_key=b"").body["reasoning"] == body["reasoning"]


@pytest.mark.parametrize(
    ("members", "reasoning"),
    [
        ('"reasoning_effort":"low"', {"effort": "low"}),
        ('"reasoning":{"summary":"auto","effort":null},"reasoning_effort":"low"', {"summary": "auto", "effort": "low"}),
        ('"include_reasoning":true', {}),
        ('"include_reasoning":false', {"exclude": True}),
        ('"reasoning":{"exclude":false},"include_reasoning":false', {"exclude": False}),
    ],
)
def test_the_shorthands_become_one_object_where_that_is_the_form(members: str, reasoning: object) -> None:
    assert lowered(members, OBJECT) == ({"reasoning": reasoning}, ())


@pytest.mark.parametrize(
    ("members", "effort"),
    [
        ('"reasoning_effort":"xhigh"', "xhigh"),
        ('"reasoning":{"effort":"none"}', "none"),
        ('"reasoning":{"enabled":true}', "medium"),
        ('"reasoning":{"enabled":false}', "none"),
        ('"reasoning":{"effort":null,"enabled":true}', "medium"),
        ('"reasoning":{"max_tokens":1000}', "medium"),
        *(
            (f'"reasoning":{{"max_tokens":{budget}}},"max_tokens":100', effort)
            for budget, effort in (
                *((0, "none"), (10, "minimal"), (14, "minimal"), (16, "low"), (20, "low"), (34, "low")),
                *((36, "medium"), (50, "medium"), (64, "medium"), (66, "high"), (80, "high"), (87, "high")),
                *((88, "xhigh"), (95, "xhigh"), (10**15, "xhigh")),
            )
        ),
        ('"reasoning":{"max_tokens":20},"max_completion_tokens":100', "low"),
    ],
)
def test_reasoning_becomes_the_nearest_effort_where_that_is_the_form(members: str, effort: str) -> None:
    for endpoint in (EFFORT, listing("reasoning_effort", "max_tokens", "max_completion_tokens")):
        sent, unsaid = lowered(members, endpoint)
        assert (sent["reasoning_effort"], unsaid) == (effort, ())
        assert "reasoning" not in sent


@pytest.mark.parametrize(
    ("members", "sent", "unsaid"),
    [
        ('"reasoning":{"summary":"auto"}', {}, ("/reasoning/summary",)),
        ('"reasoning":{"effort":"low","summary":"auto"}', {"reasoning_effort": "low"}, ("/reasoning/summary",)),
        ('"reasoning":{"effort":"low","summary":null}', {"reasoning_effort": "low"}, ()),
        ('"reasoning":{"effort":"low","exclude":true}', {"reasoning_effort": "low"}, ("/reasoning/exclude",)),
        ('"include_reasoning":true', {}, ()),
    ],
)
def test_what_no_effort_can_say_is_named(members: str, sent: object, unsaid: tuple[str, ...]) -> None:
    assert lowered(members, EFFORT) == (sent, unsaid)


def test_reasoning_is_named_where_nothing_of_it_is_taken() -> None:
    assert lowered('"reasoning":{"effort":"low"}', listing("seed")) == ({}, ("/reasoning",))


# --- tools ---------------------------------------------------------------------------------------------------

FUNCTION = '{"type":"function","function":{"name":"f"}}'
CUSTOM = '{"type":"custom","custom":{"name":"c"}}'
SEARCH = '{"type":"openrouter:web_search"}'
SHORTHAND = '{"type":"web_search_preview"}'
MCP = '{"type":"mcp","server_label":"s"}'


def tools(*entries: str, choice: str | None = None) -> str:
    chosen = "" if choice is None else f',"tool_choice":{choice}'
    return f'"tools":[{",".join(entries)}]{chosen}'


def test_functions_and_custom_tools_go_as_they_came() -> None:
    sent, unsaid = lowered(tools(FUNCTION, CUSTOM, choice='"required"'))
    assert sent == {"tools": [json.loads(FUNCTION), json.loads(CUSTOM)], "tool_choice": "required"}
    assert unsaid == ()


def test_server_tools_go_to_providers_that_run_them() -> None:
    listed = tools(SEARCH, SHORTHAND, choice='{"type":"web_search_preview"}')
    sent, unsaid = lowered(listed, at(server_tools=True))
    assert (len(sent["tools"]), sent["tool_choice"], unsaid) == (2, {"type": "web_search_preview"}, ())


def test_tools_that_cannot_be_said_are_named_by_their_place() -> None:
    sent, unsaid = lowered(tools(SEARCH, FUNCTION, MCP, choice='"auto"'))
    assert sent == {"tools": [json.loads(FUNCTION)], "tool_choice": "auto"}
    assert unsaid == ("/tools/0", "/tools/2")


@pytest.mark.parametrize("choice", [None, '"auto"', '"none"'])
def test_when_no_tool_is_left_the_list_and_its_choice_go_too(choice: str | None) -> None:
    assert lowered(tools(SEARCH, MCP, choice=choice)) == ({}, ("/tools/0", "/tools/1"))


@pytest.mark.parametrize(
    ("listed", "choice", "name"),
    [
        ((SEARCH,), '"required"', "openrouter:web_search"),
        ((SEARCH, FUNCTION), '{"type":"openrouter:web_search"}', "openrouter:web_search"),
        ((SEARCH, FUNCTION), '{"type":"web_search"}', "openrouter:web_search"),
        ((SHORTHAND, FUNCTION), '{"type":"openrouter:web_search"}', "web_search_preview"),
        (('{"type":"mcp","name":"g"}', FUNCTION), '{"type":"function","function":{"name":"g"}}', "g"),
        (('{"type":"mcp","function":"x","custom":1}',), '"required"', "mcp"),
    ],
)
def test_a_tool_that_must_be_called_and_cannot_be_said_is_an_error(
    listed: tuple[str, ...], choice: str, name: str
) -> None:
    with pytest.raises(RequestError, match=f"tool {name},") as caught:
        lowered(tools(*listed, choice=choice))
    assert caught.value.type == "invalid_request"
    assert caught.value.metadata == {"reason": "unsupported"}


@pytest.mark.parametrize("choice", ['"required"', '{"type":"function","function":{"name":"f"}}'])
def test_a_choice_that_can_be_met_with_what_is_left_is_no_error(choice: str) -> None:
    sent, unsaid = lowered(tools(SEARCH, FUNCTION, choice=choice))
    assert (sent["tool_choice"], unsaid) == (json.loads(choice), ("/tools/0",))


# --- any body ------------------------------------------------------------------------------------------------

HUGE = "1" * 5000  # more digits than Python reads as a number
VALUES: dict[str, list[str]] = {
    "model": ['"acme/sage-2"', '"@preset/x"'],
    "user": ['"ann"', '"\\ud800"'],
    "service_tier": ['"fast"', '"auto"', '"default"'],
    "max_tokens": ["1", "5.0", "9223372036854775807"],
    "max_completion_tokens": ["3"],
    "reasoning": [
        *('{"effort":"high"}', '{"max_tokens":0}', '{"max_tokens":9223372036854775807}', '{"enabled":false}', "{}"),
        *(f'{{"x":{HUGE}}}', '{"effort":null,"max_tokens":null}', '{"summary":"auto","exclude":true}'),
    ],
    "reasoning_effort": ['"low"', '"none"'],
    "include_reasoning": ["true", "false"],
    "provider": ["{}", '{"options":{"a":1}}', '{"options":null}', f'{{"x":{HUGE}}}'],
    "plugins": ["[]", '[{"id":"web"}]', f'[{{"id":"web","enabled":null,"x":{HUGE}}}]'],
    "tools": [
        *("[]", f"[{FUNCTION}]", f"[{SEARCH},{SHORTHAND}]", f"[{FUNCTION},{MCP}]", '[{"type":"custom"}]'),
        *(f'[{{"type":"mcp","x":{HUGE}}}]', '[{"type":"mcp","function":"x","custom":[],"name":1}]'),
        '[{"type":"\\ud800","name":"\\udfff"}]',
    ],
    "tool_choice": [
        *('"auto"', '"none"', '"required"', '{"type":"function","function":{"name":"f"}}', '{"type":"web_search"}'),
        f'{{"type":"openrouter:web_search","x":{HUGE}}}',
    ],
    "stream": ["true", "false"],
    "stream_options": ["{}", f'{{"x":{HUGE}}}'],
    "metadata": ['{"a":"b"}'],
    "debug": ['{"echo_upstream_body":true}'],
    "x_unknown": [HUGE, '"x"', "[[[]]]", '"\\ud800"'],
    "\ud800": ["1"],
}
OTHERS = {name: ["[]", "{}", '"text"', "1", "true"] for name in FIELDS if name not in VALUES and name != "messages"}
BODIES = st.fixed_dictionaries(
    {"messages": st.sampled_from(['[{"role":"user","content":"Hi"}]', '[{"role":"user","content":[1,"x"]}]'])},
    optional={
        name: st.sampled_from([*values, "null"])
        for name, values in {**VALUES, **OTHERS}.items()
        if not name.startswith("preset_variables")
    },
)


@st.composite
def endpoints(draw: st.DrawFn) -> Endpoint:
    drawn = records.provider(
        takes=draw(st.frozensets(st.sampled_from(["user", "service_tier", "provider"]))),
        reasoning_form=draw(st.sampled_from([None, "object", "effort"])),
        server_tools=draw(st.booleans()),
    )
    parameters = draw(st.none() | st.frozensets(st.sampled_from(sorted(FIELDS)), max_size=8))
    return structs.replace(OPEN, parameters=parameters, provider=drawn)


REASONING = {"reasoning", "reasoning_effort", "include_reasoning"}
LIMITS = {"max_tokens", "max_completion_tokens"}
HINTS = {"metadata", "cache_control", "prompt_cache_key", "prompt_cache_options"}
REWRITTEN = REASONING | LIMITS | {"model", "user", "service_tier", "stream", "stream_options", "provider", "tools"}


def checked(texts: dict[str, str]) -> Body:
    """What of a body passes the check, as the gateway hands it on."""
    body: Body = {}
    for name, text in texts.items():
        content = Raw(text.encode())
        try:
            chat.check({**body, name: content}, creating=True)
        except FieldError:
            continue
        body[name] = content
    return said(body)


def lost(body: Body, sent: Body, unsaid: tuple[str, ...]) -> set[str]:
    """The fields of a body that were neither sent nor named, and are none of those that may go without a word."""
    named = {pointer.split("/")[1] for pointer in unsaid}
    canonical = PROTOCOLS["chat"].FIELDS
    silent = {name for name in body if RULES.get(canonical.get(name, name)) in ("own", "identity")} | HINTS | REASONING
    if LIMITS & sent.keys():
        silent |= LIMITS
    if "tools" in named:
        silent |= {"tool_choice", "parallel_tool_calls"}  # they mean nothing without tools
    return set(body) - set(sent) - named - silent - {"stream_options"}


@given(BODIES, endpoints(), st.booleans())
def test_no_body_that_passes_the_check_is_too_strange_and_nothing_is_lost_in_silence(
    texts: dict[str, str], endpoint: Endpoint, stream: bool
) -> None:
    body = checked(texts)
    try:
        done = lower(body, endpoint, stream=stream, identity_key=b"key")
    except RequestError as error:
        refused = error
    else:
        sent = done.body
        assert split(join(sent)).keys() == sent.keys()
        assert sent["model"] == Raw(b'"sage-2-2026"')
        assert not lost(body, sent, done.unsaid)
        assert all(sent[name] == body[name] for name in sent.keys() & body.keys() - REWRITTEN)
        assert not {name for name in sent if RULES.get(name) == "own"} - {"provider"}
        assert not stream or members(sent["stream_options"])["include_usage"] == Raw(b"true")
        return
    assert refused.metadata == {"reason": "unsupported"}
    assert "tool_choice" in body


def test_an_endpoint_without_tools_is_not_asked_for_one_that_is_forced() -> None:
    bare = listing("temperature")
    tools = '"tools":[{"type":"function","function":{"name":"look"}}],"parallel_tool_calls":true'
    sent, unsaid = lowered(tools + ',"tool_choice":"auto"', bare)
    assert (sent, unsaid) == ({}, ("/tools", "/parallel_tool_calls", "/tool_choice"))
    for choice in ('"required"', '{"type":"function","function":{"name":"look"}}'):
        with pytest.raises(RequestError, match="forces the tool look"):
            lowered(f'{tools},"tool_choice":{choice}', bare)


def test_an_older_name_of_a_plugin_is_named_too() -> None:
    assert lowered('"transforms":["middle-out"]') == ({}, ("/transforms",))
    assert lowered('"transforms":[]') == ({}, ())


def test_a_choice_of_a_tool_that_is_not_there_is_named_when_it_goes_with_the_tools() -> None:
    members = '"tools":[{"type":"openrouter:datetime"}],"tool_choice":{"type":"function","function":{"name":"q"}}'
    assert lowered(members) == ({}, ("/tools/0", "/tool_choice"))
    assert lowered('"tools":[{"type":"openrouter:datetime"}],"tool_choice":"auto"') == ({}, ("/tools/0",))
