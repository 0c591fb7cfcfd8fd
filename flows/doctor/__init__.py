"""`doctor`: looks at everything a run needs, without writing anything.

It says what to do about what it finds.
"""

from flows.doctor.check import check
from flows.doctor.finding import Finding, Level, worst
from flows.doctor.probe import Answer, Probed, probe

__all__ = ["Answer", "Finding", "Level", "Probed", "check", "probe", "worst"]
