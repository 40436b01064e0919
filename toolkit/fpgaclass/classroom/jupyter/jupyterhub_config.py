"""What `python -m jupyterhub` reads; `fpgaclass.classroom.server` starts it."""

import json
import os
from pathlib import Path

from fpgaclass.classroom.hub import SETTINGS_VARIABLE, HubSettings, configure
from fpgaclass.classroom.layout import Layout

settings = json.loads(os.environ.pop(SETTINGS_VARIABLE))
layout = Layout(Path(settings.pop("state")), settings.pop("course_id"), settings.pop("instructor"))
configure(get_config(), layout, HubSettings(**settings))  # type: ignore[name-defined]  # noqa: F821
