"""Commands for people. Imports happen inside the commands, so that `sre-agent --help` answers at once."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

Tree = TypeVar("Tree")

cli = typer.Typer(
    name="sre-agent",
    help="Receives alerts, investigates each by itself, answers with a verdict that can be checked.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # a trace of a bug goes to logs, not to a screen
)


@cli.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; default from the settings.")] = "",
    port: Annotated[int, typer.Option(help="Port to listen on, 0 for a free one; default from the settings.")] = -1,
) -> None:
    """Run the service."""
    from app.cli.serve import run_service
    from app.settings import Settings

    settings = load(Settings)
    changes = {**({"host": host} if host else {}), **({"port": port} if port >= 0 else {})}
    run_service(settings.model_copy(update=changes))


@cli.command()
def demo(
    exit_: Annotated[bool, typer.Option("--exit", help="End when the verdicts are there.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON array of reports on stdout.")] = False,
) -> None:
    """Start the service and a simulated world, send alerts as an Alertmanager would, show the verdicts."""
    import asyncio

    from app.cli.demo import demonstrate

    sys.exit(asyncio.run(demonstrate(exit_, json_)))


@cli.command()
def lab(
    directory: Annotated[Path, typer.Argument(help="A snapshot folder.", exists=True, file_okay=False)],
    port: Annotated[int, typer.Option(help="Port of the Kubernetes server, 0 for a free one; the others take free ones.")] = 0,
) -> None:
    """Serve a snapshot as a Kubernetes API server, a Prometheus, a Loki and a CONNECT proxy, until interrupted."""
    import asyncio

    from app.cli.lab import serve_snapshot

    asyncio.run(serve_snapshot(directory, port))


@cli.command()
def evaluate(
    directory: Annotated[Path, typer.Argument(help="A folder of snapshots, at any depth.", exists=True, file_okay=False)],
    json_: Annotated[Path, typer.Option("--json", help="Where to write one JSON line per snapshot.")],
) -> None:
    """Run every snapshot through the whole agent and write the verdicts; score them where an answer lies beside."""
    from app.cli.evaluate import evaluate_all

    sys.exit(evaluate_all(directory, json_))


@cli.command()
def replay(investigation_id: Annotated[str, typer.Argument(help="The investigation to replay from its trail.")]) -> None:
    """Replay an investigation from its trail alone; exit 0 if the report comes out byte for byte the same."""
    import asyncio

    from app.cli.plainly import plainly
    from app.cli.replay import replay_one
    from app.domain.redaction import redact
    from app.settings import Settings
    from app.telemetry.logs import set_up_logs

    set_up_logs("ERROR", redact)
    with plainly("replay"):
        sys.exit(asyncio.run(replay_one(load(Settings), investigation_id)))


@cli.command()
def settings(env: Annotated[bool, typer.Option("--env", help="Print the text of .env.example.")] = False) -> None:
    """Show every setting with its value; secrets are hidden."""
    from app.settings import Settings, env_example, variable

    if env:
        print(env_example(), end="")
        return
    tree = load(Settings)
    for name in Settings.model_fields:
        print(f"{variable(name)}={getattr(tree, name)}")


def load(kind: type[Tree]) -> Tree:
    """Read the settings, or end with exit code 2 and a line per variable that is wrong."""
    from pydantic import ValidationError

    from app.domain.redaction import redact
    from app.settings import Settings, variable

    def line(error: Mapping[str, Any]) -> str:
        name = str(error["loc"][0]) if error["loc"] else ""
        known = variable(name) if name in Settings.model_fields else name
        given = error["input"]
        got = f" (got {redact(given)[0]!r})" if isinstance(given, str) and "://" not in given and not _secret(known) else ""
        return f"setting {known}: {error['msg'].removeprefix('Value error, ')}{got}" if name else str(error["msg"])

    try:
        return kind()
    except ValidationError as wrong:
        for error in wrong.errors(include_url=False):
            print(line(error), file=sys.stderr)
    except (ValueError, OSError) as wrong:
        print(f"the settings cannot be read (file .env?): {wrong}", file=sys.stderr)
    sys.exit(2)


def _secret(name: str) -> bool:
    return any(word in name for word in ("KEY", "SECRET", "TOKEN", "PASSWORD"))


def command_names() -> dict[str, str]:
    """Command -> its sentence, for the docs."""
    callbacks = [c.callback for c in cli.registered_commands if c.callback is not None]
    return {str(getattr(c, "__name__", "")): (c.__doc__ or "").strip() for c in callbacks}


def main() -> None:
    """The command `sre-agent`."""
    cli()
