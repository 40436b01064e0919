"""What the hub starts: `python -m fpgaclass.classroom.service`."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlparse

from fpgaclass.classroom.hub.hosted import Hosted
from fpgaclass.classroom.service.app import make_app

SETTINGS_VARIABLE = "FPGACLASS_SERVICE"
"""The environment variable that names the class, as JSON."""


async def main() -> None:
    """Serve until the hub says stop."""
    from jupyterhub.services.auth import HubOAuth

    settings = json.loads(os.environ[SETTINGS_VARIABLE])
    HubOAuth.instance(cache_max_age=60)  # a token that was taken back works a minute longer, not five
    here = urlparse(os.environ["JUPYTERHUB_SERVICE_URL"])
    app = make_app(Path(settings["state"]), [Hosted(**course) for course in settings["courses"]])
    app.listen(here.port or 80, "127.0.0.1", max_body_size=150_000_000, xheaders=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # which is how the hub says it
        asyncio.run(main())
