"""What failed, by cause, with the messages."""

from nas.report import blocks
from nas.report.sections.base import SECTIONS, Section
from nas.report.snapshot import Snapshot

MESSAGES = 50  # different messages shown
LONGEST = 6000  # characters of a traceback


@SECTIONS.register("failures")
def failures(snapshot: Snapshot) -> Section:
    """Return failures counted by cause, then each message once with its trials."""
    failed = [r for r in snapshot.records if r["status"] == "failed"]
    retried = sum(max(0, r["attempts"] - 1) for r in snapshot.records)
    again = f" Trials were started again {blocks.times(retried)}." if retried else ""
    if not failed:
        return Section("Failures", f"No trial failed.{again}")
    causes: dict[str, list[dict]] = {}
    messages: dict[tuple[str, str], list[dict]] = {}
    for record in failed:
        cause = record["cause"] or "failed"
        causes.setdefault(cause, []).append(record)
        messages.setdefault((cause, record["error"] or "no message"), []).append(record)
    total = len(snapshot.records)
    bars = [
        {"name": cause, "value": len(records), "note": f"{len(records) / total:.1%} of all trials"}
        for cause, records in sorted(causes.items(), key=lambda item: -len(item[1]))
    ]
    shown = sorted(messages.items(), key=lambda item: -len(item[1]))[:MESSAGES]
    rows, more = [], []
    for (cause, text), records in shown:
        latest = records[-1]
        rows.append([latest["trial"], cause, len(records), text])
        logs = latest.get("logs")
        parts = [str(part) for part in (latest["traceback"], logs) if part]
        more.append("\n".join(parts)[-LONGEST:])
    return Section(
        "Failures",
        f"{len(failed)} of {total} trials failed, most often with the cause "
        f"{bars[0]['name']!r}.{again}",
        [
            blocks.bars(bars, unit="trials"),
            blocks.table(
                ["latest trial", "cause", "times", "message"],
                rows,
                title="Messages",
                text_columns=("cause", "message"),
                trial_column="latest trial",
                more=more,
            ),
        ],
    )
