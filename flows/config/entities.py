"""From `[contact]` and its like to the mapping of the pair, checked as a whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial

from connectors.ghl.entities import GHL
from flows.config.fields import Setting, field_of
from flows.config.form import FilterForm, MapForm, PairForm
from flows.config.lines import KeyPath
from flows.config.problems import Problems, near
from flows.config.sides import MemoryForm, OutsideForm, TableForm
from reconcile.entities import RECORDS
from reconcile.model import Cell, Entity, Side
from reconcile.values.codecs import Codec
from reconcile.values.mapping import TAGS, EntityMap, Field, Filter, Mapping
from reconcile.values.policy import Flow, OnConflict, OnCreate, OnDelete, OnMerge
from reconcile.values.references import Linked


def mapping_of(form: PairForm, problems: Problems) -> Mapping:
    """The mapping of a whole pair file."""
    maps = []
    for entity in RECORDS:
        declared = getattr(form, entity.value)
        where = getattr(form.app, entity.value, None)
        if declared is not None:
            maps.append(_entity_map(declared, _setting(entity, form, problems)))
            _check_declared(entity, form, problems)
            _check_tags(maps[-1], where, problems)
            _check_own(maps[-1], where, problems)
            _check_keyless(maps[-1], where, problems)
            _check_joined(maps[-1], where, problems)
            _check_linked(maps[-1], form, problems)
        elif where is not None:
            what = (
                f"[app.{entity}] says where the {entity.plural} are, "
                f"but there is no [{entity}.fields]"
            )
            problems.add(
                ("app", entity.value), what, f"Add [{entity}.fields], or take [app.{entity}] away."
            )
    return Mapping(tuple(maps))


def _setting(entity: Entity, form: PairForm, problems: Problems) -> Setting:
    modified: str | None = "modified_at"
    where = getattr(form.app, entity.value, None)
    if isinstance(where, dict):  # a connector from outside
        modified = where.get("modified_at")
    elif not isinstance(form.app, MemoryForm):
        modified = getattr(where, "modified_at", None)
    return Setting(entity, problems, form.region, form.timezone, modified)


def _check_declared(entity: Entity, form: PairForm, problems: Problems) -> None:
    where = getattr(form.app, entity.value, None)
    if isinstance(form.app, MemoryForm) or (where is None and isinstance(form.app, OutsideForm)):
        return
    if where is None:
        what = (
            f"[{entity}.fields] maps {entity.plural}, but there is no [app.{entity}] "
            "that says where they are"
        )
        problems.add((entity.value,), what, f"Add [app.{entity}], or take [{entity}] away.")
    elif entity.parent and not isinstance(where, dict) and not getattr(where, "parent", None):
        what = (
            f'[app.{entity}] has no "parent": which contact {entity.indefinite} belongs to '
            "is not known"
        )
        problems.add(
            ("app", entity.value), what, 'Add parent = "…", the column with the contact\'s key.'
        )


def _check_tags(mapped: EntityMap, where: object, problems: Problems) -> None:
    path = ("app", mapped.entity.value, "tags")
    if mapped.has_tags and getattr(where, "tags", "") is None:
        what = (
            f"[{mapped.entity}.fields] maps tags, but [app.{mapped.entity}] does "
            "not say where they are"
        )
        remedy = 'Add tags = "…" there.'
        if isinstance(where, TableForm):
            remedy = 'Add tags = { column = "…", form = "json" }, or a join table.'
        problems.add(path[:-1], what, remedy)
    if not isinstance(where, TableForm) or where.tags is None:
        return
    if (where.tags.column is None) == (where.tags.table is None):
        problems.add(
            path,
            f"[app.{mapped.entity}] tags are in a column or in a table",
            'Name either "column" or "table".',
        )
    elif where.tags.table is not None and not (where.tags.contact and where.tags.tag):
        what = f"[app.{mapped.entity}] tags: the join table's columns are not named"
        problems.add(path, what, 'Add contact = "…" and tag = "…".')


_ROLES = ("key", "parent", "modified_at", "version", "deleted")
_IN_FILES = "new_key"
"""What only the form of a file has."""


def _check_own(mapped: EntityMap, where: object, problems: Problems) -> None:
    """What the app keeps for itself, such as the mark of a deleted record, is not written from GHL.

    The key of a row in a file may be an email: a new row brings it.
    """
    roles = _roles(where)
    for field in mapped.fields:
        if field.rule.flow.owner is Side.APP:
            continue
        for native in field.app:
            if native not in roles:
                continue
            what = (
                f'[{mapped.entity}.fields] {field.name}: "{native}" is the {roles[native]} of '
                f"[app.{mapped.entity}], which is not written"
            )
            remedy = f'Add flow = "{Flow.TO_GHL}", or take the line away.'
            problems.add((mapped.entity.value, "fields", field.name), what, remedy)


def _roles(where: object) -> dict[str, str]:
    """The columns that the app keeps for itself, each with what it is."""
    said = where.get if isinstance(where, dict) else partial(getattr, where)
    own = _ROLES[1:] if hasattr(where, _IN_FILES) else _ROLES
    roles: dict[str, str] = {}
    for role in own:
        columns = said(role, None) or ()
        if isinstance(columns, str):
            columns = [columns]
        roles |= dict.fromkeys(columns, role)
    return roles


def _check_keyless(mapped: EntityMap, where: object, problems: Problems) -> None:
    """A file without a key is read and never written: an edit of a row looks like another row."""
    if not hasattr(where, _IN_FILES) or getattr(where, "key", "id") not in ([], ()):
        return
    path = ("app", mapped.entity.value, "key")
    section = f"[{mapped.entity}]"
    about = f"[app.{mapped.entity}] key = []: a file without a key is read and never written"
    written = [field.name for field in mapped.fields if field.rule.flow.owner is not Side.APP]
    if written:
        fields = ", ".join(written)
        remedy = f'Add flow = "{Flow.TO_GHL}" to {fields}, or name columns as the key.'
        problems.add(path, f"{about}, and {fields} would flow to it", remedy)
    if mapped.create.allows(Side.APP):
        what = f"{about}, and records would be created in it"
        problems.add(path, what, f'Write create = "ghl" in {section}.')
    if mapped.delete[Side.APP] in (OnDelete.MIRROR, OnDelete.ARCHIVE):
        what = f"{about}, and records would be deleted from it"
        problems.add(path, what, f'Write delete = {{ app = "hold" }} in {section}.')


def _check_joined(mapped: EntityMap, where: object, problems: Problems) -> None:
    """A joined row changes without the record's own time of change.

    Which edit is newer cannot be told.
    """
    joins = where.join if isinstance(where, TableForm) else {}
    for field in mapped.fields:
        beside = [name for name in field.app if name.partition(".")[0] in joins]
        if beside and field.rule.conflict is OnConflict.NEWEST:
            what = (
                f'[{mapped.entity}.fields] {field.name}: "newest", but "{beside[0]}" is in a '
                "joined table, which has no time of change of the record"
            )
            path = (mapped.entity.value, "fields", field.name, "conflict")
            problems.add(path, what, "Use hold, app or ghl.")


def _check_linked(mapped: EntityMap, form: PairForm, problems: Problems) -> None:
    """A value by key follows the links of another kind, which has to be mapped for that."""
    for field in mapped.fields:
        if not isinstance(field.codec, Linked):
            continue
        kind = field.codec.entity
        if getattr(form, kind.value) is None:
            what = (
                f'[{mapped.entity}.fields] {field.name}: by = "key" follows the links of '
                f"{kind.plural}, and there is no [{kind}.fields]"
            )
            remedy = f'Map {kind.plural}, or write by = "name" where the app holds the name.'
            problems.add((mapped.entity.value, "fields", field.name, "by"), what, remedy)


def _entity_map(form: MapForm, setting: Setting) -> EntityMap:
    entity = setting.entity
    fields = tuple(field_of(key, line, setting) for key, line in form.fields.items())
    _check_twice(fields, setting)
    _check_letter_case(fields, setting)
    _check_deletes(form, setting)
    if entity.spec.read_only:
        form = _read_only(form, setting)
    if form.merged is not OnMerge.HOLD and not entity.spec.person:
        what = f'[{entity}] merged = "{form.merged}": {entity.plural} are not merged, contacts are'
        setting.problems.add(
            (entity.value, "merged"), what, "Take the line away, or move it to [contact]."
        )
    names = {key: field.name for key, field in zip(form.fields, fields, strict=True)}
    match = _match(form, fields, names, setting)
    if form.fields and form.create is not OnCreate.NONE:
        _check_creates(form, fields, match, setting)
    mapped = EntityMap(
        entity=entity,
        fields=fields,
        match=match,
        create=form.create,
        delete={Side.APP: form.delete.app, Side.GHL: form.delete.ghl},
        absent_runs=form.absent_runs,
        merged=form.merged,
        exclude=tuple(_filters(form, fields, names, setting)),
    )
    _check_joint(mapped, setting)
    return mapped


def _check_joint(mapped: EntityMap, setting: Setting) -> None:
    """Values that count as one would wait for each other for good where rules want them apart."""
    for pair in mapped.joint:
        part, whole = map(mapped.field, pair)
        for word, of_part, of_whole, opposite in (
            ("flow", part.rule.flow, whole.rule.flow, {Flow.TO_APP, Flow.TO_GHL}),
            ("conflict", part.rule.conflict, whole.rule.conflict, {OnConflict.APP, OnConflict.GHL}),
        ):
            if {of_part, of_whole} == opposite:
                what = (
                    f'[{mapped.entity}.fields] {part.name}: {word} "{of_part}", and {whole.name} '
                    f'has "{of_whole}": the two count as one value'
                )
                remedy = f"Write the same {word} for both."
                setting.problems.add(setting.path(part.name, word), what, remedy)


def _check_twice(fields: Sequence[Field], setting: Setting) -> None:
    writers: dict[tuple[Side, str], list[str]] = defaultdict(list)
    for field in fields:
        for side in Side:
            if field.rule.flow.owner is not side:
                for native in field.native(side):
                    writers[side, native].append(field.name)
    for (side, native), names in writers.items():
        if len(names) == 1:
            continue
        what = (
            f'[{setting.entity}.fields] {" and ".join(names)} both write "{native}" in {side.label}'
        )
        away = Flow.TO_GHL if side is Side.APP else Flow.TO_APP
        remedy = f'Keep one of them, or give one the flow "{away}".'
        setting.problems.add(setting.path(names[-1]), what, remedy)


def _check_letter_case(fields: Sequence[Field], setting: Setting) -> None:
    """Columns that differ by letter case alone are one column to the database.

    It is the database that snapshots are compared in.
    """
    known: dict[str, str] = {}
    for field in fields:
        for native in (*field.native(Side.APP), *field.also.get(Side.APP, ())):
            other = known.setdefault(native.lower(), native)
            if other != native:
                what = (
                    f'[{setting.entity}.fields] {field.name}: "{other}" and "{native}" '
                    "differ by letter case alone"
                )
                remedy = "Rename one of the two columns in the app, or map one of them."
                setting.problems.add(setting.path(field.name), what, remedy)


def _check_deletes(form: MapForm, setting: Setting) -> None:
    if form.delete.ghl is OnDelete.ARCHIVE:
        what = f"[{setting.entity}.delete] ghl: GHL has no archive"
        setting.problems.add(
            (setting.entity.value, "delete", "ghl"), what, "Use hold, mirror or ignore."
        )


def _read_only(form: MapForm, setting: Setting) -> MapForm:
    """The form of what is GHL's own: nothing of it is created or deleted there.

    What says otherwise is noted.
    """
    entity = setting.entity
    about = f"{entity.plural} are never written in GHL"
    creates, deletes = form.create, form.delete
    if "create" in form.model_fields_set and creates.allows(Side.GHL):
        setting.problems.add(
            (entity.value, "create"),
            f"[{entity}] create: {about}",
            'Write create = "app" or "none", or take the line away.',
        )
    if "ghl" in deletes.model_fields_set and deletes.ghl is not OnDelete.IGNORE:
        setting.problems.add(
            (entity.value, "delete", "ghl"),
            f"[{entity}.delete] ghl: {about}",
            'Write ghl = "ignore", or take the line away.',
        )
    create = OnCreate.NONE
    if creates.allows(Side.APP):
        create = OnCreate.APP
    delete = deletes.model_copy(update={"ghl": OnDelete.IGNORE})
    return form.model_copy(
        update={"create": create, "delete": delete},
    )


def _check_creates(
    form: MapForm, fields: Sequence[Field], match: tuple[tuple[str, ...], ...], setting: Setting
) -> None:
    """What creating needs: a way to tell records apart, and what GHL asks of a new one."""
    touched = setting.problems.touched
    if touched(setting.path()) or touched((setting.entity.value, "match")):
        return  # what is wrong there may be why something seems to be missing
    mapped = {native for field in fields for native in field.ghl}
    missing = [native for native in GHL[setting.entity].required if native not in mapped]
    if not match and not form.match and not missing:
        what = (
            f"[{setting.entity}] has no match rule: records that exist on both sides "
            "would be created again"
        )
        remedy = 'Name the fields that tell records apart: match = ["…"].'
        setting.problems.add((setting.entity.value, "match"), what, remedy)
    if missing and form.create.allows(Side.GHL):
        what = (
            f"[{setting.entity}.fields] has nothing for {' and '.join(missing)}, "
            f"which GHL asks of each new {setting.entity}"
        )
        setting.problems.add(
            setting.path(), what, f'Map it, or write create = "app" in [{setting.entity}].'
        )


def _match(
    form: MapForm, fields: Sequence[Field], names: dict[str, str], setting: Setting
) -> tuple[tuple[str, ...], ...]:
    if form.match is None:
        rules = _default_match(fields, setting.entity)
    else:
        rules = tuple(_rule(rule, at, names, setting) for at, rule in enumerate(form.match))
    return tuple(rule for rule in rules if rule)


def _default_match(fields: Sequence[Field], entity: Entity) -> tuple[tuple[str, ...], ...]:
    # A constant is the same of all: it tells no two apart.
    by_native = {
        native: field.name for field in fields for native in field.ghl if field.constant is None
    }
    mapped = [rule for rule in GHL[entity].match if by_native.keys() >= set(rule)]
    return tuple(tuple(by_native[native] for native in rule) for rule in mapped)


def _rule(rule: Sequence[str], at: int, names: dict[str, str], setting: Setting) -> tuple[str, ...]:
    path = (setting.entity.value, "match", at)
    where = f"[{setting.entity}] match"
    if not rule:
        setting.problems.add(
            path, f"{where}: an empty rule matches everything", "Name a field, or take it away."
        )
    for word in rule:
        if setting.problems.touched(setting.path(word)):
            continue
        if word not in names and word not in names.values():
            what = f'{where}: "{word}" is not a field of [{setting.entity}.fields]'
            setting.problems.add(path, what, near(word, names))
        elif names.get(word, word) == TAGS:
            setting.problems.add(
                path, f"{where}: tags do not tell records apart", "Match by another field."
            )
    known = [names.get(word, word) for word in rule]
    return tuple(name for name in known if name in names.values())


def _filters(
    form: MapForm, fields: Sequence[Field], names: dict[str, str], setting: Setting
) -> Iterator[Filter]:
    by_name = {field.name: field for field in fields}
    for at, line in enumerate(form.exclude):
        path = (setting.entity.value, "exclude", at)
        name = names.get(line.field, line.field)
        values = line.not_ if line.is_ is None else line.is_
        if setting.problems.touched(setting.path(line.field)):
            continue
        if name not in by_name:
            what = (
                f'[{setting.entity}] exclude: "{line.field}" is not a field of '
                f"[{setting.entity}.fields]"
            )
            setting.problems.add(path, what, near(line.field, names))
        elif values is None or (line.is_ is not None and line.not_ is not None):
            what = f'[{setting.entity}] exclude: {line.field} needs exactly one of "is" and "not"'
            setting.problems.add(path, what, 'Write { field = "…", is = ["…"] }.')
        elif not values:
            what = (
                f"[{setting.entity}] exclude: {line.field} has an empty list, "
                "which is true of every record or of none"
            )
            setting.problems.add(path, what, "Name the values, or take the line away.")
        else:
            cells = tuple(
                _filtered(line, value, by_name[name].codec, path, setting) for value in values
            )
            yield Filter(name, cells, negated=line.not_ is not None)


def _filtered(line: FilterForm, value: str, codec: Codec, path: KeyPath, setting: Setting) -> Cell:
    """A value of a filter as records hold it.

    One that is not well-formed is noted, except what people write for "none".
    """
    cell = codec.decode([value], Side.APP)
    fault = codec.fault(cell)
    if fault is not None and codec.name not in ("email", "phone"):
        what = f'[{setting.entity}] exclude: {line.field}: "{value}" is {fault}'
        setting.problems.add(
            path, what, f'Write a value that fits the codec "{codec.name}", or "" for blank.'
        )
    return cell
