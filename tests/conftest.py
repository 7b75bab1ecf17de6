"""Which tests share a process when several run them (`pytest -n 2`).

And a kind that nobody ships, in every slot, for as long as a test runs.
"""

import gc
import os
import signal
import sys
from pathlib import Path

import pytest

from search_spaces.architectures import size
from search_spaces.architectures.layers import shared_head
from search_spaces.distances.distance import _prepared
from search_spaces.kinds import LAYER_SLOTS, MODEL_SLOTS, RECIPE_SLOTS, SLOTS, Kind
from search_spaces.operations import mixer_part
from search_spaces.parts import Setting

HERE = Path(__file__).parent
# Before torch is loaded, and for all that tests start: a trial computes in as many threads as there
# are cores, and so does that of the other process. A thread that waits for one without a core is to
# sleep: by default it runs in a loop, which took most of the time of the tests that train.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
sys.path.insert(0, str(HERE / "warm"))


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory):
    """Keep what tests note of runs that they trust out of the user's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def warm_python():
    """What runs Python programs that need not import torch and transformers each time."""
    from warm_python import WarmPython

    with WarmPython() as warm:
        yield warm


@pytest.fixture(scope="session")
def quick_searches(tmp_path_factory):
    """Spare trials and searches of this process what takes seconds and is tested elsewhere.

    Latencies are of a few passes (`tests/nas/evaluation/test_cost.py` says how many it takes), and
    glue-mini is written and encoded once for equal wishes: what is kept is what the code gave.
    Where no GPU is, torch would note each seed for one, with all that is on the stack: a
    millisecond, ten thousand times.
    """
    import torch

    from nas.data import preparation, source
    from nas.evaluation.cost import measure_latency

    write, encode, written, encoded = source._generated, preparation.prepare, {}, {}

    def generated(wanted, cache, seed):
        if cache.is_relative_to(tmp_path_factory.getbasetemp()):  # a test looks at what is there
            return write(wanted, cache, seed)
        key = (tuple(wanted or ()), seed)
        if key not in written:
            written[key] = write(wanted, tmp_path_factory.mktemp("glue-mini"), seed)
        tables, corpus = written[key]
        return dict(tables), corpus

    def prepare(*, tasks, corpus, **settings):
        own = {id(table) for tables, _ in written.values() for table in tables.values()}
        plain = all(isinstance(value, int | str | None) for value in settings.values())
        if corpus is None or not plain or not {id(table) for table in tasks.values()} <= own:
            return encode(tasks=tasks, corpus=corpus, **settings)
        lines = tuple(corpus)
        names = tuple((name, id(table)) for name, table in tasks.items())
        key = (names, hash(lines), tuple(sorted(settings.items(), key=str)))
        if key not in encoded:
            encoded[key] = encode(tasks=tasks, corpus=iter(lines), **settings)
        return encoded[key]

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"min_repeats": 4, "max_seconds": 0.0}.items():
            patch.setitem(measure_latency.__kwdefaults__, name, value)
        for gpus in (torch.cuda, torch.xpu):
            if not gpus.is_available():
                patch.setattr(gpus, "manual_seed_all", lambda seed: None)
        patch.setattr(source, "_generated", generated)
        patch.setattr(preparation, "prepare", prepare)
        yield


# Folders and files whose tests share something costly: built once, in one process. Ray is such a
# thing as well: two clusters that start at once take each other's time, and their tests wait.
TOGETHER = {
    "end_to_end/test_search_end_to_end": "ray",
    "faults": "ray",
    "nas/execution": "ray",
    "nas/report": "report",
    "nas/zoo": "zoo",
}


def group_of(nodeid):
    """Return what a test belongs to: the tests of one group run in one process, in order."""
    file = nodeid.partition("::")[0].removeprefix("tests/")
    return next((name for folder, name in TOGETHER.items() if file.startswith(folder)), file)


def pytest_configure(config):
    # under nohup, or in some runners of jobs, closing terminals are ignored, which is obeyed by
    # searches and their children: tests are to find what a terminal has
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_finish(session):
    # what torch and thousands of tests consist of lives to the end: looking through it for
    # garbage again and again takes longer than many a test
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    # not by marks: xdist writes them into the names of tests, which pytest 9.2 no longer reads
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return group_of(nodeid)

    return ByGroup(config, log)


def forget_kinds():
    """Clear what counting remembers of the kinds that stood somewhere."""
    for remembered in (size._kinds_standing, size._model_kinds, mixer_part, shared_head):
        remembered.cache_clear()


@pytest.fixture
def dummies():
    """Register "dummy" with a number and a name as settings in every slot; take it out after."""
    settings = {
        "size": Setting(4, weight=0.05),
        "manner": Setting("plain", "name", ("plain", "odd"), weight=0.01),
    }
    names = ["mixer", *LAYER_SLOTS, *MODEL_SLOTS, *RECIPE_SLOTS]
    for name in names:
        more = {}
        if name in LAYER_SLOTS:
            more = {
                "parameters": lambda shape, part: shape.width * dict(part.settings).get("size", 4),
                "flops": lambda shape, part, length: length * shape.width,
            }
        SLOTS[name].kinds.register("dummy")(Kind("dummy", "a test kind", settings, **more))
    forget_kinds()
    yield names
    for name in names:
        del SLOTS[name].kinds._entries["dummy"]
    forget_kinds()
    _prepared.cache_clear()  # it keeps the layers it has seen, whose kinds are gone now


@pytest.fixture(scope="session")
def make_checkpoint():
    """Return what writes a tiny trained encoder as `transformers` does, and its tokenizer.

    A BERT of three layers, 32 wide, with four heads and 64 neurons a layer; the special tokens have
    ids of their own.
    """
    return _write_checkpoint


def _write_checkpoint(folder):
    import torch
    from transformers import BertConfig, BertModel

    text, size = _words()
    torch.manual_seed(0)
    model = BertModel(
        BertConfig(
            vocab_size=size,
            hidden_size=32,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=64,
            max_position_embeddings=64,
        )
    )
    with torch.no_grad():  # as unequal as trained ones
        for parameter in model.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(text)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\nA tiny encoder.\n")


@pytest.fixture(scope="session")
def make_modernbert():
    """Return what writes a tiny ModernBERT as `transformers` does, and its tokenizer.

    Five layers, 32 wide, with four heads and 48 gated neurons a layer; the first and the fourth see
    everything, the others two tokens to each side.
    """
    return _write_modernbert


def _write_modernbert(folder):
    import torch
    from transformers import ModernBertConfig, ModernBertModel

    text, size = _words()
    torch.manual_seed(0)
    special = dict.fromkeys(("bos_token_id", "cls_token_id"), 5)
    special |= dict.fromkeys(("eos_token_id", "sep_token_id"), 4)
    model = ModernBertModel(
        ModernBertConfig(
            vocab_size=size,
            hidden_size=32,
            num_hidden_layers=5,
            num_attention_heads=4,
            intermediate_size=48,
            max_position_embeddings=64,
            local_attention=4,
            pad_token_id=0,
            **special,
        )
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(text)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\nA tiny encoder.\n")


def _words():
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    letters = "abcdefghijklmnopqrstuvwxyz.,'"
    words = [
        "the",
        "cat",
        "dog",
        "sat",
        "ran",
        "is",
        "was",
        "of",
        "in",
        "and",
        "not",
        "good",
        "bad",
    ]
    special = ("[PAD]", "[unused0]", "[unused1]", "[MASK]", "[SEP]", "[CLS]", "[UNK]")
    entries = [*special, *letters, *(f"##{c}" for c in letters), *words]
    vocabulary = {token: number for number, token in enumerate(entries)}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    return backend.to_str(), len(vocabulary)
