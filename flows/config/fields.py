"""From one line of `[contact.fields]` to a field of the mapping.

Everything that cannot work is said beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.ghl.entities import GHL
from flows.config import natives
from flows.config.form import FieldForm
from flows.config.lines import KeyPath
from flows.config.problems import Problems, near
from reconcile.model import Cell, Entity, Side
from reconcile.values.codecs import Codec, Owner, codec_named, raw_text
from reconcile.values.consent import ALLOWED, DENIED, Consent
from reconcile.values.mapping import TAGS, Field, Formula
from reconcile.values.policy import TAGS as TAGS_RULE
from reconcile.values.policy import Blank, Drift, Flow, OnConflict, Rule
from reconcile.values.references import CompanyName, Linked

_SETS = frozenset({"tags", "set"})
_PARTED = frozenset({"name", "instant"})
"""Codecs of values that an app may hold in two fields.

A first and a last name, a date and a time of day.
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """What holds for all fields of one entity: where problems go, and the pair's own defaults."""

    entity: Entity
    problems: Problems
    region: str | None
    timezone: str
    modified_at: str | None

    def path(self, *steps: str) -> KeyPath:
        """A place under this entity's fields."""
        return (self.entity.value, "fields", *steps)


def field_of(key: str, form: FieldForm, setting: Setting) -> Field:
    """The field that one line declares.

    What is wrong is noted and the nearest thing that works is returned.
    """
    formula = _formula(key, form, setting)
    app, ghl = _native(key, form, setting)
    if formula is not None:
        app, ghl = _computed(formula, app=form.app, ghl=ghl)
    native = ghl[0] if ghl and (formula is None or form.ghl) else ""
    codec = _codec(key, form, native, setting)
    # Tags are sets of their own, with operations of their own: by any key they are called so.
    name = TAGS if native and _is_tags(ghl, setting.entity) else key
    rule = _rule(form, codec, setting.entity)
    rule = replace(rule, computed=formula is not None)
    built = Field(
        name=name,
        app=app,
        ghl=ghl,
        codec=codec,
        rule=rule,
        required=form.required,
        fallback=_cell(key, "fallback", form.fallback, codec, setting),
        constant=_cell(key, "constant", form.constant, codec, setting),
        create_only=form.create_only,
        also=_also(form, native, setting.entity),
        formula=formula,
        required_by=(Side.GHL,) if {*ghl} & {*GHL[setting.entity].required} else (),
        within=GHL[setting.entity].within.get(native, ""),
    )
    for word, what, remedy in _objections(form, built, setting):
        setting.problems.add(
            setting.path(key, word), f"[{setting.entity}.fields] {key}: {what}", remedy
        )
    return built


def _native(key: str, form: FieldForm, setting: Setting) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The native names on the two sides; a constant has none on one of them."""
    ghl = tuple(form.ghl or ())
    if form.constant is not None:
        return tuple(form.app or ()), ghl
    if form.value is not None and form.app is not None:
        return tuple(form.app), ghl
    for name in ghl:
        _check_ghl(key, name, setting)
    if _is_tags(ghl, setting.entity):
        return (TAGS,), ghl
    return tuple(form.app or (key,)), ghl


def _formula(key: str, form: FieldForm, setting: Setting) -> Formula | None:
    """What the value is computed by, if it is; an expression that cannot be used is noted."""
    if form.value is None:
        return None
    from reconcile.stage.formula import FormulaError, formula

    try:
        computed = formula(form.value)
    except FormulaError as error:
        what = f"[{setting.entity}.fields] {key}: value: {error}"
        setting.problems.add(setting.path(key, "value"), what, error.remedy)
        return None
    if form.app is not None and form.ghl is None:
        for name in computed.names:
            _check_ghl(key, name, setting, word="value")
    return computed


def _computed(
    formula: Formula, *, app: list[str] | None, ghl: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The native names on the two sides: what is written, and across what the formula names."""
    if ghl:
        return (formula.names, ghl)
    return (tuple(app or ()), formula.names)


def _is_tags(ghl: tuple[str, ...], entity: Entity) -> bool:
    """Tags have one name on either side.

    Which column or table they are in, [app.contact] tags says.
    """
    return entity is Entity.TAG.record and ghl == (TAGS,)


def _check_ghl(key: str, name: str, setting: Setting, *, word: str = "ghl") -> None:
    known = natives.known(setting.entity)
    if name in known or natives.is_custom(setting.entity, name):
        return
    what = f'[{setting.entity}.fields] {key}: GHL\'s {setting.entity} has no field "{name}"'
    custom = ""
    if GHL[setting.entity].custom:
        custom = f' A custom field is written by its key, "{setting.entity}.…".'
    setting.problems.add(setting.path(key, word), what, near(name, known) + custom)


def _codec(key: str, form: FieldForm, native: str, setting: Setting) -> Codec:
    if form.by is not None:
        return _named_by(form.by, native, setting)
    default = natives.default_codec(setting.entity, native)
    if form.digits:
        default = "digits"
    if form.choices and default != "consent":
        default = "choice"
    return codec_named(
        form.codec or default,
        region=_region(key, form, setting),
        timezone=_timezone(key, form, setting),
        choices=form.choices,
        digits=form.digits,
        says=form.true_says,
    )


def _named_by(by: str, native: str, setting: Setting) -> Codec:
    """The codec of a value by which the app names a user, or a record of another kind."""
    kind = natives.linked(setting.entity, (native,))
    if by == "key" and kind is not None:
        return Linked(entity=kind)
    if by == "name":
        return CompanyName(entity=kind)
    return Owner()


def _region(key: str, form: FieldForm, setting: Setting) -> str | None:
    if form.region is not None:
        check_region(form.region, setting.path(key, "region"), setting.problems)
    return form.region or setting.region


def _timezone(key: str, form: FieldForm, setting: Setting) -> str:
    if form.timezone is None:
        return setting.timezone
    return checked_timezone(form.timezone, setting.path(key, "timezone"), setting.problems)


def check_region(region: str, path: KeyPath, problems: Problems) -> None:
    """Note a country that telephone numbers do not know."""
    import phonenumbers

    if region not in phonenumbers.SUPPORTED_REGIONS:
        problems.add(
            path,
            f'"{region}" is not a country',
            near(region, sorted(phonenumbers.SUPPORTED_REGIONS)),
        )


def checked_timezone(name: str, path: KeyPath, problems: Problems) -> str:
    """The zone's name, or UTC where there is no such zone, which is noted."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problems.add(
            path,
            f'"{name}" is not a time zone',
            'Write one of the IANA names, such as "America/New_York".',
        )
        return "UTC"
    return name


def _rule(form: FieldForm, codec: Codec, entity: Entity) -> Rule:
    default = TAGS_RULE if codec.name in _SETS else Rule()
    flow = form.flow or _usual_flow(form, default, entity)
    if codec.name == "consent":
        opt_in = form.opt_in == "travels"
        return Rule(flow, OnConflict.RESTRICT, form.drift or Drift.REVERT, opt_in=opt_in)
    conflict = default.conflict if flow is Flow.BOTH else OnConflict.HOLD
    return Rule(
        flow, form.conflict or conflict, form.drift or Drift.REVERT, form.blank or default.blank
    )


def _usual_flow(form: FieldForm, default: Rule, entity: Entity) -> Flow:
    """Where a value goes unless the pair file says."""
    if form.constant is not None or form.value is not None:
        return _target(form)
    if entity.spec.read_only:
        return Flow.TO_APP
    return default.flow


def _target(form: FieldForm) -> Flow:
    """Where a constant or a computed value goes: it is declared on the side it is written to."""
    return Flow.TO_GHL if form.ghl else Flow.TO_APP


def _cell(key: str, word: str, text: str | None, codec: Codec, setting: Setting) -> Cell:
    if text is None:
        return None
    cell = codec.decode([text], Side.APP)
    fault = codec.fault(cell)
    if fault is not None:
        what = f'[{setting.entity}.fields] {key}: the {word} "{text}" is {fault}'
        setting.problems.add(
            setting.path(key, word), what, f'Write a {word} that fits the codec "{codec.name}".'
        )
    if cell is None:
        what = f"[{setting.entity}.fields] {key}: the {word} is blank"
        setting.problems.add(
            setting.path(key, word), what, f'Write a value, or take "{word}" away.'
        )
    return cell


def _also(form: FieldForm, native: str, entity: Entity) -> Mapping[Side, tuple[str, ...]]:
    app = tuple(form.also.app)
    ghl = tuple(form.also.ghl) or natives.further(entity, native)
    by_side = {Side.APP: app, Side.GHL: ghl}
    return {side: names for side, names in by_side.items() if names}


_Objection = tuple[str, str, str]


def _objections(form: FieldForm, field: Field, setting: Setting) -> Iterator[_Objection]:
    """All that is wrong with one field in itself: the key it concerns, what it is, what to do."""
    yield from _side_objections(form, field)
    yield from _width_objections(form, field)
    yield from _read_only_objections(field, setting.entity)
    yield from _codec_objections(form, field)
    yield from _kind_objections(form, field, setting.entity)
    yield from _rule_objections(form, field, setting)
    if form.by == "email" and not natives.is_owner(setting.entity, field.ghl):
        what = "it holds no user of the location"
        yield "by", what, 'Take "by" away, or map "assignedTo" (a note\'s "userId").'
    elif form.by in ("key", "name") and not natives.linked(setting.entity, field.ghl):
        what = "it holds no company of the location"
        yield "by", what, 'Take "by" away, or map a contact\'s "businessId".'
    yield from _consent_objections(form, field, setting.entity)


def _side_objections(form: FieldForm, field: Field) -> Iterator[_Objection]:
    if form.constant is not None:
        if bool(form.app) == bool(form.ghl):
            yield (
                "constant",
                "a constant needs exactly one side to be written to",
                'Name either "ghl" or "app", not both.',
            )
        elif form.flow not in (None, _target(form)):
            written = "ghl" if form.ghl else "app"
            what = f'a constant for {written} cannot flow "{form.flow}"'
            yield "flow", what, f'Write flow = "{_target(form)}".'
    elif form.value is not None:
        yield from _value_objections(form)
    elif form.create_only:
        yield (
            "create_only",
            "it is of constants alone",
            'Add constant = "…", or take "create_only" away.',
        )
    elif not field.ghl:
        yield "ghl", "there is no GHL field for it", 'Add ghl = "…" or take the line away.'


def _width_objections(form: FieldForm, field: Field) -> Iterator[_Objection]:
    app, ghl = field.app, field.ghl
    if field.formula is not None:
        # It may be computed of any number of columns: what it is written to is not split.
        app, ghl = tuple(form.app or ()), tuple(form.ghl or ())
    if len(app) > 2 or len(ghl) > 2:
        yield "ghl", "a value can be joined from two fields at most", "Name one or two fields."
    elif len(ghl) > 1 and field.codec.name == "instant":
        yield "ghl", "GHL has no date and time apart", "Name one field of GHL's."
    elif max(len(app), len(ghl)) > 1 and field.codec.name not in _PARTED:
        yield (
            "codec",
            f'the codec "{field.codec.name}" cannot be split over two fields',
            'Use codec = "name", codec = "instant" for a date and a time of day, or one field.',
        )


def _read_only_objections(field: Field, entity: Entity) -> Iterator[_Objection]:
    known = natives.known(entity)
    read_only = [name for name in field.ghl if name in known and not known[name].writable]
    if read_only and field.rule.flow is not Flow.TO_APP:
        yield (
            "ghl",
            f'GHL does not let "{read_only[0]}" be written',
            'Add flow = "ghl->app", or take the line away.',
        )


def _value_objections(form: FieldForm) -> Iterator[_Objection]:
    """A computed value is written to one side, and read from the other."""
    one_side = 'Name "ghl" to compute of the app\'s columns, or "app" to compute of GHL\'s fields.'
    if bool(form.app) == bool(form.ghl):
        yield "value", "a computed value needs exactly one side to be written to", one_side
    if form.flow not in (None, _target(form)):
        written = "ghl" if form.ghl else "app"
        what = f'a value that is computed for {written} cannot flow "{form.flow}"'
        yield "flow", what, f'Write flow = "{_target(form)}", or take it away.'
    if form.constant is not None:
        yield "value", "a value is computed or constant, not both", 'Keep "value" or "constant".'
    if form.ghl == [TAGS]:
        what = "tags are sets of their own, and are not computed"
        yield "value", what, "Let the app's column hold them."


def _codec_objections(form: FieldForm, field: Field) -> Iterator[_Objection]:
    codec = field.codec.name
    if form.by is not None and form.codec is not None:
        yield "codec", "by and codec both say how a value is read", 'Take "codec" away.'
    if codec == "choice" and not form.choices:
        yield "codec", "a choice needs its choices", 'Add choices = { our_word = "GHL\'s word" }.'
    if form.choices and codec not in ("choice", "consent"):
        yield (
            "choices",
            f'choices mean nothing to the codec "{codec}"',
            'Use codec = "choice", or take them away.',
        )
    if form.digits and codec != "digits":
        yield "digits", f'digits mean nothing to the codec "{codec}"', "Take them away."
    if form.region and codec != "phone":
        yield "region", f'a region means nothing to the codec "{codec}"', "Take it away."
    if form.timezone and codec != "instant":
        yield "timezone", f'a time zone means nothing to the codec "{codec}"', "Take it away."
    if field.ghl == (TAGS,) and field.name == TAGS and codec != "tags":
        yield "codec", f'tags cannot be read as "{codec}"', 'Use codec = "tags", or leave it out.'
    if field.name == TAGS and field.ghl != (TAGS,):
        yield (
            "ghl",
            'the name "tags" is kept for GHL\'s tags',
            'Write tags = "tags", or give this line another name.',
        )


def _kind_objections(form: FieldForm, field: Field, entity: Entity) -> Iterator[_Objection]:
    """What GHL's own field cannot hold."""
    if len(field.ghl) != 1 or field.rule.flow is Flow.TO_APP:
        return
    known = natives.known(entity).get(field.ghl[0])
    if known is None:
        return
    words = (form.choices or {}).values()
    strange = [word for word in words if raw_text(word) not in ("true", "false")]
    if strange and known.type == "bool":
        yield (
            "choices",
            f'"{field.ghl[0]}" is true or false in GHL, never {strange[0]!r}',
            "Use true and false.",
        )
    if field.codec.name in _SETS and known.type != "tags" and known.writable:
        yield (
            "codec",
            f'"{field.ghl[0]}" holds one {known.type} in GHL, no set',
            "Use another codec, or another field.",
        )


def _rule_objections(form: FieldForm, field: Field, setting: Setting) -> Iterator[_Objection]:
    one_way = field.rule.flow is not Flow.BOTH
    if form.conflict is OnConflict.RESTRICT and not isinstance(field.codec, Consent):
        what = 'it is of consents alone, such as GHL\'s "dnd.sms"'
        yield "conflict", what, "Use hold, app, ghl or newest."
    elif form.conflict and one_way:
        yield (
            "conflict",
            f'a field that flows "{field.rule.flow}" has no conflicts',
            'Take "conflict" away.',
        )
    if form.drift and form.create_only:
        yield (
            "drift",
            "what is written into new records alone is not looked at again",
            'Take "drift" away.',
        )
    if form.drift and not one_way:
        yield (
            "drift",
            "a field that flows both ways has no drift",
            'Take "drift" away, or set a one-way "flow".',
        )
    if form.conflict is OnConflict.UNION and field.codec.name not in _SETS:
        yield (
            "conflict",
            f'"union" needs a set, and the codec is "{field.codec.name}"',
            "Use hold, app, ghl or newest.",
        )
    if form.conflict is not OnConflict.NEWEST:
        return
    if not natives.dated(setting.entity, Side.GHL, None):
        what = (
            f'"newest" needs to know when GHL changed {setting.entity.indefinite}, '
            "and it does not say"
        )
        yield "conflict", what, "Use hold, app or ghl."
    elif not natives.dated(setting.entity, Side.APP, setting.modified_at):
        what = (
            f'"newest" needs to know when the app changed {setting.entity.indefinite}, '
            "and it does not say"
        )
        yield (
            "conflict",
            what,
            f'Add modified_at = "…" to [app.{setting.entity}], or use hold, app or ghl.',
        )


def _consent_objections(form: FieldForm, field: Field, entity: Entity) -> Iterator[_Objection]:
    """What must not be left to chance where a field says if a person may be written to."""
    yield from _coarse(field, entity)
    consent = natives.is_consent(entity, field.ghl)
    if consent and not isinstance(field.codec, Consent):
        what = f'a consent is a yes or a no, and the codec "{field.codec.name}" knows neither'
        yield "codec", what, 'Use codec = "consent", or leave it out.'
    elif isinstance(field.codec, Consent) and not consent:
        what = "the codec is of GHL's consents alone"
        yield "codec", what, f"Name one of {', '.join(natives.consents(entity)) or 'its contacts'}."
    if isinstance(field.codec, Consent):
        yield from _words_objections(form, field.codec)
        yield from _loose(form)
        return
    for word in ("true_says", "opt_in"):
        if getattr(form, word) is not None:
            yield word, "it is no consent", f'Take "{word}" away.'


def _coarse(field: Field, entity: Entity) -> Iterator[_Objection]:
    """GHL's one "dnd" is often false while a channel says no.

    By that a run would write to who said no.
    """
    for native in field.ghl:
        channels = GHL[entity].coarse.get(native)
        if not channels:
            continue
        what = f'GHL\'s "{native}" is often false where a person said no to a channel'
        line = f'{field.name} = {{ ghl = "{channels[0]}", true_says = "denied" }}'
        yield "ghl", what, f"Map the channel, as {line}; there are {', '.join(channels)}."


def _words_objections(form: FieldForm, codec: Consent) -> Iterator[_Objection]:
    if form.true_says and form.choices:
        yield "true_says", "the choices say it already", 'Take "true_says" or "choices" away.'
    if not codec.table:
        what = "nothing says whether the app's true is a yes or a no"
        remedy = (
            'Write true_says = "allowed" where true means that one may write, as in an opt_in '
            'column; true_says = "denied" where it means do not.'
        )
        yield "true_says", what, remedy
    strange = sorted(set(codec.table.values()) - {ALLOWED, DENIED, ""})
    if strange:
        remedy = (
            f'Write "{ALLOWED}" or "{DENIED}" for each of the app\'s words, and "" for one that '
            "says that nobody was asked."
        )
        yield "choices", f'a consent is allowed or denied, never "{strange[0]}"', remedy


def _loose(form: FieldForm) -> Iterator[_Objection]:
    """What would let a no be lost."""
    if form.conflict not in (None, OnConflict.RESTRICT):
        what = f'with "{form.conflict}" a yes of one side would lift a no of the other'
        yield "conflict", what, 'Take "conflict" away: a no of either side wins.'
    if form.blank is Blank.CLEAR:
        yield "blank", "a blank is no yes, and clears no no", 'Take "blank" away.'
