"""What is wrong with a pair file, each thing with its line.

It says what was expected and found, and gives a remedy.
"""

from __future__ import annotations

import copy
import difflib
import re
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, cast

from pydantic import BaseModel, Tag, ValidationError

from flows.config.form import FieldForm, PairForm
from flows.config.lines import KeyPath, Step, key_lines, line_of
from reconcile.errors import ConfigError, Problem

Document = dict[str, Any]
"""A TOML document as `tomllib` gives it."""

_SECRET_KEYS = {"url", "token", "password", "user", "client_id", "client_secret", "ledger"}
_EXPECTED = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list in [brackets]",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "scalar_type": "text, a number, true or false",
}
_STAND_INS: Mapping[Step, Any] = {
    "app": {"connector": "memory"},
    "ghl": {"location": "unknown"},
    "contact": {"fields": {}},
    "fields": {},
    "key": ["id"],
}


@dataclass(slots=True)
class Problems:
    """The problems found so far in one file; `lines` says where its keys stand."""

    file: str
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    entries: list[Problem] = field(default_factory=list)
    mended: set[KeyPath] = field(default_factory=set)

    def add(self, path: KeyPath, what: str, remedy: str) -> None:
        """Note one problem at the line of `path`.

        It is not noted if what stands there is a stand-in for what was wrong already.
        """
        if any(path[: len(cut)] == cut for cut in self.mended):
            return
        self.entries.append(Problem(f"{self.file}:{line_of(self.lines, path)}", what, remedy))

    def touched(self, path: KeyPath) -> bool:
        """Whether something at or below `path` was wrong already.

        What is missing there then proves nothing.
        """
        return any(cut[: len(path)] == path for cut in self.mended)

    def stop_if_any(self) -> None:
        """Raise ConfigError with all problems, in the order of the file, if there are any."""
        if self.entries:
            unique = list(dict.fromkeys(self.entries))
            raise ConfigError(
                sorted(unique, key=lambda problem: int(problem.where.rpartition(":")[2]))
            )


def near(word: str, known: Iterable[str]) -> str:
    """A remedy for an unknown word: the nearest known ones, or all of them."""
    words = list(known)
    folded = {candidate.casefold(): candidate for candidate in words}
    close = difflib.get_close_matches(word.casefold(), folded, n=3, cutoff=0.6)
    if close:
        return "Did you mean " + " or ".join(f'"{folded[match]}"' for match in close) + "?"
    if not words:
        return "Remove it."
    return f"Use one of: {', '.join(words)}."


def name(path: KeyPath) -> str:
    """How a place in the file is called in a message: [contact.fields] email."""
    words = [str(step) for step in path if isinstance(step, str)]
    if len(words) > 1:
        return f"[{'.'.join(words[:-1])}] {words[-1]}"
    return "".join(words)


def parsed(text: str, file: str) -> tuple[Document, Problems]:
    """The document of a TOML text and an empty list of problems for it.

    Raises ConfigError where TOML cannot read it.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_toml_problem(str(error), text, file)]) from None
    except RecursionError:
        raise ConfigError(
            [Problem(file, "brackets stand in brackets too often to be read", "Take them apart.")]
        ) from None
    return document, Problems(file, key_lines(text))


def _toml_problem(message: str, text: str, file: str) -> Problem:
    at = re.search(r" \(at line (\d+), column (\d+)\)| \(at end of document\)", message)
    line = int(at[1]) if at and at[1] else max(1, len(text.splitlines()))
    column = f", column {at[2]}" if at and at[2] else ""
    what = message[: at.start()] if at else message
    remedy = (
        "A key, or a table, may stand in a file only once: merge the two."
        if "overwrite" in what.lower()
        else (
            'Check this line and the one above it: text goes in "quotes", '
            "each key once, each bracket closed."
        )
    )
    return Problem(f"{file}:{line}", f"this is not TOML: {what}{column}", remedy)


def formed(document: Document, problems: Problems) -> PairForm | None:
    """The form of a document.

    What is wrong is noted and cut out, so that all the rest can still be checked.
    """
    rest = copy.deepcopy(document)
    for attempt in range(8):
        try:
            return PairForm.model_validate(rest)
        except ValidationError as error:
            for fault in error.errors(include_url=False):
                path = _file_path(fault["loc"])
                if attempt == 0:
                    _note(cast("dict[str, Any]", fault), path, problems)
                _mend(rest, path, missing=fault["type"] == "missing")
            problems.mended.update(_file_path(fault["loc"]) for fault in error.errors())
    return None


def _file_path(loc: Sequence[Step]) -> KeyPath:
    return tuple(step for step in loc if not str(step).startswith("connector:") and step != "[key]")


def _note(fault: Mapping[str, Any], path: KeyPath, problems: Problems) -> None:
    key = path[-1]
    where = "at the top of the file"
    if len(path) > 1:
        where = f"in [{'.'.join(map(str, path[:-1]))}]"
    match fault["type"]:
        case "extra_forbidden":
            remedy = _dotted(path) or near(str(key), _keys_beside(fault["loc"]))
            problems.add(path, f'unknown key "{key}" {where}', remedy)
            return
        case "missing":
            problems.add(path, f'"{key}" is missing {where}', f'Add "{key}" there.')
            return
    actual = f"{name(path)} is {_shown(path, fault['input'])}"
    match fault["type"]:
        case "enum" | "literal_error":
            words = re.findall(r"'([^']*)'", str(fault["ctx"]["expected"]))
            remedy = near(str(fault["input"]), words)
            problems.add(path, f"{actual}, expected one of {', '.join(words)}", remedy)
        case kind:
            expected = _EXPECTED.get(kind) or _sentence(str(fault["msg"]))
            problems.add(path, f"{actual}, expected {expected}", f"Write {expected} there.")


def _dotted(path: KeyPath) -> str | None:
    """For `name.first = "firstName"`, which TOML reads as a table `name`."""
    if len(path) != 4 or path[1] != "fields" or str(path[3]) in FieldForm.model_fields:
        return None
    if difflib.get_close_matches(str(path[3]), FieldForm.model_fields, n=1):
        return None
    return (
        f'A dotted name needs quotes: "{path[2]}.{path[3]}" = "…"; '
        f"else use one of {', '.join(FieldForm.model_fields)}."
    )


def _sentence(message: str) -> str:
    if "pattern '^[A-Z]{2}$'" in message:
        return 'a country in two capital letters, such as "US"'
    if "https?://" in message:
        return 'an address with the key in it, such as "https://crm.example.com/people/{key}"'
    if "pattern" in message:
        return "a name of letters, digits, dots, dashes and underscores"
    message = re.sub(r"^(Input|String|Value|List|Dictionary) should (be|have) ", "", message)
    return message[0].lower() + message[1:]


def _shown(path: KeyPath, value: object) -> str:
    if any(step in _SECRET_KEYS for step in path):
        return "a value that is not shown"
    match value:
        case bool():
            return str(value).lower()
        case str():
            if not value:
                return "an empty text"
            return f'"{value}"'
        case int() | float():
            return f"the number {value}"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return f"{value}"


def _mend(rest: Document, path: KeyPath, *, missing: bool) -> None:
    """Cut out what is wrong, or put a stand-in where something required is missing."""
    table: Any = rest
    for step in path[:-1]:
        table = _below(table, step)
    if missing and isinstance(table, dict):
        table[str(path[-1])] = copy.deepcopy(_STAND_INS.get(path[-1], "unknown"))
    elif isinstance(table, dict):
        table.pop(path[-1], None)
    elif isinstance(table, list) and isinstance(path[-1], int) and path[-1] < len(table):
        table.pop(path[-1])


def _below(table: Any, step: Step) -> Any:
    if isinstance(table, dict):
        return table.get(str(step), {})
    if isinstance(table, list) and isinstance(step, int) and step < len(table):
        return table[step]
    return {}


def _keys_beside(loc: Sequence[Step]) -> list[str]:
    """The keys that may stand where `loc` ends, read from the form."""
    node: Any = PairForm
    for step in loc[:-1]:
        node = _child(node, step)
    if isinstance(node, type) and issubclass(node, BaseModel):
        return [info.alias or key for key, info in node.model_fields.items()]
    return []


def _child(node: Any, step: Step) -> Any:
    """What the form says stands under `step` of `node`.

    Models by field, containers by element, unions by tag.
    """
    if isinstance(node, type) and issubclass(node, BaseModel):
        chosen = [info for key, info in node.model_fields.items() if step in (key, info.alias)]
        if not chosen:
            return None
        return _bare(chosen[0].annotation)
    if typing.get_origin(node) in (dict, list):
        return _bare(typing.get_args(node)[-1])
    for member in typing.get_args(node):
        if typing.get_origin(member) is Annotated and Tag(str(step)) in member.__metadata__:
            return _bare(member)
    return None


def _bare(annotation: Any) -> Any:
    while typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        members = [member for member in typing.get_args(annotation) if member is not type(None)]
        if len(members) == 1:
            return _bare(members[0])
        return annotation
    return annotation
