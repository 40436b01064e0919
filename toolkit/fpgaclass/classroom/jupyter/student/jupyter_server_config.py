"""Students have no formgrader, neither in the menu nor at its address."""

from fpgaclass.classroom.exchange.dialogs import ensure_plain_dialogs

ensure_plain_dialogs()
c = get_config()  # type: ignore[name-defined]  # noqa: F821

c.ServerApp.jpserver_extensions = {
    "nbgrader.server_extensions.formgrader": False,
    "notebook_shim": False,  # for the settings of a notebook server of years ago: an eighth of a start
}
