"""The common commands, the registers and the queue of errors, as a client by hand sees them."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from scpi_wire import Wire

from zbo_scpi.simulator import Simulator

Start = Callable[..., Simulator]
Connect = Callable[[Simulator], Wire]


def test_says_who_it_is_and_that_it_was_switched_on(start: Start, wire: Connect) -> None:
    client = wire(start())
    assert client.ask("*IDN?") == "zbo-orchestrator,SIMULATED-WAVEFORM-GENERATOR,0,1.0"
    assert client.ask("*ESR?") == "128"
    assert client.ask("*ESR?") == "0", "reading clears it"
    assert client.ask("*TST?") == "0"


def test_several_units_are_answered_in_one_line(start: Start, wire: Connect) -> None:
    client = wire(start())
    assert client.ask("*ESE 36;*SRE 255;*ESE?;*SRE?") == "36;191", "bit 6 of *SRE is none"
    assert client.ask("SOUR1:VOLT 3;VOLT:OFFS 0.5;OFFS?;:OUTP?") == "0.5;0"
    assert client.errors() == []


@pytest.mark.parametrize(
    ("command", "error", "event"),
    [
        ("NONSENSE", "-113", 32),
        ("OUTP", "-109", 32),
        ("*CLS 1", "-108", 32),
        ("OUTP7 ON", "-114", 32),
        ("OUTP PERHAPS", "-224", 16),
        ("VOLT much", "-104", 32),
        ("VOLT 1e9", "-222", 16),
        ("VOLT INF", "-222", 16),
        ("*ESE 256", "-222", 16),
        ("DATA:ARB W,none", "-104", 32),
        ("DATA:ARB W,#13abc", "-161", 32),
        ("FUNC:ARB NOBODY", "-224", 16),
        ("*TRG", "-211", 16),
        ("INIT", "-221", 16),
        ('SIM:FAUL "no such"', "-224", 16),
        ("FETC:CAT?", "-230", 16),
    ],
)
def test_errors_are_queued_with_their_number_and_set_their_event(
    start: Start, wire: Connect, command: str, error: str, event: int
) -> None:
    client = wire(start())
    client.say("*CLS", command)
    assert int(client.ask("*ESR?")) == event
    (queued,) = client.errors()
    assert queued.startswith(f'{error},"')


def test_errors_leave_the_queue_in_order_and_a_full_one_says_so(start: Start, wire: Connect) -> None:
    client = wire(start())
    client.say(*(f"NONE{number}" for number in range(40)))
    assert client.ask("SYST:ERR:COUN?") == "30"
    errors = client.errors()
    assert errors[0] == '-113,"Undefined header; NONE0"'
    assert errors[-1] == '-350,"Queue overflow"'


def test_the_status_byte_sums_up_what_was_enabled(start: Start, wire: Connect) -> None:
    client = wire(start())
    client.say("*CLS")
    assert client.ask("*STB?") == "0"
    client.say("*ESE 32", "NONSENSE")
    assert int(client.ask("*STB?")) == 4 | 32
    client.say("*SRE 32")
    assert int(client.ask("*STB?")) == 4 | 32 | 64
    client.say("*CLS")
    assert client.ask("*STB?;*ESE?") == "0;32", "what is enabled outlives *CLS"


def test_a_transition_is_latched_until_it_is_read(start: Start, wire: Connect) -> None:
    client = wire(start())
    client.say("STAT:QUES:ENAB 512", "SIM:INT OPEN", "SIM:INT CLOS")
    assert client.ask("STAT:QUES:COND?") == "0"
    assert int(client.ask("*STB?")) & 8
    assert client.ask("STAT:QUES?") == "512"
    assert client.ask("STAT:QUES?;:STAT:QUES:ENAB?") == "0;512"
    client.say("STAT:PRES")
    assert client.ask("STAT:QUES:ENAB?") == "0"


def test_operation_complete_waits_for_the_run(start: Start, wire: Connect) -> None:
    client = wire(start(pace=1.0))
    client.load()
    client.say("*CLS", "*OPC")
    assert client.ask("*ESR?") == "1", "nothing was going on"
    client.say("INIT", "*OPC")
    assert client.ask("STAT:OPER:COND?") == "32"
    client.say("*TRG")
    assert client.ask("*ESR?;:STAT:OPER:COND?") == "0;16"
    assert client.ask("*OPC?") == "1", "answers when the run is over"
    assert client.ask("*ESR?;:STAT:OPER:COND?") == "1;0"


def test_wait_holds_the_rest_of_the_message_back(start: Start, wire: Connect) -> None:
    client = wire(start(pace=1.0))
    client.load()
    assert client.ask("INIT;*TRG;:STAT:OPER:COND?;*WAI;:STAT:OPER:COND?") == "16;0"


def test_clear_forgets_that_completion_was_asked_for(start: Start, wire: Connect) -> None:
    client = wire(start(pace=1.0))
    client.load()
    client.say("INIT", "*TRG", "*OPC", "*CLS")
    assert client.ask("*OPC?;*ESR?") == "1;0"


def test_each_client_has_its_own_errors_and_events(start: Start, wire: Connect) -> None:
    simulator = start()
    one, other = wire(simulator), wire(simulator)
    one.say("*CLS")
    other.say("*CLS")
    one.say("NONSENSE")
    assert other.errors() == []
    assert other.ask("*ESR?") == "0"
    assert len(one.errors()) == 1


def test_who_leaves_takes_nobody_elses_news_along(start: Start, wire: Connect) -> None:
    simulator = start()
    staying = wire(simulator)
    assert staying.ask("OUTP?") == "0"
    with Wire(simulator.address) as leaving:
        assert leaving.ask("OUTP?") == "0"
    while len(simulator.clients) > 1:
        time.sleep(0.001)
    with Wire(simulator.address) as other:
        other.say("SYST:EST")
    assert staying.errors() == ['-300,"Device-specific error; emergency stop"']


def test_a_block_too_long_ends_the_connection_and_nobody_elses(start: Start, wire: Connect) -> None:
    simulator = start()
    one, other = wire(simulator), wire(simulator)
    one.send(b"DATA:ARB W,#9999999999")
    assert one.line() == "", "the end of what it says cannot be found any more"
    assert other.ask("OUTP?") == "0"
