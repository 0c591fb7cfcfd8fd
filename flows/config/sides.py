"""The form of `[app]` and `[ghl]`.

How each side is reached, and where the app keeps its entities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from connectors.files.settings import FileSettings, FilesSettings
from connectors.rest.settings import EndpointSettings, RestSettings
from flows.config.derive import form_of, of_each_record, with_records
from flows.config.part import Names, Part, Scalar, Secret, ShortPart

CONNECTORS = ["sql", "rest", "csv", "jsonl", "parquet", "excel", "memory"]
"""The connectors that come with the product, by the name a pair file uses."""


Link = Annotated[str, Field(pattern=r"^https?://[^{}\s]+\{key\}[^{}\s]*$")]
"""The address of a contact's page, with `{key}` where its key stands."""

_LINK = Field(
    default=None,
    description="a contact's page, for the person who answers a question: "
    '"https://crm.example.com/people/{key}"',
)


class CopyForm(Part):
    """A value for new rows that follows from another column of the same row.

    It is taken as it is, or in one case. A joined row may take one of the record's columns.
    """

    copy_: str | None = Field(default=None, alias="copy", description="as it is")
    lower: str | None = Field(default=None, description="in lower case")
    upper: str | None = Field(default=None, description="in upper case")
    record: str | None = Field(
        default=None, description="in a join: a column of the record that the row belongs to"
    )

    @model_validator(mode="after")
    def _one(self) -> CopyForm:
        if len(self.model_fields_set) != 1:
            raise PydanticCustomError("copy", "one of copy, lower, upper and record, with a column")
        return self


JoinName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=40)]

Fixed = dict[str, Scalar]
"""Values that select rows, by column."""

NewValues = dict[str, Scalar | CopyForm]
"""Values for new rows alone, by column."""


class TagsForm(ShortPart):
    """Where a contact's tags are: a column of its own table, or a join table.

    A join table has one row per contact and tag.
    """

    short: ClassVar[str] = "column"

    column: str | None = Field(default=None, description="a column of the contact's table")
    form: Literal["json", "array", "delimited"] = Field(
        default="json", description="how the column holds several tags"
    )
    delimiter: str = Field(
        default=",", min_length=1, description="between the tags of a delimited column"
    )
    table: str | None = Field(default=None, description="a join table, instead of a column")
    contact: str | None = Field(
        default=None, description="the join table's column with the contact's key"
    )
    tag: str | None = Field(
        default=None, description="the join table's column with the tag, or with the tag's key"
    )
    names: str | None = Field(
        default=None, description="the table of tags, where the join table holds their keys"
    )
    names_key: str = Field(default="id", description="the key of the table of tags")
    names_column: str = Field(
        default="name", description="the text of the tag in the table of tags"
    )
    names_language: str | None = Field(
        default=None,
        description=(
            "where a name is JSON with a text for each language: "
            'the one that counts, such as "en_US"'
        ),
    )
    fixed: Fixed = Field(
        default={}, description="what rows of the join table hold that are these contacts' tags"
    )
    on_create: NewValues = Field(default={}, description="for new rows of the join table")
    names_fixed: Fixed = Field(default={}, description="the same of the table of tags")
    names_on_create: NewValues = Field(default={}, description="for new rows of the table of tags")


class LinkForm(Part):
    """A table between a record's own and a joined one."""

    table: str
    on: dict[str, str] = Field(description="its column = the record's column")
    to: dict[str, str] = Field(description="its column = the joined table's column")
    fixed: Fixed = Field(default={}, description="what its rows hold that are such links")
    on_create: NewValues = Field(default={}, description="for new links")
    on_unlink: NewValues = Field(
        default={}, description="what is set when a link is taken away; default: its row is deleted"
    )
    modified_at: str | None = Field(
        default=None, description="the column with the time of the link's last change"
    )


class JoinForm(Part):
    """A table that holds fields of a record.

    They are `"NAME.column"` among the fields, by the NAME of `[app.contact.join.NAME]`.
    """

    table: str
    on: dict[str, str] = Field(
        default={}, description='its column = the record\'s column: { user_id = "ID" }'
    )
    via: LinkForm | None = Field(default=None, description="a table in between, instead of on")
    fixed: Fixed = Field(
        default={}, description="what its rows hold that are meant; written into new ones too"
    )
    on_create: NewValues = Field(
        default={}, description='for new rows alone; "now" in a column of times is the time'
    )
    first: str | None = Field(
        default=None,
        description=(
            'which row counts where there are several: "is_primary desc, id"; '
            "without it the record is set aside"
        ),
    )
    name: str | None = Field(
        default=None, description="the column of names, in a table of names and values"
    )
    value: str | None = Field(default=None, description="the column of values there")
    find: str | None = Field(
        default=None,
        description=(
            "rows that others may use too are never changed: "
            "the one whose column holds the value is chosen"
        ),
    )
    create: bool = Field(default=False, description="with find: make a row where none is found")
    own: bool = Field(default=False, description="the row that the record points to is its alone")
    modified_at: str | None = Field(
        default=None, description="the column with the time of the row's last change"
    )


class TableForm(Part):
    """One entity in a database."""

    table: str = Field(description='a table or view: "people", or "schema.people"')
    key: Names = Field(
        default=["id"], description="the primary key: a column, or a list of columns"
    )
    parent: Names | None = Field(
        default=None, description="tasks and notes: the column with the contact's key"
    )
    modified_at: str | None = Field(
        default=None, description="the column with the time of the last change"
    )
    version: str | None = Field(default=None, description="a column that changes with each write")
    deleted: str | None = Field(
        default=None, description="a soft-delete column: true, or a time, once deleted"
    )
    tags: TagsForm | None = Field(
        default=None, description="where the tags are: a column name, or a table"
    )
    where: str | None = Field(default=None, description="SQL that every record fulfils")
    fixed: Fixed = Field(
        default={}, description="what every record holds, such as a tenant; written into new ones"
    )
    on_create: NewValues = Field(
        default={},
        description='values for new records alone; "now" in a column of times is the time',
    )
    join: dict[JoinName, JoinForm] = Field(default={}, description="tables with further fields")


@with_records(TableForm)
class SqlForm(Part):
    """The app is a database."""

    connector: Literal["sql"] = "sql"
    url: Secret = Field(
        description='an SQLAlchemy URL; the path of "sqlite:///app.db" is relative to the pair file'
    )
    batch: int = Field(default=500, ge=1, le=10_000, description="writes per transaction")
    lock_seconds: int = Field(
        default=10, ge=1, description="how long a write waits for another's lock"
    )
    link: Link | None = _LINK


if TYPE_CHECKING:

    class RestForm(Part):
        """The app is a JSON API: the fields of connectors.rest.settings.RestSettings."""

        connector: Literal["rest"]
        link: str | None

    class FilesForm(Part):
        """The app is a set of files: the fields of connectors.files.settings.FilesSettings."""

        connector: Literal["csv", "jsonl", "parquet", "excel"]
        link: str | None
else:
    RestForm = form_of(
        RestSettings,
        leaving=frozenset({"entities", "fields"}),
        connector=(Literal["rest"], Field()),
        link=(Link | None, _LINK),
        **of_each_record(form_of(EndpointSettings)),
    )
    FilesForm = form_of(
        FilesSettings,
        leaving=frozenset({"format", "entities", "folder", "fields", "timezone"}),
        connector=(Literal["csv", "jsonl", "parquet", "excel"], Field()),
        link=(Link | None, _LINK),
        **of_each_record(form_of(FileSettings)),
    )


@with_records(dict[str, str])
class MemoryForm(Part):
    """The app is the reference connector: empty, in this process; for trying things out."""

    connector: Literal["memory"]
    link: Link | None = _LINK


@with_records(dict[str, Any])
class OutsideForm(BaseModel):
    """The app is reached by a connector from outside.

    It is an entry point of the group `ghl_reconcile.connectors`.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    connector: Annotated[str, WithJsonSchema({"type": "string", "not": {"enum": CONNECTORS}})]


def app_tag(value: Any) -> str:
    """Which form an `[app]` table has, by its connector."""
    name = (
        value.get("connector", "sql")
        if isinstance(value, dict)
        else getattr(value, "connector", "sql")
    )
    if not isinstance(name, str):
        return "connector:sql"
    if name in {"csv", "jsonl", "parquet", "excel"}:
        return "connector:files"
    if name in CONNECTORS:
        return f"connector:{name}"
    return "connector:outside"


AppForm = Annotated[
    Annotated[SqlForm, Tag("connector:sql")]
    | Annotated[RestForm, Tag("connector:rest")]
    | Annotated[FilesForm, Tag("connector:files")]
    | Annotated[MemoryForm, Tag("connector:memory")]
    | Annotated[OutsideForm, Tag("connector:outside")],
    Discriminator(app_tag),
]


class OAuthForm(Part):
    """A marketplace app of your own: its tokens are kept, encrypted, in the ledger."""

    client_id: Secret
    client_secret: Secret
    company: str | None = Field(
        default=None,
        min_length=1,
        description="the agency's id; needed where the ledger has tokens of more than one",
    )
    app_id: str | None = Field(
        default=None,
        min_length=1,
        description="the app's id, for `fleet discover`; default: the client id up to its hyphen",
    )


class GhlForm(Part):
    """The GHL location."""

    url: str = Field(
        "https://services.leadconnectorhq.com",
        description=(
            'the API host; "sandbox:FILE" serves the sandbox from that file, in this process'
        ),
    )
    version: Literal["2021-07-28", "v3"] = Field(
        default="2021-07-28", description="the API version asked for"
    )
    location: str = Field(min_length=1, description="the location's id")
    token: Secret | None = Field(default=None, description="a private integration token")
    oauth: OAuthForm | None = Field(
        default=None, description="a marketplace app, instead of a token"
    )
    live: bool = Field(default=False, description="allow writes to a host that is not this machine")
    link: Link | None = Field(
        default=None,
        description="a contact's page, with {key}, where GHL has a domain of your own; "
        "default: GHL's own",
    )
    business_ids: list[str] = Field(default=[], description="only the contacts of these businesses")
    notes_budget: int | None = Field(
        default=None,
        ge=0,
        le=2**31 - 1,
        description="contacts whose notes are read per run; default: all",
    )
    appointments_budget: int = Field(
        default=0,
        ge=0,
        le=2**31 - 1,
        description="contacts whose appointments are read per run, to be shown in its report",
    )
    appointments_past: int = Field(
        default=30,
        ge=0,
        le=3_650,
        description="appointments that are mapped: days before a run that it still reads",
    )
    appointments_ahead: int = Field(
        default=365,
        ge=1,
        le=3_650,
        description="appointments that are mapped: days after a run that it reads",
    )
    daily_reserve: float = Field(
        default=0.1, ge=0, lt=1, strict=False, description="share of the day's quota left to others"
    )
    page_size: int = Field(
        default=500, ge=1, le=500, description="contacts per page; GHL documents 500 as the most"
    )
    task_page: int = Field(default=100, ge=1, le=1000, description="tasks per page")
    concurrency: int = Field(default=5, ge=1, le=32, description="requests in flight")
    range_reads: bool = Field(
        default=True, description="read contacts by several cursors over ranges of dateAdded"
    )
    tag_batch: int = Field(default=100, ge=1, le=500, description="contacts per bulk tag request")
    lag_seconds: float = Field(
        default=60.0,
        ge=0,
        le=86_400,
        strict=False,
        description="how long the search index may trail a write",
    )
    tags_move_date: Literal["unknown", "yes", "no"] = Field(
        default="unknown",
        description="whether GHL dates a change of a contact's tags; see doctor --probe",
    )
    clear_with: Literal["null", "empty"] = Field(
        default="null", description="what clears a field; see doctor --probe"
    )
    dnd_writes: Literal["whole", "part"] = Field(
        default="whole",
        description=(
            "whether a channel's do not disturb is sent with the other channels that say no"
        ),
    )
    default_owner: str | None = Field(
        default=None,
        pattern=r"^[^\s@]+@[^\s@]+$",
        description="the email of the user who gets a new contact, task or opportunity "
        "that names none of the location's users",
    )
    attempts: int = Field(
        default=5, ge=1, le=20, description="times a request is tried where repeating it is safe"
    )
