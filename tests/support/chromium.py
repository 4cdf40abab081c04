"""A browser: Chromium without a window, driven over the DevTools protocol."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from websockets.sync.client import connect
from websockets.sync.connection import Connection

__all__ = ["Browser", "Tab", "running_chromium"]

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_DEADLINE = 30.0
"""How long it may take to start, and to answer, in seconds."""
_IS_UNPACKING = "document.getElementById('static')?.hidden === true"
"""Whether a page of the viewer has begun to unpack its script, and does not run it yet."""

_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--disable-features=IsolateSandboxedIframes",
    "--remote-debugging-port=0",
)


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Run a browser with a profile of its own.

    Raises:
        FileNotFoundError: Chromium is not installed.
    """
    program = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if program is None:
        raise FileNotFoundError("this machine has no chromium")
    folder = Path(tempfile.mkdtemp(prefix="chromium-"))
    command = [program, *_OPTIONS, f"--user-data-dir={folder}", "about:blank"]
    environment = {**os.environ, "HOME": str(folder)}
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    try:
        address = _address(folder / "DevToolsActivePort")
        with connect(address, max_size=None, proxy=None) as connection:
            yield Browser(connection)
    finally:
        process.terminate()
        try:
            process.wait(_DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _address(file: Path) -> str:
    """Where the browser listens: it writes a port and a path into a file."""
    deadline = time.monotonic() + _DEADLINE
    while time.monotonic() < deadline:
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        time.sleep(0.02)
    raise TimeoutError("Chromium has not started")


class Message(NamedTuple):
    """An event of the protocol."""

    session: str | None
    method: str
    params: dict[str, Any]


class Browser:
    """A running browser."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        self.events: list[Message] = []

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol; events that come in the meantime are noted."""
        number = next(self._numbers)
        request: dict[str, Any] = {"id": number, "method": method, "params": params}
        if session is not None:
            request["sessionId"] = session
        self._connection.send(json.dumps(request))
        while True:
            answer = self._receive()
            if answer is not None and answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]  # type: ignore[no-any-return]

    def wait_for(self, session: str, method: str) -> dict[str, Any]:
        """Wait for an event, and forget it."""
        while True:
            for place, event in enumerate(self.events):
                if (event.session, event.method) == (session, method):
                    del self.events[place]
                    return event.params
            self._receive()

    def _receive(self) -> dict[str, Any] | None:
        message = json.loads(self._connection.recv(timeout=_DEADLINE))
        if "method" not in message:
            return message  # type: ignore[no-any-return]
        self.events.append(
            Message(message.get("sessionId"), message["method"], message.get("params", {}))
        )
        return None

    @contextmanager
    def tab(
        self, *, width: int = 1440, height: int = 900, media: dict[str, str] | None = None
    ) -> Iterator[Tab]:
        """Open a tab of a session of its own.

        Args:
            width: of the window, in pixels.
            height: of the window.
            media: features of the device, as `{"prefers-color-scheme": "dark"}`.
        """
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)
        attached = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        tab = Tab(self, attached["sessionId"])
        tab.prepare(width, height, media or {})
        try:
            yield tab
        finally:
            self.call("Target.closeTarget", targetId=target["targetId"])
            self.call("Target.disposeBrowserContext", browserContextId=context)
            self.events.clear()


class Tab:
    """One tab: what it shows, what it asked for, what it complained about."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol for this tab."""
        return self._browser.call(method, self._session, **params)

    def prepare(self, width: int, height: int, media: dict[str, str]) -> None:
        """Listen to everything, and be a device."""
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.resize(width, height)
        features = [{"name": name, "value": value} for name, value in media.items()]
        self.call("Emulation.setEmulatedMedia", features=features)

    def resize(self, width: int, height: int, *, scale: float = 1) -> None:
        """Make the window another size."""
        size = {"width": width, "height": height}
        self.call(
            "Emulation.setDeviceMetricsOverride", **size, deviceScaleFactor=scale, mobile=False
        )

    def open(self, address: str) -> None:
        """Load a page, wait until all of it is there, and forget what was before it.

        Raises:
            TimeoutError: it is a page of the viewer, whose script does not begin.
        """
        self._browser.events.clear()
        if "loaderId" in self.call("Page.navigate", url=address):
            self._browser.wait_for(self._session, "Page.loadEventFired")
            self._wait_for(f"!({_IS_UNPACKING})")
        else:  # it was there already, and its address has another end
            self.frame()

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript; promises are waited for.

        Raises:
            RuntimeError: it threw an exception.
        """
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            thrown = answer["exceptionDetails"]
            raise RuntimeError(thrown.get("exception", {}).get("description", thrown["text"]))
        return answer["result"].get("value")

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key and let it go, and wait for the next frame."""
        event = {"key": key, "modifiers": 8 if shift else 0}
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **event, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)
        self.frame()

    def frame(self) -> None:
        """Wait until the next frame has been drawn."""
        self.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")

    def until(self, condition: str) -> None:
        """Wait until an expression of JavaScript is true, and the page has drawn what made it so.

        Raises:
            TimeoutError: it does not become true; the message says what the console holds.
        """
        self._wait_for(condition)
        self.frame()

    def _wait_for(self, condition: str) -> None:
        deadline = time.monotonic() + _DEADLINE
        while not self.evaluate(condition):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not true: {condition}; the console: {self.complaints}")
            time.sleep(0.02)

    def screenshot(self, file: Path) -> None:
        """Write what is to be seen to a PNG file."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        file.write_bytes(base64.b64decode(data))

    @property
    def requests(self) -> list[str]:
        """The addresses that were asked for, but for data that an address brings itself."""
        sent = [event.params["request"]["url"] for event in self._of("Network.requestWillBeSent")]
        return [address for address in sent if not address.startswith("data:")]

    @property
    def complaints(self) -> list[str]:
        """What stands in the console: messages, exceptions, violations of a policy."""
        said = [str(event.params["args"]) for event in self._of("Runtime.consoleAPICalled")]
        thrown = self._of("Runtime.exceptionThrown")
        said += [str(event.params["exceptionDetails"]) for event in thrown]
        return said + [event.params["entry"]["text"] for event in self._of("Log.entryAdded")]

    def _of(self, method: str) -> list[Message]:
        events = self._browser.events
        return [
            event for event in events if (event.session, event.method) == (self._session, method)
        ]
