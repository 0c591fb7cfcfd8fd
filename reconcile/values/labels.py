"""Sets of words, such as tags: a JSON list or delimited text, as one sorted JSON list."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from reconcile.model import Cell, Side
from reconcile.ports import Json
from reconcile.values.bounds import LONGEST_WORD, beyond, whole
from reconcile.values.codec import Codec, Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels(Codec):
    """A set of words: a JSON list, or delimited text. Tags are as in GHL: lower case, trimmed."""

    folded: bool = True
    delimiter: str = ","
    name: str = "tags"

    def decode(self, raws: Sequence[Raw], side: Side) -> Cell:
        folded = {self._fold(word) for raw in raws for word in self._words(raw)}
        folded.discard("")
        if not folded:
            return None
        # Sorted: in what order a side lists them says nothing.
        return json.dumps(sorted(folded), ensure_ascii=False, separators=(",", ":"))

    def _fold(self, word: str) -> str:
        if beyond(word, LONGEST_WORD):
            return word.strip()
        composed = unicodedata.normalize("NFC", word)
        tidy = " ".join(composed.split())
        if not self.folded:
            return tidy
        # Once more: what was composed may come apart in lower case.
        return unicodedata.normalize("NFC", tidy.lower())

    def _words(self, raw: Raw) -> list[str]:
        """What one native value lists, as it is written there."""
        if raw is None or not raw.strip():
            return []
        if not raw.lstrip().startswith("["):
            return raw.split(self.delimiter)
        try:
            listed = json.loads(raw)
        except ValueError:
            return raw.split(self.delimiter)
        except RecursionError:  # lists in lists are no set of words: one word, as it stands
            return [raw]
        return [_word(item) for item in listed if item is not None]

    def fault(self, cell: Cell) -> str | None:
        if cell is None or (len(cell) <= LONGEST_WORD and cell.isascii()):
            return None
        reasons = (beyond(word, LONGEST_WORD) for word in json.loads(cell))
        return next((f"a set with a word that is {why}" for why in reasons if why), None)

    def encode(self, cell: Cell, side: Side, arity: int) -> tuple[Json, ...]:
        words = json.loads(cell) if cell else []
        return (words,) * arity

    def fast(self, column: str) -> tuple[str, str] | None:
        # Words without an escape between quotes, so that a quote ends one; sorted by code point, as
        # Python sorts them.
        sign = "[!#-@\\[^-~\\]]" if self.folded else "[!#-\\[^-~\\]]"
        word = f'"{sign}+( {sign}+)*"'
        words = f"list_sort(list_distinct(string_split({column}[3:-3], '\",\"')))"
        listed = f"regexp_full_match({column}, '\\[({word}(,{word})*)?\\]')"
        condition = f"strlen({column}) <= {LONGEST_WORD} AND {listed}"
        return condition, f"nullif(to_json({words})::VARCHAR, '[\"\"]')"


def _word(item: Json) -> str:
    """An item of a list as a word: a number or an object is one by its JSON text."""
    text = item if isinstance(item, str) else json.dumps(item)
    return whole(text)
