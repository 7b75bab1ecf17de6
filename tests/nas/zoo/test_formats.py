"""Other formats answer as torch does, for every kind of head, or nothing is left of them."""

import shutil
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from nas.cli.main import cli, main
from nas.evaluation.metrics import score, task_score
from nas.evaluation.suites.glue import glue_task
from nas.models.hf import FlexiBertConfig, FlexiBertForSequenceClassification, FlexiBertModel
from nas.models.mixers.fourier import token_matrices
from nas.single.trials import training_of
from nas.training.prediction import Scale, predict
from nas.zoo import formats, load_model
from nas.zoo.formats import FORMATS, Format, require_packages, write_format
from nas.zoo.formats_of_model import write_formats
from nas.zoo.graphs import Graph
from nas.zoo.parity import largest_difference, require_parity, shapes
from nas.zoo.quantization import onnx_score, quantize_onnx
from search_spaces import Architecture
from search_spaces.errors import NasError, UnknownName
from search_spaces.kinds import SLOTS

KINDS = ["sa_sdp_8", "sa_wma_8", "l_dft_8", "l_dct_8", "c_5_8", "c_9_8"]


# those that are built of more than linear maps; settings that change how something is computed
NEW = ["hedgehog_8", "monarch(taps=16,transform=matrices)_8", "mixed-attention(kernel=5)_8"]
FEEDFORWARDS = ["grouped", "moe", "meo", "meo(level=token)", "meo(level=task)", "monarch-glu"]


def model(positions="relative", kind=FlexiBertModel, layers=(KINDS,), feedforward="mlp", **options):
    architecture = Architecture.from_dict(
        {
            "l": len(layers),
            "o": [list(heads) for heads in layers],
            "h": [16 + 8 * i for i in range(len(layers))],
            "f": [[24]] * len(layers),
            "parts": [{"feedforward": feedforward}] * len(layers),
        }
    )
    config = FlexiBertConfig.from_architecture(architecture, 50, max_length=20, positions=positions)
    torch.manual_seed(0)
    made = kind(FlexiBertConfig.from_dict(config.to_dict() | options))
    for parameter in made.parameters():  # at their start, distances and weightings do nothing
        torch.nn.init.normal_(parameter, std=0.2)
    return made


few_or_all = pytest.mark.parametrize(
    "layers",
    [
        (["sa_wma_8", "l_dft_8", "c_5_8"],),
        pytest.param((KINDS, ["l_dft_8", "c_5_8"]), marks=pytest.mark.slow),
    ],
    ids=["one layer", "every kind of head"],
)


@few_or_all
def test_onnx_answers_as_torch_for_every_batch_and_length(tmp_path, layers):
    graph = Graph(model(layers=layers))
    assert write_format("onnx", graph, tmp_path) <= 1e-4
    onnx = pytest.importorskip("onnx")
    written = onnx.load(str(tmp_path / "model.onnx"))
    for value in written.graph.input:
        places = [place.dim_param for place in value.type.tensor_type.shape.dim]
        assert places == ["batch", "sequence"]
    assert written.graph.output[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    run = FORMATS["onnx"].open(tmp_path / "model.onnx")
    inputs = graph.inputs(6, 11, seed=9)  # a shape that was neither exported nor compared with
    hidden, pooled = run([tensor.numpy() for tensor in inputs])
    assert hidden.shape[:2] == (6, 11)
    np.testing.assert_allclose(pooled, graph(*inputs)[1].detach(), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("part", FEEDFORWARDS)
@pytest.mark.parametrize("name", FORMATS)
def test_each_feed_forward_in_each_format(tmp_path, name, part):
    write_format(name, Graph(model("absolute", feedforward=part)), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("positions", ["absolute", "relative"])
@pytest.mark.parametrize("kind", [*KINDS, *NEW])
@pytest.mark.parametrize("name", FORMATS)
def test_each_kind_of_head_alone_in_each_format(tmp_path, name, kind, positions):
    write_format(name, Graph(model(positions, layers=([kind] * 2,) * 2)), tmp_path)


@few_or_all
def test_torch_export_answers_as_torch(tmp_path, layers):
    graph = Graph(model("absolute", FlexiBertForSequenceClassification, layers, num_labels=3))
    assert write_format("torch-export", graph, tmp_path) <= 1e-5
    program = torch.export.load(tmp_path / "model.pt2").module()
    inputs = graph.inputs(6, 11, seed=9)
    torch.testing.assert_close(program(*inputs)[0], graph(*inputs)[0], atol=1e-5, rtol=0)


def test_exporting_leaves_no_stand_ins_behind(tmp_path):
    like = torch.zeros(2, 6, 8)
    keep = torch.tensor([[True] * 6, [True] * 3 + [False] * 3])
    before = token_matrices("cos", keep, like).clone()
    write_format("torch-export", Graph(model(layers=(["l_dft_8"],))), tmp_path)
    assert torch.equal(token_matrices("cos", keep, like), before)
    model(layers=(["l_dft_8"],))(torch.ones(2, 6, dtype=torch.int64)).last_hidden_state.sum().item()


def test_parity_is_looked_for_at_several_lengths_and_batches_with_padding():
    tried = shapes(20)
    assert {length for _, length in tried} == {1, 2, 3, 11, 20}
    assert len({batch for batch, _ in tried}) > 2
    graph = Graph(model())
    assert any((graph.inputs(b, n, i)[1] == 0).any() for i, (b, n) in enumerate(tried))

    def run(inputs):
        hidden, pooled = graph(*map(torch.from_numpy, inputs))
        if inputs[0].shape == (1, 20):
            pooled = pooled + 0.5
        return [hidden.detach().numpy(), pooled.detach().numpy()]

    assert largest_difference(graph, run) == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize(("difference", "passes"), [(1e-4, True), (2e-4, False), (np.nan, False)])
def test_answers_as_far_apart_as_is_allowed_pass(difference, passes, monkeypatch):
    monkeypatch.setattr("nas.zoo.parity.largest_difference", lambda graph, run: difference)
    with nullcontext() if passes else pytest.raises(NasError, match="0.0001 is allowed"):
        assert require_parity(None, None, tolerance=1e-4, what="A copy") == difference


def test_what_stands_at_padding_does_not_count_but_nan_does():
    graph = Graph(model())

    def run(inputs, padding):
        hidden, pooled = (t.detach().numpy().copy() for t in graph(*map(torch.from_numpy, inputs)))
        hidden[inputs[1] == 0] = padding
        return [hidden, pooled]

    assert largest_difference(graph, lambda inputs: run(inputs, 7.0)) < 1e-6
    assert largest_difference(graph, lambda inputs: run(inputs, np.nan)) == float("inf")


@pytest.fixture
def broken(monkeypatch):
    """A format that answers a little wrongly, and one that cannot be written."""

    def write(graph, path):
        path.write_text("graph")
        write.graph = graph

    def opened(path):
        return lambda inputs: [
            t.detach().numpy() + 0.01 for t in write.graph(*map(torch.from_numpy, inputs))
        ]

    def refuses(graph, path):
        path.write_text("half a graph")
        raise RuntimeError("Unsupported: aten::spline\nand a page of details")

    monkeypatch.setattr(
        formats,
        "FORMATS",
        dict(FORMATS.items())
        | {
            "wrong": Format("model.wrong", write, opened, 1e-4),
            "refuses": Format("model.none", refuses, opened, 1e-4),
            "absent": Format("model.none", write, opened, 1e-4, ("no_such_package",), "onnx"),
        },
    )
    monkeypatch.setattr("nas.zoo.formats_of_model.FORMATS", formats.FORMATS)


def test_nothing_is_left_of_an_export_whose_format_answers_wrongly(tmp_path, export_run, broken):
    with pytest.raises(NasError, match="differ by up to 0.01, and 0.0001 is allowed. Nothing was"):
        export_run(tmp_path / "a", tasks=[], formats=["wrong"])
    with pytest.raises(NasError, match="'refuses' cannot express this model: RuntimeError: Unsup"):
        export_run(tmp_path / "a", tasks=[], formats=["refuses"])
    assert list(tmp_path.iterdir()) == []


def test_formats_that_are_unknown_or_not_installed(broken):
    with pytest.raises(NasError, match=r"needs no_such_package.*pip install 'encoder-nas\[onnx\]'"):
        require_packages(["absent"])
    with pytest.raises(UnknownName, match="No export format is called 'onyx'. Did you mean 'onnx'"):
        FORMATS["onyx"]


@pytest.mark.slow
def test_int8_is_smaller_and_says_what_it_costs(tmp_path, run, exported):
    folder = shutil.copytree(exported, tmp_path / "first")
    said, data = [], run.directory / "data"
    options = {"quantize": True, "data": data, "say": said.append}
    facts = write_formats(folder, ["stsb"], ["onnx"], **options)
    assert facts["onnx"]["files"] == ["stsb/model.onnx"]
    assert facts["onnx"]["largest_difference"] <= facts["onnx"]["tolerance"] == 1e-4
    assert facts["int8"]["stsb"]["times_smaller"] > 1.3
    # What the ONNX file scores is what torch scores, so that the change is int8's alone.
    task, splits = glue_task("stsb"), training_of(run)[1].tasks["stsb"]
    loaded = load_model(folder, task="stsb")
    answers = predict(
        loaded.flexibert.encoder, loaded.classifier, task, splits["dev"], scale=Scale()
    )
    whole = task_score(task, {"dev": score(task, answers, splits["dev"].labels)})
    found = onnx_score(folder / "stsb" / "model.onnx", task, splits)
    assert found == pytest.approx(whole, abs=2e-3)
    quantized = onnx_score(quantize_onnx(folder / "stsb"), task, splits)
    assert facts["int8"]["stsb"]["score"] == quantized
    assert facts["int8"]["stsb"]["change"] == pytest.approx(quantized - found)
    assert any("model.int8.onnx is" in line and "scores" in line for line in said)


def test_the_command_checks_the_folder_and_the_formats_first(tmp_path, run, monkeypatch):
    def call(*arguments):
        answer = CliRunner().invoke(cli, ["export", str(run.directory), *arguments])
        return answer.exit_code, str(answer.exception)

    (tmp_path / "there").mkdir()
    code, said = call("--to", str(tmp_path / "there"))
    assert "there exists already. Choose another folder" in said
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    code, said = call("--to", str(tmp_path / "new"), "--onnx")
    assert "needs onnxruntime" in said
    assert code != 0
    code, said = call("--to", str(tmp_path / "new"), "--tasks", "cola")
    assert "No task of this run is called 'cola'" in said
    assert [p.name for p in tmp_path.iterdir()] == ["there"]


def test_a_kind_that_a_format_cannot_have_is_refused_before_anything_is_trained_or_written(
    run, trial, export_run, tmp_path, monkeypatch, capsys
):
    kinds = SLOTS["feedforward"].kinds
    reason = "it loops over tokens"
    monkeypatch.setitem(kinds._entries, "mlp", replace(kinds["mlp"], formats={"onnx": reason}))
    monkeypatch.setattr("nas.single.trials.task_models_of", lambda *given: pytest.fail("trained"))
    folder = tmp_path / "zoo" / "first"
    given = ["export", str(run.directory), "--pick", trial["hash"][:10], "--to", str(folder)]
    monkeypatch.setattr("sys.argv", ["nas", *given, "--onnx"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    said = capsys.readouterr().err
    for word in ("onnx", "feedforward=mlp", reason, "safetensors, torch-export"):
        assert word in said
    assert not folder.parent.exists()
    for asked in ({"formats": ["onnx"]}, {"quantize": True}):
        with pytest.raises(NasError, match=reason):
            export_run(folder, tasks=[], **asked)
    assert not folder.parent.exists()
