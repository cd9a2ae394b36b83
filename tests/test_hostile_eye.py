"""An eye is believed as far as a stranger: whatever it says within its messages' bounds, the daemon and its books go on."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kiosk.domain import Began, Crowd, Ended, Shot
from kiosk.eye import messages
from kiosk.journal.log import verify
from kiosk.settings import LivenessPolicy
from tests.attendant_stage import running
from tests.hostile_eye import said, spoken

Story = list[dict[str, Any]]


def _of_one(visit: Story) -> Story:
    """The same of one presentation, who is in view."""
    one: Story = []
    for each in visit:
        about = {"presentation": 1} if "presentation" in each else {}
        seen = {"present": [1, *each["present"][:1]]} if "present" in each else {}
        shown = {"probe": each["probe"] | {"presentation": 1}} if "probe" in each else {}
        one.append(each | about | seen | shown)
    return one


VISIT = st.tuples(*map(said, (Began, messages.Examined, Shot, messages.Examined, messages.Seeing, Ended))).map(list).map(_of_one)
STORIES = st.lists(st.one_of(VISIT, st.lists(said(messages.Seeing | Crowd), max_size=9)), min_size=1, max_size=5)


@pytest.mark.parametrize("policy", ["off", "passive"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.generate])
@given(stories=STORIES)
def test_nothing_an_eye_can_say_ends_the_daemon(policy: LivenessPolicy, stories: list[Story]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_survives(Path(folder), policy, [each for story in stories for each in story]))


async def _survives(folder: Path, policy: LivenessPolicy, story: Story) -> None:
    async with running(folder, policy) as scene:
        for each in story:
            scene.hear(messages.decode_from_eye(messages.encode(spoken(each, time.monotonic()))))
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.1)
        assert not any(task.done() for task in scene.tasks), "the daemon would have ended"
        scene.tally.metrics.render()
        msgspec.json.encode(scene.tally.feed.recent)
    assert verify(folder / "journal.sqlite").ok
