"""The encoder as a model of `transformers`, and what all classes of it have in common."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.utils import logging

from nas.models.hf_config import FlexiBertConfig
from nas.models.initialisation import initialise
from nas.models.mixers.base import Mixer

MODULE = "modeling_flexibert"  # the file in an exported folder that has all of this
AUTO_MAP = {
    "AutoConfig": f"{MODULE}.FlexiBertConfig",
    "AutoModel": f"{MODULE}.FlexiBertModel",
    "AutoModelForMaskedLM": f"{MODULE}.FlexiBertForMaskedLM",
    "AutoModelForSequenceClassification": f"{MODULE}.FlexiBertForSequenceClassification",
    "AutoModelForTokenClassification": f"{MODULE}.FlexiBertForTokenClassification",
    "AutoModelForQuestionAnswering": f"{MODULE}.FlexiBertForQuestionAnswering",
    "AutoModelForMultipleChoice": f"{MODULE}.FlexiBertForMultipleChoice",
}
# Inputs that callers pass to any model, and that an encoder has no use for.
_WITHOUT_USE = frozenset(("num_items_in_batch", "use_cache", "output_router_logits"))
_log = logging.get_logger(__name__)


class FlexiBertPreTrainedModel(PreTrainedModel):
    """What every class of the encoder can do: be saved with its code, be resized, start anew."""

    config_class = FlexiBertConfig
    base_model_prefix = "flexibert"
    supports_gradient_checkpointing = True
    accepts_loss_kwargs = False  # losses are means over the batch: nobody may divide them again
    _supports_sdpa = True
    _supports_attention_backend = True

    def _init_weights(self, module: nn.Module) -> None:
        initialise(module)

    def post_init(self) -> None:
        """Finish what the constructor has built, as `transformers` asks."""
        encoder = self.base_model.encoder
        self._no_split_modules = sorted({type(layer).__name__ for layer in encoder.layers})
        super().post_init()

    def _can_set_attn_implementation(self) -> bool:
        return True  # whether it is so, `transformers` finds by looking for words in the source

    def save_pretrained(self, save_directory: Any, *arguments: Any, **kwargs: Any) -> Any:
        """Save the model with the code of its classes, so that it loads anywhere.

        The arguments are those of `transformers`. What is saved is this model alone: folders of
        tasks beside it are not, and the configuration says so.
        """
        folder, config = Path(save_directory), self.config
        if kwargs.get("is_main_process", True) and not folder.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{MODULE}.py").write_text(_own_source(config), encoding="utf-8")
        names, config.task_names = config.task_names, []
        config.auto_map = dict(AUTO_MAP)
        try:
            return super().save_pretrained(save_directory, *arguments, **kwargs)
        finally:
            config.task_names = names

    def resize_token_embeddings(self, *arguments: Any, **kwargs: Any) -> nn.Module:
        """Give the model another number of tokens, in its table and in what predicts them.

        The arguments are those of `transformers`.

        Raises:
            ValueError: If the tokens have no table of one row each.
        """
        table = self.get_input_embeddings()
        if not isinstance(table, nn.Embedding):
            raise ValueError(
                f"The tokens are embedded by {type(table).__name__}, which has no row for each, so "
                "their number cannot be changed. Keep the tokenizer, or train an encoder with the "
                "embedding 'learned'."
            )
        return super().resize_token_embeddings(*arguments, **kwargs)

    def get_position_embeddings(self) -> nn.Module:
        """Return the table of positions that is added to the embeddings.

        Raises:
            ValueError: If there is none, because layers know of positions otherwise.
        """
        table = self.base_model.encoder.embeddings.positions
        if table is None:
            raise ValueError(
                f"Positions of the kind {self.config.positions!r} have no table that is added to "
                "the embeddings. Look into the layers of model.base_model.encoder."
            )
        return table

    def resize_position_embeddings(self, new_num_position_embeddings: int) -> None:
        """Let the model read longer or shorter texts; what is new starts untrained.

        Raises:
            ValueError: If the number is below 1, or a tensor cannot be lengthened.
        """
        length, config, base = new_num_position_embeddings, self.config, self.base_model
        if isinstance(length, bool) or not isinstance(length, int) or length < 1:
            raise ValueError(f"The new length is {length!r}. Give a whole number from 1 on.")
        before = config.max_position_embeddings
        config.max_position_embeddings = length
        try:
            longer = config.build_encoder()
            own = longer.state_dict()
            for name, tensor in base.encoder.state_dict().items():
                _lengthen(name, tensor, own[name], before, length)
        except ValueError:
            config.max_position_embeddings = before
            raise
        longer.embeddings.tokens = base.encoder.embeddings.tokens
        weights = base.encoder.embeddings.types.weight
        base.encoder = longer.to(weights.device, weights.dtype).train(self.training)
        for parameter in base.encoder.parameters():
            parameter.requires_grad_(weights.requires_grad)


class FlexiBertModel(FlexiBertPreTrainedModel):
    """An encoder and its pooler."""

    _keys_to_ignore_on_load_unexpected = [r"^mlm\.", r"^classifier\.", r"^qa_outputs\."]

    def __init__(self, config: FlexiBertConfig):
        super().__init__(config)
        self.encoder = config.build_encoder()
        self.gradient_checkpointing = False
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.encoder.embeddings.tokens

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.encoder.embeddings.tokens = value
        rows = getattr(value, "num_embeddings", None)
        if rows is not None:
            self.config.vocab_size = self.encoder.vocabulary_size = rows

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_attentions: bool | None = None,  # noqa: FBT001 - the signature of `transformers`
        output_hidden_states: bool | None = None,  # noqa: FBT001
        return_dict: bool | None = None,  # noqa: FBT001
        **kwargs: Any,
    ) -> BaseModelOutputWithPooling | tuple[Tensor, ...]:
        """Encode token ids.

        Args:
            input_ids: int64, `(batch, length)`.
            attention_mask: 1 for real tokens, which come first, `(batch, length)`.
            token_type_ids: int64, `(batch, length)`.
            position_ids: int64, `(batch, length)` or `(length,)`; 0, 1, 2, … where not given.
            inputs_embeds: Vectors of tokens instead of `input_ids`, `(batch, length, width)`.
            output_attentions: Whether to return what heads attend to: for each layer
                `(batch, heads that attend, length, length)`, None where none of its heads has such
                a map. A warning says why.
            output_hidden_states: Whether to return what each layer reads and the last gives.
            return_dict: False for a tuple.
            kwargs: What other models of `transformers` take; a warning names what has no effect.

        Raises:
            ValueError: If a real token follows padding, or inputs contradict each other.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("Give one of input_ids and inputs_embeds, and not both.")
        _name_unused(kwargs)
        encoder, config = self.encoder, self.config
        keep = _check_padding(attention_mask)
        encoder.checkpointing = self.gradient_checkpointing
        embedded = None
        if inputs_embeds is not None or position_ids is not None:
            embedded = encoder.embeddings(
                input_ids, token_type_ids, keep, vectors=inputs_embeds, places=position_ids
            )
        states = attentions = None
        mapped = _or(output_attentions, config.output_attentions)
        with _attention_maps(encoder.layers, wanted=mapped) as maps:
            if _or(output_hidden_states, config.output_hidden_states):
                states = tuple(encoder.states(input_ids, keep, token_type_ids, embedded=embedded))
                hidden = states[-1]
            else:
                # answers at padding stay what they were when the folder was written
                unpad = self.training and not mapped
                hidden = encoder(input_ids, keep, token_type_ids, embedded=embedded, unpad=unpad)
            attentions = maps()
        output = BaseModelOutputWithPooling(
            last_hidden_state=hidden,
            pooler_output=encoder.pool(hidden, keep),
            hidden_states=states,
            attentions=attentions,
        )
        return as_asked(output, return_dict, config)


def as_asked(output: Any, return_dict: bool | None, config: Any) -> Any:  # noqa: FBT001
    """Return an output as it is, or as a tuple where asked or configured so."""
    return output if _or(return_dict, config.return_dict) else output.to_tuple()


def _or(value: bool | None, configured: bool) -> bool:  # noqa: FBT001
    return configured if value is None else value


def _name_unused(kwargs: dict[str, Any]) -> None:
    names = sorted(n for n, value in kwargs.items() if value is not None and n not in _WITHOUT_USE)
    if names and not torch.compiler.is_compiling():
        _log.warning_once(
            f"FlexiBERT takes no {', '.join(names)}: without effect. An encoder reads input_ids or "
            "inputs_embeds, attention_mask, token_type_ids and position_ids."
        )


def _check_padding(attention_mask: Tensor | None) -> Tensor | None:
    """Attention mask of `transformers` (1 for real tokens) to the boolean mask of the encoder."""
    if attention_mask is None:
        return None
    if attention_mask.dim() != 2:
        raise ValueError(
            f"attention_mask has the shape {tuple(attention_mask.shape)}. FlexiBERT reads "
            "(batch, length), 1 for real tokens: a mask for each pair of tokens means nothing to "
            "heads that transform or convolve."
        )
    keep = attention_mask.bool()
    if not torch.compiler.is_compiling() and bool((keep[:, 1:] & ~keep[:, :-1]).any()):
        raise ValueError(
            "attention_mask has a real token after padding. FlexiBERT reads sequences padded on "
            'the right: use a tokenizer with padding_side="right".'
        )
    return keep


@contextmanager
def _attention_maps(layers: nn.ModuleList, *, wanted: bool) -> Iterator[Any]:
    """Note what the mixers of each layer read; yield what gives a map for each layer."""
    if not wanted:
        yield lambda: None
        return
    mixers = [[m for m in layer.modules() if isinstance(m, Mixer)] for layer in layers]
    read: dict[Mixer, tuple] = {}
    handles = [
        mixer.register_forward_pre_hook(lambda m, arguments: read.__setitem__(m, arguments))
        for mixer in {m for group in mixers for m in group}
    ]

    def maps() -> tuple[Tensor | None, ...]:
        found, without = [], set()
        for group in mixers:
            here = [(mixer, mixer.attention_map(*read[mixer])) for mixer in group if mixer in read]
            without |= {type(mixer).__name__ for mixer, weights in here if weights is None}
            kept = [weights for _, weights in here if weights is not None]
            found.append(torch.cat(kept, 1) if kept else None)
        if without:
            _log.warning_once(
                f"No attention map of {', '.join(sorted(without))}: such heads give none, most "
                "because they mix by no weighted mean over tokens. Layers without any other head "
                "have None."
            )
        return tuple(found)

    try:
        yield maps
    finally:
        for handle in handles:
            handle.remove()


def _lengthen(name: str, given: Tensor, own: Tensor, before: int, length: int) -> None:
    """Copy a tensor into that of a longer or shorter model."""
    if given.shape == own.shape:
        own.copy_(given)
        return
    sizes = (given.shape[0], own.shape[0])
    if given.shape[1:] == own.shape[1:] and sizes == (before, length):
        start = 0  # a row for each position
    elif given.shape[1:] == own.shape[1:] and sizes == (2 * before - 1, 2 * length - 1):
        start = length - before  # a row for each distance, 0 in the middle
    else:
        raise ValueError(
            f"{name} has the shape {tuple(given.shape)} for {before} positions, and nothing says "
            f"how it goes on to {length}. Truncate the texts instead."
        )
    kept = slice(max(start, 0), max(start, 0) + min(sizes))
    source = slice(max(-start, 0), max(-start, 0) + min(sizes))
    own[kept] = given[source].to(own)


def _own_source(config: FlexiBertConfig) -> str:
    """Return the code of these classes as the one file that a folder carries."""
    if __name__ == "nas.models.hf_base":  # as a text: an exported folder must not ask for it
        alone = import_module("nas.models.standalone")
        return alone.standalone_source(config.describe(), config.positions)
    return Path(sys.modules[__name__].__file__).read_text(encoding="utf-8")
