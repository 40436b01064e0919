"""What the instructor asks for: the ``cohort:`` part of course.yaml, or a file of its own."""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic import model_validator as _model_validator

from fpgaclass.cohort.moments import in_zone
from fpgaclass.cohort.sites import Aws, Infn, Local, OpenStack
from fpgaclass.core import CohortError, CourseError, InvalidInputError
from fpgaclass.course.validated import Strict, read_yaml

ProviderName = Literal["local", "aws", "infn", "openstack"]
POSTED = "posted"
"""The key of a hub's copy of course.yaml, under ``cohort``: the file with the seats that are sent to it."""
_AWS_REGION = re.compile(r"[a-z]{2}(-[a-z]+){1,3}-[0-9]{1,2}")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,28}[a-z0-9]")


def _cohort_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("a name is 2 to 30 of a-z, 0-9 and -, a letter first, since tags and hosts carry it")
    return text


CohortName = Annotated[str, AfterValidator(_cohort_name)]
Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]


def _no_number(value: object) -> object:
    if isinstance(value, int | float | bool):  # pydantic would count seconds from 1970
        raise ValueError("a day and a time, such as 2027-03-01T09:00")
    return value


Moment = Annotated[datetime, BeforeValidator(_no_number)]


_WIDEST = {4: 8, 6: 16}


def _network(text: str) -> str:
    network = ipaddress.ip_network(text)  # its ValueError names the host bits or the mask
    if network.prefixlen == 0:
        raise ValueError("the whole internet may not reach port 22; name your networks")
    if network.prefixlen < _WIDEST[network.version]:  # 2000::/3 is all of it, and so are two halves
        least = f"/{_WIDEST[network.version]}"
        raise ValueError(
            f"so much of the internet may not reach port 22; name your networks, {least} at most"
        )
    return str(network)


Network = Annotated[str, AfterValidator(_network)]


class Seat(Strict):
    """A student's development machine, without FPGA.

    Attributes:
        size: the provider's name of the type or flavour.
        alternatives: sizes to take, in this order, where the first is sold out.
        disk_gb: the root disk.
        volume_gb: a volume of its own for the student's files; 0 makes none.
        spot: buy it at the spot price; it can be taken away.
        public_address: give it a fixed public address.
    """

    size: Label = "namespace"
    alternatives: tuple[Label, ...] = ()
    disk_gb: int = Field(default=40, ge=8, le=2000)
    volume_gb: int = Field(default=0, ge=0, le=2000)
    spot: bool = False
    public_address: bool = False


class Cards(Strict):
    """The nodes with FPGA cards, which students take turns on.

    Attributes:
        board: the board's name, one of the course's.
        size: the type or flavour that has the card.
        count: how many nodes.
        per_node: cards on each node.
        hours: how long they live; None is as long as the cohort. They are the dear part.
        resource: what Kubernetes calls such a card, such as ``amd.com/xilinx_u250_gen3x16``; for a hub there.
        alternatives, disk_gb, spot: as for a seat.
    """

    board: Label = "u250"
    size: Label = "namespace"
    alternatives: tuple[Label, ...] = ()
    count: int = Field(default=1, ge=0, le=200)
    per_node: int = Field(default=1, ge=1, le=8)
    hours: float | None = Field(default=None, gt=0)
    resource: str | None = None
    disk_gb: int = Field(default=80, ge=8, le=2000)
    spot: bool = False


class LeaseRules(Strict):
    """How students share the cards.

    Attributes:
        slot_minutes: the grain of bookings.
        max_slots: the longest booking.
        open_bookings: how many bookings one student may have ahead.
        horizon_days: how far ahead one may book a time of one's choice.
        queue_hours: how far ahead the waiting list is served. Shorter is fairer, since who was served least
            can still come first; longer tells a student earlier.
        no_show_minutes: a booking not begun by then goes to the next.
        gap_slots: slots kept free after each booking for the card's reset.
    """

    slot_minutes: int = Field(default=30, ge=5, le=24 * 60)
    max_slots: int = Field(default=4, ge=1, le=96)
    open_bookings: int = Field(default=1, ge=1, le=20)
    horizon_days: int = Field(default=14, ge=1, le=365)
    queue_hours: float = Field(default=8.0, gt=0, le=24 * 14)
    no_show_minutes: int = Field(default=15, ge=1)
    gap_slots: int = Field(default=0, ge=0, le=4)


class CohortSpec(Strict):
    """A cohort, as course.yaml defines it.

    Attributes:
        name: of the cohort; every machine and tag carries it.
        provider: where it is made.
        region: the provider's region; local and infn need none.
        zones: the zones to try, in this order; empty leaves the choice to the provider.
        roster: the students' file, seen from this one; None takes the course's ``students``.
        hours: how long the cohort lives.
        starts: for the plan's dates; the clock starts at ``apply``.
        max_cost: refuse a plan that could cost more, in the price book's currency.
        quota: the account's limits, where the provider cannot be asked, such as ``{"F vCPUs": 72}``.
        ssh_from: the networks that may reach port 22.
        public_key: the instructor's OpenSSH public key, seen from this file; None makes a pair.
        seat, cards, leases: what each student gets, and shares.
        hub: a machine of its own for the class's hub; None where the hub runs beside the instructor.
        aws, infn, openstack, local: what only that provider needs.
    """

    name: CohortName
    provider: ProviderName = "local"
    region: Label | None = None
    zones: tuple[Label, ...] = ()
    roster: str | None = None
    hours: float = Field(gt=0, le=24 * 365)
    starts: Moment | None = None
    max_cost: float | None = Field(default=None, ge=0)
    quota: dict[str, int] = Field(default_factory=dict)
    ssh_from: tuple[Network, ...] = ()
    public_key: str | None = None
    seat: Seat = Seat()
    cards: Cards = Cards(count=0)
    hub: Seat | None = None
    leases: LeaseRules = LeaseRules()
    aws: Aws | None = None
    infn: Infn | None = None
    openstack: OpenStack | None = None
    local: Local = Local()

    @_model_validator(mode="after")
    def _provider_has_its_part(self) -> CohortSpec:
        if self.provider != "local" and getattr(self, self.provider) is None:
            raise ValueError(f"provider {self.provider} needs its own part: {self.provider}: {{...}}")
        if self.provider == "aws" and not self.region:
            raise ValueError("provider aws needs a region, such as eu-central-1")
        if self.provider in ("aws", "openstack") and not self.ssh_from:
            raise ValueError("ssh_from is empty, so that nobody could log in; name your networks")
        if self.provider == "aws" and not _AWS_REGION.fullmatch(self.region or ""):
            raise ValueError(f"region: an AWS region is written like eu-central-1, not {self.region}")
        if self.provider == "aws" and (odd := [z for z in self.zones if not z.startswith(str(self.region))]):
            raise ValueError(f"zones: {', '.join(odd)} is no zone of {self.region}, such as {self.region}a")
        if self.cards.hours is not None and self.cards.hours > self.hours:
            raise ValueError("cards.hours is longer than the cohort lives")
        return self


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as odd:
        raise ValueError("a time zone, such as Europe/Rome or UTC") from odd
    return name


class _CourseWithCohort(BaseModel):
    """The few keys of course.yaml that matter here; the course room checks the others."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    cohort: CohortSpec
    students: tuple[str, ...] = ()
    boards: tuple[str, ...] = ()
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"


class _Alone(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    cohort: object = None


class CohortFile(BaseModel):
    """A spec together with where it came from and what the course around it says.

    Attributes:
        spec: the cohort.
        path: the file.
        students: the course's own students, for a cohort without roster.
        lines: those of the file on which they are.
        timezone: of the times that people are shown, and of those that they give without one.
    """

    model_config = ConfigDict(frozen=True)
    spec: CohortSpec
    path: Path
    students: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()
    timezone: str = "UTC"

    def beside(self, name: str) -> Path:
        """Return a path that the file names, seen from the file's folder."""
        return (self.path.parent / name).resolve()


def load_spec(path: Path | str) -> CohortFile:
    """Read a cohort from course.yaml (its ``cohort:`` key), its folder, or a file of its own.

    Raises:
        CourseError: the file is missing or wrong; the message has file, line, key and what is allowed.
        CohortError: it is the copy that a hub of its own has.
        InvalidInputError: the cohort's board is none of the course's, or `starts` is on no clock.
    """
    path = Path(path)
    path = path / "course.yaml" if path.is_dir() else path
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as trouble:
        step = "name course.yaml, or the folder that holds it"
        raise CourseError(
            f"the cohort cannot be read: {trouble}", where=str(path), next_step=step
        ) from trouble
    part = read_yaml(text, _Alone, where=str(path)).cohort
    if isinstance(part, dict) and POSTED in part:
        what = (
            "this is a hub's copy of the course; its machines and cards are kept where the cohort was applied"
        )
        raise CohortError(what, where=str(path), next_step="run the command there")
    if part is None:
        if path.name == "course.yaml":
            step = "add a cohort: part (docs/cohort.md has one to copy)"
            raise CourseError("the course has no cohort", where=str(path), next_step=step)
        alone = read_yaml(text, CohortSpec, where=str(path))
        _refuse_twice(text, path)
        return CohortFile(spec=_zoned(alone, "UTC", path), path=path.resolve())
    course = read_yaml(text, _CourseWithCohort, where=str(path))
    _refuse_twice(text, path)
    spec = course.cohort
    if spec.cards.count and course.boards and spec.cards.board not in course.boards:
        raise InvalidInputError(
            f"cohort.cards.board: the course has no board {spec.cards.board}",
            where=str(path),
            next_step=f"one of: {', '.join(course.boards)}",
        )
    return CohortFile(
        spec=_zoned(spec, course.timezone, path),
        path=path.resolve(),
        students=course.students,
        lines=_lines_of_students(text),
        timezone=course.timezone,
    )


def _zoned(spec: CohortSpec, zone: str, path: Path) -> CohortSpec:
    if spec.starts is None:
        return spec
    return spec.model_copy(update={"starts": in_zone(spec.starts, zone, where=f"{path}, cohort.starts")})


def _refuse_twice(text: str, path: Path) -> None:
    """Refuse a key that is twice at one place: YAML takes the last, and the price may be in the first."""
    nodes = [yaml.compose(text, Loader=yaml.SafeLoader)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            nodes += [value for _, value in node.value]
            lines: dict[str, int] = {}
            for key, _ in node.value:
                line = key.start_mark.line + 1
                if (first := lines.setdefault(str(key.value), line)) != line:
                    what = f"{key.value} is twice; first on line {first}"
                    raise CourseError(what, where=f"{path}:{line}", next_step="keep one of them")


def _lines_of_students(text: str) -> tuple[int, ...]:
    tree = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = tree.value if isinstance(tree, yaml.MappingNode) else []
    listed = next((value for key, value in pairs if key.value == "students"), None)
    entries = listed.value if isinstance(listed, yaml.SequenceNode) else []
    return tuple(entry.start_mark.line + 1 for entry in entries)


def place_of(spec: CohortSpec) -> str:
    """Return where a cohort is made: the provider, with the region, project or service that is asked."""
    if spec.infn and spec.provider == "infn":
        return f"infn {spec.infn.orchestrator} {spec.infn.user_group}"
    if spec.openstack and spec.provider == "openstack":
        return f"openstack {spec.openstack.cloud} {spec.region or ''}".strip()
    return f"aws {spec.region}" if spec.provider == "aws" else spec.provider


def own_hours(spec: CohortSpec, key: str) -> float | None:
    """Return how long a thing of a cohort lives, by its key; None is as long as the cohort."""
    return spec.cards.hours if key.startswith("card/") else None


def card_names(spec: CohortSpec) -> list[str]:
    """Return the names of a cohort's cards: of its nodes' keys, with ``.1`` for the second card of a node."""
    nodes = [f"card/{number}" for number in range(spec.cards.count)]
    return [node if n == 0 else f"{node}.{n}" for node in nodes for n in range(spec.cards.per_node)]
