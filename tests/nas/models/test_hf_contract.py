"""The classes keep what `transformers` promises of a model, for every head."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close
from transformers import AutoConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from nas.models.hf import FlexiBertForMaskedLM, FlexiBertForSequenceClassification, FlexiBertModel
from nas.models.hf_base import AUTO_MAP
from nas.models.hf_choice import FlexiBertForMultipleChoice
from nas.models.hf_config import FlexiBertConfig
from nas.models.hf_heads import HEADS
from nas.models.hf_spans import FlexiBertForQuestionAnswering
from nas.models.hf_tokens import FlexiBertForTokenClassification
from search_spaces import Architecture

MIXED = Architecture.from_dict(
    {
        "l": 3,
        "o": [["sa_sdp_8", "sa_wma_8"], ["sa_sdp_8", "c_3_8"], ["l_dft_8", "c_5_8"]],
        "h": [16, 24, 24],
        "f": [[32], [24, 24], [16]],
    }
)
COMPILED = Architecture.from_dict(
    {"l": 2, "o": [["sa_sdp_8", "c_3_8"], ["sa_wma_8"]], "h": [16, 24], "f": [[32], [24]]}
)
IDS = torch.tensor([[2, 9, 8, 3], [2, 7, 3, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
CLASSES = (
    FlexiBertModel,
    FlexiBertForMaskedLM,
    FlexiBertForSequenceClassification,
    FlexiBertForTokenClassification,
    FlexiBertForQuestionAnswering,
    FlexiBertForMultipleChoice,
)


def config(architecture=MIXED, **options):
    torch.manual_seed(0)
    made = FlexiBertConfig.from_architecture(
        architecture, 40, max_length=16, positions=options.pop("positions", "absolute")
    )
    for name, value in options.items():
        setattr(made, name, value)
    return made


def build(cls, **options):
    return cls(config(**options)).eval()


def inputs(cls):
    batch = {"input_ids": IDS, "attention_mask": MASK}
    if cls is FlexiBertForMultipleChoice:
        batch = {name: value[:, None].repeat(1, 2, 1) for name, value in batch.items()}
        batch["input_ids"][:, 1, 1] = 12  # answers alike would leave nothing to learn
    return batch


def targets(cls):
    if cls is FlexiBertForQuestionAnswering:
        return {"start_positions": torch.tensor([1, 0]), "end_positions": torch.tensor([2, 9])}
    whole = cls in (FlexiBertForMaskedLM, FlexiBertForTokenClassification)
    return {"labels": torch.ones_like(IDS) if whole else torch.tensor([0, 1])}


def test_every_head_is_found_by_its_auto_class():
    assert {name: f"modeling_flexibert.{cls.__name__}" for name, cls in HEADS.items()}.items() <= (
        AUTO_MAP.items()
    )


@pytest.mark.parametrize("cls", CLASSES)
def test_states_maps_and_tuples(cls):
    model, batch = build(cls), inputs(cls)
    plain = model(**batch)
    full = model(**batch, output_hidden_states=True, output_attentions=True)
    assert_close(full[0], plain[0])
    assert [h.shape[-1] for h in full.hidden_states] == [16, 24, 24, 24]
    first, second, third = full.attentions
    assert first.shape[1:] == (2, 4, 4)
    assert second.shape[1:] == (1, 4, 4)  # of the head that attends; its neighbour convolves
    assert third is None
    assert_close(first.sum(-1), torch.ones(first.shape[:-1]))
    if cls is FlexiBertModel:
        assert torch.equal(full.hidden_states[-1], full.last_hidden_state)
        assert first[1, :, :, 3].abs().max() == 0  # padding is not attended
    model.config.return_dict = False
    answer = model(**batch)
    assert isinstance(answer, tuple)
    assert torch.equal(answer[0], plain[0])
    assert torch.equal(model(**batch, return_dict=True)[0], plain[0])


def test_an_attention_map_is_what_the_head_mixes_with():
    model = build(FlexiBertModel)
    mixer = next(iter(model.encoder.layers[0].mixers.values()))
    x = torch.randn(2, 4, 16)
    weights = mixer.attention_map(x, MASK.bool())
    value = mixer.read(x)[2]
    mixed = (weights @ value).transpose(1, 2).flatten(2)
    assert_close(mixer(x, MASK.bool()), mixed)


@pytest.mark.parametrize("cls", CLASSES)
def test_vectors_and_places_instead_of_ids(cls):
    model, batch = build(cls), inputs(cls)
    expected = model(**batch)[0]
    ids = batch.pop("input_ids")
    vectors = model.get_input_embeddings()(ids)
    assert_close(model(inputs_embeds=vectors, **batch)[0], expected)
    places = torch.arange(4).expand(ids.shape)
    assert_close(model(input_ids=ids, position_ids=places, **batch)[0], expected)
    assert not torch.allclose(model(input_ids=ids, position_ids=places + 1, **batch)[0], expected)
    with pytest.raises(ValueError, match="know|0 to 15"):
        model(input_ids=ids, position_ids=places + 13, **batch)
    with pytest.raises(ValueError, match=r"one of input_ids and inputs_embeds|shape None"):
        model(**batch)


def test_places_mean_nothing_to_distances():
    model = build(FlexiBertModel, positions="relative")
    same = model(IDS, position_ids=torch.arange(4)).last_hidden_state
    assert_close(same, model(IDS).last_hidden_state)
    with pytest.raises(ValueError, match=r"distance alone\. Leave position_ids out"):
        model(IDS, position_ids=torch.arange(1, 5))


@pytest.mark.parametrize("cls", CLASSES)
def test_gradients_are_the_same_with_checkpointing_and_compiled(cls):
    model, batch = build(cls), inputs(cls)
    more = targets(cls) if cls is not FlexiBertModel else {}
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0

    def gradients(run):
        model.zero_grad()
        answer = run(**batch, **more)
        (answer.loss if more else answer.last_hidden_state.square().mean()).backward()
        return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}

    expected = gradients(model)
    model.gradient_checkpointing_enable()
    assert model.is_gradient_checkpointing
    found = gradients(model)
    assert model.base_model.encoder.checkpointing
    assert_close(found, expected)
    model.gradient_checkpointing_disable()


@pytest.mark.slow
@pytest.mark.parametrize("cls", CLASSES)
def test_a_compiled_step_is_the_plain_step(cls):
    model, batch = build(cls, architecture=COMPILED), inputs(cls)
    more = targets(cls) if cls is not FlexiBertModel else {}
    expected = model(**batch, **more)[0]
    compiled = torch.compile(model, backend="eager")
    found = compiled(**batch, **more)[0]
    assert_close(found, expected)
    found.float().mean().backward()
    assert model.get_input_embeddings().weight.grad.abs().sum() > 0


@pytest.mark.parametrize("cls", CLASSES)
def test_another_number_of_tokens(cls):
    model = build(cls)
    rows = model.get_input_embeddings().weight.detach().clone()
    model.resize_token_embeddings(45)
    assert model.config.vocab_size == model.base_model.encoder.vocabulary_size == 45
    assert torch.equal(model.get_input_embeddings().weight[:40], rows)
    batch = inputs(cls)
    batch["input_ids"] = batch["input_ids"] + 36 * (batch["input_ids"] == 8)  # token 44
    answer = model(**batch)
    if cls is FlexiBertForMaskedLM:
        assert answer.logits.shape[-1] == 45
        output = model.get_output_embeddings()
        assert output.weight is model.get_input_embeddings().weight
        assert output.bias is model.mlm.bias
        assert output.bias.shape == (45,)
        table = torch.nn.Embedding(50, 16)
        model.set_input_embeddings(table)
        assert model(**batch).logits.shape[-1] == 50
        assert model.get_output_embeddings().weight is table.weight
        with pytest.raises(ValueError, match="tied to the table.*set_input_embeddings"):
            model.set_output_embeddings(torch.nn.Linear(16, 50))
    model.resize_token_embeddings(30)
    assert model.get_input_embeddings().weight.shape[0] == 30


def test_another_number_of_tokens_where_the_output_has_a_table_of_its_own():
    shape = config().to_dict() | {"parts": {"output": "untied"}}
    model = FlexiBertForMaskedLM(FlexiBertConfig.from_dict(shape)).eval()
    before = model(IDS, MASK).logits
    model.resize_token_embeddings(45)
    assert_close(model(IDS, MASK).logits[..., :40], before)
    assert model(IDS, MASK).logits.shape[-1] == 45
    assert model.get_output_embeddings().weight is not model.get_input_embeddings().weight


@pytest.mark.parametrize("positions", ["absolute", "relative"])
def test_longer_texts(positions):
    model = build(FlexiBertModel, positions=positions)
    long = torch.arange(20)[None] + 2
    with pytest.raises(ValueError, match=r"20 tokens.*at most 16.*resize_position_embeddings"):
        model(long)
    expected = model(IDS).last_hidden_state
    model.resize_position_embeddings(32)
    assert_close(model(IDS).last_hidden_state, expected)
    assert model(long).last_hidden_state.shape == (1, 20, 24)
    assert model.config.max_position_embeddings == 32
    model.resize_position_embeddings(8)
    assert_close(model(IDS).last_hidden_state, expected)
    with pytest.raises(ValueError, match="The new length is 0"):
        model.resize_position_embeddings(0)


@pytest.mark.parametrize(
    ("labels", "options", "loss"),
    [
        (torch.tensor([0, 2]), {}, lambda z: F.cross_entropy(z, torch.tensor([0, 2]))),
        (torch.tensor([[0], [2]]), {}, lambda z: F.cross_entropy(z, torch.tensor([0, 2]))),
        (
            torch.tensor([0, 2], dtype=torch.int32),
            {},
            lambda z: F.cross_entropy(z, torch.tensor([0, 2])),
        ),
        (
            torch.tensor([[1.0, 0, 1], [0, 0, 1]]),
            {},
            lambda z: F.binary_cross_entropy_with_logits(z, torch.tensor([[1.0, 0, 1], [0, 0, 1]])),
        ),
        (
            torch.tensor([[1, 0, 1], [0, 0, 1]]),
            {"problem_type": "multi_label_classification"},
            lambda z: F.binary_cross_entropy_with_logits(z, torch.tensor([[1.0, 0, 1], [0, 0, 1]])),
        ),
        (
            torch.tensor([[1, 0, 1], [0, 0, 1]]),
            {"problem_type": "regression"},
            lambda z: F.mse_loss(z, torch.tensor([[1.0, 0, 1], [0, 0, 1]])),
        ),
        (
            torch.tensor([[2], [1]]),
            {"num_labels": 1},
            lambda z: F.mse_loss(z[:, 0], torch.tensor([2.0, 1])),
        ),
    ],
)
def test_losses_obey_the_problem_type(labels, options, loss):
    model = build(FlexiBertForSequenceClassification, **({"num_labels": 3} | options))
    output = model(IDS, MASK, labels=labels)
    assert_close(output.loss, loss(output.logits))


def test_labels_of_a_wrong_shape_and_an_unknown_problem():
    model = build(FlexiBertForSequenceClassification, num_labels=3)
    with pytest.raises(ValueError, match=r"labels have the shape \(3,\).*have \(2,\)"):
        model(IDS, MASK, labels=torch.tensor([0, 1, 2]))
    model.config.problem_type = "multi_label_classification"
    with pytest.raises(ValueError, match=r"labels have the shape \(2,\).*\(2, 3\)"):
        model(IDS, MASK, labels=torch.tensor([0, 1]))


def test_what_has_no_effect_is_named(caplog, monkeypatch):
    said = []
    monkeypatch.setattr("nas.models.hf_base._log.warning_once", said.append)
    model = build(FlexiBertModel)
    model(IDS, MASK, num_items_in_batch=3, head_mask=None)
    assert said == []
    model(IDS, MASK, encoder_hidden_states=torch.ones(1))
    assert "takes no encoder_hidden_states: without effect" in said[0]
    with pytest.raises(ValueError, match=r"attention_mask has the shape \(2, 1, 4, 4\)"):
        model(IDS, torch.ones(2, 1, 4, 4))


def test_attention_implementations():
    expected = build(FlexiBertModel)(IDS, MASK).last_hidden_state
    for name in ("eager", "sdpa"):
        model = FlexiBertModel._from_config(config(), attn_implementation=name).eval()
        assert model.config._attn_implementation == name
        assert_close(model(IDS, MASK).last_hidden_state, expected)
    with pytest.raises((ValueError, ImportError), match=r"(?i)flash"):
        FlexiBertModel._from_config(config(), attn_implementation="flash_attention_2")


@pytest.mark.parametrize("cls", CLASSES)
def test_what_is_saved_carries_its_code(cls, tmp_path):
    model = build(cls, task_names=["sst2"])
    model.save_pretrained(tmp_path / "g")
    assert (tmp_path / "g" / "modeling_flexibert.py").is_file()
    assert model.config.task_names == ["sst2"]
    stored = AutoConfig.from_pretrained(tmp_path / "g", trust_remote_code=True)
    assert stored.task_names == []
    assert stored.auto_map[cls.__name__.replace("FlexiBert", "AutoModel").replace("lModel", "l")]
    again = cls.from_pretrained(tmp_path / "g").eval()
    assert torch.equal(again(**inputs(cls))[0], model(**inputs(cls))[0])


@pytest.mark.slow
def test_a_second_save_loads_where_the_project_is_not(tmp_path):
    model = build(FlexiBertForMaskedLM)
    model.resize_token_embeddings(44)
    model.save_pretrained(tmp_path / "g")
    script = """
import sys
from pathlib import Path
for name in ("nas", "search_spaces", "surrogates"):
    sys.modules[name] = None
import torch
from transformers import AutoModelForMaskedLM
from transformers import AutoModelForQuestionAnswering
m = AutoModelForMaskedLM.from_pretrained("g", trust_remote_code=True)
m.save_pretrained("h")
n = AutoModelForMaskedLM.from_pretrained("h", trust_remote_code=True)
x = torch.tensor([[2, 43, 3]])
assert torch.equal(m(x).logits, n(x).logits)
q = AutoModelForQuestionAnswering.from_pretrained("h", trust_remote_code=True)
q.save_pretrained("i")
p = AutoModelForQuestionAnswering.from_pretrained("i", trust_remote_code=True)
assert torch.equal(q(x).start_logits, p(x).start_logits)
torch.save(m(x).logits.detach(), "logits.pt")
"""
    environment = {"PATH": "/usr/bin", "HF_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    elsewhere = torch.load(tmp_path / "logits.pt", weights_only=True)
    assert_close(elsewhere, model(torch.tensor([[2, 43, 3]])).logits)


def test_loading_changes_nothing_for_others(tmp_path):
    import nas

    build(FlexiBertModel).save_pretrained(tmp_path / "g")
    held = dict(CONFIG_MAPPING._extra_content)
    nas.load_model(tmp_path / "g")
    assert dict(CONFIG_MAPPING._extra_content) == held


@pytest.mark.slow
def test_nine_cells_of_ten_work_as_berts_do():
    from importlib.util import module_from_spec, spec_from_file_location

    root = Path(__file__).resolve().parents[3]
    spec = spec_from_file_location("contract", root / "experiments" / "transformers_contract.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    cells = module.table()
    flat = [value for row in cells.values() for value in row.values()]
    assert sum(not value.startswith(module.OTHER) for value in flat) >= 0.9 * len(flat)
    for name, row in cells.items():
        if any(value.startswith(module.OTHER) for value in row.values()):
            assert name in module.WHY, (name, row)
