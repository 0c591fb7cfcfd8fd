"""The page's colours: each class has one, in the chart and in the legend beside it."""

from __future__ import annotations

import re
from importlib.resources import files

from reconcile.report.classes import CLASSES


def test_each_class_has_a_colour() -> None:
    """Without one a bar is drawn black, and its mark in the legend not at all."""
    css = files("reconcile.report").joinpath("assets/page.css").read_text(encoding="utf-8")
    coloured = set(re.findall(r"\.class-(\w+)", css))
    assert {each.name for each in CLASSES} == coloured
