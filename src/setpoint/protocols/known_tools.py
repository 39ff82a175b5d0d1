"""Client-side tools that a provider knows by their type alone, with the schema that stands for them elsewhere.

Sources: the tool pages of the Messages reference (bash, text editor) and the tool types of the Responses reference
(custom, local shell, shell, apply patch), read 2026-11.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from setpoint.wire.body import raw


class KnownTool(NamedTuple):
    """What to tell a model of a tool, and its input's schema. `versioned` types carry a date (`bash_20250124`)."""

    description: str
    schema: Any
    versioned: bool = False


def _object(required: tuple[str, ...], **properties: dict[str, Any]) -> Any:
    return raw({"type": "object", "properties": properties, "required": list(required)})


_STRING = {"type": "string"}
_INTEGER = {"type": "integer"}
_STRINGS = {"type": "array", "items": _STRING}

KNOWN_TOOLS: dict[str, KnownTool] = {
    "custom": KnownTool("", _object(("input",), input={"type": "string", "description": "The input, as free text."})),
    "bash": KnownTool(
        "Run a command in a persistent bash session.",
        _object(
            (),
            command={"type": "string", "description": "The command to run."},
            restart={"type": "boolean", "description": "Restart the session instead."},
        ),
        versioned=True,
    ),
    "text_editor": KnownTool(
        "View, create and edit text files.",
        _object(
            ("command", "path"),
            command={"type": "string", "enum": ["view", "create", "str_replace", "insert", "undo_edit"]},
            path={"type": "string", "description": "Absolute path of the file or folder."},
            file_text={"type": "string", "description": "The content, for create."},
            old_str={"type": "string", "description": "What to replace, for str_replace."},
            new_str={"type": "string", "description": "What to put there, for str_replace and insert."},
            insert_line={"type": "integer", "description": "The line behind which to insert."},
            view_range={"type": "array", "items": _INTEGER, "description": "First and last line to view."},
        ),
        versioned=True,
    ),
    "local_shell": KnownTool(
        "Run a command on the user's machine.",
        _object(
            ("command",),
            command={**_STRINGS, "description": "The command and its arguments."},
            working_directory=_STRING,
            timeout_ms=_INTEGER,
            env={"type": "object", "additionalProperties": _STRING},
            user=_STRING,
        ),
    ),
    "shell": KnownTool(
        "Run shell commands.",
        _object(
            ("commands",),
            commands={**_STRINGS, "description": "The commands, run one after another."},
            timeout_ms=_INTEGER,
            max_output_length=_INTEGER,
        ),
    ),
    "apply_patch": KnownTool(
        "Create, change or delete one file by a patch.",
        _object(
            ("type", "path"),
            type={"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
            path={"type": "string", "description": "The path of the file."},
            diff={"type": "string", "description": "The patch, for create_file and update_file."},
        ),
    ),
}
"""Type of a tool, without its date, to what is known of it."""
