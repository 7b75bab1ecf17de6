"""One table of endings: the loop's reasons, the exit codes, the words of status and report."""

import pytest

from nas.runs.endings import ENDINGS, EXIT_CODES, state_line, state_words


def test_exit_codes_are_those_the_manual_names():
    assert EXIT_CODES == {
        "trials": 0, "exhausted": 0, "patience": 0, "time": 3, "gpu_hours": 3, "cost": 3,
        "interrupted": 4, "engine-gone": 4, "failing": 5, "lost": 5, "no-space": 5,
    }  # fmt: skip


@pytest.mark.parametrize("reason", ENDINGS)
def test_words_say_whether_anything_is_missing(reason):
    ending = ENDINGS[reason]
    assert ending.complete == (ending.exit_code < 4)
    assert ending.words.startswith("finished: ") == ending.complete
    assert state_line(reason).startswith(f"{reason} (")
    assert state_line(reason).endswith(f"{ending.next_step})")


def test_a_run_under_way_and_a_state_of_a_newer_version():
    assert state_line("running") == "running (a driver is at work)"
    assert state_line("interrupted") == "interrupted (continue it with nas resume)"
    assert state_words("merged") == state_line("merged") == "merged"


def test_the_face_of_the_search_still_offers_the_codes():
    from nas.search import EXIT_CODES as FORMERLY

    assert FORMERLY is EXIT_CODES
