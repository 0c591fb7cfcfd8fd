"""The behaviour that every connector must show, as a test class.

The author of any connector can run it on theirs.

    from connectors.contract import ConnectorContract, Rig

    class TestMine(ConnectorContract):
        @pytest.fixture
        def rig(self, tmp_path: Path) -> Rig:
            return Rig(connector=..., sample=..., text=..., seed=..., edit=..., remove=...)

What the side cannot do at all is left out of `Rig.can`; nothing else is optional. It needs pytest,
which nothing else of the product imports.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

# Without it a failing assertion of the suite would say nothing of the two values.
pytest.register_assert_rewrite(
    "connectors.contract.rig", "connectors.contract.reading", "connectors.contract.writing"
)

from connectors.contract.reading import Reading  # noqa: E402
from connectors.contract.rig import ALL, AWKWARD, Can, Rig, create, update  # noqa: E402
from connectors.contract.shapes import (  # noqa: E402
    duckdb_path,
    first,
    look_up,
    read_line,
    read_with_duckdb,
)
from connectors.contract.writing import Writing  # noqa: E402

__all__ = [
    "ALL",
    "AWKWARD",
    "Can",
    "ConnectorContract",
    "Rig",
    "create",
    "duckdb_path",
    "first",
    "look_up",
    "read_line",
    "read_with_duckdb",
    "update",
]


class ConnectorContract(Reading, Writing):
    """Subclass it as Test... and give it a `rig` fixture.

    Every test below then runs on that connector.
    """

    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        """The connector under test; a new, empty side for each test."""
        raise NotImplementedError
