# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Beliefs about the instance and the Windows in it: services of a fresh image, output, disk, power, and stale reads.

Sources: EC2 API reference ("Eventual consistency"), EBS user guide ("Modify an EBS volume"), amazon-ssm-agent (TruncateOutput).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from .._aws.account_proof import describe_image, listed_output, read_instance
from .._aws.commands import get_output, invocations_on, send_command
from .._aws.ec2 import start_instance, stop_instance
from .._aws.ssm import describe_node
from .._base.clock import iso
from .._base.errors import PatchFleetError
from .._disk.volume import Growth, grow, root_volume
from .._host.answers import BootState, DiskSpace, ExtendedPartition
from .._host.instances import CONSISTENCY_SECONDS
from .._host.invocations import OUTPUT_IN_LIST_BYTES, TRUNCATED
from .._host.run_command import CLOCKS_DIFFER_SECONDS, SCRIPT_DOCUMENT, UNSEEN_SECONDS, Command, run_command
from .._host.scripts import PROBE, PROBE_SECONDS
from .belief import NotAnswered, Observation
from .patch_beliefs import installed_without_reboot, scan
from .prover import Prover, first_boot

OUTPUT_BYTES = 24_000
LONG_OUTPUT = ["# patchfleet-script: long_output", "$PatchFleetInput = 'e30='", "'x' * 30000"]
SETTLED_SECONDS = 900.0
GROWN_GIB = 2
READ_EVERY_SECONDS = 5.0
READ_FOR_SECONDS = 150.0
UNLISTED_SECONDS = 300.0
ROOT_GIB = 30
LISTED_SECONDS = 600.0


def fresh_services(prover: Prover) -> Observation:
    """Those that ran as soon as the node took commands, compared a quarter of an hour after the boot."""
    prover.be_ready()
    before = prover.once(first_boot)
    prover.context.pause(max(SETTLED_SECONDS - (before.time - before.boot_time), 0.0))
    after = prover.script(BootState, since=None)
    if after.boot_time - before.boot_time > 60.0:
        raise NotAnswered("The instance has rebooted meanwhile.")
    failed = sorted(f"{service.name} ({service.exit_code})" for service in after.stopped_services)
    ended = sorted(before.services - after.services - {service.name for service in after.stopped_services})
    text = f"Ended without an error: {', '.join(ended) or 'none'}; with an error: {', '.join(failed) or 'none'}."
    return Observation(not failed, text, {"ended": ended, "failed": failed})


def output_limits(prover: Prover) -> Observation:
    """30,000 characters, read from both APIs."""
    prover.be_ready()
    command = Command(SCRIPT_DOCUMENT, {"commands": LONG_OUTPUT, "executionTimeout": ["60"]}, execution_seconds=60)
    ended = run_command(prover.context, prover.instance_id, command)
    whole, _errors = get_output(prover.aws, ended.command_id, prover.instance_id, None)
    listed = listed_output(prover.aws, ended.command_id, prover.instance_id)
    sizes = (len(whole.encode()), len(listed.encode()))
    marked = TRUNCATED.lower() in whole.lower()
    values = {"get_bytes": sizes[0], "list_bytes": sizes[1], "marked": marked}
    text = (
        f"GetCommandInvocation has {sizes[0]} bytes, {'with' if marked else 'without'} a mark; the list has {sizes[1]}."
    )
    return Observation(sizes[0] <= OUTPUT_BYTES and sizes[1] <= OUTPUT_IN_LIST_BYTES and marked, text, values)


def fresh_disk(prover: Prover) -> Observation:
    prover.be_ready()
    space = prover.script(DiskSpace)
    volume = root_volume(prover.context.aws, prover.instance_id)["VolumeId"]
    fits = (space.serial or "").replace("-", "").startswith(volume.replace("-", ""))
    text = (
        f"The disk's serial number {'is' if fits else 'is not'} the volume's id, its style is {space.partition_style}, and "
        f"behind C: lies {space.blocked_by or 'nothing'}."
    )
    values = {"serial_fits": fits, "style": space.partition_style, "behind": space.blocked_by}
    return Observation(fits and space.partition_style == "gpt" and space.blocked_by is None, text, values)


def volume_growth(prover: Prover) -> Observation:
    """By two GiB, as a run does it: modified, seen by Windows, extended, without a reboot."""
    prover.be_ready()
    before, size = prover.script(DiskSpace), int(root_volume(prover.context.aws, prover.instance_id)["Size"])
    growth = Growth(prover.instance_id, GROWN_GIB, size + GROWN_GIB, partition_style=before.partition_style)
    began = prover.context.clock.now()
    try:
        grow(prover.context, growth)
        seconds = round(prover.context.clock.now() - began, 1)
        offered = prover.script(DiskSpace).extendable_gib
        after = prover.script(ExtendedPartition).partition_gib
    except PatchFleetError as error:
        return Observation(False, f"C: did not grow: {error.reason}", {"partition_grew_gib": 0.0})
    grew = round(after - before.partition_gib, 1)
    values = {"usable_after_seconds": seconds, "offered_gib": round(offered, 1), "partition_grew_gib": grew}
    return Observation(
        grew >= GROWN_GIB - 0.1, f"C: grew by {grew} GiB; the room was there after {seconds:.0f} s.", values
    )


@dataclass(frozen=True)
class StoppedAndStarted:
    """What was seen around one stop and start. ``stale`` are the seconds after the start at which a read showed the past,
    ``starts_counted`` the starts by the host's event log.
    """

    was_pending: bool
    stop_seconds: float
    listed_seconds: float | None
    reads: int
    stale: tuple[float, ...]
    starts_counted: int | None


def stop_and_start(prover: Prover) -> StoppedAndStarted:
    """One stop, with whatever Windows waits for, and the start after it.

    Raises:
        PatchFleetError: the instance does not stop, or does not come back.
    """
    prover.be_ready()
    context, clock = prover.context, prover.context.clock
    try:
        was_pending = bool(prover.once(installed_without_reboot)[0])
    except PatchFleetError:
        was_pending = False
    prover.be_ready()
    asked_at = prover.script(BootState, since=None).time
    stop_instance(prover.aws, prover.instance_id)
    stop_seconds = prover.wait_for_state("stopped")
    stopped_at = clock.now()
    unlisted = context.wait_until(
        lambda: describe_node(prover.aws, prover.instance_id) is None, stopped_at + UNLISTED_SECONDS
    )
    listed_seconds = clock.now() - stopped_at if unlisted else None
    before = prover.instance()["LaunchTime"]
    start_instance(prover.aws, prover.instance_id)
    started_at, reads, stale = clock.now(), 0, []
    while clock.now() < started_at + READ_FOR_SECONDS:
        reads += 1
        shown, at = read_instance(prover.aws, prover.instance_id), clock.now() - started_at
        if shown is None or shown["LaunchTime"] <= before:
            stale.append(round(at, 1))
        context.pause(READ_EVERY_SECONDS)
    prover.be_ready()
    starts = prover.script(BootState, since=iso(asked_at)).starts
    return StoppedAndStarted(was_pending, round(stop_seconds, 1), listed_seconds, reads, tuple(stale), starts)


def stop_while_pending(prover: Prover) -> Observation:
    pair = prover.once(stop_and_start)
    if not pair.was_pending:
        raise NotAnswered("Windows waited for no reboot when it was stopped.")
    scanned = scan(prover)
    pending, missing = scanned.state.get("InstalledPendingRebootCount", 0), scanned.state["MissingCount"]
    values = {"stop_seconds": pair.stop_seconds, "pending_after": pending, "missing_after": missing}
    text = f"The stop took {pair.stop_seconds:.0f} s; after the start {pending} updates wait for a reboot, {missing} are missing."
    return Observation(not pending and not missing, text, values)


def reads_after_start(prover: Prover) -> Observation:
    pair = prover.once(stop_and_start)
    last = max(pair.stale, default=0.0)
    values = {"reads": pair.reads, "stale": len(pair.stale), "last_stale_seconds": last}
    text = f"{len(pair.stale)} of {pair.reads} reads showed the instance as before the start, the last one after {last:.0f} s."
    return Observation(last <= CONSISTENCY_SECONDS, text, values)


def stopped_is_unlisted(prover: Prover) -> Observation:
    seconds = prover.once(stop_and_start).listed_seconds
    if seconds is None:
        return Observation(
            False,
            f"It was still listed {UNLISTED_SECONDS:.0f} s after it had stopped.",
            {"unlisted_after_seconds": None},
        )
    return Observation(
        True, f"It was not listed {seconds:.0f} s after it had stopped.", {"unlisted_after_seconds": round(seconds, 1)}
    )


def starts_counted(prover: Prover) -> Observation:
    starts = prover.once(stop_and_start).starts_counted
    text = f"The event log has {'no answer' if starts is None else f'{starts} starts'} for one stop and start."
    return Observation(starts == 1, text, {"starts": starts})


def root_size(prover: Prover) -> Observation:
    image = describe_image(prover.aws, str(prover.instance_shown.get("ImageId")))
    root = image["RootDeviceName"]
    (gib,) = [row["Ebs"]["VolumeSize"] for row in image["BlockDeviceMappings"] if row.get("DeviceName") == root]
    return Observation(gib == ROOT_GIB, f"The root volume of {image.get('Name')} has {gib} GiB.", {"root_gib": gib})


def listed_after_send(prover: Prover) -> Observation:
    """As a run looks for a command whose answer was lost: by its comment."""
    prover.be_ready()
    comment, sent_at = f"patchfleet: proof {uuid.uuid4().hex[:12]}", prover.context.clock.now()
    parameters = {"commands": PROBE, "executionTimeout": [str(PROBE_SECONDS)]}
    send_command(prover.aws, prover.instance_id, SCRIPT_DOCUMENT, parameters, delivery_seconds=60, comment=comment)

    def listed() -> bool:
        rows = invocations_on(prover.aws, prover.instance_id, sent_at - CLOCKS_DIFFER_SECONDS)
        return any(row.get("Comment") == comment for row in rows)

    if not prover.context.wait_until(listed, sent_at + LISTED_SECONDS, 1.0, 5.0):
        return Observation(False, f"It was not listed within {LISTED_SECONDS:.0f} s.", {"listed_after_seconds": None})
    after = round(prover.context.clock.now() - sent_at, 1)
    return Observation(after <= UNSEEN_SECONDS, f"It was listed after {after:.0f} s.", {"listed_after_seconds": after})
