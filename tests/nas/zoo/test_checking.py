"""`nas zoo`: what is listed, what a broken folder says, what would be sent."""

import csv
import json
import shutil

import pytest
import yaml
from click.testing import CliRunner

import nas
from nas.cli.main import cli
from nas.zoo import check_model, list_models, push_model, read_card
from nas.zoo.card import REQUIRED
from nas.zoo.files import write_checksums
from nas.zoo.listing import write_results
from search_spaces.errors import NasError, NotAModel


@pytest.fixture
def folder(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "zoo" / "first")


def call(*arguments):
    """Call `nas`; return its exit code and everything it said."""
    answer = CliRunner().invoke(cli, [str(a) for a in arguments], standalone_mode=False)
    if isinstance(answer.exception, NasError):  # what `main` turns into a message
        return 2, str(answer.exception)
    return answer.exit_code, answer.output


def rewrite_card(folder, change):
    text = (folder / "README.md").read_text()
    _, head, body = text.split("---\n", 2)
    values = yaml.safe_load(head)
    change(values)
    (folder / "README.md").write_text("---\n" + yaml.safe_dump(values) + "---\n" + body)


def test_a_sound_folder(folder):
    assert check_model(folder) == []
    code, said = call("zoo", "check", folder)
    assert code == 0
    assert "all files as exported, the card complete, every model answers" in said


@pytest.mark.parametrize("name", ["model.safetensors", "stsb/model.safetensors", "config.json"])
def test_truncated_and_tampered_files(folder, name):
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:-7])
    assert [name in p and "it was cut or changed" in p for p in check_model(folder)] == [True]
    (folder / name).write_bytes(whole[:-1] + b"?")
    problems = check_model(folder)
    assert len(problems) == 1
    assert f"{name} is not the file that was exported: its checksum differs" in problems[0]
    if "stsb" in name:
        with pytest.raises(NotAModel, match="checksum differs"):
            nas.load_model(folder, task="stsb")
    (folder / name).unlink()
    assert f"{name} is missing" in check_model(folder)[0]
    assert call("zoo", "check", folder)[0] == 2


def test_files_that_were_added_and_checksums_that_are_gone(folder):
    (folder / "evil.py").write_text("print()")
    assert "evil.py is not one of the files that were exported" in check_model(folder)[0]
    (folder / "evil.py").unlink()
    (folder / "checksums.json").write_text("[3]")
    assert "checksums.json cannot be read" in check_model(folder)[0]
    (folder / "checksums.json").unlink()
    assert "has no checksums.json, so its files cannot be trusted" in check_model(folder)[0]
    (folder / "README.md").unlink()
    problems = check_model(folder)
    assert any(p.endswith("or export the model again") and "no model card" in p for p in problems)
    assert "nowhere is no folder" in check_model(folder / "nowhere")[0]


@pytest.mark.parametrize("fact", REQUIRED)
def test_a_card_with_a_missing_fact(folder, fact):
    def remove(values):
        part = values["encoder_nas"]
        *above, name = fact.split(".")
        for key in above:
            part = part[key]
        part.pop(name)

    rewrite_card(folder, remove)
    assert f"{folder / 'README.md'} does not say {fact}" in check_model(folder)
    rows, problems = list_models(folder.parent)  # a table still shows what there is
    assert len(rows) == 1
    assert problems == []


def test_a_card_that_is_none(folder):
    for text in ("", "# Nothing\n", "---\nlicense: mit\n---\n", "---\n[1\n---\n"):
        (folder / "README.md").write_text(text)
        with pytest.raises(NotAModel, match="README.md is no model card of nas export"):
            read_card(folder)
        code, said = call("zoo", "list", folder.parent)
        assert code == 2
        assert "README.md is no model card" in said
    (folder / "README.md").unlink()
    assert call("zoo", "show", folder)[0] == 2


def test_a_model_that_answers_with_nan(folder):
    from safetensors.torch import load_file, save_file

    from nas.zoo.files import write_checksums

    path = folder / "sst2" / "model.safetensors"
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    tensors["classifier.output.bias"][:] = float("nan")
    save_file(tensors, path)
    write_checksums(folder / "sst2")
    write_checksums(folder)
    assert check_model(folder) == [f"{folder / 'sst2'} answers with NaN or infinite numbers"]


def test_results_have_one_row_a_model_best_first(folder, trial):
    other = shutil.copytree(folder, folder.parent / "second")

    def better(values):
        facts = values["encoder_nas"]
        facts["scores"] = {"glue": 0.99, "rte": 0.99}
        facts["confirmed"] = {"seeds": 5, "glue_mean": 0.98, "glue_std": 0.01}

    rewrite_card(other, better)
    path = write_results(folder.parent)
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows] == ["second", "first"]
    assert float(rows[1]["glue"]) == trial["scores"]["glue"]
    assert rows[1]["rte"] == ""
    assert rows[1]["glue_confirmed"] == ""
    assert float(rows[0]["glue_confirmed"]) == 0.98
    assert int(rows[1]["parameters"]) == trial["costs"]["parameters"]
    assert {"flops", "latency_ms", "device", "data_revision", "hash", "stsb"} <= set(rows[0])
    code, said = call("zoo", "list", folder.parent)
    assert code == 0
    assert said.index("second") < said.index("first")
    assert json.loads(call("zoo", "list", folder.parent, "--format", "json")[1])[0]["glue"] == 0.99


def test_listing_nothing(tmp_path):
    assert "has no models. Fill it with: nas export" in call("zoo", "list", tmp_path)[1]
    code, said = call("zoo", "list", tmp_path / "nowhere")
    assert code == 2
    assert "nowhere is no folder. Fill it with: nas export RUN --to" in said


def test_show(folder, trial):
    code, said = call("zoo", "show", folder)
    assert code == 0
    assert said.startswith("# first\n")
    assert json.loads(call("zoo", "show", folder, "--json")[1])["hash"] == trial["hash"]


def test_pushing_checks_before_it_sends(folder, monkeypatch):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    code, said = call("zoo", "push", folder, "--repo", "somebody/first", "--dry-run")
    assert code == 0
    assert "stsb/model.safetensors" in said
    assert "huggingface.co/somebody/first" in said
    with pytest.raises(NasError, match="Nobody is logged in .* hf auth login"):
        push_model(folder, "somebody/first")
    with pytest.raises(NasError, match="'first' is no name of a repository. Write user/name"):
        push_model(folder, "first")
    (folder / "config.json").write_text("{}")
    with pytest.raises(NotAModel, match="(?s)is not sound:.*config.json has 2 bytes"):
        push_model(folder, "somebody/first", dry_run=True)


def test_pushing_sends_the_folder_and_says_when_the_hub_does_not_answer(folder, monkeypatch):
    sent = []

    class Hub:
        def create_repo(self, name, **options):
            sent.append((name, options))

        def upload_folder(self, **options):
            sent.append(options)

    monkeypatch.setattr("huggingface_hub.get_token", lambda: "token")
    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    assert push_model(folder, "a/b", private=True).endswith("/a/b")
    assert sent[0] == ("a/b", {"private": True, "exist_ok": True})
    assert sent[1]["folder_path"] == folder

    def unreachable(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(Hub, "create_repo", unreachable)
    with pytest.raises(NasError, match="did not take .*: OSError: no route to host. Check the net"):
        push_model(folder, "a/b")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "tokenizer.json cannot be read"),
        (b'{"junk": 1}', "is no tokenizer"),
        (b"\xff\xfe", "cannot be read"),
        ("other", "entries, and the model was trained with"),
    ],
    ids=["absent", "junk", "no text", "another's"],
)
def test_a_tokenizer_that_is_none_is_found_under_checksums_of_its_own(folder, content, message):
    path = folder / "tokenizer.json"
    if content == "other":
        from nas.data.tokenizer import train_tokenizer

        content = train_tokenizer(["some other text"] * 5, 40).json.encode()
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    write_checksums(folder)
    assert any(message in problem for problem in check_model(folder)), check_model(folder)
    code, said = call("evaluate", folder, "--tasks", "rte")
    assert code == 2, said
