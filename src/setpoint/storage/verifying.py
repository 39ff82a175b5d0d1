"""Whether the books close: the ledger, its sums and the records that it came from, each held against the others."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct, structs

from setpoint.canonical.usage import Usage
from setpoint.coordination.allowances import EVER
from setpoint.records import EXACT, Attempt, Generation
from setpoint.storage.books import OF_RECORD, Books
from setpoint.storage.columns import Moment, Structs
from setpoint.storage.ledger import ROWS, Entry, entries
from setpoint.storage.sums import DayKey, SpendKey, by_allowance, count

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from setpoint.storage.books import Row
    from setpoint.storage.sums import Day

Invariant = Literal["entry", "record", "activity", "spend", "sums"]
"""What has to be so: a try whose cost is known is charged that, and none less than nothing; the entries of a generation
are what its record says; a day is the sum of its entries; what an allowance has spent is, too; whatever is summed comes
to the same."""

SHOWN = 100
"""How many violations are told one by one."""

_NOTHING = Decimal(0)


class Violation(Struct, frozen=True):
    """What is not as it has to be (`subject`: a generation, a day, an allowance), and how it is instead."""

    invariant: Invariant
    subject: str
    expected: str
    found: str


class Verified(Struct, frozen=True, kw_only=True):
    """What a verification came to: so many entries are `checked`.

    `violations` are the first that were found, `more` is how many there are beside these. `sums` are US dollars of
    known costs, by what they are summed by.
    """

    ok: bool
    checked: int
    violations: tuple[Violation, ...]
    more: int
    sums: dict[str, Decimal]


def verify(
    connection: Connection, workspace_id: str | None = None, *, breath: Callable[[], None] = lambda: None
) -> Verified:
    """Hold the books of a workspace against each other, or those of all, as of one moment: the connection's.

    Entries count as all others where their record is kept no more. `breath` is called between generations, and what it
    raises ends the work.
    """
    books, found = Books(connection, workspace_id), _Found()
    days: dict[DayKey, Day] = {}
    checked, total = 0, _NOTHING
    with localcontext(EXACT):
        for id_, rows, record in books.generations():
            breath()
            made = [Entry(*ROWS.read(row)) for row in rows]
            _check_entries(found, made)
            count(days, made, made[0].at)
            checked += len(made)
            total += sum((entry.cost for entry in made if entry.cost is not None), _NOTHING)
            if record is not None:
                _check_record(found, id_, rows, record)
        for id_, record in books.unbooked():
            _check_record(found, id_, [], record)
        sums = {"attempt": total, **_check_activity(found, books, days), **_check_spend(found, books, days)}
        for name, one in sums.items():
            if one != total:
                found.say("sums", name, str(total), str(one))
    more = found.count - len(found.shown)
    return Verified(ok=not found.count, checked=checked, violations=tuple(found.shown), more=more, sums=sums)


class _Found:
    """The violations so far."""

    def __init__(self) -> None:
        self.shown: list[Violation] = []
        self.count = 0

    def say(self, invariant: Invariant, subject: str, expected: str, found: str) -> None:
        self.count += 1
        if len(self.shown) < SHOWN:
            self.shown.append(Violation(invariant, subject, expected, found))


# --- entries and records -------------------------------------------------------------------------------------

_WHO = OF_RECORD[1:-2]
_BLANK: dict[str, Any] = {field.name: None for field in structs.fields(Generation) if field.required}
_moment, _attempts = Moment(), Structs(Attempt)


def _check_entries(found: _Found, made: Sequence[Entry]) -> None:
    """See that limits have counted what each try has cost, where that is known."""
    for entry in made:
        known = entry.cost if entry.cost is not None else max(entry.charged, _NOTHING)
        if entry.charged != known or known < 0:
            subject = f"{entry.generation_id}|{entry.position}"
            found.say("entry", subject, f"charged: {max(known, _NOTHING)}", f"charged: {entry.charged}")


def _check_record(found: _Found, id_: str, rows: Sequence[Row], record: Row) -> None:
    """See that the rows are what would be booked of the record today."""
    created_at, *who, attempts, used = record
    said: dict[str, Any] = {
        "id": id_,
        "created_at": _moment.read(created_at),
        "usage": Usage() if used is not None else None,
        "attempts": _attempts.read(attempts),
        **dict(zip(_WHO, who, strict=True)),
    }
    expected = [ROWS.written(structs.astuple(entry)) for entry in entries(Generation(**_BLANK | said))]
    if rows == expected:
        return
    tries = [[row[1] for row in one] for one in (expected, rows)]
    if tries[0] != tries[1]:
        found.say("record", id_, f"tries {tries[0]}", f"tries {tries[1]}")
        return
    for wanted, there in zip(expected, rows, strict=True):
        if wanted != there:
            found.say("record", f"{id_}|{there[1]}", *_differences(ROWS.names, wanted, there))


# --- sums ----------------------------------------------------------------------------------------------------

_SPENT = ("cost", "charged", "requests", "unknown_cost_requests")
_DAY = (*_SPENT, "attempts", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "preset_slug")


def _check_activity(found: _Found, books: Books, days: Mapping[DayKey, Day]) -> dict[str, Decimal]:
    """See that each day is the sum of its entries. Gives what all come to, by preset and by provider."""
    presets: dict[str, Decimal] = {}
    providers: dict[str, Decimal] = {}
    kept: dict[DayKey, Row] = {}
    for columns, row in books.activity():
        key = DayKey(*columns)
        kept[key] = tuple(row[name] for name in _DAY)
        presets[key.preset_id] = presets.get(key.preset_id, _NOTHING) + row["cost"]
        providers[key.provider] = providers.get(key.provider, _NOTHING) + row["cost"]
    _compare(found, "activity", _DAY, {key: _of(day, _DAY) for key, day in days.items()}, kept)
    return {"preset": sum(presets.values(), _NOTHING), "provider": sum(providers.values(), _NOTHING)}


def _check_spend(found: _Found, books: Books, days: Mapping[DayKey, Day]) -> dict[str, Decimal]:
    """See that each allowance has spent the sum of its entries. Gives what those of keys and of workspaces come to."""
    sums = {"key": _NOTHING, "workspace": _NOTHING}
    kept: dict[SpendKey, Row] = {}
    for columns, row in books.spend():
        key = SpendKey(*columns)
        kept[key] = tuple(row[name] for name in _SPENT)
        if key.period == EVER:
            sums[key.scope.partition(":")[0]] += row["cost"]
    _compare(found, "spend", _SPENT, {key: _of(one, _SPENT) for key, one in by_allowance(days).items()}, kept)
    return sums


def _compare(
    found: _Found,
    invariant: Invariant,
    names: Sequence[str],
    expected: Mapping[Any, Row],
    kept: Mapping[Any, Row],
) -> None:
    for key in expected.keys() | kept.keys():
        wanted, there = expected.get(key), kept.get(key)
        if wanted != there:
            found.say(invariant, "|".join(map(str, key)), *_differences(names, wanted, there))


def _differences(names: Sequence[str], wanted: Row | None, there: Row | None) -> tuple[str, str]:
    """What each of two rows says where they differ."""
    differing = [at for at in range(len(names)) if wanted is None or there is None or wanted[at] != there[at]]
    return _said(names, wanted, differing), _said(names, there, differing)


def _said(names: Sequence[str], row: Row | None, places: Sequence[int]) -> str:
    return "no row" if row is None else ", ".join(f"{names[at]}: {row[at]}" for at in places)


def _of(one: Struct, names: Sequence[str]) -> Row:
    return tuple(getattr(one, name) for name in names)
