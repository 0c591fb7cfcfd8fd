"""By what a table of each kind of record is known, declared once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from flows.init.words import COMPANY, CONTACT, NOTE, OPPORTUNITY, TABLES, TASK, Concept
from reconcile.model import Entity


@dataclass(frozen=True, slots=True)
class Likeness:
    """What the columns of such a table mean, and its words.

    What hangs on a contact has one of `has`, and one of `proofs` unless the table's name says what
    it is. `weighed` are the concepts that count for it; none: all do. `lacking` is said where no
    table is like it; nothing is said of what few applications have. `natives` are the GHL fields of
    the concepts that have other names there.
    """

    concepts: Mapping[Concept, str]
    tables: str
    lacking: str
    has: frozenset[Concept] = frozenset()
    proofs: frozenset[Concept] = frozenset()
    weighed: frozenset[Concept] = frozenset()
    natives: Mapping[Concept, str] = field(default_factory=dict)

    def weigh(self, confidences: Mapping[Concept, float]) -> float:
        """The confidence in all that counts."""
        return sum(
            sure
            for concept, sure in confidences.items()
            if concept in (self.weighed or confidences)
        )

    def fits(self, concepts: Mapping[Concept, float], *, named: bool) -> bool:
        """Whether it can be such a table at all."""
        return not self.has.isdisjoint(concepts) and (named or not self.proofs.isdisjoint(concepts))


APPOINTMENT: Mapping[Concept, str] = {
    "title": (
        "title|name|subject|titel|betreff|bezeichnung|titulo|asunto|titre|objet|titolo|oggetto"
    ),
    "status": "status|state|appointment status|booking status|estado|statut|stato",
    "startTime": (
        "start|starts|start time|starts at|start at|start date|date start|begin|begins at|beginn"
        "|anfang|von|termin|appointment date|appointment time|scheduled at|scheduled for|booked for"
        "|inicio|hora inicio|debut|date debut|inizio|ora inizio|aanvang"
    ),
    "endTime": (
        "end|ends|end time|ends at|end at|end date|date end|finish|finishes at|ende|bis|fin"
        "|hora fin|date fin|fine|ora fine|einde"
    ),
    "notes": "notes|note|comment|comments|remarks|notiz|notizen|bemerkung|nota|notas|remarque",
    "address": "place|location|address|room|ort|raum|adresse|lugar|direccion|lieu|luogo",
}
APPOINTMENTS = (
    "appointment appointments booking bookings visit visits meeting meetings reservation "
    "reservations termin termine cita citas reserva reservas rdv appuntamento appuntamenti "
    "afspraak afspraken agendamento agendamentos"
)
"""The words of such tables, beside those of `words`, which is as long as a file may be."""

LIKENESS: Mapping[Entity, Likeness] = MappingProxyType(
    {
        Entity.COMPANY: Likeness(
            concepts=COMPANY,
            tables=TABLES["company"],
            lacking=(
                "no table looks like companies: one needs a name, and contacts that refer to it"
            ),
            has=frozenset({"companyName"}),
            natives={"companyName": "name", "address1": "address"},
        ),
        Entity.CONTACT: Likeness(
            concepts={concept: said for concept, said in CONTACT.items() if concept != "tags"},
            tables=TABLES["contact"],
            lacking=(
                "no table looks like contacts: one needs names, and emails or telephone numbers"
            ),
        ),
        Entity.TASK: Likeness(
            concepts=TASK,
            tables=TABLES["task"],
            lacking=(
                "no table looks like tasks: one needs a reference to the contacts, a title, "
                "and a due date or a status"
            ),
            has=frozenset({"title", "body"}),
            proofs=frozenset({"dueDate", "completed"}),
        ),
        Entity.NOTE: Likeness(
            concepts=NOTE,
            tables=TABLES["note"],
            lacking="no table looks like notes: one needs a reference to the contacts and a text",
            has=frozenset({"body"}),
            weighed=frozenset({"body"}),
        ),
        Entity.OPPORTUNITY: Likeness(
            concepts=OPPORTUNITY,
            tables=TABLES["opportunity"],
            lacking=(
                "no table looks like opportunities: one needs a reference to the contacts, a "
                "name, and a pipeline or a stage"
            ),
            has=frozenset({"title"}),
            proofs=frozenset({"pipeline", "stage"}),
            natives={"title": "name"},
        ),
        Entity.APPOINTMENT: Likeness(
            concepts=APPOINTMENT,
            tables=APPOINTMENTS,
            lacking="",
            has=frozenset({"startTime"}),
            proofs=frozenset({"endTime"}),
        ),
    }
)
"""Every kind that a table may hold."""
