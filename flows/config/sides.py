"""The form of `[app]` and `[ghl]`: how each side is reached, and where the app keeps its entities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from connectors.files.settings import FileSettings, FilesSettings
from connectors.rest.settings import EndpointSettings, RestSettings
from flows.config.derive import form_of, of_each_record, with_records
from flows.config.part import Names, Part, Secret, ShortPart

CONNECTORS = ["sql", "rest", "csv", "jsonl", "parquet", "excel", "memory"]
"""The connectors that come with the product, by the name a pair file uses."""


Link = Annotated[str, Field(pattern=r"^https?://[^{}\s]+\{key\}[^{}\s]*$")]
"""The address of a contact's page, with `{key}` where its key stands."""

_LINK = Field(
    default=None,
    description="a contact's page, for the person who answers a question: "
    '"https://crm.example.com/people/{key}"',
)


class TagsForm(ShortPart):
    """Where a contact's tags are: a column of its own table, or a join table with one row per contact and tag."""

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
    """The app is reached by a connector from outside: an entry point of the group `ghl_reconcile.connectors`."""

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
    return f"connector:{name}" if name in CONNECTORS else "connector:outside"


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


class GhlForm(Part):
    """The GHL location."""

    url: str = Field(
        "https://services.leadconnectorhq.com",
        description='the API host; "sandbox:FILE" serves the sandbox from that file, in this process',
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
    clear_with: Literal["null", "empty"] = Field(
        default="null", description="what clears a field; see doctor --probe"
    )
    attempts: int = Field(
        default=5, ge=1, le=20, description="times a request is tried where repeating it is safe"
    )
