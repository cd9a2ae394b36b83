"""Schedules and holidays: each minute of a year against a reference, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil import tz
from dateutil.rrule import DAILY, WEEKLY, rrule
from hypothesis import given
from hypothesis import strategies as st

from kiosk.access.calendar import DAYS, Calendar
from kiosk.errors import ConfigurationError
from kiosk.settings import HolidaySettings, ScheduleSettings

UTC_ZONE = ZoneInfo("UTC")


def calendar(zone: str = "UTC", holidays: dict[str, HolidaySettings] | None = None, **schedules: ScheduleSettings) -> Calendar:
    return Calendar(schedules, holidays or {}, ZoneInfo(zone))


def weekly(*spans: str) -> ScheduleSettings:
    return ScheduleSettings(spans=spans)


def is_open(of: Calendar, year: int, month: int, day: int, hour: int = 12, minute: int = 0) -> bool:
    """The schedule `s`, at a time UTC."""
    return "s" in of.at(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp(), trusted=True).schedules


def minutes(start: str, length: timedelta, **by: object) -> set[datetime]:
    """Wall-clock minutes in which a span is open that begins on some days of 2026: counted out one by one."""
    first, last = datetime.fromisoformat(start), datetime.fromisoformat("2027-01-02")
    begins = rrule(DAILY, dtstart=first, until=last, **by)  # type: ignore[arg-type]
    return {begin + timedelta(minutes=step) for begin in begins for step in range(length // timedelta(minutes=1))}


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        ("Europe/Berlin", range(365)),
        ("America/New_York", (*range(65, 69), *range(303, 307))),
        ("Australia/Lord_Howe", (*range(92, 96), *range(274, 278))),
        ("Asia/Shanghai", (0, 1)),
    ],
)
def test_every_minute_of_a_year_is_as_the_clock_on_the_wall_says(zone: str, days: Sequence[int]) -> None:
    """The reference knows the zone from another library, and the spans as minutes counted out."""
    of = calendar(zone, day=weekly("mon-fri 08:00-18:00"), night=weekly("22:30-02:15"), late=weekly("sat,sun 01:30-02:45"))
    reference = {
        "day": minutes("2025-12-29T08:00", timedelta(hours=10), byweekday=range(5)),
        "night": minutes("2025-12-29T22:30", timedelta(hours=3, minutes=45)),
        "late": minutes("2025-12-29T01:30", timedelta(hours=1, minutes=15), byweekday=(5, 6)),
    }
    there, begin = tz.gettz(zone), datetime(2026, 1, 1, tzinfo=UTC)
    wrong = []
    for step in (day * 1440 + minute for day in days for minute in range(1440)):
        moment = begin + timedelta(minutes=step)
        wall = moment.astimezone(there).replace(tzinfo=None)
        expected = {name for name, open_in in reference.items() if wall in open_in}
        seen = of.at(moment.timestamp(), trusted=True)
        if set(seen.schedules) != expected or (seen.date, seen.minute) != (f"{wall:%Y-%m-%d}", wall.hour * 60 + wall.minute):
            wrong.append((moment, seen, expected))
    assert wrong == []


@given(st.sampled_from(DAYS), st.sampled_from(DAYS), st.integers(0, 1439), st.integers(0, 1440), st.integers(0, 7 * 1440 - 1))
def test_a_weekly_span_is_open_on_its_days_and_into_the_next(first: str, last: str, start: int, end: int, at: int) -> None:
    of = calendar(s=weekly(f"{first}-{last} {start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"))
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    run = (DAYS.index(last) - DAYS.index(first)) % 7
    days = {(DAYS.index(first) + step) % 7 for step in range(run + 1)}
    length = end - start if end > start else end - start + 1440
    begins = rrule(WEEKLY, dtstart=monday - timedelta(days=7), until=monday + timedelta(days=7), byweekday=sorted(days))
    moment = monday + timedelta(minutes=at)
    expected = any(begin + timedelta(minutes=start) <= moment < begin + timedelta(minutes=start + length) for begin in begins)
    assert ("s" in of.at(moment.timestamp(), trusted=True).schedules) is expected


def test_a_span_of_no_length_is_a_whole_day() -> None:
    of = calendar(s=weekly("sun 06:00-06:00"))
    assert is_open(of, 2026, 3, 1, 6)
    assert is_open(of, 2026, 3, 2, 5, 59)
    assert not is_open(of, 2026, 3, 2, 6)


def test_a_date_of_its_own_comes_before_holiday_and_week() -> None:
    christmas = {"christmas": HolidaySettings(yearly="12-25")}
    settings = ScheduleSettings(spans=("08:00-18:00",), dates={date(2026, 12, 25): ("11:00-13:00",), date(2026, 12, 28): ()})
    of = calendar(holidays=christmas, s=settings)
    assert is_open(of, 2026, 12, 25, 12)
    assert not is_open(of, 2026, 12, 25, 14)
    assert not is_open(of, 2026, 12, 28)
    assert not is_open(of, 2027, 12, 25)
    assert of.at(datetime(2026, 12, 25, tzinfo=UTC).timestamp(), trusted=True).holidays == ("christmas",)


@pytest.mark.parametrize(
    ("holidays", "open_at_noon"), [("closed", False), ("as_usual", True), (("11:00-13:00",), True), ((), False)]
)
def test_what_a_schedule_does_on_a_holiday(holidays: str | tuple[str, ...], open_at_noon: bool) -> None:
    settings = ScheduleSettings.model_validate({"spans": ["08:00-18:00"], "holidays": holidays})
    of = calendar(holidays={"new-year": HolidaySettings(yearly="01-01")}, s=settings)
    assert is_open(of, 2026, 1, 1) is open_at_noon
    assert is_open(of, 2026, 1, 2)


@pytest.mark.parametrize(
    ("settings", "days"),
    [
        (HolidaySettings(yearly="02-29"), [date(2024, 2, 29), date(2028, 2, 29)]),
        (HolidaySettings(dates=(date(2026, 2, 17), date(2027, 2, 6))), [date(2026, 2, 17), date(2027, 2, 6)]),
        (HolidaySettings(rule="FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"), [date(2025, 11, 27), date(2026, 11, 26), date(2027, 11, 25)]),
        (HolidaySettings(rule="FREQ=YEARLY;BYEASTER=1"), [date(2025, 4, 21), date(2026, 4, 6), date(2027, 3, 29)]),
        (HolidaySettings(yearly="07-04", if_weekend="nearest"), [date(2026, 7, 3), date(2026, 7, 4), date(2027, 7, 5)]),
        (HolidaySettings(yearly="12-26", if_weekend="monday"), [date(2026, 12, 26), date(2026, 12, 28), date(2027, 12, 27)]),
        (HolidaySettings(yearly="01-01", if_weekend="nearest"), [date(2021, 12, 31), date(2022, 1, 1)]),
    ],
)
def test_holidays_that_stay_and_that_move(settings: HolidaySettings, days: list[date]) -> None:
    of = calendar(holidays={"h": settings})
    assert [of.holidays(day) for day in days] == [("h",)] * len(days)
    first, last = days[0], days[-1]
    span = [first + timedelta(days=step) for step in range((last - first).days + 1)]
    kept = [day for day in span if of.holidays(day)]
    assert set(days) <= set(kept)
    assert len(kept) <= 2 * (last.year - first.year + 1)


def test_the_weekend_stands_in_the_facts_without_schedules() -> None:
    seen = calendar("Asia/Tokyo").at(datetime(2026, 11, 20, 16, 30, tzinfo=UTC).timestamp(), trusted=False)
    assert (seen.weekday, seen.minute, seen.date, seen.trusted) == (5, 90, "2026-11-21", False)


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (weekly("mon-fry 08:00-18:00"), "there is no day 'fry', only mon,"),
        (weekly("mon 08:00-25:00"), "there is no time '25:00'"),
        (weekly("mon 08:60-09:00"), "there is no time '08:60'"),
        (ScheduleSettings(dates={date(2026, 1, 1): ("24:30-25:00",)}), "schedules.s.dates: "),
    ],
)
def test_a_time_that_is_none_is_refused_with_its_place(schedule: ScheduleSettings, said: str) -> None:
    with pytest.raises(ConfigurationError, match=r"schedules\.s") as refused:
        calendar(s=schedule)
    assert refused.value.slug == "calendar_invalid"
    assert said in refused.value.detail


@pytest.mark.parametrize(
    "rule", ["FREQ=SECONDLY", "FREQ=YEARLY;COUNT=3", "often", "FREQ=YEARLY;BYMONTH=x", "FREQ=YEARLY\nFREQ=DAILY", "FREQ=NEVER"]
)
def test_a_recurrence_that_is_none_is_refused(rule: str) -> None:
    with pytest.raises(ConfigurationError, match=r"holidays\.h\.rule") as refused:
        calendar(holidays={"h": HolidaySettings(rule=rule)})
    assert refused.value.slug == "calendar_invalid"


def test_a_date_that_no_year_has_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"holidays\.h\.yearly"):
        calendar(holidays={"h": HolidaySettings(yearly="02-30")})
