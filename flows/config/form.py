"""The form of a pair file.

What may stand where, read by the validator, the error messages and the editors' JSON Schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_type_hints

from pydantic import AfterValidator, Field, create_model
from pydantic_core import PydanticCustomError

from flows.config.derive import with_records
from flows.config.part import NameRules, Names, Part, Scalar, Secret, ShortPart, Sweep
from flows.config.sides import AppForm, GhlForm
from reconcile.entities import OWNER
from reconcile.plan.limits import Limits
from reconcile.values.policy import Blank, Drift, Flow, OnConflict, OnCreate, OnDelete, OnMerge

CodecName = Literal[
    "text",
    "name",
    "email",
    "phone",
    "date",
    "instant",
    "decimal",
    "decimal_comma",
    "digits",
    "bool",
    "choice",
    "consent",
    "tags",
    "set",
    "html",
]
"""The names of reconcile.values.codecs.CODECS; a test compares them."""

MOST_MINUTES = 366 * 24 * 60
"""The longest time after which a run may be told to stop."""


class AlsoForm(Part):
    """Native fields with further values of the same kind, used to match and never written."""

    app: Names = Field(default=[])
    ghl: Names = Field(default=[])


class LookupForm(Part):
    """A table that says what a key means: the app's column holds the key, GHL the value."""

    table: str
    key: str = Field(default="id", description="its column with the key")
    value: str = Field(default="name", description="its column with the value that GHL holds")


class FieldForm(ShortPart):
    """One field: `app_column = "ghlField"`, or a table that says more."""

    short: ClassVar[str] = "ghl"

    app: Names | None = Field(
        default=None, description="the app's column, or several; default: the key of this line"
    )
    ghl: Names | None = Field(
        default=None,
        description='GHL\'s field, such as "firstName", or "contact.vip" for a custom field',
    )
    codec: CodecName | None = Field(
        default=None, description="the kind of value; default: by the GHL field"
    )
    flow: Flow | None = Field(
        default=None, strict=False, description="which way edits travel; default: both"
    )
    conflict: OnConflict | None = Field(
        default=None, strict=False, description="both sides changed; default: hold"
    )
    drift: Drift | None = Field(
        default=None,
        strict=False,
        description="the other side of a one-way field changed; default: revert",
    )
    blank: Blank | None = Field(
        default=None, strict=False, description="whether clearing on one side clears the other"
    )
    true_says: Literal["allowed", "denied"] | None = Field(
        default=None,
        description="a consent: whether the app's true says that one may write, or may not",
    )
    opt_in: Literal["asks", "travels"] | None = Field(
        default=None,
        description='a consent: whether a newer "yes" lifts the other side\'s "no"; default: asks',
    )
    required: bool = Field(
        default=False, description="a record without this value is reported and left alone"
    )
    fallback: Scalar | None = Field(
        default=None, description="written on create where the source is blank"
    )
    constant: Scalar | None = Field(
        default=None, description="the value itself; the other side has no field for it"
    )
    value: str | None = Field(
        default=None,
        max_length=2_000,
        description="an SQL expression that computes the value of the other side's columns: "
        "\"concat_ws(' ', first, last)\"",
    )
    create_only: bool = Field(
        default=False,
        description=(
            "a constant for new records alone; default: a record that holds another "
            "value is not of this entity"
        ),
    )
    lookup: LookupForm | None = Field(
        default=None, description="the app's column holds the key of a row of this table"
    )
    by: Literal["email", "key", "name"] | None = Field(
        default=None,
        description="GHL's assignedTo and a note's userId: the app holds the user's email; "
        "a contact's businessId: the key of the app's company, or the company's name",
    )
    choices: dict[str, Scalar] | None = Field(
        default=None, description="GHL's word for each of the app's"
    )
    also: AlsoForm = AlsoForm()
    digits: int | None = Field(
        default=None,
        ge=2,
        le=20,
        description=(
            "codes such as postal codes: how many digits, where a spreadsheet took zeros away"
        ),
    )
    region: str | None = Field(
        default=None, pattern="^[A-Z]{2}$", description="phones: the country where none is written"
    )
    timezone: str | None = Field(
        default=None, description="instants: the zone where none is written"
    )


class FilterForm(Part):
    """Records that are left out: those whose field is (or is not) one of the values.

    An empty text means blank.
    """

    field: str
    is_: list[Scalar] | None = Field(default=None, alias="is")
    not_: list[Scalar] | None = Field(default=None, alias="not")


class DeleteForm(Part):
    """What happens to a record on each side when its counterpart is gone."""

    app: OnDelete = Field(default=OnDelete.HOLD, strict=False)
    ghl: OnDelete = Field(default=OnDelete.HOLD, strict=False)


class MapForm(Part):
    """One entity's mapping: its fields, its matching, and what may be created or deleted where."""

    match: NameRules | None = Field(
        default=None, description="rules in order; a list in the list: all of these fields together"
    )
    create: OnCreate = Field(
        default=OnCreate.BOTH, strict=False, description="on which sides records may be created"
    )
    delete: DeleteForm = DeleteForm()
    absent_runs: int = Field(
        default=2,
        ge=1,
        description="complete runs a record must be missing before it counts as deleted",
    )
    merged: OnMerge = Field(
        default=OnMerge.HOLD,
        strict=False,
        description="contacts: the counterpart of one that was merged into another",
    )
    exclude: list[FilterForm] = Field(default=[], description="records that are left out")
    fields: dict[str, FieldForm] = Field(description='one line per field: app_column = "ghlField"')


class VerifyForm(Part):
    """How a run proves that it converged."""

    mode: Literal["full", "written", "none"] = "written"


class ApplyForm(Part):
    """How a plan is carried out."""

    recheck: Literal["always", "risky", "never"] = Field(
        default="always", description="before which writes of a value the record is read again"
    )
    max_minutes: int | None = Field(
        default=None,
        ge=1,
        le=MOST_MINUTES,
        description="stop cleanly after this time; default: no limit",
    )
    chunk: int = Field(default=200, ge=1, le=1000, description="writes per step of the flow")


class AlertsForm(Part):
    """When a run raises an alert: in the log, in its exit code, as a Prefect event, and to whom."""

    failed_share: float = Field(
        default=0.05, ge=0, le=1, strict=False, description="share of a run's writes that may fail"
    )
    count_deviation: float = Field(
        default=0.2,
        ge=0,
        le=1,
        strict=False,
        description="share by which a side's records may differ from the usual; "
        "a gain of fewer than 50 is usual",
    )
    runs: int = Field(default=10, ge=3, le=100, description="earlier runs that say what is usual")
    notify: list[Secret] = Field(
        default_factory=list,
        description='who is told of a change: ["env:OPS_CHAT"], URLs as Apprise has them for '
        "Slack, Teams, mail, a webhook and others",
    )
    digest: bool = Field(
        default=True, description="whether they are told of the open questions once a week"
    )


class KeepForm(Part):
    """Which runs' files `prune` keeps: the newest, and the younger. What either keeps stays."""

    runs: int = Field(default=30, ge=1, description="this many of the newest runs")
    days: int = Field(default=90, ge=1, description="and all that are not older than this")


def _limit(default: float, kind: type[float], name: str) -> tuple[Any, Any]:
    share = kind is float
    checked: Any = Annotated[int, AfterValidator(_more_than_one)] if name == "flapping" else kind
    return checked, Field(default=default, ge=0, le=1 if share else None)


def _more_than_one(times: int) -> int:
    """One value taken back once is somebody's correction: no reason to ask."""
    if times == 1:
        raise PydanticCustomError("flapping", "0 (never asks) or at least 2")
    return times


if TYPE_CHECKING:
    LimitsForm = Part
else:
    LimitsForm = create_model(
        "LimitsForm",
        __base__=Part,
        __doc__="What one run may do unasked: the fields of reconcile.plan.limits.Limits.",
        **{
            name: _limit(getattr(Limits(), name), kind, name)
            for name, kind in get_type_hints(Limits).items()
        },
    )


@with_records(MapForm, required={OWNER})
class _MappedForm(Part):
    """Who the two sides are, and how each kind of record is mapped."""

    pair: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description="a name, used in reports and in the ledger",
    )
    store: str = Field(
        default="state",
        description="where runs are kept: a folder beside this file, or an fsspec URL",
    )
    ledger: Secret | None = Field(
        default=None, description="a database URL; default: SQLite in the store"
    )
    region: str | None = Field(
        default=None,
        pattern="^[A-Z]{2}$",
        description="default country of phones; default: the location's",
    )
    timezone: str = Field(default="UTC", description="zone of times that are written without one")
    metrics: str | None = Field(
        default=None,
        description="a file for Prometheus' text file collector, written after each run: "
        '"/var/lib/node_exporter/acme.prom"',
    )
    report_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^{}\s]+\{run\}[^{}\s]*$",
        description="where a web server of yours shows the store's reports, for Prefect's pages: "
        '"https://reports.example.com/acme/{run}/report.html"',
    )
    app: AppForm
    ghl: GhlForm


class PairForm(_MappedForm):
    """A pair: one application and one GHL location kept in agreement."""

    group: str | None = Field(
        default=None,
        min_length=1,
        description="whose pair it is: a fleet shares its workers fairly between groups; default: "
        "the agency",
    )
    limits: LimitsForm = Field(
        default_factory=LimitsForm, description="what one run may do unasked"
    )
    sweep: Sweep = Field(
        default="nightly",
        description="how often a night reads all contacts of GHL, in days; between, it reads those "
        "that changed",
    )
    verify: VerifyForm = VerifyForm()
    apply: ApplyForm = ApplyForm()
    alerts: AlertsForm = AlertsForm()
    keep: KeepForm = KeepForm()
