"""What the servers of students and of the instructor have in common."""

import os
from pathlib import Path

c = get_config()  # type: ignore[name-defined]  # noqa: F821

# Where root runs the class without jails, and for the instructor, the server is root's.
c.ServerApp.allow_root = os.geteuid() == 0
c.ServerApp.terminado_settings = {"shell_command": ["/bin/bash", "-l"]}
# A kernel that nobody has looked at for six hours has been forgotten.
c.MappingKernelManager.cull_idle_timeout = 6 * 3600
# A TCP port could be listened to by every other server of the machine; sockets lie in a private folder.
c.KernelManager.transport = "ipc"
c.FileContentsManager.delete_to_trash = False
# The environment is everybody's, and read-only in a jail; asking PyPI also needs a way there.
c.LabApp.extension_manager = "readonly"
# Looking for language servers starts npm, which leaves a folder of logs in each home.
c.LanguageServerManager.autodetect = False
# What nbgrader's Validate says of success is in its JavaScript: a style sheet is the hook that there is.
c.LabApp.custom_css = True
c.ServerApp.tornado_settings = {"static_custom_path": [str(Path(__file__).with_name("custom"))]}
