"""What must never be, and how the check tells it."""

from __future__ import annotations

from dataclasses import dataclass

from flows.rehearse.book import Ident


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must never be: `kind` as in KINDS, with the record's story."""

    day: int
    kind: str
    ident: Ident
    name: str
    what: str
    story: tuple[str, ...] = ()
    nights: tuple[str, ...] = ()
    """What happened to the machines on this night and the ones before."""

    def __str__(self) -> str:
        lines = [
            f"day {self.day} {self.kind} {self.ident[0]} {self.ident[1]} {self.name}: {self.what}"
        ]
        lines += [f"    {line}" for line in self.story]
        return "\n".join(
            [*lines, f"    nights: {', '.join(self.nights)}"] if self.nights else lines
        )


KINDS = {
    "lost": "a typed value is gone, and no report says which rule or decision overwrote it",
    "invented": "a value changed to one that nobody had typed across since the sides agreed",
    "unmentioned": "a typed value is on one side only, and the report does not name it",
    "agree": "the run said that both sides agree while a value differs",
    "deleted": "a record was deleted that nobody deleted",
    "edit-deleted": "a record was deleted on which somebody had typed after it was deleted across",
    "revived": "a record that somebody deleted came back",
    "twice": "a record is on a side twice",
    "stranger": "a record became another person's",
    "stray": "a record without a number appeared",
    "one-sided": "a record is on one side only, and the report does not name it",
    "others": "rows that are not this pair's were touched",
    "refused": "a refused run wrote",
    "unexplained": "the statement has unexplained records: nothing accounts for them",
    "defect": "the run ended as a defect",
    "stuck": "nothing was wrong on this night, and the run was refused or came to nothing",
    "loosened": "who had said no may be written to again, and no person said so",
    "oldest": "the older of two typed values won where the newest is to win",
}
