"""What a campaign found against what people use, as one Prefect flow run: its final trainings are tasks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic import Field

from zbo_flows import absence, audience
from zbo_flows.notifying import Stall, telling
from zbo_flows.observed import observed_executor
from zbo_flows.page import key
from zbo_orchestrator.campaign import rebuild
from zbo_orchestrator.comparison import Audience, Comparison, Round, Training, Wish, compare, prepare
from zbo_orchestrator.history import Record
from zbo_orchestrator.model import ExecutionError, Score
from zbo_orchestrator.place import Place
from zbo_orchestrator.report.compared_words import details, failures, notes, spread_words, table, verdict


def _run_name() -> str:
    return f"final training of {Path(flow_run.parameters['history']).name}"


@flow(name="zbo-final-training", flow_run_name=_run_name, retries=0, persist_result=False)
def final_training(  # noqa: PLR0917 (a form's fields)
    history: str,
    seeds: Annotated[int, Field(ge=2, le=1000)] = 8,
    others: list[str] | None = None,
    schedules: list[str] | None = None,
    small: bool = False,
    allow_code: bool = False,
    stall: Annotated[float, Field(ge=1)] = 3600,
) -> dict[str, Any]:
    """Train the best found schedule of a history and what it has to beat, over the same seeds.

    Args:
        history: of a campaign whose executor is comparable
        seeds: trainings of every schedule
        others: further histories, whose best found schedules are tried on this problem
        schedules: names of those to compare; empty: all
        small: train at the campaign's size only
        allow_code: the campaign's file may name Python code and commands to run
        stall: seconds in which a training should end or report; people are told when it does not (`zbo notify`)
    """
    path = Place.of(history)
    campaign = rebuild(Record.read(path).charter.campaign, allow_code=allow_code)
    wish = Wish(seeds, tuple(map(Place.of, others or ())), tuple(schedules or ()), small)
    with absence.heeded(), Stall(stall, telling(UUID(flow_run.id))) as stalling:
        watched = _Logged(audience.listener(), stalling)
        comparison = compare(prepare(campaign, path, wish), watched, dressed=observed_executor)
        with absence.outlived("the comparison"):
            create_markdown_artifact(key=f"{key(comparison.campaign)}-comparison", markdown=_markdown(comparison))
    return {"campaign": comparison.campaign, "history": history, "verdict": verdict(comparison)}


class _Logged(Audience):
    """Tells the flow run's log, then whoever else watches; a stall ends with each step."""

    def __init__(self, inner: Audience, stall: Stall) -> None:
        self._inner, self._stall = inner, stall

    def training(self, name: str, step: int, of: int, values: Mapping[str, float]) -> None:
        self._stall.forward()
        self._inner.training(name, step, of, values)

    def trained(self, training: Training, outcome: Score | ExecutionError, done: int, of: int) -> None:
        said = f"{outcome.value:.6g}" if isinstance(outcome, Score) else str(outcome)
        get_run_logger().info("%d of %d: %s: %s", done, of, training.name, said)
        self._stall.forward(ended=True)
        self._inner.trained(training, outcome, done, of)

    def compared(self, done: Round) -> None:
        get_run_logger().info("%s", spread_words(done))
        self._inner.compared(done)


def _markdown(comparison: Comparison) -> str:
    shown = table(comparison)
    lines = [f"# {comparison.campaign}: best found against what is used", verdict(comparison), ""]
    lines += [f"- {spread_words(each)}" for each in comparison.rounds]
    lines += ["", *(_row(cells) for cells in (shown.headings, ["---"] * len(shown.headings), *shown.rows)), ""]
    lines += [f"- {sentence}" for sentence in details(comparison)]
    lines += [f"- {note}" for note in notes(comparison)]
    lines += [f"- failed: {failure}" for failure in failures(comparison)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
