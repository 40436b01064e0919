"""The student's page: what there is to see at a desk, as HTML that works without scripts as well."""

from __future__ import annotations

from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fpgaclass.cohort.desk.wire import DeskView
from fpgaclass.cohort.seat import NO_KEY, ago

_FOLDER = Path(__file__).parent


def render(
    view: DeskView | None,
    student: str,
    *,
    said: str = "",
    waits: bool = False,
    form: str = "",
    prefix: str = "/services/seats/",
) -> str:
    """Return the page.

    Args:
        view: what to show; None shows only what was said.
        student: whose page it is.
        said: the result of the last button.
        waits: a card is being made ready; the page comes again by itself.
        form: the hidden field against forged forms.
        prefix: where the service is.
    """
    page = _template()
    parts: dict[str, Any] = {"student": student, "said": said, "waits": waits, "prefix": prefix}
    if view is None:
        return str(page.render(**parts, view=None))
    from markupsafe import Markup

    zone = ZoneInfo(view.timezone)

    def shown(time: datetime | str, form: str, kind: str) -> Markup:
        """Return a time in the class's zone, which the page's script turns into the reader's."""
        moment = datetime.fromisoformat(time) if isinstance(time, str) else time
        text = f"{moment.astimezone(zone):{form}}"
        return Markup('<time class="{}" datetime="{}">{}</time>').format(kind, moment.isoformat(), text)

    when = partial(shown, form="%a %d %b, %H:%M", kind="when")
    until = partial(shown, form="%H:%M", kind="until")
    lengths = [(n, n * view.slot_minutes) for n in range(1, view.max_slots + 1)]
    return str(
        page.render(
            **parts,
            view=view,
            when=when,
            until=until,
            no_key=NO_KEY,
            ago=ago,
            lengths=lengths,
            form=Markup(form),
        )
    )


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(str(_FOLDER))
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("page.html")
