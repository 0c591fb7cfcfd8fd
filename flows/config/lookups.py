"""Look-ups of a pair file as what they are.

Joined tables from which a row is chosen by its value.
"""

from __future__ import annotations

import re

from flows.config.form import FieldForm, LookupForm, MapForm, PairForm
from flows.config.problems import Problems
from flows.config.sides import JoinForm, SqlForm, TableForm
from reconcile.entities import RECORDS
from reconcile.model import Entity

_LONGEST = 40  # a join's name
_AT_LOAD = "Take it away, or the look-up."


def with_lookups(form: PairForm, problems: Problems) -> PairForm:
    """The form with each look-up as a join of its own, and its field as a column of that join."""
    for entity in RECORDS:
        mapped: MapForm | None = getattr(form, entity.value)
        lookups = {
            key: line for key, line in (mapped.fields if mapped else {}).items() if line.lookup
        }
        for key, line in lookups.items():
            _check(entity, key, line, form, problems)
            form = _expanded(form, entity, key, line)
    return form


def _check(entity: Entity, key: str, line: FieldForm, form: PairForm, problems: Problems) -> None:
    where = f"[{entity}.fields] {key}"
    path = (entity.value, "fields", key)
    if not isinstance(form.app, SqlForm):
        what = f"{where}: a look-up needs a table of the app's database"
        remedy = 'Write what each key means: choices = { 1 = "Gold", 2 = "Silver" }.'
        problems.add((*path, "lookup"), what, remedy)
    if len(line.app or [key]) > 1:
        what = f"{where}: a look-up begins with one column, which holds the key"
        problems.add((*path, "app"), what, "Name one column.")
    for word in ("choices", "constant", "value", "by"):
        if getattr(line, word) is not None:
            what = f'{where}: "lookup" and "{word}" both say what the value is'
            problems.add((*path, word), what, _AT_LOAD)


def _expanded(form: PairForm, entity: Entity, key: str, line: FieldForm) -> PairForm:
    table: TableForm | None = getattr(form.app, entity.value, None)
    lookup: LookupForm | None = line.lookup
    if lookup is None or not isinstance(table, TableForm):
        return form
    column = (line.app or [key])[0]
    name = _free_name(f"lookup_{column}", table)
    join = JoinForm(table=lookup.table, on={lookup.key: column}, find=lookup.value)
    joined = table.model_copy(update={"join": {**table.join, name: join}})
    app = form.app.model_copy(update={entity.value: joined})
    field = line.model_copy(update={"app": [f"{name}.{lookup.value}"], "lookup": None})
    mapped: MapForm = getattr(form, entity.value)
    fields = {**mapped.fields, key: field}
    changed = mapped.model_copy(update={"fields": fields})
    return form.model_copy(update={"app": app, entity.value: changed})


def _free_name(wanted: str, table: TableForm) -> str:
    """A join's name that the pair file has not given."""
    name = re.sub(r"\W", "_", wanted, flags=re.ASCII)[: _LONGEST - 1]
    while name in table.join:
        name += "_"
    return name
