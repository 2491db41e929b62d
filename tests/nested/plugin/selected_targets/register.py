"""A backend of Pants whose goal prints which targets other goals would take, as JSON.

They are selected as those goals select them, but nothing is built.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pants.core.goals.package import PackageFieldSet
from pants.core.goals.publish import PublishFieldSet
from pants.core.goals.test import TestFieldSet
from pants.engine.console import Console
from pants.engine.goal import Goal, GoalSubsystem
from pants.engine.rules import collect_rules, goal_rule
from pants.engine.target import (
    NoApplicableTargetsBehavior,
    TargetRootsToFieldSets,
    TargetRootsToFieldSetsRequest,
    Targets,
)

from inseam.compat import CALL_BY_NAME, concurrently, implicitly

if not TYPE_CHECKING and CALL_BY_NAME:
    from pants.engine.internals.specs_rules import (
        find_valid_field_sets_for_target_roots as field_sets,
    )
else:
    from pants.engine.rules import Get

    async def field_sets(
        request: TargetRootsToFieldSetsRequest[Any], **_: Any
    ) -> TargetRootsToFieldSets[Any]:
        return await Get(TargetRootsToFieldSets, TargetRootsToFieldSetsRequest, request)


GOALS: dict[str, Any] = {
    "package": PackageFieldSet,
    "publish": PublishFieldSet,
    "test": TestFieldSet,
}


class SelectedSubsystem(GoalSubsystem):
    name = "selected"
    help = "Prints which targets other goals would take."


class Selected(Goal):
    subsystem_cls = SelectedSubsystem
    environment_behavior = Goal.EnvironmentBehavior.LOCAL_ONLY


@goal_rule
async def selected(console: Console, targets: Targets) -> Selected:
    found = await concurrently(
        field_sets(
            TargetRootsToFieldSetsRequest(
                field_set,
                goal_description="",
                no_applicable_targets_behavior=NoApplicableTargetsBehavior.ignore,
            ),
            **implicitly(),
        )
        for field_set in GOALS.values()
    )
    value = {
        goal: sorted(target.address.spec for target in roots.mapping)
        for goal, roots in zip(GOALS, found)
    }
    console.print_stdout(json.dumps({**value, "list": sorted(t.address.spec for t in targets)}))
    return Selected(exit_code=0)


def rules() -> list[Any]:
    return [*collect_rules()]
