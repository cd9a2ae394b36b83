"""Wiegand's pulses: what a reader sends is read, and anything else is refused with its reason."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.access import wiegand
from kiosk.access.wiegand import Decoder, Read
from kiosk.slugs import TABLE

PULSE, GAP = 50e-6, 1e-3

cards = st.one_of(
    st.tuples(st.just(26), st.integers(0, 255), st.integers(0, 65_535)),
    st.tuples(st.just(34), st.integers(0, 65_535), st.integers(0, 65_535)),
)


def send(decoder: Decoder, bits: Sequence[int], at: float = 100.0, pulse: float = PULSE, gap: float = GAP) -> list[Read]:
    """Plays a frame and the silence after it; all that was read."""
    reads = []
    for bit in bits:
        reads += [decoder.edge(at, bit, low=True), decoder.edge(at + pulse, bit, low=False)]
        at += gap
    reads.append(decoder.silence(at + wiegand.SILENCE))
    return [read for read in reads if read is not None]


def flipped(bits: Sequence[int], *places: int) -> list[int]:
    return [bit ^ (place in places) for place, bit in enumerate(bits)]


def test_a_known_card_has_the_bits_its_maker_prints() -> None:
    # Facility 1, number 1: one 1 in each half, so that both parities are told apart.
    assert wiegand.frame(26, 1, 1) == tuple(map(int, "10000000100000000000000010"))


@given(cards, st.floats(20e-6, 100e-6), st.floats(200e-6, 20e-3))
def test_what_is_sent_at_any_allowed_pace_is_read(card: tuple[int, int, int], pulse: float, gap: float) -> None:
    [read] = send(Decoder(), wiegand.frame(*card), pulse=pulse, gap=gap)
    assert read.card == ":".join(map(str, card))
    assert read.slug == ""


@given(cards, st.data())
def test_one_flipped_bit_is_always_found(card: tuple[int, int, int], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, card[0] - 1))
    [read] = send(Decoder(), flipped(wiegand.frame(*card), place))
    assert (read.card, read.slug) == ("", "wiegand_parity")


@given(st.lists(st.integers(0, 1), min_size=1, max_size=200).filter(lambda bits: len(bits) not in wiegand.LENGTHS))
def test_a_frame_of_another_length_is_no_card(bits: list[int]) -> None:
    assert [(read.card, read.slug) for read in send(Decoder(), bits)] == [("", "wiegand_length")]


@given(cards, cards)
def test_the_next_card_is_read_whatever_came_before(first: tuple[int, int, int], second: tuple[int, int, int]) -> None:
    decoder = Decoder()
    send(decoder, wiegand.frame(*first)[:-3])
    assert [read.card for read in send(decoder, wiegand.frame(*second), at=200.0)] == [":".join(map(str, second))]


def test_a_frame_that_follows_without_anyone_asking_ends_the_one_before() -> None:
    decoder, bits = Decoder(), wiegand.frame(26, 12, 3456)
    at = 100.0
    reads = []
    for start in (at, at + 1):
        for number, bit in enumerate(bits):
            reads.append(decoder.edge(start + number * GAP, bit, low=True))
            decoder.edge(start + number * GAP + PULSE, bit, low=False)
    assert [read.card for read in reads if read] == ["26:12:3456"]
    assert decoder.due == pytest.approx(at + 1 + 25 * GAP + wiegand.SILENCE)


@given(cards, st.data())
def test_both_lines_at_once_spoil_the_frame(card: tuple[int, int, int], data: st.DataObject) -> None:
    bits, decoder = wiegand.frame(*card), Decoder()
    together = data.draw(st.integers(0, len(bits) - 1))
    for number, bit in enumerate(bits):
        at = 100 + number * GAP
        decoder.edge(at, bit, low=True)
        if number == together:
            decoder.edge(at + PULSE / 2, 1 - bit, low=True)
            decoder.edge(at + PULSE, 1 - bit, low=False)
        decoder.edge(at + PULSE, bit, low=False)
    read = decoder.silence(101.0)
    assert read is not None
    assert (read.card, read.slug) == ("", "wiegand_both_lines")


@pytest.mark.parametrize(("pulse", "gap"), [(1e-6, GAP), (5e-3, 15e-3), (20e-6, 60e-6)], ids=["spike", "stuck", "too dense"])
def test_pulses_no_reader_sends_are_noise(pulse: float, gap: float) -> None:
    assert [read.slug for read in send(Decoder(), wiegand.frame(26, 12, 3456), pulse=pulse, gap=gap)] == ["wiegand_noise"]


def test_a_line_that_stays_low_is_noise() -> None:
    decoder = Decoder()
    decoder.edge(100.0, 0, low=True)
    assert decoder.silence(100.0 + wiegand.SILENCE / 2) is None
    assert decoder.silence(101.0) == Read(100.0, slug="wiegand_noise")


@given(st.lists(st.tuples(st.floats(0, 0.05), st.integers(0, 1), st.booleans()), max_size=300))
def test_any_edges_give_frames_with_a_card_or_a_known_reason(edges: list[tuple[float, int, bool]]) -> None:
    decoder, at, reads = Decoder(), 100.0, []
    for pause, line, low in edges:
        at += pause
        reads.append(decoder.edge(at, line, low=low))
    reads.append(decoder.silence(at + 1))
    assert decoder.due is None
    assert all(bool(read.card) != bool(read.slug) for read in reads if read)
    assert all(read.slug in TABLE for read in reads if read and read.slug)


@given(st.sampled_from([26, 34]), st.integers(1 << 16, 1 << 20))
def test_numbers_that_do_not_fit_are_refused(length: int, number: int) -> None:
    with pytest.raises(ValueError, match="hold no facility"):
        wiegand.frame(length, 0, number)
