"""Make the example library importable, as an editable install of it would."""

import sys
from pathlib import Path

# Before the first sandbox opens, so that it stays for the whole run.
sys.path.insert(0, str(Path(__file__).parent / "src"))
