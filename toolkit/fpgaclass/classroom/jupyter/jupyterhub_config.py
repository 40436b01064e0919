"""What `python -m jupyterhub` reads; `fpgaclass.classroom.server` starts it."""

import json
import os
import signal
from pathlib import Path

from fpgaclass.classroom.hub import SETTINGS_VARIABLE, HubSettings, configure
from fpgaclass.classroom.layout import Layout
from fpgaclass.classroom.limits import Limits
from fpgaclass.classroom.oidc import Provider

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started with `&`; services are ended by it
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings = json.loads(os.environ.pop(SETTINGS_VARIABLE))
layout = Layout(Path(settings.pop("state")), settings.pop("course_id"), settings.pop("instructor"))
settings["limits"] = Limits(**settings["limits"])
settings["provider"] = Provider(**settings["provider"]) if settings["provider"] else None
configure(get_config(), layout, HubSettings(**settings))  # type: ignore[name-defined]  # noqa: F821
