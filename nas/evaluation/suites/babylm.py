"""What BabyLM asks beside BLiMP in pairs: a supplement to it, and what follows of the world.

Sources: Warstadt et al., "Findings of the BabyLM Challenge: Sample-Efficient Pretraining on
Developmentally Plausible Corpora", CoNLL 2023 (the supplement); Ivanova et al., "Elements of World
Knowledge (EWOK): A cognition-inspired framework for evaluating basic world knowledge in language
models", TACL 2025; Hu et al., "Findings of the Second BabyLM Challenge", CoNLL 2024 (after which
context a target is likelier than the other one).
"""

from nas.evaluation.suites.minimal_pairs import PairSuite

BLIMP_SUPPLEMENT = PairSuite(
    name="blimp_supplement",
    title="the supplement to BLiMP of BabyLM",
    files=(
        "hypernym",
        "qa_congruence_easy",
        "qa_congruence_tricky",
        "subject_aux_inversion",
        "turn_taking",
    ),
    good=("sentence_good",),
    bad=("sentence_bad",),
    source='Warstadt et al., "Findings of the BabyLM Challenge: Sample-Efficient Pretraining on '
    'Developmentally Plausible Corpora", CoNLL 2023',
)
# files as BabyLM's: a line for each context, so that an item of EWoK stands in two
EWOK = PairSuite(
    name="ewok",
    title="EWoK",
    files=(
        "agent-properties",
        "material-dynamics",
        "material-properties",
        "physical-dynamics",
        "physical-interactions",
        "physical-relations",
        "quantitative-properties",
        "social-interactions",
        "social-properties",
        "social-relations",
        "spatial-relations",
    ),
    good=("Context1", "Target1"),
    bad=("Context1", "Target2"),
    source='Ivanova et al., "Elements of World Knowledge (EWOK): A cognition-inspired framework '
    'for evaluating basic world knowledge in language models", TACL 2025',
)
