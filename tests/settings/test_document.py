"""The reader of the file's text: what is YAML here, what is refused, and in which line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.settings.document import MAX_BYTES, MAX_DEPTH, parse
from setpoint.settings.nodes import Items, Members, Node, Report, Scalar

SECRET = "sk-do-not-tell"


def plain(node: Node | None) -> object:
    match node:
        case Members(entries):
            return {key.text: plain(value) for key, value in entries}
        case Items(entries):
            return [plain(entry) for entry in entries]
        case Scalar(text):
            return text
        case None:
            return None


def read(text: str | bytes, **environ: str) -> tuple[object, list[str]]:
    """What is in a file, as plain values, and what is wrong with it."""
    report = Report()
    document = parse(text.encode() if isinstance(text, str) else text, "f.yaml", environ, report)
    return plain(document.members), [str(problem) for problem in report.problems]


def test_a_file_reads_as_tables_lists_and_texts() -> None:
    text = "a: {b: 1, \"c d\": [x, 'y', null]}\ne:\n  - f: |\n      two\n      lines\n"
    assert read(text) == ({"a": {"b": "1", "c d": ["x", "y", "null"]}, "e": [{"f": "two\nlines\n"}]}, [])


def test_every_node_knows_its_line() -> None:
    members = parse(b"a: 1\n\nb:\n  - x\n  - {c: y}\n", "f.yaml", {}, Report()).members
    assert members is not None
    (a, one), (b, items) = members.entries
    assert isinstance(items, Items)
    assert [str(node.place) for node in (a, one, b, *items.entries)] == [
        *("f.yaml:1", "f.yaml:1", "f.yaml:3", "f.yaml:4", "f.yaml:5")
    ]


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "\ufeff"])
def test_an_empty_file_is_no_problem(text: str) -> None:
    assert read(text) == (None, [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: !!python/object/apply:os.system [x]", "f.yaml:2: a tag (`!…`) is not taken here"),
        ("a: !!str 1", "f.yaml:1: a tag (`!…`) is not taken here"),
        ("a: !x {b: c}", "f.yaml:1: a tag (`!…`) is not taken here"),
        ("a: &x 1\nb: *x", "f.yaml:1: anchors and aliases (`&…`, `*…`) are not taken here: write it out"),
        ("a: 1\nb:\n  <<: *x", "f.yaml:3: anchors and aliases (`&…`, `*…`) are not taken here: write it out"),
        ("a: 1\n---\nb: 2", "f.yaml:2: a second document: the file must hold one"),
        ("- a\n", "f.yaml:1: the file must be a table with the keys settings, providers and models"),
        ("just text", "f.yaml:1: the file must be a table with the keys settings, providers and models"),
        ("a: 1\n? [b]\n: c", "f.yaml:2: a key must be a string"),
        ("a: 1\n? {b: c}\n: d", "f.yaml:2: a key must be a string"),
        ("a: 1\nb: c: d", "f.yaml:2: is not YAML: mapping values are not allowed"),
        ('a:\n  - "x\n', "is not YAML: found unexpected end of stream"),
        ("a: 1\nb: \x07\n", "f.yaml:2: is not YAML: a control character"),
        ("a: {b: ${NAME}}", '; inside { } or [ ] put "${NAME}" in quotes'),
    ],
)
def test_what_is_refused_is_refused_with_its_line(text: str, problem: str) -> None:
    _, problems = read(text, NAME="x")
    assert len(problems) == 1
    assert problem in problems[0]


def test_bytes_that_are_no_utf8_are_refused_with_their_line() -> None:
    assert read(b"a: 1\nb: \xff\n") == (None, ["f.yaml:2: is not UTF-8"])


def test_a_file_of_more_than_the_limit_is_refused() -> None:
    assert read(b"#" * MAX_BYTES)[1] == []
    assert read(b"#" * (MAX_BYTES + 1)) == (None, [f"f.yaml: the file is larger than {MAX_BYTES} bytes"])


def test_a_bomb_of_aliases_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 60)]
    value, problems = read("\n".join(lines))
    assert value is None
    assert len(problems) == 1


@pytest.mark.parametrize("unit", ["[", "{a: ", "- ", "? "])
def test_nesting_is_bounded_and_costs_no_stack(unit: str) -> None:
    value, problems = read("a: \n " + unit * 5_000)
    assert value is None
    assert len(problems) == 1
    fits = "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    assert read(f"a: {fits}")[1] == []
    assert read(f"a: [{fits}]")[1] == [f"f.yaml:1: nested deeper than {MAX_DEPTH} levels"]


def test_a_key_that_is_written_twice_names_both_lines_and_keeps_the_first() -> None:
    assert read("a: 1\nb:\n  c: 2\n  d: 3\n  c: 4\na: 5\n") == (
        {"a": "1", "b": {"c": "2", "d": "3"}},
        [
            "f.yaml:5: 'c' is written twice: in line 3 and in line 5",
            "f.yaml:6: 'a' is written twice: in line 1 and in line 6",
        ],
    )


def test_a_hostile_key_is_escaped_and_cut_in_messages() -> None:
    key = '"\\n\\e[31m' + "x" * 500 + '"'
    _, problems = read(f"{key}: 1\n{key}: 2\n")
    assert len(problems) == 1
    assert problems[0].isprintable()
    assert len(problems[0]) < 200


# --- the environment -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("${NAME}", SECRET),
        ('"${NAME}"', SECRET),
        ("a-${NAME}-${OTHER}-z", f"a-{SECRET}-{{x: [1]}}-z"),
        ("${OTHER}", "{x: [1]}"),
        ("${NESTED}", "${NAME}"),
        ("$${NAME}", "${NAME}"),
        ("$${NAME}${NAME}", f"${{NAME}}{SECRET}"),
        ("$NAME", "$NAME"),
        ("$$NAME", "$$NAME"),
        ("a$b}", "a$b}"),
    ],
)
def test_a_variable_stands_for_its_text_which_is_not_read_again(written: str, read_as: str) -> None:
    environ = {"NAME": SECRET, "OTHER": "{x: [1]}", "NESTED": "${NAME}"}
    assert read(f"a: {written}", **environ) == ({"a": read_as}, [])


def test_each_missing_variable_is_named_with_its_line() -> None:
    assert read("a: ${ONE}\nb:\n  - x${TWO}\n  - ${NAME}\n", NAME=SECRET)[1] == [
        "f.yaml:1: the environment has no ONE",
        "f.yaml:3: the environment has no TWO",
    ]


@pytest.mark.parametrize("written", ['"${"', '"${}"', '"${1A}"', '"${A B}"', '"${A:-x}"', '"${NAME"'])
def test_a_malformed_variable_is_an_error(written: str) -> None:
    _, problems = read(f"a: {written}", NAME=SECRET)
    assert problems == ["f.yaml:1: `${` needs a variable's name and `}`; for the characters themselves write `$${`"]


def test_a_key_takes_nothing_from_the_environment() -> None:
    assert read('"${NAME}": 1', NAME=SECRET) == (
        {"${NAME}": "1"},
        ["f.yaml:1: a key cannot be taken from the environment, only a value can"],
    )


def test_the_variables_that_a_file_takes_are_told() -> None:
    document = parse(b"a: ${ONE}\nb: [x, '${TWO}', '$${NOT}']\n", "f.yaml", {"ONE": "1", "TWO": "2"}, Report())
    assert document.variables == {"ONE", "TWO"}


def test_a_node_never_shows_its_text() -> None:
    document = parse(b'a: {b: ["${NAME}"]}', "f.yaml", {"NAME": SECRET}, Report())
    assert document.members is not None
    assert SECRET not in repr(document)


# JSON is YAML but for the line ends that only YAML knows: inside quotes it folds them.
_texts = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=20)
_values = st.recursive(_texts, lambda inner: st.lists(inner) | st.dictionaries(_texts, inner), max_leaves=20)


@given(st.dictionaries(_texts, _values, min_size=1))
def test_json_of_texts_reads_as_it_is(value: dict[str, object]) -> None:
    text = json.dumps(value, ensure_ascii=False).replace("${", "$ {")
    assert read(text) == (json.loads(text), [])


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    value, problems = read(data)
    assert value is None or isinstance(value, dict)
    assert all(problem.startswith("f.yaml") for problem in problems)
