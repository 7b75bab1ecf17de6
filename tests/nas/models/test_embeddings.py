"""Narrow tables equal MobileBERT's and ALBERT's, and outputs decode with what they say."""

import torch
from torch.nn import functional as F
from torch.testing import assert_close
from transformers import AlbertConfig, AlbertModel, ElectraConfig, ElectraModel, MobileBertConfig
from transformers.models.mobilebert.modeling_mobilebert import MobileBertEmbeddings

from nas.models.embeddings import make_embedding
from nas.models.encoder import Encoder
from nas.models.outputs import make_output
from search_spaces import Architecture
from search_spaces.architectures.layers import Head, Layer
from search_spaces.parts import Part

TOKENS = torch.tensor([[5, 9, 3, 8], [7, 2, 0, 0]])


def embedding(text, width=6):
    return make_embedding(Part.parse(text), 11, width, pad_id=0)


def test_trigrams_are_those_of_mobilebert():
    ours = embedding("trigram(rank=4)")
    theirs = MobileBertEmbeddings(
        MobileBertConfig(
            vocab_size=11,
            embedding_size=4,
            hidden_size=6,
            max_position_embeddings=4,
            trigram_input=True,
            hidden_dropout_prob=0.0,
        )
    )
    theirs.word_embeddings.weight.data = ours.table.weight.data
    theirs.embedding_transformation.load_state_dict(ours.neighbours.state_dict())
    for table in (theirs.position_embeddings, theirs.token_type_embeddings):
        torch.nn.init.zeros_(table.weight)
    assert_close(ours(TOKENS), theirs(TOKENS))


def test_trigrams_see_their_neighbours_and_nothing_beyond_the_ends():
    ours = embedding("trigram(rank=4)")
    torch.nn.init.normal_(ours.table.weight)  # the row of padding, too
    row = ours.table.weight[TOKENS[1]]
    after, this, before = ours.neighbours.weight.split(4, 1)
    first = row[1] @ after.T + row[0] @ this.T + ours.neighbours.bias
    last = row[1] @ this.T + row[0] @ before.T + ours.neighbours.bias
    assert_close(ours(TOKENS)[1, :2], torch.stack([first, last]))
    assert_close(ours(TOKENS[1:, :2])[0], ours(TOKENS)[1, :2])


def test_a_factorised_table_is_that_of_albert():
    ours = embedding("factorised(rank=4)")
    theirs = AlbertModel(
        AlbertConfig(vocab_size=11, embedding_size=4, hidden_size=6, num_attention_heads=1)
    )
    theirs.embeddings.word_embeddings.weight.data = ours.table.weight.data
    theirs.encoder.embedding_hidden_mapping_in.load_state_dict(ours.map.state_dict())
    mapped = theirs.encoder.embedding_hidden_mapping_in(theirs.embeddings.word_embeddings(TOKENS))
    assert_close(ours(TOKENS), mapped)


def test_a_projected_sum_is_that_of_electra():
    config = ElectraConfig(
        vocab_size=11, embedding_size=4, hidden_size=6, num_attention_heads=1,
        num_hidden_layers=1, max_position_embeddings=5,
    )  # fmt: skip
    theirs = ElectraModel(config).eval()
    layer = Layer(6, (Head("sa", "sdp", 6),), (12,))
    parts = {"embedding": "projected(rank=4)", "positions": "absolute"}
    ours = Encoder(Architecture([layer], parts=parts), 11, max_length=5).eval().embeddings
    ours.tokens.table.load_state_dict(theirs.embeddings.word_embeddings.state_dict())
    ours.types.load_state_dict(theirs.embeddings.token_type_embeddings.state_dict())
    ours.positions.load_state_dict(theirs.embeddings.position_embeddings.state_dict())
    torch.nn.init.normal_(theirs.embeddings.LayerNorm.weight)
    ours.norm.load_state_dict(theirs.embeddings.LayerNorm.state_dict())
    ours.tokens.map.load_state_dict(theirs.embeddings_project.state_dict())
    types = torch.tensor([[0, 0, 1, 1], [0, 1, 1, 0]])
    expected = theirs.embeddings_project(theirs.embeddings(TOKENS, types))
    assert_close(ours(TOKENS, types), expected)
    # what is embedded already is as narrow as the table
    assert_close(ours(None, types, vectors=ours.tokens(TOKENS)), expected)


def test_a_tied_output_decodes_with_the_table_of_projected_sums():
    encoder, head = heads("projected(rank=4)", "tied")
    hidden = torch.randn(3, 6)
    narrow = head.norm(F.gelu(head.transform(hidden)))
    assert_close(head(hidden), narrow @ encoder.embeddings.tokens.table.weight.T + head.bias)


def heads(embedding, output):
    layer = Layer(6, (Head("sa", "sdp", 3),) * 2, (12,))
    parts = {"embedding": embedding, "output": output}
    encoder = Encoder(Architecture([layer], parts=parts), 11, max_length=4)
    return encoder, make_output(encoder)


def test_a_tied_output_decodes_with_the_narrow_table():
    encoder, head = heads("factorised(rank=4)", "tied")
    hidden = torch.randn(3, 6)
    narrow = head.norm(F.gelu(head.transform(hidden)))
    assert narrow.shape == (3, 4)
    assert_close(head(hidden), narrow @ encoder.embeddings.tokens.table.weight.T + head.bias)
    assert "decoder.weight" not in head.state_dict()


def test_an_untied_output_has_a_table_of_its_own():
    encoder, head = heads("learned", "untied")
    hidden = torch.randn(3, 6)
    head(hidden).sum().backward()
    assert encoder.embeddings.tokens.weight.grad is None
    decoded = head.norm(F.gelu(head.transform(hidden))) @ head.decoder.weight.T
    assert_close(head(hidden), decoded + head.bias)
