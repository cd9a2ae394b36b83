"""A portal with a clock, an eye and a relay that do as they are told, for tests of what it orders."""

from __future__ import annotations

from typing import Any

from kiosk.access import portal as door
from kiosk.access.areas import Areas
from kiosk.access.interlock import Interlock
from kiosk.access.portal import Portal
from kiosk.domain import Credential, CredentialKind, Deny, Factor, Grant
from kiosk.settings import PortalSettings


class Case:
    """Time is `now`; `orders` of the last call leave signals out. Rows are committed where `commit` is called, not before."""

    def __init__(self, name: str = "door", shared: Interlock | None = None, areas: Areas | None = None, **settings: Any) -> None:
        self.settings = PortalSettings(**{"presence_within": 0.6, "verdict_ttl": 1.5, "max_unlock": 5.0} | settings)
        self.portal = Portal(name, self.settings, shared, areas)
        self.now = 100.0
        self.orders: list[door.Action] = []
        self.signals: list[str] = []
        self.ticket = 0
        for part in ("contact", "tamper", "fire"):
            if getattr(self.settings, part):
                self.sense(part, True)
        self.feed(door.Armed(self.now))

    @property
    def state(self) -> str:
        return self.portal.state

    @property
    def mode(self) -> str:
        return self.portal.mode

    def feed(self, event: door.Event) -> list[door.Action]:
        actions = self.portal.step(event)
        self.signals += [action.pattern for action in actions if isinstance(action, door.Signal)]
        self.orders = [action for action in actions if not isinstance(action, door.Signal)]
        for action in self.orders:
            if isinstance(action, door.Record) and action.ticket:
                self.ticket = action.ticket
        return self.orders

    def see(self, *presentations: int) -> None:
        assert self.feed(door.Present(self.now, presentations)) == []

    def grant(
        self,
        presentation: int = 7,
        person: str = "alice",
        *,
        life: float = 1.5,
        seconds: float = 3.0,
        require: tuple[Factor, ...] = (),
        seen: bool = True,
        **more: Any,
    ) -> list[door.Action]:
        if seen:
            self.see(presentation)
        decision = Grant(person, "staff", seconds, self.now + life, require=require, **more)
        return self.feed(door.Decided(self.now, presentation, decision))

    def deny(self, presentation: int = 7, reason: str = "not_recognised", **more: Any) -> list[door.Action]:
        return self.feed(door.Decided(self.now, presentation, Deny(reason, "default", **more)))

    def show(self, kind: CredentialKind, person: str = "alice", *, duress: bool = False) -> list[door.Action]:
        return self.feed(door.Presented(self.now, Credential(kind, self.now, person, duress)))

    def commit(self, ticket: int = 0) -> list[door.Action]:
        """The newest row, or that one, is on disk; a relay that is told to move moves."""
        orders = self.feed(door.Committed(self.now, ticket or self.ticket))
        if any(isinstance(order, door.Unlock | door.Hold) for order in orders):
            self.orders = orders + self.feed(door.Energised(self.now))
        return self.orders

    def open(self, presentation: int = 7, person: str = "alice", **more: Any) -> None:
        """Somebody is let in."""
        self.grant(presentation, person, **more)
        self.commit()
        assert self.state in {"unlocked", "held"}, self.orders

    def lock(self) -> list[door.Action]:
        """The relay let go."""
        return self.feed(door.Released(self.now))

    def sense(self, part: Any, active: bool | None) -> list[door.Action]:
        return self.feed(door.Sensed(self.now, part, active))

    def command(self, command: door.Command) -> list[door.Action]:
        return self.feed(door.Commanded(self.now, command, "tester", 1))

    def schedule(self, is_open: bool | None) -> list[door.Action]:
        return self.feed(door.Scheduled(self.now, is_open))

    def wait(self, seconds: float) -> list[door.Action]:
        """One Tick at the end of it."""
        self.now += seconds
        return self.feed(door.Tick(self.now))

    @property
    def slugs(self) -> list[str]:
        """What the last orders said to people, operators and commands, in order."""
        told = (door.Prompt, door.Alarm, door.Answer)
        return [order.slug for order in self.orders if isinstance(order, told)]

    @property
    def rows(self) -> list[str]:
        return [order.kind for order in self.orders if isinstance(order, door.Record)]

    def row(self, kind: str) -> dict[str, object]:
        (found,) = [order for order in self.orders if isinstance(order, door.Record) and order.kind == kind]
        return dict(found.body)

    def ordered(self, kind: type[door.Action]) -> bool:
        return any(isinstance(order, kind) for order in self.orders)
