"""The kinds of value that the tables of a pair file are made of."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    SecretStr,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from reconcile.values.codecs import raw_text


class Part(BaseModel):
    """A table of the pair file.

    Unknown keys are errors, and TOML's types are taken at their word.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


_MOST_DAYS = 31

_TEXT_OR_LIST = [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]


class ShortPart(Part):
    """A table that may be shortened to the value of its key `short`."""

    short: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def _widen(cls, value: Any) -> Any:
        if isinstance(value, str | list):
            return {cls.short: value}
        return value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        whole = handler(core)
        table = handler.resolve_ref_schema(whole)
        long = dict(table)
        table.clear()
        table["anyOf"] = [*_TEXT_OR_LIST, long]
        return whole


def _listed(value: Any) -> Any:
    if isinstance(value, str):
        return [value]
    return value


def _rules(value: Any) -> Any:
    if isinstance(value, list):
        return [_listed(rule) for rule in value]
    return value


def _scalar(value: Any) -> Any:
    if isinstance(value, str | int | float):
        return raw_text(value)
    raise PydanticCustomError("scalar_type", "text, a number, true or false")


def _often(value: Any) -> Any:
    days = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST_DAYS
    if days or value in ("nightly", "weekly"):
        return value
    raise PydanticCustomError("sweep", f'"nightly", "weekly" or 1 to {_MOST_DAYS} days')


Sweep = Annotated[
    Literal["nightly", "weekly"] | Annotated[int, Field(ge=1, le=_MOST_DAYS)],
    BeforeValidator(_often),
]
"""How often everything is read: by a word, or in days."""

Names = Annotated[list[str], BeforeValidator(_listed), WithJsonSchema({"anyOf": _TEXT_OR_LIST})]
"""One name, or a list of names."""

NameRules = Annotated[
    list[list[str]],
    BeforeValidator(_rules),
    WithJsonSchema({"type": "array", "items": {"anyOf": _TEXT_OR_LIST}}),
]
"""A list of names, or of lists of names."""

Scalar = Annotated[
    str, BeforeValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})
]
"""Text, a number, true or false; kept as the text that a native value of that kind has."""

Secret = Annotated[
    SecretStr,
    WithJsonSchema(
        {
            "type": "string",
            (
                "description"
            ): '"env:NAME" takes an environment variable, "file:PATH" the text of a file',
        }
    ),
]
"""A text that is never shown: `env:NAME` and `file:PATH` say where it is kept."""


def revealed(value: object) -> object:
    """The same tables and lists with their secrets in the open.

    They are for the connector that needs them.
    """
    if isinstance(value, dict):
        return {key: revealed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [revealed(item) for item in value]
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return value
