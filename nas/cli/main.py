"""`nas`: finds the command, imports its file, and turns errors into messages."""

import io
import sys

import click

import nas
from nas.cli.lazy_group import LazyGroup
from nas.cli.printing import echo, make_log_printable
from nas.cli.terminal import endable, out_of_memory, require_address_space, speakable
from search_spaces.errors import NasError

# command -> (module, one line of help); the module is imported when the command is called.
COMMANDS = {
    "search": ("nas.cli.search", "Search: train architectures, keep the Pareto front."),
    "resume": ("nas.cli.search", "Continue a run, or extend a finished one."),
    "replay": ("nas.cli.replay", "Repeat every decision of a run from its record."),
    "status": ("nas.cli.look", "How far a run is."),
    "trials": ("nas.cli.look", "All trials of a run as a table, CSV or JSON."),
    "pareto": ("nas.cli.look", "The Pareto front of a run, and a picture of it."),
    "why": ("nas.cli.why", "Why a trial was proposed, what came out, why it failed."),
    "compare": ("nas.cli.compare", "Runs beside each other, by one measure."),
    "watch": ("nas.cli.watch", "Watch a run live in a terminal."),
    "confirm": ("nas.cli.confirm", "Train the best again with fresh seeds, measure them again."),
    "train": ("nas.cli.train", "Train one architecture without a search, and export it."),
    "evaluate": ("nas.cli.evaluate", "Score an exported model on tasks; write a GLUE submission."),
    "predict": ("nas.cli.evaluate", "Answers of an exported model for a file of sentences."),
    "ensemble": ("nas.cli.ensemble", "Several found models as one: what it gains and costs."),
    "report": ("nas.cli.report", "Write a run as one HTML file: front, progress, failures."),
    "export": ("nas.cli.export", "Write a found model to a folder that transformers loads."),
    "zoo": ("nas.cli.zoo", "List, show, check and publish exported models."),
    "config": ("nas.cli.config", "What an experiment resolves to; every setting and its default."),
    "space": ("nas.cli.space", "List, show, count and sample search spaces."),
    "benchmark": ("nas.cli.benchmark", "Measure a part beside its peers."),
    "completion": ("nas.cli.completion", "The completion script of your shell."),
    "doctor": ("nas.cli.doctor", "Check this machine and installation."),
}

# Exit code of a search that somebody has interrupted, or Ray left (`nas.runs.endings`).
_RESUMABLE = 4


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(nas.__version__, prog_name="nas")
def cli() -> None:
    """Find, train and export the best encoder you can afford.

    \b
    nas search                                  a small real search on this machine
    nas search --data GLUE_DIR --corpus TEXT    on real tasks
    nas status runs/search-1                    how far it is
    nas export runs/search-1 --pick best --to my-model
    """  # noqa: D301  click reads \b


def _drop_output_of_closed_terminal() -> bool:
    from nas.execution.interrupts import drop_output_of_closed_terminal

    return drop_output_of_closed_terminal()


def main() -> None:
    """Run the command line; a `NasError` becomes a message and its exit code."""
    speakable()
    make_log_printable()
    try:
        require_address_space()
        with endable():
            cli.main(prog_name="nas", standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        said = io.StringIO()
        error.show(said)  # may name an argument, which may hold anything
        echo(said.getvalue(), err=True, nl=False)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        _drop_output_of_closed_terminal()
        words = str(error.__cause__ or error)  # click puts its own around it
        echo(words or "Interrupted.", err=True)
        sys.exit(_RESUMABLE if words else 130)
    except NasError as error:
        from nas.execution.jobs import EngineGone

        gone = isinstance(error, EngineGone)
        echo(f"{'Stopped' if gone else 'Error'}: {error}", err=True)
        sys.exit(_RESUMABLE if gone else 2)
    except BrokenPipeError:  # who reads our output, such as head, has seen enough
        sys.stdout = None  # what is left in its buffer has nowhere to go
        sys.exit(1)
    except (MemoryError, ImportError, SystemError) as error:
        if isinstance(error, ImportError) and "map segment" not in str(error):
            raise
        echo(f"Error: {out_of_memory(error)}", err=True)
        sys.exit(2)
    except OSError as error:  # a file that the machine does not let us read or write
        if _drop_output_of_closed_terminal():  # before the signal that says so came through
            sys.exit(_RESUMABLE)
        name = "" if error.filename is None else f"{str(error.filename)[:200]!r}: "
        echo(
            f"Error: {name}{error.strerror or error}. Give another place, or mend what the machine "
            "says of this one (nas doctor).",
            err=True,
        )
        sys.exit(2)
