"""What a trained encoder keeps before any training when one layer has another mixer.

    python experiments/mixers_of_a_teacher.py --checkpoint DIR --data GLUE

Printed is the rank correlation of STS-B's scores (rows 700 to 1,000 of its development part) with
the cosine of mean embeddings: of the whole encoder, and with one layer's attention replaced. A
mixer is put there `as it begins` (its queries and values are the teacher's), with the map after it
`regressed`, and `fitted` as a search does (`nas.teachers.mimicry`): softmax mimicry of linear
attention, regression, and the block alone for a short while. Beside it the share of what the
attention gives that is left unexplained on text that nothing was fitted on.
"""

import argparse
import copy
import time
from itertools import islice

import torch
from scipy.stats import spearmanr

from nas.data.batches import batches
from nas.data.encoding import encode_split
from nas.data.preparation import prepare_tasks
from nas.data.source import load_source
from nas.data.tables import Split
from nas.data.tokenizer import Tokenizer
from nas.models.encoder import Encoder
from nas.teachers.calibration import calibrate
from nas.teachers.checkpoint import read_checkpoint
from nas.teachers.extraction import extract
from nas.teachers.mimicry import fit_mixer, regress, unexplained
from search_spaces import Architecture
from search_spaces.architectures.layers import Layer, shared_head
from search_spaces.operations import read_kind

LENGTH, ROWS = 64, slice(700, 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", default=".")
    parser.add_argument("--layers", default="1,4")
    parser.add_argument("--mixers", default="c_5,l_dft,hedgehog")
    options = parser.parse_args()
    torch.set_num_threads(1)
    checkpoint = read_checkpoint(options.checkpoint)
    tokenizer = Tokenizer.from_json(checkpoint.tokenizer_json)
    source, _ = load_source(options.data, tasks=["stsb"], cache_directory=options.work, seed=0)
    data = prepare_tasks(source, tokenizer, max_length=LENGTH)
    whole = checkpoint.build(max_length=LENGTH, pooling="mean").eval()
    text = list(islice(batches(data.tasks["stsb"]["train"], batch_size=32, seed=0), 14))
    text, held_out = text[:12], text[12:]
    worth = calibrate(whole, text[:4])  # nothing is cut, so that any will do
    (dev,) = source["stsb"].dev.values()

    def embed(encoder: Encoder, texts: list[str]) -> torch.Tensor:
        split = encode_split(tokenizer, Split(texts, None, None), LENGTH)
        found = torch.zeros(len(texts), encoder.width)
        with torch.inference_mode():
            for batch in batches(split, batch_size=64, shuffle=False):
                hidden = encoder(batch.tokens, batch.keep, batch.token_types)
                real = batch.keep[:, :, None].float()
                found[batch.rows] = (hidden * real).sum(1) / real.sum(1)
        return torch.nn.functional.normalize(found)

    def correlation(encoder: Encoder) -> float:
        both = [embed(encoder, list(side[ROWS])) for side in (dev.first, dev.second)]
        return float(spearmanr((both[0] * both[1]).sum(1).numpy(), dev.labels[ROWS]).statistic)

    def states(number: int, of) -> list[tuple[torch.Tensor, torch.Tensor]]:
        with torch.no_grad():
            return [(whole.states(b.tokens, b.keep, b.token_types)[number], b.keep) for b in of]

    print(f"whole {correlation(whole):.3f}", flush=True)
    for number in map(int, options.layers.split(",")):
        seen, unseen = states(number, text), states(number, held_out)
        teacher = copy.deepcopy(whole.layers[number]).requires_grad_(requires_grad=False)
        heads = torch.arange(len(checkpoint.architecture.layers[number].heads))
        for kind in options.mixers.split(","):
            child = with_mixer(checkpoint.architecture, number, kind)
            encoder = Encoder(
                child, checkpoint.vocabulary_size, max_length=LENGTH, dropout=0.0, pooling="mean"
            ).eval()
            depth = range(len(child.layers))
            encoder.load_state_dict(extract(child, whole.state_dict(), worth, depth))
            encoder.requires_grad_(requires_grad=False)
            layer = encoder.layers[number]
            begun, left = correlation(encoder), [unexplained(layer, teacher, unseen)]
            regress(layer, teacher, seen)
            regressed, left = correlation(encoder), [*left, unexplained(layer, teacher, unseen)]
            encoder.load_state_dict(extract(child, whole.state_dict(), worth, depth))
            started = time.process_time()
            fit_mixer(layer, teacher, heads, seen)
            seconds = time.process_time() - started
            left.append(unexplained(layer, teacher, unseen))
            print(
                f"layer {number}, {kind}: as it begins {begun:.3f} ({left[0]:.2f} unexplained), "
                f"regressed {regressed:.3f} ({left[1]:.2f}), fitted {correlation(encoder):.3f} "
                f"({left[2]:.2f}), {seconds:.1f} s",
                flush=True,
            )


def with_mixer(teacher: Architecture, number: int, kind: str) -> Architecture:
    """Return a teacher with another mixer in one layer."""
    operation, parameter = read_kind(kind)
    layers = list(teacher.layers)
    of = layers[number]
    head = shared_head(operation, parameter, of.head_width)
    layers[number] = Layer(of.width, (head,) * len(of.heads), of.feedforward, of.parts)
    return Architecture(layers, parts=teacher.parts)


if __name__ == "__main__":
    main()
