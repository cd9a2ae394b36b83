"""An interlock: of the portals that share it one is open at a time, as in a mantrap. Pure; one thread."""

from __future__ import annotations


class Interlock:
    """A portal occupies it from a grant's first row until its lock is safe and its door is closed.

    What is not known to be shut occupies it too: a portal that is not armed, or whose contact is lost. Nobody owns it, so
    nobody can forget to give it back: each portal says after each event whether it occupies it.
    """

    def __init__(self) -> None:
        self._occupied: set[str] = set()

    def tell(self, portal: str, *, occupies: bool) -> None:
        if occupies:
            self._occupied.add(portal)
        else:
            self._occupied.discard(portal)

    def free_for(self, portal: str) -> bool:
        """Whether every other portal is known to be shut."""
        return not self._occupied - {portal}
