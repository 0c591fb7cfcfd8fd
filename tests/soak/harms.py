"""What happens to the machines of the soak alone: a changed pair file."""

from __future__ import annotations

from flows.rehearse import harms as shared
from flows.rehearse.events import entering
from tests.soak.world import World

HARMS = list(shared.HARMS)
"""What happens at night, in or around a run. At most two of them in one night."""
harm = entering(HARMS)


@harm(0.1)
def pair_file_changed(world: World) -> None:
    """A field is taken out of the pair file, or put back; or the rule of one is another from now on."""
    if world.dice.random() < 0.5:
        world.pair.unmapped ^= {world.dice.choice(("state", "remark", "renewal"))}
        world.judge.unmapped = set(world.pair.unmapped)
    else:
        world.pair.asks ^= {world.dice.choice(("city", "state", "postal_code"))}
    world.pair.write()
