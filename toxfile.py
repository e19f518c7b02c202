"""Let tox find every Python that pyenv has installed, whichever of them pyenv is set to."""

import os
from pathlib import Path

from tox.config.sets import ConfigSet
from tox.plugin import impl
from tox.session.state import State


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    # At the end, so that what the user has put on the path is found first.
    os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *map(str, versions.glob("3.*/bin"))])
