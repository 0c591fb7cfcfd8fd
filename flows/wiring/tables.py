"""From `[app.contact]` and its joined tables to what the SQL connector is told of them."""

from __future__ import annotations

from connectors.sql.settings import (
    Copy,
    JoinSettings,
    LinkSettings,
    NewValues,
    TableSettings,
    TagSettings,
)
from flows.config.sides import CopyForm, JoinForm, LinkForm, TableForm, TagsForm


def table_of(form: TableForm) -> TableSettings:
    """The settings of one entity's table."""
    return TableSettings(
        table=form.table,
        key=_one_or_more(form.key),
        parent=_one_or_more(form.parent) if form.parent else None,
        modified_at=form.modified_at,
        version=form.version,
        deleted=form.deleted,
        tags=_tags(form.tags) if form.tags else None,
        where=form.where,
        fixed=form.fixed,
        on_create=_new(form.on_create),
        joins={name: _join(join) for name, join in form.join.items()},
    )


def _one_or_more(columns: list[str]) -> str | tuple[str, ...]:
    if len(columns) == 1:
        return columns[0]
    return tuple(columns)


def _tags(form: TagsForm) -> TagSettings:
    return TagSettings(
        form="table" if form.table else form.form,
        column=form.column,
        delimiter=form.delimiter,
        table=form.table,
        contact=form.contact,
        tag=form.tag,
        names=form.names,
        names_key=form.names_key,
        names_name=form.names_column,
        language=form.names_language,
        fixed=form.fixed,
        on_create=_new(form.on_create),
        names_fixed=form.names_fixed,
        names_on_create=_new(form.names_on_create),
    )


def _join(form: JoinForm) -> JoinSettings:
    return JoinSettings(
        table=form.table,
        on=form.on,
        via=_link(form.via) if form.via else None,
        fixed=form.fixed,
        on_create=_new(form.on_create),
        first=form.first,
        name=form.name,
        value=form.value,
        find=form.find,
        create=form.create,
        own=form.own,
        modified_at=form.modified_at,
    )


def _link(form: LinkForm) -> LinkSettings:
    return LinkSettings(
        table=form.table,
        on=form.on,
        to=form.to,
        fixed=form.fixed,
        on_create=_new(form.on_create),
        on_unlink=_new(form.on_unlink),
        modified_at=form.modified_at,
    )


def _new(values: dict[str, str | CopyForm]) -> NewValues:
    return {name: _value(said) for name, said in values.items()}


def _value(said: str | CopyForm) -> str | Copy:
    if isinstance(said, str):
        return said
    if said.lower is not None:
        return Copy(said.lower, "lower")
    if said.upper is not None:
        return Copy(said.upper, "upper")
    if said.record is not None:
        return Copy(said.record, of_record=True)
    return Copy(said.copy_ or "")
