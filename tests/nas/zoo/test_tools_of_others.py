"""Tools that deployers use run on an exported folder: LoRA, Trainer, accelerate, sentences."""

import pytest
import torch
from torch.testing import assert_close
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForMultipleChoice,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    pipeline,
)

KINDS = {
    "FEATURE_EXTRACTION": AutoModel,
    "SEQ_CLS": AutoModelForSequenceClassification,
    "TOKEN_CLS": AutoModelForTokenClassification,
    "QUESTION_ANS": AutoModelForQuestionAnswering,
    "MULTIPLE_CHOICE": AutoModelForMultipleChoice,
    None: AutoModelForMaskedLM,
}
# peft has no word for this task; its head is named, as peft does by itself for SEQ_CLS
OF_PEFT = {"MULTIPLE_CHOICE": {"task_type": None, "modules_to_save": ["classifier"]}}


def batch_of(folder, kind=None):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(["the cat sat", "a dog ran home"], padding=True, return_tensors="pt")
    if kind == "MULTIPLE_CHOICE":  # one example with two answers
        return {name: tensor[None] for name, tensor in batch.items()}
    return batch


def targets(kind, batch):
    shape = batch["input_ids"].shape
    if kind == "QUESTION_ANS":
        return {"start_positions": torch.tensor([0, 1]), "end_positions": torch.tensor([1, 2])}
    if kind == "MULTIPLE_CHOICE":
        return {"labels": torch.tensor([1])}
    if kind == "SEQ_CLS":
        return {"labels": torch.tensor([0, 1])}
    return {"labels": torch.ones(shape, dtype=torch.int64)} if kind != "FEATURE_EXTRACTION" else {}


@pytest.mark.parametrize("kind", KINDS)
def test_lora_trains_is_saved_and_merged(kind, exported, tmp_path):
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    model = KINDS[kind].from_pretrained(exported)
    batch = batch_of(exported, kind)
    modules = [n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)]
    settings = peft.LoraConfig(
        r=2,
        target_modules=[n for n in modules if ".layers." in n],
        **OF_PEFT.get(kind, {"task_type": kind}),
    )
    tuned = peft.get_peft_model(model, settings)
    trained = [n for n, p in tuned.named_parameters() if p.requires_grad]
    assert any("lora_A" in name for name in trained)
    assert not any("embeddings" in name for name in trained)
    optimizer = torch.optim.AdamW([p for p in tuned.parameters() if p.requires_grad], lr=0.05)
    tuned.train()
    for _ in range(2):
        output = tuned(**batch, **targets(kind, batch))
        loss = output.loss if "loss" in output else output[0].square().mean()
        loss.backward()
        optimizer.step()
    tuned.eval()
    expected = tuned(**batch)[0].detach()
    tuned.save_pretrained(tmp_path / "adapter")
    fresh = KINDS[kind].from_pretrained(exported)
    again = peft.PeftModel.from_pretrained(fresh, tmp_path / "adapter").eval()
    if kind not in ("TOKEN_CLS", "QUESTION_ANS"):  # their heads start anew each time
        assert_close(again(**batch)[0], expected)
    merged = tuned.merge_and_unload()
    assert_close(merged(**batch)[0], expected, atol=1e-5, rtol=1e-4)
    merged.save_pretrained(tmp_path / "merged")
    whole = type(merged).from_pretrained(tmp_path / "merged").eval()
    assert_close(whole(**batch)[0], expected, atol=1e-5, rtol=1e-4)


def test_a_trainer_step_and_its_checkpoint(exported, tmp_path):
    pytest.importorskip("accelerate")
    transformers = pytest.importorskip("transformers")
    model = AutoModelForSequenceClassification.from_pretrained(exported, num_labels=3)
    batch = batch_of(exported)
    rows = [{k: v[i] for k, v in batch.items()} | {"labels": i + 1} for i in range(2)]
    settings = transformers.TrainingArguments(
        output_dir=str(tmp_path / "out"),
        max_steps=2,
        save_steps=2,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=2,
        gradient_checkpointing=True,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
    )
    before = model.classifier.output.weight.detach().clone()
    trainer = transformers.Trainer(model=model, args=settings, train_dataset=rows)
    assert trainer.train().training_loss > 0
    assert not torch.equal(model.classifier.output.weight, before)
    checkpoint = tmp_path / "out" / "checkpoint-2"
    assert (checkpoint / "modeling_flexibert.py").is_file()
    again = AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()
    assert_close(again(**batch).logits, model.eval()(**batch).logits)


def test_accelerate_prepares_a_step(exported):
    accelerate = pytest.importorskip("accelerate")
    accelerator = accelerate.Accelerator(cpu=True)
    model = AutoModelForMaskedLM.from_pretrained(exported)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model, optimizer = accelerator.prepare(model, optimizer)
    batch = batch_of(exported)
    before = model.get_input_embeddings().weight.detach().clone()
    accelerator.backward(model(**batch, labels=batch["input_ids"]).loss)
    optimizer.step()
    assert not torch.equal(model.get_input_embeddings().weight, before)


def test_sentence_transformers_reads_the_folder(exported):
    pytest.importorskip("sentence_transformers")
    from sentence_transformers import SentenceTransformer

    options = {"trust_remote_code": True, "device": "cpu"}
    found = SentenceTransformer(str(exported), **options).encode(["the cat sat", "a dog ran home"])
    batch = batch_of(exported)
    hidden = AutoModel.from_pretrained(exported).eval()(**batch).last_hidden_state
    real = batch["attention_mask"][..., None]
    expected = (hidden * real).sum(1) / real.sum(1)
    assert_close(torch.from_numpy(found), expected.detach(), atol=1e-5, rtol=1e-4)


def test_pipelines_truncate_by_the_tokenizer_and_say_how_where_not_asked(exported):
    long = "the cat sat " * 400
    classify = pipeline("text-classification", model=str(exported))
    assert classify(long, truncation=True)[0]["label"] in ("negative", "positive")
    with pytest.raises(ValueError, match=r"truncation=True.*resize_position_embeddings"):
        classify(long)
