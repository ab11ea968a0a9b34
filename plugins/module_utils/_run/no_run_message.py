# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The message that comes when no run was closed for some days: each closed run moves its schedule on.

The set-up makes the schedule (roles/aws_prerequisites/files/no_run.template). An alarm of CloudWatch could not do it: it looks back
7 days at most (CloudWatch API reference, PutMetricAlarm).
"""

from __future__ import annotations

from .._aws import scheduler
from .._aws.errors import AwsError
from .._base.clock import iso
from .._base.commands import in_text, plain_command
from .._base.errors import PatchFleetError
from .._base.text import join_sentences
from .._ledger import describe_ledger
from .._ledger.records import Run
from .._model.run_settings import NoRunMessage
from .._model.settings import Settings
from .._operation.commands import playbook_command
from .._operation.context import OperationContext

GROUP = "default"
"""The group of schedules that each account has."""


def no_run_message(settings: Settings) -> NoRunMessage | None:
    """What a run keeps of the variables."""
    days = settings["no_run_days"]
    return None if days is None else {"schedule": f"{settings['setup_prefix']}-no-run", "days": days}


def move_message(context: OperationContext, run: Run) -> list[str]:
    """Move the schedule on by its days, with this run in its text; returns warnings."""
    message = run.settings.get("no_run_message")
    if not message:
        return []
    aws = context.aws.in_region(None)
    name, days = message["schedule"], message["days"]
    try:
        target = scheduler.get_target(aws, GROUP, name)
        request = {
            "TopicArn": target.request["TopicArn"],
            "Subject": f"Patch Fleet: no run was closed for {days} days",
            "Message": _text(context, run, days),
        }
        schedule = scheduler.Schedule(
            name=name,
            group=GROUP,
            description="The message when no run of Patch Fleet was closed for some days. Each closed run moves it on.",
            due_at=aws.now() + days * 86400,
            target_arn=target.arn,
            role_arn=target.role_arn,
            request=request,
            about=name,
            is_kept=True,
        )
        scheduler.update_schedule(aws, schedule)
    except AwsError as error:
        if error.aws_code != scheduler.NOT_FOUND:
            return [_not_moved(days, error.reason)]
        make = plain_command("setup_aws", {"patch_no_run_days": days, "aws_prerequisites_region": aws.region})
        return [_not_moved(days, f"There is no schedule {name} in {aws.region}. Make it: {in_text(make)}.")]
    except PatchFleetError as error:
        return [_not_moved(days, error.reason)]
    except (KeyError, ValueError):
        return [
            _not_moved(days, f"The schedule {name} in {aws.region} publishes to no topic: another user has changed it.")
        ]
    return []


def _not_moved(days: int, why: str) -> str:
    return join_sentences(f"The message that no run was closed for {days} days is not moved on.", why)


def _text(context: OperationContext, run: Run, days: int) -> str:
    ledger = context.params.get("ledger")
    host = run.controller.get("host")
    return (
        f"No run of Patch Fleet was closed for {days} days. The last one was run {run.run_id} ({run.operation}), closed at "
        f"{iso(context.clock.now())} on the controller {host}, with the ledger {describe_ledger(ledger)}. Its hosts may be without "
        f"newer updates. See what ran: {in_text(playbook_command('history', ledger))}. This message comes once; the next run that "
        "is closed moves it on."
    )
