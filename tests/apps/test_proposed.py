"""What `init --yes` writes for applications as people have them, beside the pair file that the cookbook ends with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps import test_suitecrm, test_wordpress
from tests.apps.placing import Placed
from tests.apps.test_applications import APPLICATIONS
from tests.apps.world import COOKBOOK, fresh

CASES = {
    **{name: (one.server, one.seed) for name, one in APPLICATIONS.items()},
    "suitecrm": ("mariadb", test_suitecrm.SEED),
    "wordpress": ("mariadb", test_wordpress.SEED),
}


@pytest.mark.parametrize("name", CASES)
def test_init_writes_the_page_but_for_the_lines_that_it_marks(name: str, tmp_path: Path) -> None:
    """Nothing is placed wrong, nine fields of ten are placed, doctor finds no fault, fewer than ten lines are left to a person; the table says so."""
    server, seed = CASES[name]
    for world in fresh(name, server, tmp_path):
        world.sql(*seed)
        placed = Placed.compared(world.proposed(), world.page)
        assert placed.wrong == ()
        assert world.doctor(world.folder / "proposed.toml") == []
        useful = len(placed.right) + len(placed.missing)
        assert len(placed.right) >= 0.9 * useful, placed.missing
        assert placed.lines < 10
        index = (COOKBOOK / "index.md").read_text(encoding="utf-8")
        title = world.page_title
        assert placed.row(f"[{title}]({name}.md)") in index
