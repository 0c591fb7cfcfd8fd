"""The demo's world: two sides that overlap only in part.

It knows what people then do to them, and whether they agree in the end.
"""

from flows.demo.compare import differences
from flows.demo.edits import Edit, edit, edits, unmet
from flows.demo.world import make

__all__ = ["Edit", "differences", "edit", "edits", "make", "unmet"]
