"""A conversation in chat's messages, as they go to an upstream that speaks chat."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NoReturn

from msgspec import Raw, structs

from setpoint.canonical.parts import Media, Reasoning, Refusal, Text, ToolCall, ToolResult
from setpoint.protocols.chat.calls import write_tool_call
from setpoint.protocols.chat.content import refused, write_parts
from setpoint.protocols.chat.message import write_media
from setpoint.protocols.chat.reasoning import readable, whole, write_details
from setpoint.wire.body import NULL, Body, as_text, join, join_strings, raw

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from setpoint.canonical.conversation import Conversation, Turn
    from setpoint.canonical.parts import Part
    from setpoint.protocols.terms import Terms

_EMPTY = Raw(b'""')


def write_conversation(conversation: Conversation, terms: Terms) -> Body:
    """The `messages` of a request.

    Raises: `FieldError` naming the path of a part that chat cannot say.
    """
    writing = _Writing(terms)
    for turn in _together(conversation):
        writing.add(turn)
    return {"messages": raw(writing.done())}


def _together(conversation: Conversation) -> Iterator[Turn]:
    """The turns as chat has messages: what an assistant thinks, says and calls without interruption is one.

    An upstream wants the results of all calls right behind them. Words alone stay as many messages as they were.
    """
    together: list[Turn] = []
    calls = says = False  # whether any of those calls, or says something
    for turn in conversation:
        turn_calls = any(isinstance(part, ToolCall) for part in turn.parts)
        ends = says and not calls  # with words a message may end; thoughts belong to what follows them
        if together and not (turn.speaker == together[-1].speaker == "assistant" and (turn_calls or not ends)):
            yield _one(together)
            together, calls, says = [], False, False
        together.append(turn)
        calls = calls or turn_calls
        says = says or any(isinstance(part, (Text, Refusal, Media)) for part in turn.parts)
    if together:
        yield _one(together)


def _one(together: list[Turn]) -> Turn:
    first, *others = together
    if not others:
        return first
    name = next((turn.name for turn in together if turn.name), first.name)
    return structs.replace(first, parts=tuple(part for turn in together for part in turn.parts), name=name)


class _Writing:
    """Messages on the way."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._messages: list[Raw] = []
        self._shown: list[Raw] = []  # what tools showed, which only a user may: it waits for the last tool message
        self._unanswered: Counter[str] = Counter()  # calls just made, whose results nothing may keep apart
        self._held: list[tuple[Turn, list[Text | Media]]] = []  # what is said between them waits with its turn

    def add(self, turn: Turn) -> None:
        """Write one turn, or hold back what it says until the calls in front of it are answered."""
        match turn.speaker:
            case "assistant":
                self._say_held()
                self._show()
                self._assistant(turn)
                self._unanswered = Counter(part.id for part in turn.parts if isinstance(part, ToolCall))
                return
            case "user":
                said = self._user(turn)
                if said or not turn.parts:  # more than results
                    self._held.append((turn, said))
            case "system" | "developer":
                self._held.append((turn, []))
        if not self._unanswered:
            self._say_held()

    def done(self) -> list[Raw]:
        """All of them."""
        self._say_held()
        self._show()
        return self._messages

    def _say_held(self) -> None:
        held, self._held = self._held, []
        for turn, said in held:
            if turn.speaker != "user":
                self._show()
                self._say(turn, self._system(turn))
            elif self._shown:
                shown, self._shown = self._shown, []
                self._say(turn, raw([*shown, *write_parts(said, cache_marks=self._terms.cache_marks)]))
            else:
                self._say(turn, self._content(said))

    def _say(self, turn: Turn, content: Raw, rest: Body | None = None) -> None:
        message: Body = {"role": raw(turn.speaker), "content": content}
        if turn.name is not None:
            message["name"] = raw(turn.name)
        self._messages.append(Raw(join({**message, **(rest or {})})))

    def _show(self) -> None:
        if self._shown:
            self._messages.append(raw({"role": "user", "content": self._shown}))
            self._shown = []

    def _system(self, turn: Turn) -> Raw:
        """One text, a blank line between its parts; or the parts where their marks count."""
        texts = [part if isinstance(part, Text) else _refuse(part, "in a system prompt") for part in turn.parts]
        if self._marked(texts):
            return raw(write_parts(texts, cache_marks=True))
        return join_strings([text.text for text in texts], "\n\n")

    def _marked(self, parts: Iterable[Text | Media]) -> bool:
        return self._terms.cache_marks and any(part.cache is not None for part in parts)

    # --- the user ---

    def _user(self, turn: Turn) -> list[Text | Media]:
        """Write the results in a turn; what the user says beside them."""
        said: list[Text | Media] = []
        for part in turn.parts:
            match part:
                case ToolResult():
                    self._result(part)
                case Text() | Media():
                    said.append(part)
                case Refusal(text=text, path=path):
                    said.append(Text(text=text, path=path))
                case Reasoning() | ToolCall():
                    _refuse(part, "said by the user")
        return said

    def _content(self, said: Sequence[Text | Media]) -> Raw:
        """One plain text is a string, all else a list of parts."""
        match said:
            case []:
                return _EMPTY
            case [Text(text=text)] if not self._marked(said):
                return text
            case _:
                return raw(write_parts(said, cache_marks=self._terms.cache_marks))

    def _result(self, result: ToolResult) -> None:
        """A tool message, which holds only text; whatever else there is is shown behind the last of them."""
        texts = [part for part in result.parts if isinstance(part, Text)]
        media = [part for part in result.parts if isinstance(part, Media)]
        if media and not texts:
            texts = [Text(text=raw(f"See the {media[0].kind} below."))]
        if result.is_error:
            texts = _as_error(texts)
        if texts and result.cache is not None:  # chat has no other place for it
            texts[-1] = structs.replace(texts[-1], cache=texts[-1].cache or result.cache)
        message: Body = {"role": raw("tool"), "tool_call_id": raw(result.call_id), "content": self._content(texts)}
        self._messages.append(Raw(join(message)))
        if self._unanswered[result.call_id] > 1:
            self._unanswered[result.call_id] -= 1
        else:
            del self._unanswered[result.call_id]
        if media:
            self._shown.append(raw({"type": "text", "text": f"From the result of tool call {result.call_id}:"}))
            self._shown += write_parts(media, cache_marks=self._terms.cache_marks)

    # --- the assistant ---

    def _assistant(self, turn: Turn) -> None:
        texts: list[list[Text]] = []
        refusals: list[Raw] = []
        steps: list[Reasoning] = []
        media: list[Media] = []
        calls: list[Raw] = []
        for before, part in zip((None, *turn.parts), turn.parts, strict=False):
            match part:
                case Text():
                    if not isinstance(before, Text):
                        texts.append([])
                    texts[-1].append(part)
                case Refusal(text=text):
                    refusals.append(text)
                case Reasoning():
                    steps.append(part)
                case Media():
                    media.append(part)
                case ToolCall():
                    calls.append(self._call(part))
                case ToolResult():
                    _refuse(part, "said by the assistant")
        rest = self._reasoning(steps) | _made(media)
        if refusals:
            rest["refusal"] = join_strings(refusals)
        if calls:
            rest["tool_calls"] = raw(calls)
        if texts or rest or not turn.parts:
            self._say(turn, self._spoken(texts, calls=bool(calls)), rest)

    def _spoken(self, texts: list[list[Text]], *, calls: bool) -> Raw:
        """What an assistant said in words: one text, with a blank line where something else was between."""
        every = [text for run in texts for text in run]
        if not every:
            return NULL if calls else _EMPTY
        if self._marked(every):
            return raw(write_parts(every, cache_marks=True))
        return join_strings([join_strings([text.text for text in run]) for run in texts], "\n\n")

    def _reasoning(self, steps: list[Reasoning]) -> Body:
        """The reasoning that goes back: sealed only to its maker, unsealed only where it is not another's."""
        own = [step for step in steps if step.maker == "chat" or (step.maker is None and step.seal is None)]
        text = readable(own)
        match self._terms.reasoning_back:
            case "content" if text is not None:
                return {"reasoning_content": text}
            case "details" if own:
                details = [entry for index, step in enumerate(own) for entry in write_details(whole(step), index)]
                told: Body = {} if text is None else {"reasoning": text}
                return {**told, "reasoning_details": raw(details)} if details else told
            case _:
                return {}

    def _call(self, call: ToolCall) -> Raw:
        sent = self._terms.names.as_sent(call)
        return Raw(join(write_tool_call(sent, sent.id)))


def _made(media: list[Media]) -> Body:
    """What an assistant made beside words. Raises: `FieldError` naming what chat has no place for."""
    made: list[Media] = []
    for medium in media:
        if medium.kind == "image" and (medium.url is not None or medium.data is not None):
            made.append(medium)
        elif medium.kind == "audio" and medium.file_id is not None:  # an upstream knows its own sound by its id
            made.append(structs.replace(medium, data=None, text=None))
        else:
            raise refused(medium, f"{medium.kind} made by the assistant")
    return write_media(made)


def _as_error(texts: list[Text]) -> list[Text]:
    """The texts of a result that tells of a failure, saying so."""
    if not texts:
        return [Text(text=raw("Error"))]
    said = as_text(texts[0].text) or ""
    if said.lstrip().lower().startswith("error"):
        return texts
    return [structs.replace(texts[0], text=join_strings([raw("Error: "), texts[0].text])), *texts[1:]]


def _refuse(part: Part, where: str) -> NoReturn:
    raise refused(part, f"{_WORDS[type(part)]} {where}")


_WORDS: dict[type, str] = {
    Text: "text",
    Refusal: "a refusal",
    Media: "an image or a file",
    Reasoning: "reasoning",
    ToolCall: "a tool call",
    ToolResult: "a tool result",
}
