"""What the documents claim, run and compared: configurations, tours, links, and every table that the code has too.

A block of a document that begins with ```` ```sh tour ```` or ```` ```python tour ```` is run, in order, against a
gateway on the echo model. A block that begins with ```` ```yaml ```` is a whole `setpoint.yaml`.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast, get_args
from urllib.parse import unquote

import pytest
from msgspec import UNSET

from docs.translation_page import PAGE, page
from setpoint.canonical.config import CONFIG_FIELDS, TRANSIENT
from setpoint.errors import DOCS_URL, STATUS
from setpoint.metrics import Registry
from setpoint.presets.accounts import Outcome
from setpoint.presets.receipt import Code
from setpoint.protocols.chat.fields import FIELDS as CHAT
from setpoint.protocols.messages.fields import FIELDS as MESSAGES
from setpoint.protocols.responses.fields import FIELDS as RESPONSES
from setpoint.providers.known import known
from setpoint.records import Exclusion, Order
from setpoint.routing import tables
from setpoint.server.telemetry.figures import Figures
from setpoint.server.telemetry.gauges import (
    look_up_breakers,
    look_up_clients,
    look_up_contents,
    look_up_process,
    look_up_retention,
    look_up_storage,
    look_up_upstream,
    look_up_work,
)
from setpoint.settings import OPTIONS, Settings, masked
from setpoint.settings.rows import Row, Table, rows_of
from support.processes import Gateway, clean_environment
from support.table import route_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [*(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG", "SECURITY")), *DOCS]
PRESETS = ROOT / "docs" / "presets.md"
EXAMPLES = ROOT / "examples"

ORIGIN = "http://127.0.0.1:8787"
KEY = "sk-sp-tour-0123456789"
"""Where the documents say that the gateway is, and the key that they start it with."""

RUN_S = 60


def name(path: Path) -> str:
    """A document as people call it."""
    return str(path.relative_to(ROOT))


# --- blocks --------------------------------------------------------------------------------------------------


class Block(NamedTuple):
    """One fenced block: the document and line it begins in, what stands behind its fence, and its text."""

    place: str
    info: str
    text: str


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a document."""
    content = path.read_text("utf-8")
    found = re.finditer(r"^```([^\n`]*)\n(.*?)^```$", content, re.MULTILINE | re.DOTALL)
    return [Block(f"{name(path)}:{content.count(chr(10), 0, one.start()) + 1}", one[1], one[2]) for one in found]


def run(arguments: list[str], folder: Path, more: Mapping[str, str], text: str = "") -> str:
    """What a program writes to its standard output. It must succeed."""
    done = subprocess.run(
        arguments,
        input=text,
        cwd=folder,
        env={**clean_environment(folder), **more},
        capture_output=True,
        encoding="utf-8",
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


# --- configurations ------------------------------------------------------------------------------------------

CONFIGURATIONS = [block for path in DOCUMENTS for block in blocks(path) if block.info == "yaml"]
CONFIGURATIONS.append(Block("examples/setpoint.yaml", "yaml", (EXAMPLES / "setpoint.yaml").read_text("utf-8")))


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=lambda block: block.place)
def test_a_configuration_passes_the_check_without_a_warning(block: Block, tmp_path: Path) -> None:
    (tmp_path / "setpoint.yaml").write_text(block.text, "utf-8")
    variables = dict.fromkeys(re.findall(r"(?<!\$)\$\{(\w+)\}", block.text), "sk-of-the-environment-0123")
    said = run([sys.executable, "-m", "setpoint", "check"], tmp_path, variables)
    assert said == "setpoint.yaml: nothing is wrong\n"


# --- tours ---------------------------------------------------------------------------------------------------

TOURS = [path for path in DOCUMENTS if any(block.info.endswith(" tour") for block in blocks(path))]
SHOWN = {
    "README.md": (
        "data: [DONE]",
        '"version":2,"system_prompt":"You sort parcels. Be kind."',
        "user: Parcel 19 hums.",
        '"origin":{"/model":"preset","/temperature":"preset","/max_tokens":"request",',
        '"preset_slug":"parcels","preset_version":1,',
        '"total_cost":0,',
        "temperature: 0.2\nuser: Parcel 22 is late.",
        "system: You sort letters.\nuser: Letter 2 has no stamp.",
        "user: Letter 3 smells of smoke.",
        '"ok":true',
        '"limit":5,"limit_remaining":5,',
    ),
    "docs/routing.md": (
        '"preset":{"slug":"routed","version":1}',
        '"/temperature":"preset"',
        '"reason":"unknown_provider"',
        '"unsaid":{"setpoint/setpoint/echo":[]}',
        '"estimated_cost":{"min":"0","max":"0"}',
    ),
    "docs/presets.md": (
        '"version":2,"system_prompt":"You triage.","config":{"model":"setpoint/echo","max_tokens":512,"stop":["END"]}',
        '"version":3,"system_prompt":"You triage.","config":{"model":"setpoint/echo","max_tokens":512}',
        '"status":"archived"',
    ),
    "docs/clients.md": ("5.0",),
    "docs/limits.md": (
        '"scope":"key_limit","budget_id":null,"guardrail_id":null,"include_byok":true,"limit_usd":5,',
        '"limit":20,"limit_remaining":20,"limit_reset":"monthly"',
        '"requests_per_minute":null',
        '{"deleted":true}',
    ),
    "docs/workspaces.md": ('"slug":"support","name":"Support"', '"limit_usd":500,"reset_interval":"monthly"'),
}
"""What the tours of some documents say that one sees, as it comes out."""


@pytest.fixture
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that has nothing but the echo model, with the key of the documents."""
    started = Gateway(tmp_path_factory.mktemp("gateway"), key=KEY)
    yield started
    started.stop()


def test_the_readme_starts_the_gateway_of_its_tour() -> None:
    start = next(block for block in blocks(ROOT / "README.md") if "setpoint serve" in block.text)
    assert f"SETPOINT_API_KEY={KEY} " in start.text
    assert ORIGIN.endswith(f":{Settings().port}")


@pytest.mark.parametrize("path", TOURS, ids=name)
def test_a_tour_runs_to_its_end(path: Path, gateway: Gateway, tmp_path: Path) -> None:
    marked = [block for block in blocks(path) if block.info.endswith(" tour")]
    assert {block.info for block in marked} <= {"sh tour", "python tour"}
    shell = "".join(block.text for block in marked if block.info == "sh tour")
    said = run(["bash", "-euo", "pipefail"], tmp_path, {}, shell.replace(ORIGIN, gateway.origin))
    for program in (block.text for block in marked if block.info == "python tour"):
        said += run([sys.executable, "-W", "ignore", "-"], tmp_path, {}, program.replace(ORIGIN, gateway.origin))
    assert [line for line in SHOWN.get(name(path), ()) if line not in said] == []


@pytest.mark.parametrize(
    ("example", "shown"), [("tour.sh", "x-setpoint-preset: tour@1"), ("openai_sdk.py", "Preset not found: nothing")]
)
def test_an_example_runs_to_its_end(example: str, shown: str, gateway: Gateway, tmp_path: Path) -> None:
    program = ["bash"] if example.endswith(".sh") else [sys.executable, "-W", "ignore"]
    assert shown in run([*program, str(EXAMPLES / example)], tmp_path, {"BASE": gateway.url, "KEY": KEY})


def test_the_manual_names_every_member_of_a_record(gateway: Gateway) -> None:
    asked = {"model": "setpoint/echo", "messages": [{"role": "user", "content": "x"}]}
    answer = gateway.call("POST", "/chat/completions", asked)
    record = gateway.call("GET", f"/generation?id={answer.json()['id']}").json()["data"]
    rows = cells("docs/generations.md", "member")
    assert {member for row in rows for member in quoted(row[0])} == {*record, *record["provider_responses"][0]}


def test_the_manual_names_every_member_of_a_provider_key(gateway: Gateway) -> None:
    made = gateway.call("POST", "/byok", {"provider": "openai", "key": "sk-of-the-manual-0123"}).json()["data"]
    rows = cells("docs/api.md", "member of a provider key")
    assert sorted(member for row in rows for member in quoted(row[0])) == sorted(made)


def test_the_manual_names_every_member_of_a_workspace_and_of_a_budget(gateway: Gateway) -> None:
    for noun, path in (("workspace", "/workspaces/default"), ("budget", "/workspaces/default/budgets/daily")):
        gateway.call("PUT", "/workspaces/default/budgets/daily", {"limit_usd": 5})
        shown = gateway.call("GET", path).json()["data"]
        rows = cells("docs/workspaces.md", f"member of a {noun}")
        assert sorted(member for row in rows for member in quoted(row[0])) == sorted(shown)


# --- links ---------------------------------------------------------------------------------------------------


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings."""
    prose = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8"))
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = unquote(link).partition("#")
        aim = (path.parent / target).resolve() if target else path
        assert aim.exists(), link
        assert aim.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(aim), link


def test_the_index_leads_to_every_page() -> None:
    index = (ROOT / "docs/index.md").read_text("utf-8")
    assert [page.name for page in DOCS if page.name != "index.md" and f"]({page.name})" not in index] == []


def test_errors_send_people_to_a_page_that_is_there() -> None:
    assert (ROOT / DOCS_URL).is_file()


# --- tables --------------------------------------------------------------------------------------------------


def cells(document: str, first: str) -> list[list[str]]:
    """The rows of all tables of a document whose head begins with this word, cell by cell."""
    found: list[list[str]] = []
    for table in re.findall(r"(?:^\|.*\|\n)+", (ROOT / document).read_text("utf-8"), re.MULTILINE):
        rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.splitlines()]
        if rows[0][0] == first:
            found += rows[2:]
    assert found, f"{document} has no table that begins with {first}"
    return found


def quoted(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def written(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table as Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def may_be(row: Row) -> str:
    """What a key may be, with its unit."""
    unit = row.kind.unit
    return row.kind.words if not unit or unit in row.kind.words else f"{row.kind.words}, in {unit}"


def settings_table() -> str:
    """The table of `docs/settings.md`."""
    rows: list[tuple[str, ...]] = []
    for option, row in OPTIONS.items():
        default = "the platform's" if option == "data_dir" else f"`{masked(option, row.default)}`"
        doc = f"{row.doc}; from {row.only} only" if row.only else row.doc
        doc = f"{doc}; at the start only" if row.at_start else doc
        rows.append((f"`{option}`", may_be(row), default, doc))
    return written(("name", "may be", "default", "meaning"), rows)


def keys_table(table: type[Table]) -> str:
    """The table of `docs/configuration.md` for one table of `setpoint.yaml`."""
    rows: list[tuple[str, ...]] = []
    for key, row in rows_of(table).items():
        default = "required" if row.required else "" if row.default in (None, UNSET, ()) else f"`{_yaml(row.default)}`"
        rows.append((f"`{key}`", may_be(row), default, row.doc))
    return written(("key", "may be", "default", "meaning"), rows)


def _yaml(content: object) -> str:
    match content:
        case bool():
            return str(content).lower()
        case tuple():
            return f"[{', '.join(map(str, cast('tuple[object, ...]', content)))}]"
        case _:
            return str(content) or '""'


KEY_TABLES = {table.__name__: table for table in Table.__subclasses__() if table.__module__ == tables.__name__}


def test_the_manual_has_the_table_of_settings() -> None:
    expected = settings_table()
    assert expected in (ROOT / "docs/settings.md").read_text("utf-8"), f"the table should be\n{expected}"


@pytest.mark.parametrize("table", KEY_TABLES.values(), ids=KEY_TABLES)
def test_the_manual_has_the_keys_of_the_file(table: type[Table]) -> None:
    expected = keys_table(table)
    assert expected in (ROOT / "docs/configuration.md").read_text("utf-8"), f"the table should be\n{expected}"


def test_the_manual_lists_the_known_providers() -> None:
    rows = cells("docs/configuration.md", "slug")
    listed = [(quoted(row[0]), quoted(row[1]), quoted(row[2]), row[3].split(", ")) for row in rows]
    assert listed == [
        (
            [slug],
            [row.variable] if row.variable else [],
            [row.provider.base_url] if row.provider.base_url else [],
            [*row.provider.dialects],
        )
        for slug, row in known().items()
    ]


def test_the_manual_gives_a_reason_for_each_direct_dependency_and_no_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["server"]]
    packages = [re.match(r"[A-Za-z0-9._-]+", one) for one in needed]
    assert [quoted(row[0])[0] for row in cells("docs/dependencies.md", "package")] == [it[0] for it in packages if it]


def test_the_house_has_the_floors_that_the_linter_knows() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    house = next(block for block in blocks(ROOT / "CONTRIBUTING.md") if block.info == "text")
    assert [re.split(r"  +", line)[0] for line in house.text.splitlines()] == contracts[0]["layers"]


def test_the_manual_has_every_error_type_with_its_status() -> None:
    listed = {quoted(row[0])[0]: int(row[1]) for row in cells("docs/errors.md", "type")}
    assert listed == STATUS


@pytest.mark.parametrize(("head", "words"), [("`reason`", Order), ("left out as", Exclusion)])
def test_the_manual_says_once_what_each_reason_of_routing_means(head: str, words: object) -> None:
    explained = [word for row in cells("docs/routing.md", head) for word in quoted(row[0])]
    assert sorted(explained) == sorted(get_args(words))


def test_the_manual_has_every_route_with_its_access() -> None:
    served = {(one.method, f"{'/api/v1' if one.based else ''}{one.path}", one.access) for one in route_table()}
    rows = cells("docs/api.md", "method")
    assert {(row[0], quoted(row[1])[0], row[2]) for row in rows} == served
    assert len(rows) == len(served)


def test_the_manual_has_every_metric_with_its_kind_and_its_labels() -> None:
    registry, nothing = Registry(), cast("Any", None)
    Figures(registry, nothing)
    look_up_work(registry, nothing, nothing)
    look_up_storage(registry, nothing, nothing, nothing)
    look_up_retention(registry, nothing)
    look_up_contents(registry, nothing, nothing)
    look_up_upstream(registry, nothing, nothing)
    look_up_clients(registry, nothing)
    look_up_breakers(registry, nothing)
    look_up_process(registry, nothing)
    counted = {(one.name, one.kind, one.labels, "largest" if one.how == "max" else "sum") for one in registry.metrics}
    rows = cells("docs/metrics.md", "metric")
    assert {(quoted(row[0])[0], row[1], tuple(quoted(row[2])), row[3]) for row in rows} == counted
    assert len(rows) == len(counted)


def test_the_page_of_translations_is_what_the_code_does() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `make docs`"


def test_the_manual_has_every_field_of_a_preset_and_says_which_skins_have_it() -> None:
    rows = cells("docs/presets.md", "config field")
    assert sorted(name for row in rows for name in quoted(row[0])) == sorted(field.name for field in CONFIG_FIELDS)
    for row in rows:
        for fields, cell in zip((CHAT, MESSAGES, RESPONSES), row[1:4], strict=True):
            own = {name in fields for name in quoted(row[0])}
            assert own == {cell != "no"} or cell.startswith(("from", "`")), row
            assert all(re.split(r"[.:]", source)[0] in fields for source in quoted(cell)), row


def test_the_manual_has_every_field_that_a_preset_never_keeps() -> None:
    (told,) = re.findall(
        r"^What identifies or shapes one call is not kept: (.*?)\.$",
        PRESETS.read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    assert sorted(quoted(told)) == sorted(TRANSIENT - {"preset_variables"})


def test_the_manual_has_every_word_of_a_receipt() -> None:
    assert [quoted(row[0])[0] for row in cells("docs/presets.md", "outcome")] == list(get_args(Outcome))
    assert [quoted(row[0])[0] for row in cells("docs/presets.md", "code")] == list(get_args(Code))
