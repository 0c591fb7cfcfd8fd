"""The form of a connector's settings, derived from its own dataclass.

So the two cannot drift apart.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar, Union

from pydantic import BaseModel, Field, create_model

from flows.config.part import Part, Secret, revealed
from reconcile.entities import RECORDS, Entity

Form = TypeVar("Form", bound=BaseModel)


def form_of(settings: type, *, leaving: frozenset[str] = frozenset(), **more: Any) -> type[Part]:
    """The form of a settings dataclass without the fields `leaving`.

    `more` are fields of its own, as pydantic takes them.

    Fields that are out of the repr are secrets. Tuples are lists in TOML, mappings tables, settings
    forms of their own.
    """
    hints = typing.get_type_hints(settings, localns={"Json": Any})
    fields: dict[str, Any] = {
        one.name: (_kind(hints[one.name], secret=not one.repr), _default(one))
        for one in dataclasses.fields(settings)
        if one.name not in leaving
    }
    name = settings.__name__.replace("Settings", "Form")
    return create_model(name, __base__=Part, __doc__=settings.__doc__, **{**fields, **more})


def of_each_record(kind: Any, *, required: Collection[Entity] = ()) -> dict[str, Any]:
    """A member of this form for each kind of record, as pydantic takes them.

    All may be left out but those `required`.
    """
    return {
        entity.value: (kind, ...) if entity in required else (kind | None, None)
        for entity in RECORDS
    }


def with_records(
    kind: Any, *, required: Collection[Entity] = ()
) -> Callable[[type[Form]], type[Form]]:
    """A class of a form with these members after its own."""

    def extended(form: type[Form]) -> type[Form]:
        members = of_each_record(kind, required=required)
        name, said = form.__name__, form.__doc__
        whole: type[Form] = create_model(
            name, __base__=form, __doc__=said, __module__=form.__module__, **members
        )
        return whole

    return extended


def _kind(hint: Any, *, secret: bool) -> Any:
    if secret:
        return Secret | None
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return form_of(hint) | None
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return list[args[0]]  # type: ignore[valid-type]
    if origin is Mapping:
        return dict[args[0], args[1]]  # type: ignore[valid-type]
    if origin in (Union, types.UnionType):
        # It is built from a tuple.
        return Union[tuple(_kind(arg, secret=False) for arg in args)]  # noqa: UP007
    return hint


def _default(one: dataclasses.Field[Any]) -> Any:
    if one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING:
        return Field()
    plain = isinstance(one.default, str | int | float | bool) and one.repr
    return Field(default=one.default if plain else None, validate_default=False)


def settings_of(form: Part, settings: type, **more: Any) -> Any:
    """The dataclass that a form of it describes.

    What the file does not say keeps the dataclass's own default.

    What `more` says goes before what the file says.
    """
    hints = typing.get_type_hints(settings, localns={"Json": Any})
    own = hints.keys() - more.keys()
    said = {name: getattr(form, name) for name in form.model_fields_set & own}
    return settings(
        **{name: _value(value, hints[name]) for name, value in said.items() if value is not None},
        **more,
    )


def _value(value: Any, hint: Any) -> Any:
    if isinstance(value, Part):
        kinds = [hint, *typing.get_args(hint)]
        return settings_of(
            value,
            next(
                kind for kind in kinds if isinstance(kind, type) and dataclasses.is_dataclass(kind)
            ),
        )
    if isinstance(value, list):
        return tuple(value)
    return revealed(value)
