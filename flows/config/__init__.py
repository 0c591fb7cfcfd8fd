"""The pair file: what it may say, whether it can be right, and the pair that it describes."""

from flows.config.pair import Pair, load, require_live
from flows.config.schema import schema

__all__ = ["Pair", "load", "require_live", "schema"]
