"""The README's table of settings, made from the settings themselves: `python -m backend.settings_table README.md`.

Without a file it prints the table. A test holds the two together.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from backend.settings import Settings, variable

BEGIN = "<!-- settings: written by `python -m backend.settings_table README.md` -->"
END = "<!-- /settings -->"

_KINDS: dict[Any, str] = {str: "text", int: "whole number", float: "number", Path: "folder", SecretStr: "secret"}


def table() -> str:
    """A row a setting, in Markdown: its variable, what it takes, its default, and what it does."""
    rows = [
        f"| `{variable(name)}` | {_kind(field)} | {_default(field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| variable | takes | default | what it does |", "| --- | --- | --- | --- |", *rows])


def replaced(text: str) -> str:
    """`text` with the table between its two marks. Raises ValueError when it has no such place."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"Found no place for the table, wanted two lines: {BEGIN} and {END}. Put them there.")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _kind(field: FieldInfo) -> str:
    kinds = [kind for kind in get_args(field.annotation) or (field.annotation,) if kind is not type(None)]
    kind = _KINDS.get(kinds[0], "text") if field.annotation != tuple[str, ...] else "list, by commas"
    least, most = _bound(field, "ge"), _bound(field, "le")
    above = _bound(field, "gt")
    if most is not None:
        return f"{kind} from {_number(1 if above == 0 and least is None else least)} to {_number(most)}"
    if above is not None:
        return f"{kind} above {_number(above)}"
    return f"{kind} from {_number(least)} up" if least is not None else kind


def _bound(field: FieldInfo, name: str) -> Any:
    return next((getattr(rule, name) for rule in field.metadata if hasattr(rule, name)), None)


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None or value == ():
        return ""
    return f"`{_number(value) if isinstance(value, (int, float)) else value}`"


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def main(arguments: Sequence[str]) -> None:
    """Print the table, or put it into the file that is named."""
    if not arguments:
        sys.stdout.write(table() + "\n")
        return
    file = Path(arguments[0])
    file.write_text(replaced(file.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
