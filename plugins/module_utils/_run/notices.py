# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a webhook gets of a run (patch_notify): at its end, when no other host starts, and when it continues. It changes no outcome.

Sources: Slack API documentation ("Formatting text for app surfaces": three characters are escaped), Adaptive Cards schema 1.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypedDict

from .._base.clock import iso
from .._base.text import clean_text, join_sentences
from .._base.webhook import host_of, is_webhook, post
from .._ledger.records import Run
from .._model.outcomes import Outcome
from .._operation.context import OperationContext
from .messages import hosts_not_ended, not_notified, run_in_short

SCHEMA = 1
"""The version of the generic message."""
ATTEMPTS, PAUSE_SECONDS = 3, 2.0
LINES, LINE_LENGTH = 10, 300
REASON_LENGTH = 2000
"""A reason may end with the command that continues without a host or an update, which is needed whole."""
AUTO = "auto"
FORMATS = {
    "slack": ("hooks.slack.com", "hooks.slack-gov.com"),
    "teams": (".webhook.office.com", ".logic.azure.com", ".api.powerplatform.com"),
}
"""The hosts of the services' webhooks, or the ends of their names."""
FINISHED, STOPPED, RESUMED, BRAKED = "finished", "stopped", "resumed", "braked"
"""The last one: hosts do not start, though nothing stops the whole run for good."""


class Webhook(NamedTuple):
    """Where messages go. The URL is a secret."""

    url: str
    format: str


class Notice(TypedDict):
    """A message about a run. ``event`` is finished, stopped, resumed or braked, ``link`` is the address of its report."""

    schema: int
    event: str
    run_id: str
    operation: str
    at: str | None
    totals: dict[str, int]
    reason: str | None
    lines: list[str]
    link: str | None
    text: str


def webhook_of(context: OperationContext) -> Webhook | None:
    """The one of the options."""
    url = context.params.get("notify")
    return Webhook(str(url), context.params["notify_format"]) if url else None


def notify_of_standstill(context: OperationContext, webhook: Webhook | None, run_id: str, reason: str) -> None:
    """Of a run whose controller stood still, from whichever operation notices it first; see notify_of_brake."""
    notify_of_brake(context, context.ledger.run(run_id), STOPPED, reason, webhook)


def notify_of_brake(
    context: OperationContext, run: Run, event: str, reason: str, webhook: Webhook | None = None
) -> None:
    """Of a run that was stopped or braked, or continues; what does not arrive is progress, and no more.

    Args:
        event: stopped, resumed or braked.
        reason: a sentence.
        webhook: None for that of the options.
    """
    webhook = webhook or webhook_of(context)
    if context.check_mode or webhook is None:
        return
    counts = context.ledger.outcome_counts(run.run_id)
    totals = {str(outcome): counts[outcome] for outcome in Outcome if counts.get(outcome)}
    lines = [hosts_not_ended(counts.get(None, 0))]
    notice = a_notice(context, run, event, totals, reason=reason, lines=lines)
    warning = notify(context, webhook, notice)
    if warning:
        context.report_progress(warning)


def a_notice(
    context: OperationContext,
    run: Run,
    event: str,
    totals: Mapping[str, int],
    *,
    reason: str | None = None,
    lines: Sequence[str] = (),
    link: str | None = None,
) -> Notice:
    """A message about a run.

    Args:
        event: finished, stopped, resumed or braked.
        totals: the number of hosts by outcome.
        reason: why it was stopped, as a sentence.
        lines: more sentences; the first ones are sent.
        link: address of the report.
    """
    reason = reason and clean_text(reason, REASON_LENGTH)
    return {
        "schema": SCHEMA,
        "event": event,
        "run_id": run.run_id,
        "operation": run.operation,
        "at": iso(context.clock.now()),
        "totals": dict(totals),
        "reason": reason,
        "lines": [clean_text(line, LINE_LENGTH) for line in lines[:LINES]],
        "link": link,
        "text": join_sentences(run_in_short(run, event, totals), reason),
    }


def notify(context: OperationContext, webhook: Webhook, notice: Notice) -> str | None:
    """Send it; a warning where that failed."""
    if not is_webhook(webhook.url):
        return not_notified("Its URL must begin with https://.")
    message = body_of(webhook.format, webhook.url, notice)
    failure: str | None = None
    for attempt in range(ATTEMPTS):
        if attempt:
            context.pause(PAUSE_SECONDS)
        failure = post(webhook.url, message)
        if failure is None:
            return None
    return not_notified(str(failure))


def body_of(wanted: str, url: str, notice: Notice) -> Mapping[str, object]:
    """The message as the service of the webhook takes it."""
    chosen = wanted
    if wanted == AUTO:
        host = host_of(url).lower()
        chosen = next((name for name, ends in FORMATS.items() if host.endswith(ends)), "json")
    return {"slack": _slack, "teams": _teams}.get(chosen, dict)(notice)


def _slack(notice: Notice) -> dict[str, object]:
    lines = [notice["text"], *(f"• {line}" for line in notice["lines"])]
    text = "\n".join(_escaped(line) for line in lines)
    link = notice["link"]
    if _is_page(link):
        text += f"\n<{_escaped(str(link))}|Report>"
    elif link:
        text += f"\nReport: {_escaped(link)}"
    return {"text": text}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(notice: Notice) -> dict[str, object]:
    """A card for Workflows. Its text is Markdown, in which a link of the card's own stays a button."""
    link = notice["link"]
    texts = [notice["text"], *notice["lines"], *([f"Report: {link}"] if link and not _is_page(link) else [])]
    blocks: list[dict[str, object]] = [{"type": "TextBlock", "text": text, "wrap": True} for text in texts]
    blocks[0]["weight"] = "Bolder"
    card: dict[str, object] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    if _is_page(link):
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Report", "url": link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _is_page(link: str | None) -> bool:
    return bool(link) and str(link).startswith("https://")
