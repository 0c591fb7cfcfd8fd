"""SQL models: one Jinja template makes one table, and stands beside the Python that asks for it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from reconcile.stage.quoting import literal, quoted
from reconcile.templates import templates

if TYPE_CHECKING:
    from jinja2 import Environment

_HEAD = re.compile(r"\A(?:\s|--.*\n)+")
_CORE = Path(__file__).resolve().parents[1]


def render(name: str, **context: object) -> str:
    """The SQL of a model: `compare/wide` is `reconcile/compare/models/wide.sql`.

    A name that the template asks for and the context lacks raises `jinja2.UndefinedError`: a model
    is never half filled in.
    """
    folder, _, model = name.rpartition("/")
    template = _environment().get_template(f"{folder}/models/{model}.sql")
    return _HEAD.sub("", template.render(context))


@cache
def _environment() -> Environment:
    environment = templates(_CORE, escape=False)
    environment.filters |= {"literal": literal, "quoted": quoted}
    environment.globals |= {
        "link_id": link_id,
        "hold_id": hold_id,
    }
    return environment


def link_id(entity: str, side: str, key: str) -> str:
    """SQL for the id of a new link.

    It is made of the record that the link was found from, so that the same night gives the same id
    again.

    `entity` and `side` are plain words, `key` is SQL.
    """
    return _digest(literal(entity), literal(side), key)


def hold_id(kind: str, entity: str, *subject: str) -> str:
    """SQL for the id of a question.

    The same doubt has the same id every night, so that an answer finds it.

    `kind` and `entity` are plain words; `subject` is SQL for what the question is about: a link, or
    a side and a key.
    """
    return _digest(literal(kind), literal(entity), *subject)


def _digest(*parts: str) -> str:
    return f"md5({' || chr(31) || '.join(parts)})[1:20]"
