"""The worker: ``python -m edgebench.measure.worker FD``, one fresh process a launch.

It reads one request from stdin and answers with frames on the pipe FD; whatever a runtime prints
to stdout or stderr lands in the log. It prints nothing itself and dies with its parent.
"""

from __future__ import annotations

import functools
import os
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import msgspec

from edgebench import plugins, wire
from edgebench.errors import EdgebenchError, ModelRefusedError, WireError
from edgebench.host import counters, process
from edgebench.machine import Stage
from edgebench.protocols import ProfilingBackend, ProfilingSession, Session, Settings
from edgebench.records import SCHEMA_VERSION, Record
from edgebench.samples import Samples
from edgebench.wire import Done, LaunchRequest, Probed, ProbeRequest, Progress, Stop, Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_REASON_CHARACTERS = 400


class _Pipe(NamedTuple):
    """Where replies go."""

    stream: BinaryIO

    def send(self, message: wire.Reply) -> None:
        self.stream.write(wire.pack(message))
        self.stream.flush()


class _Launch:
    """One launch in the making: the record grows pass by pass."""

    def __init__(self, request: LaunchRequest, pipe: _Pipe) -> None:
        self.request = request
        self.pipe = pipe
        self.opened: list[Session] = []
        self.stage: Stage = "start"
        self.record = Record(
            run_id=request.run_id,
            case_id=request.case_id,
            launch=request.launch,
            attempt=request.attempt,
            started_at_utc=request.started_at_utc,
            status="ok",
            model_sha256=request.model_sha256,
        )

    def enter(self, stage: Stage) -> None:
        self.stage = stage
        self.pipe.send(Progress(stage=stage))

    def ask(self, message: wire.Reply) -> wire.Request:
        """Tell the parent something and sleep until it answers."""
        self.pipe.send(message)
        return wire.read_request(sys.stdin.buffer)

    def keep(self, **fields: object) -> None:
        self.record = msgspec.structs.replace(self.record, **fields)

    def run(self) -> Record:
        """Every pass in its order; a failure ends the launch and is told in its own words."""
        try:
            try:
                if self.request.free_inputs:
                    self._make_reference()
                    return self.record
                if self.request.profile_calls:
                    self._profile()
                    return self.record
                session = self._load()
                self._measure(session)
                self._check(session)
            finally:
                for session in reversed(self.opened):
                    session.close()
        except Exception as error:  # noqa: BLE001 - any failure of a runtime is a result
            traceback.print_exc()
            self.keep(status="failed", stage=self.stage, reason=_words(error))
        return self.record

    def _make_reference(self) -> None:
        from edgebench.measure import passes  # noqa: PLC0415 - numpy after affinity

        self.backend = plugins.open_backend(self.request.case.backend)
        self.enter("load")
        passes.make_reference(self._open(self.request.case.batch), self.request)

    def _profile(self) -> None:
        from edgebench.measure import profile  # noqa: PLC0415 - never in a launch that measures

        self.backend = plugins.open_backend(self.request.case.backend)
        self.enter("load")
        plain = self._open(self.request.case.batch)
        self.enter("measure")
        told = profile.measure(
            plain, self._open_profiled, self.request, lambda: self.enter("measure")
        )
        self.pipe.send(told)

    def _open_profiled(self) -> ProfilingSession:
        """A session with the runtime's profiler on; `run` closes it."""
        if not isinstance(self.backend, ProfilingBackend):
            raise ModelRefusedError(f"{self.backend.name} gives no times of operators")
        path, settings = Path(self.request.model_path), self._settings(self.request.case.batch)
        session = self.backend.profile(path, settings)
        self.opened.append(session)
        return session

    def _load(self) -> Session:
        self.backend = plugins.open_backend(self.request.case.backend)
        from edgebench.measure import methods, passes  # noqa: PLC0415 - numpy after affinity

        request = self.request
        self.method = methods.choose(request)
        self.enter("load")
        self.keep(model_size_byte=Path(request.model_path).stat().st_size)
        # All of edgebench's own memory comes before the baseline, so the rest is the model's.
        inputs = passes.load_reference(Path(request.reference_path)).inputs
        self.one = [one[: request.case.batch].copy() for one in inputs]
        del inputs
        if not process.reset_peak_rss():
            self.keep(caveats=("rss_peak may hold what reading the inputs took",))
        self.keep(rss_baseline_byte=process.status_byte("VmRSS"))
        start = time.perf_counter_ns()
        session = self._open(request.case.batch)
        self.keep(load_ns=time.perf_counter_ns() - start)
        self.keep(rss_load_byte=process.status_byte("VmRSS"))
        return session

    def _open(self, batch: int) -> Session:
        """One more session; `run` closes it."""
        session = self.backend.open(Path(self.request.model_path), self._settings(batch))
        self.opened.append(session)
        process.helpers.update(getattr(session, "helpers", ()))
        return session

    def _settings(self, batch: int) -> Settings:
        case = self.request.case
        return Settings(
            threads=case.threads,
            precision=case.precision,
            accelerator=case.accelerator,
            tuning=case.tuning,
            batch=batch,
            mean=self.request.samples_mean,
            std=self.request.samples_std,
            shapes=self.request.shapes,
            options=case.options,
        )

    def _measure(self, session: Session) -> None:
        from edgebench.measure import (  # noqa: PLC0415 - numpy after affinity
            loop,
            memory,
            methods,
            passes,
            power,
            witness,
        )

        request = self.request
        if request.idle_s is not None:
            self.enter("idle")
        baseline = power.idle(request)
        self.enter("warmup")
        layout, batch, specs = request.model_layout, request.case.batch, request.inputs
        feed = next(passes.feeds(session, self.one, layout, batch, specs))
        seen = memory.measure(session, feed, request.warmup_max_s)
        self.keep(first_inference_ns=seen.first_inference_ns)
        self.keep(rss_peak_byte=seen.rss_peak_byte, pss_load_byte=seen.pss_load_byte)
        inputs, _ = passes.load_reference(Path(request.reference_path))
        ring = passes.ring(session, inputs, layout, batch, request.ring, specs)
        session.bind(ring)
        warm = passes.warm_up(session, len(ring), request.warmup_s, request.warmup_max_s)
        self.keep(warmup_ns=Samples([*seen.others_ns, *warm]), clock_ns=loop.clock_cost_ns())
        self.enter("measure")
        loop.quiet()
        around = witness.Witness()
        expected_ns = sorted(warm)[len(warm) // 2] if len(warm) else 1
        context = methods.Context(
            request=request,
            session=session,
            open_session=functools.partial(self._another, inputs),
            close_session=self._close,
            ring=len(ring),
            expected_ns=expected_ns,
            alive=lambda: self.enter("measure"),
            ask=self.ask,
            begin=around.begin,
        )
        fields = self.method(context)
        # A method that knows its window better has the word.
        self.keep(**{**around.fields(), **fields})
        if request.power_s is not None:
            self.enter("power")
            self.keep(power=power.measure(context, request.power_s, baseline))

    def _close(self, session: Session) -> None:
        self.opened.remove(session)
        process.helpers.difference_update(getattr(session, "helpers", ()))
        session.close()

    def _another(
        self, inputs: Sequence[NDArray[Any]], batch: int, slots: int | None = None
    ) -> Session:
        """A further session of the same model, its ring bound."""
        from edgebench.measure import passes  # noqa: PLC0415 - as above

        session = self._open(batch)
        layout, specs = self.request.model_layout, self.request.inputs
        slots = slots or self.request.ring
        session.bind(passes.ring(session, inputs, layout, batch, slots, specs))
        return session

    def _check(self, session: Session) -> None:
        from edgebench.measure import accuracy, passes, quality  # noqa: PLC0415 - as above

        request = self.request
        self.enter("check")
        if request.compares:
            inputs, reference = passes.load_reference(Path(request.reference_path))
            outputs = passes.answers(session, request, inputs, reference)
            self.keep(parity=quality.parity(request.task, outputs, reference))
        if request.samples_path is not None:
            path = Path(request.samples_path)
            # Each chunk enters the stage anew: its time-out is for a chunk, whatever their number.
            again = functools.partial(self.enter, "check")
            if request.task == "classification":
                self.keep(accuracy=accuracy.measure(session, request, path, again))
            else:
                self.keep(quality=quality.measure(session, request, path, again))
        self.keep(effective=session.effective())
        self.keep(caveats=(*self.record.caveats, *getattr(session, "caveats", ())))


def _words(error: Exception) -> str:
    """An exception as one line."""
    text = " ".join(str(error).split()) or "no message"
    if not isinstance(error, EdgebenchError):
        text = f"{type(error).__name__}: {text}"
    return text[:_REASON_CHARACTERS]


def _probe(request: ProbeRequest) -> Probed:
    probes = tuple(plugins.probe_backend(name) for name in request.backends)
    return Probed(schema_version=SCHEMA_VERSION, probes=probes)


def main() -> None:
    """Answer one request and end."""
    number = int(sys.argv[1])
    os.set_inheritable(number, False)  # a runtime's own children have no business with it
    pipe = _Pipe(os.fdopen(number, "wb"))
    request = wire.read_request(sys.stdin.buffer)
    if isinstance(request, (Turn, Stop)):
        raise WireError("a turn before there is anything to measure")
    process.die_with_parent(request.parent_pid)
    if isinstance(request, ProbeRequest):
        pipe.send(_probe(request))
        return
    if request.cpus and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, request.cpus)
    counters.counters.open()  # before the backend makes threads: they inherit them
    pipe.send(Progress(stage="start"))
    pipe.send(Done(record=_Launch(request, pipe).run()))
    # Some runtimes crash in their destructors; the record is out, so nothing may follow it.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
