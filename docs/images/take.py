"""Take the pictures of the viewer for README.md: `python docs/images/take.py`, with Chromium."""

import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))  # for `tests.support`

from chatkit_reducer.view import view  # noqa: E402
from tests.support.chromium import running_chromium  # noqa: E402

RECORDING = HERE.parent / "recordings" / "streamed-widget.sse"
WORST = 10

with tempfile.TemporaryDirectory() as folder, running_chromium() as browser:
    page = Path(folder) / "page.html"
    view(RECORDING, at=WORST).save(page)
    for theme in ("light", "dark"):
        with browser.tab(width=1280, height=760, media={"prefers-color-scheme": theme}) as tab:
            tab.open(page.as_uri())
            tab.evaluate("document.fonts.ready.then(() => 0)")
            tab.frame()
            tab.screenshot(HERE / f"viewer-{theme}.png")
