"""`nas doctor`: is this machine ready?"""

import json

import click


@click.command()
def doctor() -> None:
    """Print versions and hardware, train one tiny model, and say whether all is well."""
    from nas.checkup import check_training
    from nas.runs import describe_environment

    click.echo(json.dumps(describe_environment(), indent=2))
    click.echo(check_training())
