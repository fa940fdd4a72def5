"""Flow runs of the drill from outside: cancelled by a client, started by a runner that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from uuid import UUID

from drill_campaign import Drill, ended
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
from prefect.client.schemas.objects import State
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling
from waiting import eventually

from zbo_orchestrator.model import Status

_SERVE = (
    "import sys; from prefect.flows import EntrypointType; from zbo_flows.campaign import run_campaign; "
    "run_campaign.serve(sys.argv[1], entrypoint_type=EntrypointType.MODULE_PATH, print_starting_message=False)"
)


def cancelled(drill: Drill) -> None:
    """A client cancels a flow run that no runner looks after."""
    command = drill.driving()
    named = FlowRunFilter(name=FlowRunFilterName(any_=[f"{drill.file.stem} ({drill.history.name})"]))
    with get_client(sync_client=True) as client:
        (run,) = client.read_flow_runs(flow_run_filter=named, sort=FlowRunSort.START_TIME_DESC, limit=2)
    seconds = cancel(drill, run.id)
    code, said = ended(command)
    assert (code, "To go on" in said) == (130, True), said
    was_stopped("cancelled", drill, run.id, seconds)


def cancelled_through_its_runner(drill: Drill) -> None:
    """The runner ends its process, as a rule before the flow has looked."""
    runner, run = served(drill)
    seconds = cancel(drill, run)
    assert eventually(lambda: state(run).is_final())
    runner.send_signal(signal.SIGTERM)
    runner.wait(60)
    drill.bench.let_go()
    drill.leaves_nothing()
    assert state(run).is_cancelled(), state(run)
    first = Status.STOPPED if drill.record.status[0] == Status.STOPPED else Status.INTERRUPTED
    drill.tell("cancelled, with a runner", first.name.lower(), seconds, "went on when run again")
    drill.goes_on(first)


def runner_killed(drill: Drill) -> None:
    """The campaign does not need who started it."""
    runner, run = served(drill)
    runner.kill()
    runner.wait()
    time.sleep(0.5)
    assert drill.bench.driving
    drill.bench.let_go()
    drill.leaves_nothing()
    assert state(run).is_completed()
    drill.tell("runner killed", "scored", "at its end", "went on by itself")
    drill.went_on(*[Status.SCORED] * drill.trials)


def runner_killed_then_cancelled(drill: Drill) -> None:
    """Nobody is left to end its process: the flow itself has to hear of it."""
    runner, run = served(drill)
    runner.kill()
    runner.wait()
    was_stopped("runner killed, cancelled", drill, run, cancel(drill, run))


def served(drill: Drill) -> tuple[subprocess.Popen[bytes], UUID]:
    """A runner, and the flow run that it has started in a process of its own, at its first waveform."""
    drill.bench.hold()
    quick = {"PREFECT_RUNNER_POLL_FREQUENCY": "1", "OMP_NUM_THREADS": "1"}
    runner = subprocess.Popen([sys.executable, "-c", _SERVE, drill.mark], env={**os.environ, **quick})
    assert eventually(lambda: deployment(drill.mark) is not None), "the runner does not come to serve"
    with get_client(sync_client=True) as client:
        parameters = {"campaign": str(drill.file), "history": str(drill.history)}
        run = client.create_flow_run_from_deployment(deployment(drill.mark), parameters=parameters)
    assert eventually(lambda: drill.bench.driving), "it does not come to drive"
    return runner, run.id


def deployment(name: str) -> UUID | None:
    with get_client(sync_client=True) as client:
        try:
            return client.read_deployment_by_name(f"zbo-campaign/{name}").id
        except ObjectNotFound:
            return None


def cancel(drill: Drill, run: UUID) -> str:
    """Seconds from the client's word until the output was off."""
    moment = time.monotonic()
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run, Cancelling())
    return drill.off(moment)


def state(run: UUID) -> State[object]:
    with get_client(sync_client=True) as client:
        found = client.read_flow_run(run).state
    assert found is not None
    return found


def was_stopped(name: str, drill: Drill, run: UUID, seconds: str) -> None:
    """The trial is recorded as stopped, the flow run as cancelled, and the campaign goes on when run again."""
    drill.bench.let_go()
    drill.leaves_nothing()
    assert state(run).is_cancelled(), state(run)
    drill.tell(name, Status(int(drill.record.status[0])).name.lower(), seconds, "went on when run again")
    drill.goes_on(Status.STOPPED)
    said = drill.record.trial(0).attempts[-1].error
    assert "the flow run was cancelled; safe state read back output 1 on=0" in said
