"""The verbs of a cohort: plan, apply, status, configure, images, cost, destroy, sweep."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType

from fpgaclass import cohort
from fpgaclass.cli import machine
from fpgaclass.cli.options import CoursePath, Json, find_course, program, told_on_interrupt
from fpgaclass.core import InvalidInputError, UsageError, say, stage

app = typer.Typer(
    name="cohort",
    help="Machines for a class: planned, priced, made, and gone at the end.",
    no_args_is_help=True,
)
MaxCost = Annotated[
    float | None, typer.Option(help="Refuse a plan that could cost more, in the price book's currency.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command()
def plan(course: CoursePath = None, max_cost: MaxCost = None, as_json: Json = False) -> None:
    """Tell what will be made, where, for how long, at what price; asks nobody and writes nothing."""
    made = cohort.plan(find_course(course), max_cost=max_cost)
    show(cohort.plan_table(made), made.as_json() if as_json else None)
    made.refuse_if_wrong()


@app.command()
def apply(
    course: CoursePath = None,
    max_cost: MaxCost = None,
    prune: Annotated[bool, typer.Option("--prune", help="Remove the seats of who left the roster.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only ask the provider whether it can.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Make the cohort; run it again after whatever cut it off: nothing is made twice."""
    path = find_course(course)
    wanted = cohort.plan(path, max_cost=max_cost)
    ensure_packages(wanted.provider)
    changes = cohort.changes(wanted, prune=prune)
    if not as_json:
        show(cohort.plan_table(wanted))
        show(cohort.changes_text(changes, prune=prune) if changes else "")
    wanted.refuse_if_wrong()
    if dry_run:
        findings = cohort.check(path)
        lines = "\n".join(
            f"{'ok ' if f.ok else 'NO '} {f.what}{f.next_step and '; ' + f.next_step}" for f in findings
        )
        show(lines, {"findings": [asdict(finding) for finding in findings]} if as_json else None)
        if not all(finding.ok for finding in findings):
            raise typer.Exit(1)
        return
    if wanted.provider != "local":
        most = f" to {wanted.cost_at_most:.2f}" if wanted.cost_at_most > wanted.cost else ""
        price = f"{wanted.cost:.2f}{most} {wanted.currency} (estimate)"
        what = "Make this"
        if changes:
            what = f"Make {len(changes.new)} more for this" if changes.new else "Look after this"
            price = f"at most {changes.cost_at_most:.2f} {wanted.currency} (estimate)"
        agree(f"{what} on {wanted.provider}, for {price} in all?", yes)
    again = f"{program()} cohort apply"
    with (
        told_on_interrupt(
            f"cut off; what was made is known: {again} goes on, {program()} cohort destroy removes it"
        ),
        cohort.apply_progress(wanted) as listener,
    ):
        done = cohort.apply(path, max_cost=max_cost, prune=prune, listener=listener)
    show(cohort.applied_table(done, cohort.load_spec(path).timezone), done if as_json else None)
    if done.failed:
        say(f"{len(done.failed)} could not be made. Next: mend the cause, then {again}")
        raise typer.Exit(1)
    if not as_json:
        say(f"Next: {program()} cohort configure sets the machines up")


@app.command()
def status(course: CoursePath = None, as_json: Json = False) -> None:
    """Tell what the state says against what is there."""
    path = find_course(course)
    file = cohort.load_spec(path)
    ensure_packages(file.spec.provider)
    found = cohort.status(path)
    show(cohort.status_table(found, file.timezone), found if as_json else None)


@app.command()
def configure(
    course: CoursePath = None,
    hub: Annotated[str | None, typer.Option(help="The machine that runs the hub, such as seat/ada.")] = None,
    limit: Annotated[list[str] | None, typer.Option(help="Only this machine; may be given again.")] = None,
    var: Annotated[
        list[str] | None, typer.Option(help="A variable of the roles, as name=value; the value may be JSON.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Set every machine up with Ansible; a second run changes nothing."""
    path = find_course(course)
    ensure_packages("ansible")
    variables = dict(map(_variable, var or ()))
    hosts = [
        host
        for group in cohort.cohort_inventory(cohort.load_spec(path))["all"]["children"].values()
        for host in group["hosts"]
    ]
    if unknown := sorted({*(limit or ()), *([hub] if hub else ())} - set(hosts)):
        step = f"one of: {', '.join(hosts) or 'none yet; fpgaclass cohort apply'}"
        raise InvalidInputError(f"no machine is called {', '.join(unknown)}", next_step=step)
    with (
        told_on_interrupt(f"cut off; what is done stays done: {program()} cohort configure goes on"),
        cohort.configure_progress(limit or hosts) as listener,
    ):
        done = cohort.configure(path, variables=variables, hub=hub, limit=limit or (), listener=listener)
    show(cohort.configured_table(done), done if as_json else None)
    if done.failed:
        few = [f"--limit {host.host}" for host in done.failed] if len(done.failed) <= 5 else []
        again = " ".join([program(), "cohort configure", *few])
        say(f"{len(done.failed)} could not be set up. Next: {program()} cohort status; mend it; {again}")
        raise typer.Exit(1)


@app.command()
def cost(course: CoursePath = None, as_json: Json = False) -> None:
    """Tell what the cohort has cost, and will have cost at its end (estimates)."""
    ensure_packages("state")
    spec = cohort.load_spec(find_course(course)).spec
    found = cohort.cost(spec.name, card_hours=spec.cards.hours)
    show(cohort.cost_table(found), found if as_json else None)


@app.command()
def images(course: CoursePath = None, as_json: Json = False) -> None:
    """List the FPGA images (AFIs) of the cohort's AWS account."""
    path = find_course(course)
    file = cohort.load_spec(path)
    ensure_packages(file.spec.provider)
    found = cohort.images(path)
    plain = {"images": [asdict(image) for image in found]}
    show(cohort.images_table(found, file.timezone), plain if as_json else None)


@app.command()
def destroy(course: CoursePath = None, yes: Yes = False, as_json: Json = False) -> None:
    """Remove everything of the cohort, and look again that nothing is left."""
    path = find_course(course)
    file = cohort.load_spec(path)
    ensure_packages(file.spec.provider)
    found = cohort.status(path)
    keys = [thing.marker.key for thing in found.found]
    if keys:
        agree(f"Remove {len(keys)} things of {file.spec.name}, and all work on them?", yes)
    elif found.missing:
        know = f"The cloud shows none of the {len(found.missing)} things that this state knows"
        agree(f"{know}; with the credentials of another account they live on there. Forget them?", yes)
    with (
        told_on_interrupt(f"cut off; {program()} cohort destroy goes on"),
        cohort.progress(keys, f"remove {file.spec.name}", steps=1) as move,
    ):
        done = cohort.destroy(path, listener=lambda event: move(event.key, 1))
    went = f"{len(done.things)} things removed in {done.seconds:.0f} s"
    show(f"{went}; the last look at {done.where} showed nothing", done if as_json else None)


@app.command()
def sweep(
    course: CoursePath = None,
    strangers: Annotated[
        bool, typer.Option("--strangers", help="Also what has not expired and is of a cohort unknown here.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell.")] = False,
    install_timer: Annotated[
        bool, typer.Option("--install-timer", help="Let systemd sweep every hour from now on.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Find and remove what carries our tags and belongs to no living cohort."""
    path = find_course(course)
    file = cohort.load_spec(path)
    ensure_packages(file.spec.provider)
    if install_timer:
        words = ["cohort", "sweep", "--yes", "--course", str(path.resolve())]
        say(f"installed {cohort.ensure_timer(file.spec.name, [*_ourselves(), *words])}")
        return
    if not dry_run and not yes:
        found = cohort.sweep(path, strangers=strangers, dry_run=True)
        if found.removed:
            show(cohort.swept_table(found, dry_run=True))
            agree(f"Remove these {len(found.removed)} things?", yes)
    with (
        told_on_interrupt(f"cut off; {program()} cohort sweep goes on"),
        stage("sweep", file.spec.provider),
    ):
        found = cohort.sweep(path, strangers=strangers, dry_run=dry_run)
    show(cohort.swept_table(found, dry_run=dry_run), found if as_json else None)


def ensure_packages(need: str) -> None:
    """Get what a provider or Ansible needs beyond the students' environment; a plan needs nothing."""
    modules = {
        "aws": ("sqlalchemy", "boto3"),
        "infn": ("sqlalchemy", "httpx"),
        "openstack": ("sqlalchemy", "openstack"),
        "ansible": ("sqlalchemy", "ansible_runner", "ansible"),
    }.get(need, ("sqlalchemy",))
    machine.ensure_packages(f"what a cohort needs ({need})", "cohort", modules)


def show(table: RenderableType, data: Any = None) -> None:
    """Print a table, or data where that is asked for."""
    if data is not None:
        print(json.dumps(data if isinstance(data, dict) else asdict(data), indent=2, default=str))
        return
    # In a log nobody can widen the window: lines there are as long as they need.
    Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 200).print(table)


def agree(question: str, yes: bool) -> None:
    """Ask before money is spent or work is lost.

    Raises:
        UsageError: nobody is there to answer.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Nobody is here to answer", next_step="look at the plan, then add --yes")
    if not typer.confirm(question, err=True):
        say("nothing was done")
        raise typer.Exit(1)


def _variable(text: str) -> tuple[str, Any]:
    name, found, value = text.partition("=")
    if not found or not name.isidentifier():
        raise InvalidInputError(f"{text!r} is no variable", next_step="--var name=value")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _ourselves() -> list[str]:
    script = Path(sys.executable).parent / "fpgaclass"
    return (
        [str(script)] if script.exists() else [sys.executable, "-c", "from fpgaclass.cli import main; main()"]
    )
