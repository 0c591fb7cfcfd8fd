"""The contract suite on the notebook, as the author of that connector would keep it in their own tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from notebook import Notebook, connect

from connectors.contract import Can, ConnectorContract, Rig
from reconcile.model import Entity, OpKind
from reconcile.ports import Json, Write

TEXT = {Entity.CONTACT: "name", Entity.TASK: "title", Entity.NOTE: "body"}


def sample(entity: Entity, number: int) -> dict[str, Json]:
    if entity is Entity.CONTACT:
        return {"name": f"Ann{number}", "mail": f"ann{number}@example.test", "tags": ["a"]}
    return (
        {"title": f"call {number}", "done": False}
        if entity is Entity.TASK
        else {"body": f"note {number}"}
    )


def rig_of(notebook: Notebook) -> Rig:
    def seed(entity: Entity, fields: Mapping[str, Json], parent: str | None) -> str:
        (reply,) = notebook.write(
            [Write("seed", OpKind.CREATE, entity, parent=parent, fields=fields)]
        )
        return str(reply.key)

    def edit(entity: Entity, key: str, fields: Mapping[str, Json]) -> None:
        list(notebook.write([Write("edit", OpKind.UPDATE, entity, key, fields=fields)]))

    return Rig(
        connector=notebook,
        sample=sample,
        text=TEXT,
        seed=seed,
        edit=edit,
        remove=lambda entity, key: (
            list(notebook.write([Write("x", OpKind.DELETE, entity, key)])) and None
        ),
        can=frozenset(Can) - {Can.ARCHIVE},
        bad={Entity.CONTACT: {"name": 7}},
        completed={"done": True},
    )


class TestNotebook(ConnectorContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Rig:
        file = tmp_path / "notebook.json"
        file.write_text("{}")
        return rig_of(connect({"file": str(file)}, {}))
