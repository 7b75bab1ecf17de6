"""What is to be written is checked before any work, and a mistake leaves nothing behind."""

import pytest


@pytest.mark.parametrize(
    "arguments",
    [
        ("pareto", "RUN", "--plot", "nodir/x.png"),
        ("pareto", "RUN", "--to", "nodir/x.csv"),
        ("trials", "RUN", "--to", "nodir/x.csv"),
        ("trials", "RUN", "--to", "n" * 300 + ".csv"),
        ("report", "RUN", "--to", "nodir/x.html"),
        ("space", "draw", "bert-mini", "--to", "nodir/x.png"),
        ("space", "draw", "bert-mini", "--to", "x.txt"),
        ("predict", "zoo/best", "--task", "rte", "x.tsv", "--to", "nodir/x.tsv"),
        ("export", "RUN", "--to", "a-file/x"),
        ("search", "--run", "a-file/x"),
        ("train", "bert-mini", "--to", "a-file/x"),
        ("evaluate", "zoo/best", "--submission", "a-file/x"),
        ("evaluate", "zoo/best", "--submission", "x" * 300),
    ],
    ids=lambda a: " ".join(a)[:40],
)
def test_what_cannot_be_written_is_refused_at_once(nas, searched, tmp_path, arguments):
    run = searched()
    (tmp_path / "a-file").write_text("content")
    before = sorted(tmp_path.rglob("*"))
    code, _, err = nas(*(run if a == "RUN" else a for a in arguments))
    assert (code, "Error: -" in err) == (2, True), err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("command", [("space", "sample", "flexibert-micro"), ("train", "x")])
def test_a_negative_seed_is_refused(nas, command):
    code, _, err = nas(*command, "--seed", "-1")
    assert code == 2
    assert "-1 is not in the range x>=0" in err


def test_a_picture_is_there_whole_or_not_at_all(nas, searched, tmp_path, monkeypatch):
    run = searched()
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", _fails)
    code, _, err = nas("pareto", run, "--plot", "x.png")
    assert code == 2
    assert "No space left" in err
    assert not [p for p in tmp_path.iterdir() if "x.png" in p.name]


def _fails(self, path, **options):
    path.write_bytes(b"half")
    raise OSError(28, "No space left on device", str(path))
