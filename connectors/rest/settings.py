"""What a user declares of their JSON API, so that everything else can be found in its answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from reconcile.model import Entity
from reconcile.ports import Json

AuthKind = Literal["none", "bearer", "api_key", "basic", "client_credentials"]
PagerKind = Literal["none", "cursor", "page", "offset", "link", "body_link"]


def bare(url: str) -> str:
    """A URL as it may be shown: without user and password."""
    return re.sub(r"//[^/?#]*@", "//", url)


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """How the API wants to be asked. Every secret is out of the repr.

    bearer: `token`. api_key: `token` in `header`, or in the query parameter `param`. basic: `user`
    and `password`.
    client_credentials: `client_id` and `client_secret` (in the form, or as basic credentials where
    `client_auth` says so) are exchanged for a token at `token_url`, a path or a URL.
    """

    kind: AuthKind = "none"
    token: str = field(default="", repr=False)
    header: str = "X-API-Key"
    param: str | None = None
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    client_id: str = field(default="", repr=False)
    client_secret: str = field(default="", repr=False)
    client_auth: Literal["body", "basic"] = "body"
    token_url: str = ""
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class PagerSettings:
    """How pages are asked for, and what a page says of the next one and of them all.

    none: a list comes whole; one that shows that it goes on (a next page, a larger total) is not
    taken for all there is. `param` takes the cursor, the page's number (from `first`) or the
    offset; `size_param` takes `size`. `next` is where a page holds the next cursor, as a dotted
    path; "@last.id" is a member of the page's last record. For link, `next` is a header that holds
    the next address and nothing else, such as "Next-Page"; by default that is `Link` (RFC 8288).
    For body_link it is where a page holds the next address, such as "links.next", by default
    "next". `total` is where a page holds the count of all records.
    """

    kind: PagerKind = "none"
    size: int = 100
    size_param: str = "limit"
    param: str | None = None
    next: str | None = None
    total: str | None = None
    first: int = 1


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """One entity. Paths into JSON are dotted.

    "name.first" is one, and "customFields[id=x9].value" looks in a list.

    path: the collection; "{parent}" stands for the contact's key. item: one record, default
    `path`/{key}. create: where new records are posted, default `path`. items: where a page holds
    its records ("": the page itself is the list).
    modified_at: the time of the last change; one without a zone is in the pair's `timezone`.
    deleted: a soft-delete member.
    method, params: how the collection is asked; POST sends `params` and the pager's as a JSON body.
    item_params: what one record is asked with, where its answer shows by itself less than the list
    does.
    parent: where a record holds its contact's key. A list on the way is looked into; it may hold
    one contact alone.
    create_link: what a create says of its contact, with "{parent}" where the key stands, where that
    is another form than the one that `parent` reads; it is not sent again.
    since: the parameter for "changed since". search: parameters that find records, by native field.
    update, send: the verb; whether it takes only what changed or the whole record, which is read
    before: by default PUT takes the whole, as it takes away what is not named (RFC 9110), and PATCH
    what changed. merge_patch: an object that is sent is merged member by member into the one that
    is there (RFC 7396); by default it is taken to replace it, so that a change inside an object is
    sent with all that the object holds, which is read before; a list is always sent whole.
    envelope: the member around one record in an answer ("data" of {"data": {"id": 1}}). wrap: the
    member around a record in a request; the same as envelope where it is not said, and "" where a
    request carries the record bare. constants: members of every create. on_create: members of a
    new record that nothing else gives it; "now" is the time of the write (ISO 8601, in UTC).
    if_match, version_member: how a write names the version it saw. archive: members that take a
    record out of sight.
    tag_name: the member of a tag that is an object.
    tag_ids: the numbers or texts that records hold in place of tags, by the tag's name; an id that
    is not named makes a record unreadable, and a tag that is not named is refused.
    add_tags, remove_tags: "VERB path"; with "{tag}" one request a tag, else the tags in the body's
    member "tags".
    missing, duplicate: words of a refusal that mean so; duplicate_key: where such a refusal names
    the record that exists.
    idempotency: a header that makes a repeated create harmless; it carries the operation's id.
    """

    path: str
    items: str = ""
    key: str = "id"
    item: str | None = None
    create: str | None = None
    parent: str | None = None
    modified_at: str | None = None
    version: str | None = None
    deleted: str | None = None
    method: Literal["GET", "POST"] = "GET"
    params: Mapping[str, Json] = field(default_factory=dict)
    item_params: Mapping[str, str] = field(default_factory=dict)
    create_link: Mapping[str, Json] = field(default_factory=dict)
    since: str | None = None
    search: Mapping[str, str] = field(default_factory=dict)
    update: Literal["PUT", "PATCH"] = "PUT"
    send: Literal["changed", "whole"] | None = None
    merge_patch: bool = False
    clear_with: Literal["null", "empty"] = "null"
    envelope: str | None = None
    wrap: str | None = None
    constants: Mapping[str, Json] = field(default_factory=dict)
    on_create: Mapping[str, Json] = field(default_factory=dict)
    if_match: bool = False
    version_member: str | None = None
    archive: Mapping[str, Json] = field(default_factory=dict)
    tags: str | None = None
    tag_name: str | None = None
    tag_ids: Mapping[str, int | str] = field(default_factory=dict)
    add_tags: str | None = None
    remove_tags: str | None = None
    missing: tuple[str, ...] = ()
    duplicate: tuple[str, ...] = ()
    duplicate_key: str | None = None
    idempotency: str | None = None
    pager: PagerSettings | None = None

    @property
    def sends_whole(self) -> bool:
        """Whether an update carries the whole record."""
        if self.send is None:
            return self.update == "PUT"
        return self.send == "whole"


@dataclass(frozen=True, slots=True)
class RestSettings:
    """A JSON API and what is in it.

    `requests` in each window of `seconds` are allowed, `concurrency` at a time.

    `fields` are the native fields that the mapping uses, by entity, each a dotted path; none given
    means those of the first records. `headers` go with every request; a user and a password go into
    `auth`, never into `url`. `lag_seconds` is how long a list may trail a write.
    """

    url: str
    entities: Mapping[Entity, EndpointSettings]
    auth: AuthSettings = AuthSettings()
    pager: PagerSettings = PagerSettings()
    fields: Mapping[Entity, tuple[str, ...]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    requests: int = 10
    seconds: float = 1.0
    concurrency: int = 4
    lag_seconds: float = 0.0

    def __repr__(self) -> str:
        """Without a password in the URL, and without headers, which may hold a key."""
        shown = (
            f"{name}={getattr(self, name)!r}" for name in ("entities", "auth", "pager", "fields")
        )
        return (
            f"RestSettings(url={bare(self.url)!r}, {', '.join(shown)}, "
            f"headers={sorted(self.headers)!r})"
        )

    def pager_of(self, entity: Entity) -> PagerSettings:
        """The entity's own pager, or the one they share."""
        return self.entities[entity].pager or self.pager
