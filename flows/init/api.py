"""What a JSON API holds that nobody has described yet.

By its OpenAPI document, or by answers that somebody saved.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from connectors.files.settings import SUFFIXES
from flows.init.collections import Collection, collection_of
from flows.init.found import Table
from flows.init.openapi import Document
from flows.init.proposal import Place, Proposal
from reconcile.errors import ConfigError, Problem
from reconcile.values.mapping import TAGS

UNKNOWN = "https://api.example.com"
"""Stands in the pair file where nothing says what the API's address is."""
_SAVE = (
    "Save its OpenAPI document (.json or .yaml), or one answer of each collection (.json), "
    "and give the file or the folder."
)
_JSON = (".json",)
_YAML = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class ApiSurvey:
    """The collections, and what `[app]` has to say of them all.

    It also gives what a person has to say instead.
    """

    collections: tuple[Collection, ...]
    app: Mapping[str, Any] = field(default_factory=dict)
    todo: tuple[str, ...] = ()

    @property
    def tables(self) -> tuple[Table, ...]:
        """The collections as `propose` takes them."""
        return tuple(collection.table for collection in self.collections)

    def said(self) -> dict[str, dict[str, Any]]:
        """What is to be said of each collection, by its name."""
        return {one.name: {"path": one.path, **one.said} for one in self.collections}

    def fitted(self, proposal: Proposal) -> Proposal:
        """Without tags that are no list of words: in a JSON API they are not taken apart."""
        types = {
            (one.name, column.name): column.type
            for one in self.collections
            for column in one.columns
        }
        places: list[Place] = []
        for place in proposal.places:
            column = (place.tags or {}).get("column", "")
            if place.tags and types.get((place.table, column)) != "tags":
                place = replace(place, tags=None)
            places.append(place)
        tagged = any(place.tags for place in places)
        lines = [line for line in proposal.lines if tagged or line.ghl != (TAGS,)]
        return replace(proposal, places=tuple(places), lines=tuple(lines))


def survey_api(path: Path) -> ApiSurvey | None:
    """An OpenAPI document or saved answers; None where the path is neither.

    Raises ConfigError for what is no JSON.
    """
    files = [path] if path.is_file() else sorted(path.iterdir())
    tables = {suffix for suffixes in SUFFIXES.values() for suffix in suffixes}
    if path.is_dir() and any(file.suffix.lower() in tables for file in path.iterdir()):
        return None
    documents = {file: _loaded(file) for file in files if file.suffix.lower() in (*_JSON, *_YAML)}
    if not documents:
        return None
    for document in documents.values():
        if isinstance(document, dict) and "openapi" in document:
            return _of_document(Document(document))
    collections = [collection_of(file.stem, document) for file, document in documents.items()]
    listed = tuple(one for one in collections if one is not None)
    todo = (
        "Say in [app] url the API's address, and in auth how it wants to be asked.",
        "Correct each path, and say in envelope and wrap what lies around one record.",
        "Say in pager how the API hands out pages, where it is not said.",
    )
    return _checked(ApiSurvey(listed, {"url": UNKNOWN}, todo))


def _of_document(document: Document) -> ApiSurvey:
    app: dict[str, Any] = {"url": document.url or UNKNOWN}
    todo = []
    if document.url is None:
        todo.append("Say in [app] url the API's address: the document does not.")
    if document.auth is not None:
        app["auth"] = document.auth
        todo.append("export APP_TOKEN=… before each run: the API wants credentials.")
    return _checked(ApiSurvey(tuple(document.collections()), app, tuple(todo)))


def _checked(survey: ApiSurvey) -> ApiSurvey:
    if survey.collections:
        return survey
    what = "no list of objects is in it"
    raise ConfigError([Problem("--app", what, _SAVE)])


def _loaded(file: Path) -> Any:
    form = "YAML" if file.suffix.lower() in _YAML else "JSON"
    try:
        content = file.read_bytes()
        if form == "YAML":
            return _of_yaml(content)
        return json.loads(content)
    except (OSError, ValueError, msgspec.MsgspecError, RecursionError) as failed:
        what = f"{file.name} cannot be read as {form} ({type(failed).__name__})"
        raise ConfigError([Problem("--app", what, _SAVE)]) from None


def _of_yaml(content: bytes) -> Any:
    """A document in YAML as JSON has it: keys and days are texts there."""
    return msgspec.to_builtins(msgspec.yaml.decode(content), str_keys=True)
