"""A request on its way to one endpoint: an edit where it speaks the skin's protocol, a translation where it does not.

What the request asked for and the endpoint does not get is named as a JSON pointer, never lost in silence.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from msgspec import Raw, Struct

from setpoint.canonical.conversation import let_go
from setpoint.protocols.allowance import ALL, bounded
from setpoint.protocols.effort import known_efforts
from setpoint.protocols.names import ToolNames
from setpoint.protocols.rules import REASONING, RULES, UNNAMED, lists, takes
from setpoint.protocols.terms import Terms
from setpoint.protocols.toolset import allowed, refuse_forced, toolset
from setpoint.wire.body import (
    NULL,
    Body,
    as_array,
    as_object,
    as_pointer,
    as_text,
    is_null,
    is_object,
    is_string,
    join,
    members,
    raw,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from setpoint.protocols.allowance import Allowance
    from setpoint.protocols.base import Room
    from setpoint.records import Dialect, Endpoint

_FALSE = Raw(b"false")
_AUTO, _NONE = Raw(b'"auto"'), Raw(b'"none"')
# What is the gateway's own, yet goes on to upstreams of the responses dialect, which have words for it.
_RESPONSES_OWN = frozenset({"client_metadata", "max_tool_calls"})
_NEVER_AS_IT_IS = frozenset({"own", "identity"})
# What a client of any protocol may ask, and has anyway.
_MET = {"store": _FALSE}
_CHOICES = ("tools", "tool_choice", "parallel_tool_calls")


class Lowered(Struct, frozen=True):
    """A body as it goes to the upstream, and what its tools are called there.

    `unsaid` are pointers to what it leaves out, or says otherwise than it was asked.
    """

    body: Body
    unsaid: tuple[str, ...]
    names: ToolNames


def lower(
    body: Body,
    endpoint: Endpoint,
    *,
    skin: Room,
    dialect: Room,
    stream: bool,
    identity_key: bytes,
    own: frozenset[str] | None = None,
    allowance: Allowance = ALL,
) -> Lowered:
    """The body for one endpoint: its model name, only what it takes, nothing that is the gateway's own.

    `own` are the fields that the client itself sent, the others being a preset's; None: all are the client's. What is
    asked beyond the `allowance` goes as the nearest within it.

    Raises: `RequestError` when `tool_choice` forces a tool that this endpoint cannot be told, `FieldError` for content
    that its dialect has no word for, and for a request to do without reasoning of a model that cannot.
    """
    lowering = _Lowering(
        body, endpoint, skin, dialect, stream=stream, identity_key=identity_key, own=own, allowance=allowance
    )
    return lowering.edited() if skin.name == dialect.name else lowering.translated()


def likeness(endpoint: Endpoint, dialect: Dialect, allowance: Allowance = ALL) -> Hashable:
    """All that `lower` goes by of an endpoint, but for the name that the model has there.

    Endpoints of which it is equal are told the same of a request, or cannot be told of it for the same reason.
    """
    provider = endpoint.provider
    return (
        *(dialect, allowance, endpoint.tier, endpoint.parameters, endpoint.max_output_tokens, provider.takes),
        *(provider.lacks, provider.server_tools, provider.reasoning_form, provider.reasoning_back),
    )


class _Lowering:
    """One request at work towards one endpoint."""

    def __init__(
        self,
        body: Body,
        endpoint: Endpoint,
        skin: Room,
        dialect: Room,
        *,
        stream: bool,
        identity_key: bytes,
        own: frozenset[str] | None,
        allowance: Allowance,
    ) -> None:
        within = bounded(body, endpoint, allowance, skin=skin, dialect=dialect)
        if within.body is not body:  # what is not as the client sent it is ours
            own = frozenset(name for name in (body if own is None else own) if within.body.get(name) == body.get(name))
        self._body = within.body
        self._call = skin.read_call(self._body)
        self._own = own
        self._clamped = within.clamped
        self._efforts = known_efforts(allowance.reasoning) if allowance.reasoning is not None else ()
        self._endpoint = endpoint
        self._skin = skin
        self._dialect = dialect
        self._stream = stream
        self._identity_key = identity_key
        self._unsaid = list(within.pointers)
        self._names = ToolNames()

    # --- the same protocol: an edit ---

    def edited(self) -> Lowered:
        sent: Body = {"model": raw(self._endpoint.model)}
        for name, content in self._body.items():
            if name == "model":
                continue
            if parts := self._skin.PARTS.get(name):
                if (kept := self._kept_members(name, content, parts)) is not None:
                    sent[name] = kept
            elif name not in self._skin.FIELDS and RULES.get(name) not in _NEVER_AS_IT_IS:  # unknown: as it came
                sent[name] = content
            elif (kept := self._kept(self._skin.FIELDS.get(name, name), content, f"/{name}")) is not None:
                sent[name] = kept
        if "tools" in self._body:
            self._edit_tools(sent)
        return self._finished(sent)

    def _kept(self, name: str, content: Raw, pointer: str) -> Raw | None:
        """What the endpoint gets of one field, by its canonical name; None for nothing, which is named if it counts."""
        match RULES.get(name, "always"):
            case "own":
                return content if name in _RESPONSES_OWN and self._dialect.name == "responses" else None
            case "identity":
                if lists(self._endpoint, name) and is_string(content):
                    return raw(hmac.new(self._identity_key, bytes(content), hashlib.sha256).hexdigest())
                return None
            case "listed":
                if lists(self._endpoint, name):
                    return content
                self._leave_out(name, pointer)
                return None
            case "supported" if not takes(self._endpoint, self._dialect.name, name):
                self._leave_out(name, pointer)
                return None
            case _:
                return content

    def _leave_out(self, name: str, pointer: str) -> None:
        if name not in UNNAMED:
            self._unsaid.append(pointer)

    def _kept_members(self, name: str, content: Raw, words: Mapping[str, str]) -> Raw | None:
        """A field of several settings with those that the endpoint takes; None when it takes none of them."""
        if not is_object(content):
            return content
        told = members(content)
        kept = {
            member: said
            for member, said in told.items()
            if member not in words or is_null(said) or self._kept(words[member], said, f"/{name}/{member}") is not None
        }
        if len(kept) == len(told):
            return content
        return Raw(join(kept)) if any(not is_null(said) for said in kept.values()) else None

    def _edit_tools(self, sent: Body) -> None:
        """The tools in the dialect's words; a list that needs none of that keeps its bytes."""
        listed = self._body["tools"]
        choice = self._call.get("tool_choice")
        if "tools" not in sent:  # it takes none at all
            refuse_forced(choice, [members(tool) for tool in as_array(listed)], none_left=True)
            for name in _CHOICES:
                sent.pop(name, None)
            return
        entries = as_array(listed)
        tools = self._toolset([(f"/tools/{at}", tool) for at, tool in enumerate(entries)], choice)
        if tools == entries:
            return
        if not tools:
            self._without_tools(sent, choice)
        else:
            sent["tools"] = Raw(b"[" + b",".join(bytes(tool) for tool in tools) + b"]")

    def _toolset(self, listed: list[tuple[str, Raw]], choice: Raw | None) -> list[Raw]:
        """The tools that the endpoint gets; the others are named. Raises: `RequestError` for a forced one."""
        provider = self._endpoint.provider
        said = toolset(
            listed,
            self._dialect.name,
            server_tools=provider.server_tools,
            cache_marks="cache_control" in provider.takes or self._skin.name == self._dialect.name,
        )
        self._names = said.names
        self._unsaid += [*(pointer for pointer, _ in said.left_out), *said.unsaid]
        if said.left_out:
            refuse_forced(choice, [tool for _, tool in said.left_out], none_left=not said.tools)
        return said.tools

    def _without_tools(self, sent: Body, choice: Raw | None) -> None:
        if "tool_choice" in sent and choice not in (None, _AUTO, _NONE):
            self._unsaid.append("/tool_choice")
        for name in _CHOICES:
            sent.pop(name, None)

    # --- another protocol: a translation ---

    def translated(self) -> Lowered:
        config: Body = {}
        for name, content in self._call.items():
            if name in ("model", "tools"):
                continue
            kept = self._kept(name, content, self._pointer(name))
            if kept is not None:
                config[name] = kept
        self._name_unknown()
        tools = self._translated_tools(config)
        fields, unsaid = self._dialect.write_config(config)
        self._unsaid += [self._pointer(name) for name in unsaid if name not in UNNAMED]
        sent: Body = {"model": raw(self._endpoint.model), **fields}
        if tools:
            sent["tools"] = Raw(b"[" + b",".join(bytes(tool) for tool in tools) + b"]")
        turns = list(self._skin.read_conversation(self._body))
        sent |= self._dialect.write_conversation(tuple(turns), self._terms())
        let_go(turns)
        return self._finished(sent)

    def _name_unknown(self) -> None:
        """Name the fields that the skin does not know: no other dialect is told of them."""
        known = self._skin.FIELDS.keys() | self._skin.PARTS.keys() | UNNAMED
        self._unsaid += [
            as_pointer(name)
            for name, content in self._body.items()
            if name not in known
            and RULES.get(name) not in _NEVER_AS_IT_IS
            and not is_null(content)
            and _MET.get(name) != content
        ]

    def _pointer(self, name: str) -> str:
        """Where the request says a canonical field, in the spelling that it has chosen."""
        field = name.partition(".")[0]
        spelled = next((other for other in REASONING if other in self._body), field) if field in REASONING else field
        return self._skin.pointer(name if spelled == field else spelled)

    def _translated_tools(self, config: Body) -> list[Raw]:
        listed = self._skin.listed_tools(self._body)
        choice = self._call.get("tool_choice")
        if not listed:
            if choice in (None, _AUTO, _NONE):  # which says nothing without tools, and some refuse it
                self._without_tools(config, None)
            return []
        if not takes(self._endpoint, self._dialect.name, "tools"):
            self._unsaid.append("/tools")
            refuse_forced(choice, [members(tool) for _, tool in listed], none_left=True)
            self._without_tools(config, None)
            return []
        tools = self._toolset(allowed(listed, choice), choice)
        if not tools:
            self._without_tools(config, choice)
        elif "tool_choice" in config and choice is not None:
            config["tool_choice"] = self._renamed(choice)
        return tools

    def _renamed(self, choice: Raw) -> Raw:
        """A canonical `tool_choice` under the names that the tools have upstream, and without a list of its own."""
        if not is_object(choice):
            return choice
        told = members(choice)
        kind = as_text(told.get("type")) or ""
        if kind == "allowed_tools":
            inner = as_object(told.get("allowed_tools")) or told
            return inner.get("mode", _AUTO)
        name = as_text(as_object(told.get(kind)).get("name")) or as_text(told.get("name")) or kind
        for named, sent in self._names.sent_names.items():
            if named.name == name and (named.kind == kind or kind == "function"):
                return raw({"type": "function", "function": {"name": sent}})
        return self._names.native_choice(name) or choice

    # --- both ---

    def _finished(self, sent: Body) -> Lowered:
        self._unsaid += _plugins(self._body)
        self._lower_provider_options(sent)
        sent, unsaid = self._dialect.finish_request(sent, self._terms(), self._body)
        self._unsaid += [self._pointer(name) for name in unsaid]
        return Lowered(sent, tuple(dict.fromkeys(self._unsaid)), self._names)

    def _terms(self) -> Terms:
        endpoint = self._endpoint
        return Terms(
            stream=self._stream,
            max_output_tokens=endpoint.max_output_tokens,
            parameters=endpoint.parameters,
            reasoning_form=endpoint.provider.reasoning_form,
            reasoning_back=endpoint.provider.reasoning_back,
            own=self._own,
            verbosity=as_text(self._call.get("verbosity")),
            cache_marks="cache_control" in endpoint.provider.takes,
            efforts=self._efforts,
            clamped=self._clamped,
            names=self._names,
        )

    def _lower_provider_options(self, sent: Body) -> None:
        options = as_object(self._body.get("provider")).get("options", NULL)
        if is_null(options):
            return
        if "provider" in self._endpoint.provider.takes:
            sent["provider"] = Raw(join({"options": options}))
        else:
            self._unsaid.append("/provider/options")


def _plugins(body: Body) -> list[str]:
    """Pointers to the plugins that were asked for, also by their older name: none is run here."""
    enabled = (as_object(plugin).get("enabled") != _FALSE for plugin in as_array(body.get("plugins")))
    pointers = [f"/plugins/{position}" for position, asked in enumerate(enabled) if asked]
    return [*pointers, "/transforms"] if as_array(body.get("transforms")) else pointers
