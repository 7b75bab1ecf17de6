"""What every token embedding is: token ids to vectors, one at a time."""

from collections.abc import Callable, Sequence

from torch import nn

from search_spaces.parts import Part
from search_spaces.registry import Registry

# name -> a callable (vocabulary_size, width, *, pad_id, **settings) -> module that maps int64
# `(batch, length)` to `(batch, length, width)`. One that a tied output decodes with has a `weight`
# of `(vocabulary_size, its own width)`, which the kind's `table` says. `axes`: the words of
# `nas.models.axes`, with "tokens", "first" for the first layer's width and "code" for the table's.
# One with `reads_keep = True` is given `keep`, too: where a token's vector depends on others. One
# with `reads_texts = True` is built with `texts`, too, how the tokenizer spells each token, and
# keeps them under that name. One that returns vectors narrower than the width says how wide they
# are in `embedded`, and `widen(summed)` maps their normed sums with types and positions.
EMBEDDINGS: Registry[Callable[..., nn.Module]] = Registry("embedding", group="nas.embeddings")


def make_embedding(
    part: Part,
    vocabulary_size: int,
    width: int,
    *,
    pad_id: int,
    texts: Sequence[str] | None = None,
) -> nn.Module:
    """Build the token embedding that a part describes.

    Raises:
        UnknownName: If there is no such embedding.
    """
    given = {"texts": texts} if reads_texts(part) else {}
    return EMBEDDINGS[part.kind](
        vocabulary_size, width, pad_id=pad_id, **given, **dict(part.settings)
    )


def reads_texts(part: Part) -> bool:
    """Whether an embedding is made of what tokens are called.

    Raises:
        UnknownName: If there is no such embedding.
    """
    return getattr(EMBEDDINGS[part.kind], "reads_texts", False)
