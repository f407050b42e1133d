"""After the writes: what is worth telling of them, and whether the CMDB kept them (R3.2)."""

from __future__ import annotations

from collections.abc import Sequence

from beast_dream_snow_loader.core.changes import ItemChange, LinkChange
from beast_dream_snow_loader.core.ports import Settlement
from beast_dream_snow_loader.core.remarks import remarks, waiting
from beast_dream_snow_loader.pipeline.guard import AWAY, UNREADABLE, Steps, reduced
from beast_dream_snow_loader.pipeline.outcome import LoadOutcome
from beast_dream_snow_loader.pipeline.steps.verify import verify, verify_whole
from beast_dream_snow_loader.pipeline.world import Order, World


def tell(outcome: LoadOutcome, settlements: Sequence[Settlement], unlinked: Sequence[LinkChange]) -> None:
    """Keep what became of each change, with what the instance did otherwise than asked and which edges wait."""
    outcome.settlements, outcome.unlinked = settlements, unlinked
    outcome.findings += [*remarks(settlements), *waiting(unlinked)]


def read_back(world: World, order: Order, outcome: LoadOutcome, steps: Steps) -> None:
    """Read back what was written, as a step of its own; what was not kept is told and remembered."""
    if not order.parts.verify or not any(isinstance(s.change, (ItemChange, LinkChange)) for s in outcome.settlements):
        return
    with steps.step("verify") as counted:
        try:
            verified = verify(world, outcome.settlements)
            counted.records = outcome.checked = verified.checked
            world.ledger.checked(verified.counts, world.clock.now())
            world.ledger.read_back(verified.fields)
            outcome.findings += verified.findings
            outcome.integrity = verify_whole(world, outcome.settlements)
            world.ledger.forget_relations(outcome.integrity.lost)
            told = set(outcome.findings)
            outcome.findings += (finding for finding in outcome.integrity.findings if finding not in told)
        except (*AWAY, *UNREADABLE) as error:
            steps.met(error)
            outcome.findings.append(
                reduced("verify.skipped", f"What was written could not be read back: {error.message}")
            )
