"""One piece of work that several of a customer's tickets ask for.

# Note [One piece of work]
A customer may be in two procedures at once (the sixth day comes while Sales still talks to who switched the equipment off), and both may
ask for the same thing. Steps that share a `work` exclude each other across the customer's tickets: what another ticket has open is held
here until that ticket finishes it (passed over here) or closes without (it opens here). Only what is open excludes, so no two tickets ever
wait for each other.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Elsewhere:
    """A piece of work in another ticket of the customer, the one with this `number`: open there, or `done`."""

    number: int
    done: bool = False

    @property
    def words(self) -> str:
        """Why nobody has to do it here (Spanish)."""
        done, held = "Este trabajo ya se hizo en el ticket", "Este trabajo ya está abierto en el ticket"
        return f"{done if self.done else held} n.º {self.number}."
