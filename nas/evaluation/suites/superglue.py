"""SuperGLUE: tasks of sentence understanding that are harder than GLUE's, one frozen row each.

Its RTE is that of GLUE in files of another form, and has a name of its own for that. ReCoRD, whose
answers are entities of a passage, is left out.

Source: Wang et al., "SuperGLUE: A Stickier Benchmark for General-Purpose Language Understanding
Systems", NeurIPS 2019; its table 1 has the metrics.
"""

from nas.evaluation.suites.files import Suite, SuiteTask

SUPERGLUE = Suite(
    name="superglue",
    title="SuperGLUE",
    source='Wang et al., "SuperGLUE: A Stickier Benchmark for General-Purpose Language '
    'Understanding Systems", NeurIPS 2019',
    tasks=(
        SuiteTask(
            name="boolq",
            folder="BoolQ",
            text=("question", "passage"),
            label="label",
            kind="classes",
            metrics=("accuracy",),
            source='Clark et al., "BoolQ: Exploring the Surprising Difficulty of Natural Yes/No '
            'Questions", NAACL 2019',
        ),
        SuiteTask(
            name="cb",
            folder="CB",
            text=("premise", "hypothesis"),
            label="label",
            kind="classes",
            metrics=("accuracy", "macro_f1"),
            source='De Marneffe, Simons and Tonhauser, "The CommitmentBank: Investigating '
            'projection in naturally occurring discourse", Sinn und Bedeutung 23, 2019',
        ),
        SuiteTask(
            name="copa",
            folder="COPA",
            text=("premise", "question"),
            choices=("choice1", "choice2"),
            label="label",
            kind="choice",
            metrics=("accuracy",),
            source='Roemmele, Bejan and Gordon, "Choice of Plausible Alternatives: An Evaluation '
            'of Commonsense Causal Reasoning", AAAI Spring Symposium 2011',
        ),
        # an example an answer; whether all of a question's are right is not counted
        SuiteTask(
            name="multirc",
            folder="MultiRC",
            text=("question", "answer", "passage"),
            label="label",
            kind="classes",
            metrics=("f1",),
            source='Khashabi et al., "Looking Beyond the Surface: A Challenge Set for Reading '
            'Comprehension over Multiple Sentences", NAACL 2018',
        ),
        SuiteTask(
            name="superglue_rte",
            folder="RTE",
            text=("premise", "hypothesis"),
            label="label",
            kind="classes",
            metrics=("accuracy",),
            source='Dagan, Glickman and Magnini, "The PASCAL Recognising Textual Entailment '
            'Challenge", MLCW 2006, and its sequels to 2009',
        ),
        # the word is the first text; which of several occurrences is meant is not said
        SuiteTask(
            name="wic",
            folder="WiC",
            text=("word", "sentence1", "sentence2"),
            label="label",
            kind="classes",
            metrics=("accuracy",),
            source='Pilehvar and Camacho-Collados, "WiC: the Word-in-Context Dataset for '
            'Evaluating Context-Sensitive Meaning Representations", NAACL 2019',
        ),
        # what may be meant and the pronoun are the second text; their places are not said
        SuiteTask(
            name="wsc",
            folder="WSC",
            text=("text", "target.span1_text", "target.span2_text"),
            label="label",
            kind="classes",
            metrics=("accuracy",),
            source='Levesque, Davis and Morgenstern, "The Winograd Schema Challenge", KR 2012',
        ),
    ),
)
