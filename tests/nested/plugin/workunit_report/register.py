"""A backend of Pants that writes, as JSON, what a run did: its workunits and its counters."""

from __future__ import annotations

import json
from typing import Any

from pants.engine.internals.scheduler import Workunit
from pants.engine.rules import collect_rules, rule
from pants.engine.streaming_workunit_handler import (
    StreamingWorkunitContext,
    WorkunitsCallback,
    WorkunitsCallbackFactory,
    WorkunitsCallbackFactoryRequest,
)
from pants.engine.unions import UnionRule
from pants.option.option_types import StrOption
from pants.option.subsystem import Subsystem


class WorkunitReport(Subsystem):
    options_scope = "workunit-report"
    help = "Writes what a run did."

    path = StrOption(default=None, help="The JSON file to write.")


class _Callback(WorkunitsCallback):
    def __init__(self, path: str) -> None:
        self._path = path
        self._workunits: list[dict[str, Any]] = []

    @property
    def can_finish_async(self) -> bool:
        return False

    def __call__(
        self,
        *,
        completed_workunits: tuple[Workunit, ...],
        started_workunits: tuple[Workunit, ...],
        context: StreamingWorkunitContext,
        finished: bool = False,
        **_: Any,
    ) -> None:
        for workunit in completed_workunits:
            metadata = workunit.get("metadata", {})
            self._workunits.append(
                {
                    "name": workunit["name"],
                    "description": workunit.get("description", ""),
                    **{key: metadata[key] for key in ("definition", "source") if key in metadata},
                }
            )
        if finished:
            counters = dict.fromkeys(context.run_tracker.counter_names, 0)
            counters.update(context.get_metrics())
            with open(self._path, "w") as file:
                json.dump({"workunits": self._workunits, "counters": counters}, file)


class _Request:
    """What makes Pants ask for the callback."""


@rule
def make_callback(_: _Request, options: WorkunitReport) -> WorkunitsCallbackFactory:
    path = options.path
    return WorkunitsCallbackFactory(lambda: _Callback(path) if path else None)


def rules() -> list[Any]:
    return [*collect_rules(), UnionRule(WorkunitsCallbackFactoryRequest, _Request)]
