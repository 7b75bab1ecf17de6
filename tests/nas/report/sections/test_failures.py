"""Failures by cause, each message once."""

from nas.report.sections import SECTIONS


def test_causes_and_messages(snapshot, record, architectures):
    def failed(number, cause, error, **more):
        return record(
            number,
            architectures[number],
            status="failed",
            scores={},
            cause=cause,
            error=error,
            **more,
        )

    records = [
        record(1, architectures[0], attempts=3),
        failed(2, "nan", "NaN at step 7"),
        failed(3, "nan", "NaN at step 7", traceback="Traceback: the last", logs="step 6"),
        failed(4, "out-of-memory", "needed 3 GB"),
        failed(5, "nan", "NaN at step 9"),
    ]
    section = SECTIONS["failures"](snapshot(records))
    bars, table = section.blocks
    assert [(b["name"], b["value"]) for b in bars["items"]] == [("nan", 3), ("out-of-memory", 1)]
    assert bars["items"][0]["note"] == "60.0% of all trials"
    assert table["rows"][0] == [3, "nan", 2, "NaN at step 7"]
    assert table["more"][0] == "Traceback: the last\nstep 6"
    assert len(table["rows"]) == 3
    assert section.lead == (
        "4 of 5 trials failed, most often with the cause 'nan'. Trials were started again twice."
    )


def test_no_failure_is_good_news(snapshot, record, architectures):
    section = SECTIONS["failures"](snapshot([record(1, architectures[0])]))
    assert (section.lead, section.blocks) == ("No trial failed.", [])
