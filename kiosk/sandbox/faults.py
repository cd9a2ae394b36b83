"""What shall go wrong, to whom, how often: a fault script and how far it has come.

Decisions only: the server does what is decided. The same script and the same calls give the same faults.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, get_args

import msgspec
from msgspec import Meta, Struct

from kiosk.errors import ConfigurationError, did_you_mean

EVERY = "*"
_LONGEST = 600.0
Seconds = Annotated[float, Meta(ge=0, le=_LONGEST)]


class Fault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind"):
    """Strikes calls of `interface` with `probability`, but for the first `after` of them, and `count` times at most."""

    interface: str = EVERY
    probability: Annotated[float, Meta(gt=0, le=1)] = 1.0
    after: Annotated[int, Meta(ge=0)] = 0
    count: Annotated[int, Meta(ge=1)] | None = None

    @property
    def kind(self) -> str:
        return str(self.__struct_config__.tag)


class Delay(Fault, frozen=True, kw_only=True, tag="delay"):
    """The answer comes later by so many seconds, or by some number from `seconds` to `most`."""

    seconds: Seconds
    most: Seconds | None = None


class ClockShift(Fault, frozen=True, kw_only=True, tag="clock_shift"):
    """The sandbox's clock is off by so many seconds, for this call's signature and Date header."""

    seconds: Annotated[float, Meta(ge=-1e9, le=1e9)]


class Lost(Fault, frozen=True, kw_only=True):
    """Something else comes in place of the answer. `carried_out`: whether what was asked is done all the same."""

    carried_out: bool = False

    @property
    def outcome(self) -> str:
        """As the records name it."""
        return self.kind


class Drop(Lost, frozen=True, kw_only=True, tag="drop"):
    """The connection is closed."""


class Reset(Lost, frozen=True, kw_only=True, tag="reset"):
    """The connection is reset (RST)."""


class Status(Lost, frozen=True, kw_only=True, tag="status"):
    """A gateway's answer with a status of its own."""

    status: Annotated[int, Meta(ge=400, le=599)]

    @property
    def outcome(self) -> str:
        return f"http_{self.status}"


class Html(Lost, frozen=True, kw_only=True, tag="html"):
    """A captive portal's page, with status 200."""


class Arrears(Fault, frozen=True, kw_only=True, tag="arrears"):
    """The account is in arrears, by the code of each generation of interfaces."""


class Offline(Fault, frozen=True, kw_only=True, tag="offline"):
    """The interface goes offline, likewise."""


class Truncated(Fault, frozen=True, kw_only=True, tag="truncated"):
    """Half of the answer that was announced, then the end of the connection."""


class HalfJson(Fault, frozen=True, kw_only=True, tag="half_json"):
    """An answer that is whole for HTTP and half for JSON."""


class Slow(Fault, frozen=True, kw_only=True, tag="slow"):
    """The answer's body dribbles in over so many seconds."""

    seconds: Seconds


Refusing = Arrears | Offline
Spoiling = Truncated | HalfJson | Slow
"""These need the answer to spoil it."""
End = Drop | Reset | Status | Html | Refusing | Spoiling
AnyFault = Delay | ClockShift | End


class Plan(Struct, frozen=True, forbid_unknown_fields=True):
    """A fault script, as TOML or JSON has it: `seed`, and a `[[fault]]` for each. `clock_shift` and `delay` go with others;
    of the rest a call gets the first that strikes it.
    """

    seed: int = 0
    fault: Annotated[tuple[AnyFault, ...], Meta(max_length=100)] = ()


NO_FAULTS = Plan()


class Met(NamedTuple):
    """What a call meets: `delay` and `shift` in seconds, what comes of its answer, and the kinds of faults that struck it."""

    delay: float = 0.0
    shift: float = 0.0
    end: End | None = None
    kinds: tuple[str, ...] = ()


NOTHING = Met()


@dataclass
class _Running:
    fault: AnyFault
    chance: random.Random
    seen: int = 0
    struck: int = 0

    def strikes(self) -> bool:
        fault = self.fault
        self.seen += 1
        lucky = self.chance.random() < fault.probability
        return lucky and self.seen > fault.after and (fault.count is None or self.struck < fault.count)


class Script:
    """A plan in force. Event loop only."""

    def __init__(self, plan: Plan = NO_FAULTS) -> None:
        self.follow(plan)

    def follow(self, plan: Plan) -> None:
        """From its beginning."""
        self.plan = plan
        # Each fault draws from a series of its own, so that another one beside it changes nothing.
        self._running = [_Running(fault, random.Random(f"{plan.seed} {number}")) for number, fault in enumerate(plan.fault)]  # noqa: S311 (to be repeated, not to be secret)

    def meet(self, interface: str) -> Met:
        """What becomes of the next call of this interface."""
        met = NOTHING
        for running in self._running:
            fault = running.fault
            if fault.interface not in {EVERY, interface} or not running.strikes():
                continue
            match fault:
                case Delay(seconds=least, most=most):
                    met = met._replace(delay=met.delay + running.chance.uniform(least, most or least))
                case ClockShift(seconds=seconds):
                    met = met._replace(shift=met.shift + seconds)
                case _ if met.end is None:
                    met = met._replace(end=fault)
                case _:
                    continue
            running.struck += 1
            met = met._replace(kinds=(*met.kinds, fault.kind))
        return met

    def state(self) -> Mapping[str, object]:
        """The plan, and how many calls each fault has seen and struck."""
        faults = [{**msgspec.to_builtins(one.fault), "seen": one.seen, "struck": one.struck} for one in self._running]
        return {"seed": self.plan.seed, "fault": faults}


def read_toml(text: bytes, interfaces: Collection[str]) -> Plan:
    """Raises ConfigurationError `faults_invalid`, saying where; `interfaces` are the names a fault may be for."""
    return _read(lambda: msgspec.toml.decode(text, type=Plan), interfaces)


def read_json(text: bytes, interfaces: Collection[str]) -> Plan:
    """Likewise."""
    return _read(lambda: msgspec.json.decode(text, type=Plan), interfaces)


def _read(decode: Callable[[], Plan], interfaces: Collection[str]) -> Plan:
    try:
        plan = decode()
    except msgspec.ValidationError as error:
        raise ConfigurationError("faults_invalid", _told(str(error))) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError("faults_invalid", f"{error}"[:300]) from error
    for number, fault in enumerate(plan.fault, 1):
        if fault.interface != EVERY and fault.interface not in interfaces:
            near = did_you_mean(fault.interface, interfaces)
            raise ConfigurationError("faults_invalid", f"fault {number}: there is no interface '{fault.interface}'{near}")
        if isinstance(fault, Delay) and fault.most is not None and fault.most < fault.seconds:
            raise ConfigurationError("faults_invalid", f"fault {number}: most is less than seconds")
    return plan


_KINDS: Mapping[str, type[Any]] = {str(kind.__struct_config__.tag): kind for kind in get_args(AnyFault)}


def _told(message: str) -> str:
    """The library's words, faults counted from 1, and what could have been meant."""
    words = re.sub(r" - at `\$\.fault\[(\d+)\](.*)`$", lambda found: f" (fault {int(found[1]) + 1}{found[2]})", message)
    unknown = re.match(r"Invalid value '(.*)' \(fault \d+\.kind\)", words)
    if unknown:
        return f"{words}{did_you_mean(unknown[1], _KINDS) or '; the kinds are ' + ', '.join(_KINDS)}"
    field = re.match(r"Object contains unknown field `(.*?)`", words)
    if field:
        known = {"seed", "fault"}.union(*(kind.__struct_fields__ for kind in _KINDS.values()))
        return words + did_you_mean(field[1], known)
    return words
