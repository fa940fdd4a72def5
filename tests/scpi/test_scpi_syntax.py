"""Program messages: framed whatever the packets, blocks taken as they are; headers in every form that SCPI allows."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zbo_scpi.simulator.headers import Table, absolute
from zbo_scpi.simulator.status import ScpiError
from zbo_scpi.simulator.syntax import Framer, Unit, block, units

HEADERS = st.from_regex(r"[*:]?[A-Z]{1,5}(:[A-Z]{1,5})?\??", fullmatch=True)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126))
WORDS = st.from_regex(r"[A-Za-z0-9+.-]{1,8}", fullmatch=True)
Said = tuple[str, str | bytes]


@st.composite
def messages(draw: st.DrawFn) -> tuple[bytes, list[Unit]]:
    """A message as bytes, and what it says."""
    parts, said = [], []
    for header in draw(st.lists(HEADERS, min_size=1, max_size=3)):
        arguments = draw(st.lists(st.one_of(WORDS, TEXTS.map(lambda t: f'"{t}'), st.binary(max_size=40)), max_size=3))
        raw, meant = [], []
        for argument in arguments:
            if isinstance(argument, bytes):
                raw.append(block(argument))
                meant.append(argument)
            elif argument.startswith('"'):
                raw.append(b'"' + argument[1:].replace('"', '""').encode() + b'"')
                meant.append(argument[1:])
            else:
                raw.append(argument.encode())
                meant.append(argument)
        parts.append(header.encode() + (b" " + b" , ".join(raw) if raw else b""))
        said.append(Unit(header, tuple(meant)))
    return b" ; ".join(parts), said


@given(st.lists(messages(), min_size=1, max_size=3), st.lists(st.integers(0, 300), max_size=12))
@settings(max_examples=60, deadline=None)
@example([(b"A " + block(b"\n;\"#,'"), [Unit("A", (b"\n;\"#,'",))])], [1, 2, 3, 4, 5, 6, 7, 8])
def test_messages_are_understood_however_they_are_cut_into_packets(
    sent: list[tuple[bytes, list[Unit]]], cuts: list[int]
) -> None:
    stream = b"".join(raw + b"\n" for raw, _ in sent)
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    framer = Framer()
    packets = [stream[begin:end] for begin, end in pairwise(places)]
    framed = [message for packet in packets for message in framer.feed(packet)]
    assert [units(message) for message in framed] == [said for _, said in sent]


def test_a_block_in_single_bytes_ends_where_its_length_says() -> None:
    framer, stream = Framer(), b"DATA X,#15\n\n\n\n\n;NEXT 1\nLAST\n"
    framed = [message for index in range(len(stream)) for message in framer.feed(stream[index : index + 1])]
    assert [units(message) for message in framed] == [
        [Unit("DATA", ("X", b"\n" * 5)), Unit("NEXT", ("1",))],
        [Unit("LAST")],
    ]


def test_a_string_that_is_never_closed_ends_with_its_line() -> None:
    first, second = Framer().feed(b'SAY "oh\n*IDN?\n')
    with pytest.raises(ScpiError, match="-151"):
        units(first)
    assert units(second) == [Unit("*IDN?")]


@pytest.mark.parametrize("raw", [b"DATA #0abc", b"DATA #13ab", b"DATA #12abc", b"DATA #3"])
def test_a_block_that_is_none_is_an_error(raw: bytes) -> None:
    with pytest.raises(ScpiError, match="-161"):
        units(raw)


def test_a_block_too_long_to_take_in_is_refused_before_it_comes() -> None:
    with pytest.raises(ScpiError, match="-363"):
        list(Framer().feed(b"DATA #9999999999"))


PATTERNS = {"[SOURce#:]VOLTage[:LEVel]": 1, "[SOURce#:]VOLTage:OFFSet?": 2, "*IDN?": 3, "OUTPut#[:STATe]": 4}


@pytest.mark.parametrize(
    ("header", "pattern", "number"),
    [
        ("VOLT", "[SOURce#:]VOLTage[:LEVel]", 1),
        ("sour2:volt:lev", "[SOURce#:]VOLTage[:LEVel]", 2),
        ("SOURCE3:VOLTAGE", "[SOURce#:]VOLTage[:LEVel]", 3),
        ("Sour:Volt:Offs?", "[SOURce#:]VOLTage:OFFSet?", 1),
        ("*idn?", "*IDN?", 1),
        ("OUTP12:STAT", "OUTPut#[:STATe]", 12),
    ],
)
def test_headers_come_short_or_long_with_and_without_their_options(header: str, pattern: str, number: int) -> None:
    assert Table(PATTERNS).find(header) == (pattern, number)


@pytest.mark.parametrize("header", ["VOLTA", "VOL", "SOUR:OUTP", "VOLT?", "*IDN", "OUTP:STATE:ON", "OUTPUTS", ""])
def test_headers_of_nothing_are_undefined(header: str) -> None:
    with pytest.raises(ScpiError, match="-113"):
        Table(PATTERNS).find(header)


def test_a_header_goes_on_where_the_last_one_was() -> None:
    whole, path = absolute("SOUR2:VOLT:OFFS", "")
    assert (whole, path) == ("SOUR2:VOLT:OFFS", "SOUR2:VOLT:")
    assert absolute("*OPC", path) == ("*OPC", "SOUR2:VOLT:")
    assert absolute("LEV", path) == ("SOUR2:VOLT:LEV", "SOUR2:VOLT:")
    assert absolute(":OUTP", path) == ("OUTP", "")
