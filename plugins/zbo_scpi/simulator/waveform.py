"""The commands of an arbitrary-waveform generator: outputs, waveforms, runs."""

from __future__ import annotations

from collections.abc import Callable

from zbo_scpi.simulator.requests import Request, Vocabulary
from zbo_scpi.simulator.status import ScpiError

WAVEFORM = Vocabulary()
_ITEMS = {("REAL", 64): "f8", ("REAL", 32): "f4", ("INT", 16): "i2"}


# --- outputs


@WAVEFORM.at("OUTPut#[:STATe]", 1)
def _switch(request: Request) -> None:
    request.generator.switch(request.output, on=request.switch())


@WAVEFORM.at("OUTPut#[:STATe]?")
def _is_on(request: Request) -> str:
    return str(int(request.output.on))


def _setting(pattern: str, name: str, lower: Callable[[Request], float], upper: Callable[[Request], float]) -> None:
    """A number of an output: its command, and its query, which also knows MINimum and MAXimum."""

    @WAVEFORM.at(pattern, 1)
    def _set(request: Request) -> None:
        value = request.value()
        if not lower(request) <= value <= upper(request):
            raise ScpiError(-222, f"{value:g}; wanted {lower(request):g} to {upper(request):g}")
        setattr(request.output, name, value)

    @WAVEFORM.at(f"{pattern}?", 0, 1)
    def _get(request: Request) -> str:
        if not request.arguments:
            return repr(getattr(request.output, name))
        return repr(float((lower if request.choice("MINimum", "MAXimum") == "MIN" else upper)(request)))


_setting(
    "[SOURce#:]VOLTage[:LEVel][:IMMediate][:AMPLitude]",
    "amplitude",
    lambda _: 0.0,
    lambda request: 2 * request.generator.ratings.volts,
)
_setting(
    "[SOURce#:]VOLTage[:LEVel][:IMMediate]:OFFSet",
    "offset",
    lambda request: -request.generator.ratings.volts,
    lambda request: request.generator.ratings.volts,
)
_setting(
    "[SOURce#:]FUNCtion:ARBitrary:SRATe",
    "rate",
    lambda _: 1e-9,
    lambda request: request.generator.ratings.rate,
)


# --- waveforms


@WAVEFORM.at("FORMat:BORDer", 1)
def _byte_order(request: Request) -> None:
    request.client.big_endian = request.choice("NORMal", "SWAPped") == "NORM"


@WAVEFORM.at("FORMat[:DATA]", 2)
def _item(request: Request) -> None:
    form = request.choice("REAL", "INTeger"), request.whole(64, 1)
    if form not in _ITEMS:
        raise ScpiError(-224, f"{form[0]},{form[1]}; wanted REAL,64, REAL,32 or INT,16")
    request.client.item = _ITEMS[form]


@WAVEFORM.at("[SOURce#:]DATA:ARBitrary", 2)
def _upload(request: Request) -> None:
    request.generator.store(request.output, request.text().upper(), request.samples(1))


@WAVEFORM.at("[SOURce#:]DATA:ARBitrary?", 1)
def _download(request: Request) -> bytes:
    if request.text().upper() not in request.output.memory:
        raise ScpiError(-224, f"no waveform {request.text()}")
    return request.doubles(request.output.memory[request.text().upper()])


@WAVEFORM.at("[SOURce#:]DATA:ARBitrary:POINts?", 0, 1)
def _points(request: Request) -> str:
    if request.arguments:
        request.choice("MAXimum")
    kept = request.output.memory.get(request.output.selected, ())
    return str(request.generator.ratings.points if request.arguments else len(kept))


@WAVEFORM.at("[SOURce#:]DATA:VOLatile:CLEar")
def _forget(request: Request) -> None:
    request.output.memory.clear()


@WAVEFORM.at("[SOURce#:]FUNCtion", 1)
def _shape(request: Request) -> None:
    request.choice("ARBitrary")


@WAVEFORM.at("[SOURce#:]FUNCtion?")
def _shape_is(request: Request) -> str:  # noqa: ARG001 (there is only one)
    return "ARB"


@WAVEFORM.at("[SOURce#:]FUNCtion:ARBitrary", 1)
def _select(request: Request) -> None:
    name = request.text().upper()
    if name not in request.output.memory:
        raise ScpiError(-224, f"no waveform {name}")
    request.output.selected = name


@WAVEFORM.at("[SOURce#:]FUNCtion:ARBitrary?")
def _selected(request: Request) -> str:
    return f'"{request.output.selected}"'


# --- runs


@WAVEFORM.at("TRIGger#:SOURce", 1)
def _trigger_source(request: Request) -> None:
    request.choice("BUS")


@WAVEFORM.at("INITiate#[:IMMediate]")
def _arm(request: Request) -> None:
    request.generator.arm()


@WAVEFORM.at("TRIGger#[:IMMediate]")
def _trigger(request: Request) -> None:
    request.generator.trigger()


@WAVEFORM.at("ABORt")
def _abort(request: Request) -> None:
    request.generator.abort()
