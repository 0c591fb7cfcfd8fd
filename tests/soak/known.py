"""Faults that the soak finds and that are not mended yet: named here, with their point, never switched off."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.soak.judge import Finding


@dataclass(frozen=True, slots=True)
class Known:
    """A fault that is known: a finding of `kind` whose text, story included, fits `sign`. `point` is of issue 18, or a letter of its own."""

    point: str
    kind: str
    sign: str
    why: str

    def fits(self, finding: Finding) -> bool:
        return (
            finding.kind == self.kind and re.search(self.sign, str(finding), re.DOTALL) is not None
        )


KNOWN: tuple[Known, ...] = ()


def unknown(findings: list[Finding]) -> list[Finding]:
    """Those that nothing here names."""
    return [finding for finding in findings if not any(known.fits(finding) for known in KNOWN)]
