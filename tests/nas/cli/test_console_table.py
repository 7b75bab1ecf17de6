"""Tables on a terminal and in a pipe."""

from nas.cli.console_table import print_cells


def test_numbers_end_at_the_right_and_words_start_at_the_left(capsys):
    print_cells(["name", "n"], [["ab", "1"], ["a", "1,000"]], left=["name"])
    assert capsys.readouterr().out.splitlines() == ["name      n", "ab        1", "a     1,000"]


def test_a_pipe_shows_all_of_a_long_text_in_one_line(capsys):
    print_cells(["hash"], [["f" * 200]])
    assert "f" * 200 in capsys.readouterr().out


def test_a_narrow_terminal_folds_a_text_unless_it_is_to_stay_in_its_line(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    print_cells(["a"], [["x" * 30]])
    assert capsys.readouterr().out.count("x") == 30
    print_cells(["a"], [["x" * 30]], unbroken=["a"])
    assert capsys.readouterr().out.count("x") == 20
