"""Every public method of BERT's classes in `transformers`, called on BERT's class and on ours.

python experiments/transformers_contract.py [--to docs/transformers.md]

A cell says whether both give the same kind of result: the same keys and dimensions of outputs, the
same kind of module or value, the same kind of error. What needs several machines, a hub or special
hardware is not called: there a cell says whether ours inherits the very code that BERT's class has.
"""

import argparse
import copy
import io
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn
from transformers import BertConfig, PreTrainedModel

from nas.models.hf import FlexiBertForMaskedLM, FlexiBertModel
from nas.models.hf_config import FlexiBertConfig
from nas.models.hf_heads import HEADS

SAME, INHERITED, OTHER = "same", "same code", "no"
CLASSES = {
    "Model": (transformers.BertModel, FlexiBertModel),
    "ForMaskedLM": (transformers.BertForMaskedLM, FlexiBertForMaskedLM),
    **{
        f"For{name.partition('For')[2]}": (
            getattr(transformers, f"BertFor{name.partition('For')[2]}"),
            ours,
        )
        for name, ours in HEADS.items()
    },
}
# Not called here, and why; that the code is the same is checked.
NOT_CALLED = {
    "push_to_hub": "needs a hub",
    "load_adapter": "needs a saved adapter; tests/nas/zoo/test_tools_of_others.py tries LoRA",
    "enable_peft_hotswap": "needs adapters",
    "get_adapter_state_dict": "needs adapters",
    "delete_adapter": "needs adapters",
    "set_use_kernels": "needs kernels from a hub",
    "maybe_distribute_model": "needs several devices",
    "prepare_distribute_model": "needs several devices",
    "init_parallel_plans": "needs several devices",
    "barrier_after_gathered_checkpoint_save": "needs several devices",
    "gather_sharded_state_dict_for_save": "needs several devices",
    "save_distributed_checkpoint": "needs several devices",
    "should_save_on_this_rank": "needs several devices",
    "register_for_auto_class": "changes the class for everybody",
    "warn_if_padding_and_no_attention_mask": "prints only",
    "get_init_context": "internal: what is around a constructor",
    "initialize_weights": "internal: called by post_init",
    "mark_tied_weights_as_initialized": "internal: called while loading",
    "retrieve_modules_from_names": "internal: called while loading",
    "set_decoder": "of decoders",
    "set_encoder": "of encoder-decoders",
}
# Other results, and why.
WHY = {
    "resize_position_embeddings": "BERT has none (it raises); ours lengthens the encoder",
    "get_position_embeddings": "BERT has none (it raises); ours returns the table",
    "get_expanded_tied_weights_keys": "ours has one table only, so that there is nothing to tie",
    "forward, nothing": "BERT's class for choices fails inside; ours says what is missing",
}
Call = Callable[[Any, dict[str, Any]], Any]
CALLS: dict[str, Call] = {
    "activation_checkpointing_enable": lambda m, b: m.activation_checkpointing_enable(),
    "activation_checkpointing_disable": lambda m, b: m.activation_checkpointing_disable(),
    "gradient_checkpointing_enable": lambda m, b: m.gradient_checkpointing_enable(),
    "gradient_checkpointing_disable": lambda m, b: m.gradient_checkpointing_disable(),
    "active_adapters": lambda m, b: m.active_adapters(),
    "add_adapter": lambda m, b: m.add_adapter("not a configuration"),
    "set_adapter": lambda m, b: m.set_adapter("x"),
    "disable_adapters": lambda m, b: m.disable_adapters(),
    "enable_adapters": lambda m, b: m.enable_adapters(),
    "add_model_tags": lambda m, b: m.add_model_tags("x"),
    "can_generate": lambda m, b: m.can_generate(),
    "config_class": lambda m, b: isinstance(m.config, m.config_class),
    "generation_config_class": lambda m, b: m.generation_config_class,
    "dequantize": lambda m, b: m.dequantize(),
    "enable_input_require_grads": lambda m, b: m.enable_input_require_grads(),
    "disable_input_require_grads": lambda m, b: (
        m.enable_input_require_grads(), m.disable_input_require_grads())[1],
    "from_pretrained": lambda m, b: type(_saved(m)) is type(m),
    "save_pretrained": lambda m, b: torch.equal(_saved(m)(**b)[0], m(**b)[0]),
    "get_compiled_call": lambda m, b: callable(m.get_compiled_call(None)),
    "get_correct_attn_implementation": lambda m, b: m.get_correct_attn_implementation("sdpa"),
    "get_correct_experts_implementation": lambda m, b: m.get_correct_experts_implementation(None),
    "get_experts_implementation": lambda m, b: m.get_experts_implementation(),
    "set_experts_implementation": lambda m, b: m.set_experts_implementation("eager"),
    "get_decoder": lambda m, b: isinstance(m.get_decoder(), nn.Module),
    "get_encoder": lambda m, b: isinstance(m.get_encoder(), nn.Module),
    "get_expanded_tied_weights_keys": lambda m, b: m.get_expanded_tied_weights_keys(),
    "get_input_embeddings": lambda m, b: m.get_input_embeddings(),
    "set_input_embeddings": lambda m, b: m.set_input_embeddings(
        nn.Embedding(*m.get_input_embeddings().weight.shape)),
    "get_output_embeddings": lambda m, b: m.get_output_embeddings(),
    "set_output_embeddings": lambda m, b: (
        None if m.get_output_embeddings() is None
        else m.set_output_embeddings(m.get_output_embeddings())),
    "get_memory_footprint": lambda m, b: m.get_memory_footprint(),
    "get_parameter_or_buffer": lambda m, b: m.get_parameter_or_buffer(
        next(iter(dict(m.named_parameters())))).requires_grad,
    "get_position_embeddings": lambda m, b: m.get_position_embeddings(),
    "resize_position_embeddings": lambda m, b: m.resize_position_embeddings(12),
    "resize_token_embeddings": lambda m, b: (m.resize_token_embeddings(50), m(**b))[1],
    "init_weights": lambda m, b: m.init_weights(),
    "is_backend_compatible": lambda m, b: m.is_backend_compatible(),
    "is_custom_code": lambda m, b: isinstance(m.is_custom_code(), bool),
    "is_remote_code": lambda m, b: m.is_remote_code(),
    "named_non_persistent_buffers": lambda m, b: isinstance(
        dict(m.named_non_persistent_buffers()), dict),
    "num_parameters": lambda m, b: m.num_parameters(),
    "post_init": lambda m, b: m.post_init(),
    "set_attn_implementation": lambda m, b: (m.set_attn_implementation("eager"), m(**b))[1],
    "tie_weights": lambda m, b: m.tie_weights(),
    "forward": lambda m, b: m(**b),
    "forward, labels": lambda m, b: m(**b, **_labels(m)),
    "forward, output_hidden_states": lambda m, b: m(**b, output_hidden_states=True),
    "forward, output_attentions": lambda m, b: (
        m.set_attn_implementation("eager"), m(**b, output_attentions=True))[1],
    "forward, inputs_embeds": lambda m, b: m(
        **{k: v for k, v in b.items() if k != "input_ids"},
        inputs_embeds=m.get_input_embeddings()(b["input_ids"])),
    "forward, position_ids": lambda m, b: m(
        **b, position_ids=torch.arange(b["input_ids"].shape[-1]).expand_as(b["input_ids"])),
    "forward, return_dict=False": lambda m, b: m(**b, return_dict=False),
    "forward, nothing": lambda m, b: m(),
    "forward, unknown argument": lambda m, b: m(**b, no_such_argument=1),
    "bfloat16": lambda m, b: m.to(torch.bfloat16)(**b),
    "deep copy": lambda m, b: torch.equal(copy.deepcopy(m)(**b)[0], m(**b)[0]),
    "training step": lambda m, b: _step(m, b),
}  # fmt: skip


def build(theirs: type, ours: type) -> tuple[PreTrainedModel, PreTrainedModel]:
    """Return a tiny model of each class."""
    torch.manual_seed(0)
    size = {"vocab_size": 40, "max_position_embeddings": 16}
    bert = BertConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, **size
    )
    layers = [{"width": 16, "heads": ["sa_sdp_8"] * 2, "feedforward": [24]}] * 2
    return theirs(bert).eval(), ours(FlexiBertConfig(layers=layers, **size)).eval()


def inputs(name: str) -> dict[str, torch.Tensor]:
    """Return two padded sequences, or two choices of them."""
    ids, mask = torch.tensor([[2, 9, 8, 3], [2, 7, 3, 0]]), torch.tensor([[1] * 4, [1, 1, 1, 0]])
    batch = {"input_ids": ids, "attention_mask": mask}
    if name == "ForMultipleChoice":
        batch = {key: value[:, None].repeat(1, 2, 1) for key, value in batch.items()}
    return batch


def _labels(model: Any) -> dict[str, torch.Tensor]:
    name = type(model).__name__.partition("For")[2]
    if name == "QuestionAnswering":
        return {"start_positions": torch.tensor([0, 1]), "end_positions": torch.tensor([1, 2])}
    whole = name in ("MaskedLM", "TokenClassification")
    return {"labels": torch.ones(2, 4, dtype=torch.int64) if whole else torch.tensor([0, 1])}


def _step(model: Any, batch: dict[str, Any]) -> bool:
    labels = _labels(model) if "For" in type(model).__name__ else {}
    output = model.train()(**batch, **labels)
    (output.loss if labels else output[0].mean()).backward()
    return model.get_input_embeddings().weight.grad is not None


def _saved(model: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return type(model).from_pretrained(folder).eval()


def kind(value: Any) -> Any:
    """Return what is compared of a result: its form, not its numbers."""
    if isinstance(value, torch.Tensor):
        return ("tensor", value.dim(), str(value.dtype))
    if isinstance(value, dict):
        return {key: kind(inner) for key, inner in value.items() if not _absent(inner)}
    if isinstance(value, tuple | list):
        return [kind(inner) for inner in value]
    if isinstance(value, nn.Module):
        return "embedding" if isinstance(value, nn.Embedding) else "linear"
    if isinstance(value, bool | str) or value is None:
        return value
    return type(value).__name__


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, tuple) and not value)


def tried(call: Call, model: Any, batch: dict[str, Any]) -> Any:
    """Return the kind of what a call gives, or of the error that it ends with."""
    try:
        with redirect_stderr(io.StringIO()):
            return kind(call(model, batch))
    except Exception as error:  # whatever it is, the other class is to end alike
        return f"raises {type(error).__name__}"


def methods() -> list[str]:
    """Return the public methods of all classes of BERT that torch's modules do not have."""
    found: set[str] = set()
    for theirs, _ in CLASSES.values():
        found |= {
            name
            for name in dir(theirs)
            if not name.startswith("_")
            and not hasattr(nn.Module, name)
            and callable(getattr(theirs, name))
        }
    return sorted(found | {name for name in CALLS if name not in found})


def cell(name: str, title: str) -> str:
    """Return what stands in the table for a method and a class."""
    theirs, ours = CLASSES[title]
    if name in CALLS:
        bert, flexi = build(theirs, ours)
        expected = tried(CALLS[name], bert, inputs(title))
        found = tried(CALLS[name], flexi, inputs(title))
        return SAME if found == expected else f"{OTHER}: {expected} / {found}"
    mine, yours = getattr(ours, name, None), getattr(theirs, name, None)
    same = getattr(mine, "__func__", mine) is getattr(yours, "__func__", yours)
    return INHERITED if name in NOT_CALLED and same else f"{OTHER}: not tried"


def table() -> dict[str, dict[str, str]]:
    """Return method to class to cell."""
    return {name: {title: cell(name, title) for title in CLASSES} for name in methods()}


def page(cells: dict[str, dict[str, str]]) -> str:
    """Return the page that shows the table."""
    flat = [value for row in cells.values() for value in row.values()]
    works = sum(not value.startswith(OTHER) for value in flat)
    called, same = len(flat) - flat.count(INHERITED), flat.count(SAME)
    lines = [
        "# The classes beside BERT's",
        "",
        "Written by `python experiments/transformers_contract.py --to docs/transformers.md` with "
        f"transformers {transformers.__version__}. Each public method of BERT's classes is called "
        "on BERT's class and on ours: *same* says that the results are of one kind (keys and "
        "dimensions of outputs, kind of module or value, kind of error), *same code* that ours "
        "inherits it from `transformers` as BERT's does and it was not called, for the reason "
        f"given. {works} of {len(flat)} cells work alike ({works / len(flat):.0%}); of the "
        f"{called} that were called, {same} ({same / called:.0%}).",
        "",
        f"| method | {' | '.join(CLASSES)} | why |",
        f"|---|{'---|' * (len(CLASSES) + 1)}",
    ]
    for name, row in cells.items():
        shown = [value.partition(":")[0] for value in row.values()]
        why = WHY.get(name) or (NOT_CALLED.get(name, "") if INHERITED in shown else "")
        if not why and OTHER in shown:
            why = next(v for v in row.values() if v.startswith(OTHER)).partition(": ")[2]
        lines.append(f"| `{name}` | {' | '.join(shown)} | {why} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write or print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path)
    arguments = parser.parse_args()
    text = page(table())
    if arguments.to is None:
        print(text)
    else:
        arguments.to.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
