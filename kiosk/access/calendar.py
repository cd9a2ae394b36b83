"""Schedules and holidays: what the calendar says of a moment. Pure: the moment comes in, dates are only counted.

The clock on the wall decides. In the hour that winter time repeats, a span counts both times; of the hour that summer time
leaves out nothing is left, and a span that would begin in it begins where the clock goes on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from itertools import islice
from typing import NamedTuple

from dateutil.rrule import rrule, rrulestr

from kiosk.access.facts import LocalTime
from kiosk.errors import ConfigurationError
from kiosk.settings import HolidaySettings, ScheduleSettings

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 24 * 60
_SATURDAY, _SUNDAY = 5, 6
_MOST_DATES = 366
_LEAP_YEAR = 2024
"""A year that has every day, against which dates and recurrences are checked."""
_REFUSED = "COUNT", "UNTIL", "DTSTART", "SECONDLY", "MINUTELY", "HOURLY", "BYHOUR", "BYMINUTE", "BYSECOND"


class _Span(NamedTuple):
    """Minutes of the day on which it begins; an `end` over 1440 is on the next one."""

    days: frozenset[int]
    start: int
    end: int


class Calendar:
    """Thread rule: any thread."""

    def __init__(self, schedules: Mapping[str, ScheduleSettings], holidays: Mapping[str, HolidaySettings], zone: tzinfo) -> None:
        """Raises ConfigurationError `calendar_invalid` for a time, a date or a recurrence that there is none of."""
        self._zone = zone
        self._holidays = {name: _Holiday(name, settings) for name, settings in holidays.items()}
        self._schedules = {name: _Schedule(name, settings) for name, settings in schedules.items()}
        self._kept: dict[int, Mapping[date, tuple[str, ...]]] = {}

    def at(self, moment: float, *, trusted: bool) -> LocalTime:
        """`moment`: Unix seconds."""
        local = datetime.fromtimestamp(moment, self._zone)
        today, minute = local.date(), local.hour * 60 + local.minute
        return LocalTime(
            weekday=today.weekday(),
            minute=minute,
            trusted=trusted,
            date=today.isoformat(),
            schedules=tuple(name for name, schedule in self._schedules.items() if self._is_open(schedule, today, minute)),
            holidays=self.holidays(today),
        )

    def holidays(self, day: date) -> tuple[str, ...]:
        """The names of those kept on `day`."""
        return self._of_year(day.year).get(day, ())

    def _is_open(self, schedule: _Schedule, today: date, minute: int) -> bool:
        yesterday = today - timedelta(days=1)
        return any(span.start <= minute < span.end for span in schedule.spans(today, self.holidays(today))) or any(
            minute + _DAY < span.end for span in schedule.spans(yesterday, self.holidays(yesterday))
        )

    def _of_year(self, year: int) -> Mapping[date, tuple[str, ...]]:
        if year not in self._kept:
            found: dict[date, list[str]] = defaultdict(list)
            for name, holiday in self._holidays.items():
                # A substitute may fall into the year beside.
                for day in {one for near in (year - 1, year, year + 1) for one in holiday.days(near) if one.year == year}:
                    found[day].append(name)
            self._kept = {year: {day: tuple(names) for day, names in found.items()}, **dict(islice(self._kept.items(), 2))}
        return self._kept[year]


class _Schedule:
    def __init__(self, name: str, settings: ScheduleSettings) -> None:
        where = f"schedules.{name}"
        self._weekly = _spans(where, settings.spans)
        self._dates = {day: _spans(f"{where}.dates", spans) for day, spans in settings.dates.items()}
        special = () if settings.holidays == "closed" else settings.holidays
        self._on_holidays = None if special == "as_usual" else _spans(f"{where}.holidays", special)

    def spans(self, day: date, holidays: Sequence[str]) -> Iterator[_Span]:
        """Those that begin on `day`: of that date, else of a holiday, else of the week."""
        spans = self._weekly if self._on_holidays is None or not holidays else self._on_holidays
        return (span for span in self._dates.get(day, spans) if day.weekday() in span.days)


class _Holiday:
    def __init__(self, name: str, settings: HolidaySettings) -> None:
        self._where = f"holidays.{name}"
        self._settings = settings
        self.days(_LEAP_YEAR)

    def days(self, year: int) -> frozenset[date]:
        """Those of a year, and what stands in for them."""
        own = frozenset(self._own(year))
        return own | {self._instead(day) for day in own}

    def _own(self, year: int) -> Iterator[date]:
        if self._settings.rule:
            yield from (day.date() for day in islice(self._recurrence(year).between(*_year(year), inc=True), _MOST_DATES))
        elif self._settings.yearly:
            month, day = (int(part) for part in self._settings.yearly.split("-"))
            try:
                yield date(year, month, day)
            except ValueError as error:
                # The 29th of February is a date of some years only.
                if year == _LEAP_YEAR:
                    raise ConfigurationError("calendar_invalid", f"{self._where}.yearly: {error}") from error
        else:
            yield from (day for day in self._settings.dates if day.year == year)

    def _recurrence(self, year: int) -> rrule:
        text = self._settings.rule.upper()
        wrong = [word for word in _REFUSED if word in text]
        if wrong:
            raise ConfigurationError("calendar_invalid", f"{self._where}.rule: days of every year are meant, without {wrong[0]}")
        try:
            found = rrulestr(text, dtstart=_year(year)[0])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            said = f"'{self._settings.rule}' is no recurrence such as FREQ=YEARLY;BYMONTH=11;BYDAY=4TH ({error})"
            raise ConfigurationError("calendar_invalid", f"{self._where}.rule: {said}") from error
        if not isinstance(found, rrule):
            raise ConfigurationError("calendar_invalid", f"{self._where}.rule: one recurrence is meant, not several")
        return found

    def _instead(self, day: date) -> date:
        weekday, manner = day.weekday(), self._settings.if_weekend
        if manner == "stays" or weekday < _SATURDAY:
            return day
        before = manner == "nearest" and weekday == _SATURDAY
        return day + timedelta(days=-1 if before else 2 if weekday == _SATURDAY else 1)


def _year(year: int) -> tuple[datetime, datetime]:
    return datetime(year, 1, 1), datetime(year, 12, 31)  # noqa: DTZ001 (dates of the calendar; no clock shows them)


def _spans(where: str, texts: Sequence[str]) -> tuple[_Span, ...]:
    try:
        return tuple(_span(text) for text in texts)
    except ValueError as error:
        raise ConfigurationError("calendar_invalid", f"{where}: {error}") from error


def _span(text: str) -> _Span:
    days, _, hours = text.rpartition(" ")
    start, end = (_minute(text, clock) for clock in hours.split("-"))
    return _Span(frozenset(_days(text, days)), start, end if end > start else end + _DAY)


def _days(text: str, days: str) -> Iterator[int]:
    for part in days.split(",") if days else ["mon-sun"]:
        names = part.split("-")
        for name in names:
            if name not in DAYS:
                raise ValueError(f"'{text}': there is no day '{name}', only {', '.join(DAYS)}")
        first, last = DAYS.index(names[0]), DAYS.index(names[-1])
        yield from ((first + step) % 7 for step in range((last - first) % 7 + 1))


def _minute(text: str, clock: str) -> int:
    hour, minute = (int(part) for part in clock.split(":"))
    if hour * 60 + minute > _DAY or minute > 59:
        raise ValueError(f"'{text}': there is no time '{clock}'")
    return hour * 60 + minute
