"""`init`: looks at both sides and proposes the mapping.

It writes the pair file for a person to correct.
"""

from flows.init.proposal import Line, Place, Proposal, Unplaced
from flows.init.propose import propose
from flows.init.run import Written, init

__all__ = ["Line", "Place", "Proposal", "Unplaced", "Written", "init", "propose"]
