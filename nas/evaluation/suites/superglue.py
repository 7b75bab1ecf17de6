"""SuperGLUE: tasks of sentence understanding that are harder than GLUE's, one frozen row each.

Its RTE is that of GLUE, and read from GLUE's files.

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
    ),
)
