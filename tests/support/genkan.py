"""Starts the built gateway for a test and signs people in; as support/genkan.mjs does for Node.

GENKAN_BIN: the binary (default: target/debug/genkan of this repository).
"""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("GENKAN_BIN", str(REPOSITORY / "target/debug/genkan"))
START_LIMIT_S = 20
EMAIL_FIELDS = ("email", "login_hint", "login")


class Genkan:
    """`genkan dev` on a data directory of its own."""

    def __init__(self, *options):
        self.data_dir = pathlib.Path(tempfile.mkdtemp(prefix="genkan-test-"))
        port = free_port()
        self.url = f"http://localhost:{port}"
        self.https_url = f"https://localhost:{port}"
        command = [BINARY, "dev", "--listen", f"127.0.0.1:{port}", "--demo-listen", "127.0.0.1:0"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GENKAN_")}
        self.log = self.data_dir / "test.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *options, "--data-dir", str(self.data_dir)], stdout=log, stderr=log, env=environment
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        self.env = dict(
            line.split("=", 1) for line in (self.data_dir / "dev.env").read_text().splitlines() if "=" in line
        )

    def _wait_until_ready(self):
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if requests.get(f"{self.url}/readyz", timeout=2).ok:
                    return
            except requests.RequestException:
                time.sleep(0.025)
        raise RuntimeError(f"genkan did not start:\n{self.log.read_text()}")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.data_dir, ignore_errors=True)


class Browser:
    """Keeps cookies, follows redirects, fills in forms; stops before it leaves for `until`."""

    def __init__(self):
        self.session = requests.Session()
        # The machine's proxies and authorities are not part of a test.
        self.session.trust_env = False

    def open(self, url, until=None):
        return self._go("GET", url, until)

    def sign_in(self, url, email, until):
        """Follows the sign-in to its end and returns the address at `until`."""
        page = self.open(url, until)
        for _ in range(6):
            if isinstance(page, str):
                return page
            form = next((form for form in forms(page) if form.email_fields()), None)
            assert form, f"this page does not lead on: {page.status_code} {page.url}\n{page.text}"
            fields = form.fields | {name: email for name in form.email_fields()}
            page = self._go(form.method, urljoin(page.url, form.action), until, fields, page.url)
        raise AssertionError("the sign-in does not end")

    def _go(self, method, url, until, fields=None, referrer=None):
        for _ in range(20):
            if until and (url == until or url.startswith((f"{until}?", f"{until}/"))):
                return url
            headers = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
            if method == "POST":
                headers["Origin"] = "{0.scheme}://{0.netloc}".format(urlsplit(referrer))
            body = {"data": fields} if method == "POST" else {"params": fields}
            page = self.session.request(method, url, headers=headers, allow_redirects=False, timeout=20, **body)
            if not page.is_redirect:
                return page
            url, method, fields = urljoin(url, page.headers["location"]), "GET", None
        raise AssertionError(f"too many redirects, the last to {url}")


class Form:
    def __init__(self, attributes):
        self.action = attributes.get("action") or ""
        self.method = (attributes.get("method") or "get").upper()
        self.fields = {}

    def email_fields(self):
        return [name for name in self.fields if name in EMAIL_FIELDS]


def forms(page):
    found = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attributes):
            attributes = dict(attributes)
            if tag == "form":
                found.append(Form(attributes))
            elif tag in ("input", "textarea") and found and attributes.get("name"):
                kind = attributes.get("type", "text")
                if kind != "submit" and (kind not in ("checkbox", "radio") or "checked" in attributes):
                    found[-1].fields[attributes["name"]] = attributes.get("value") or ""
            elif tag in ("input", "button") and found and attributes.get("type", "submit") == "submit":
                # The first button is the one that the Enter key presses.
                if attributes.get("name") and not getattr(found[-1], "has_button", False):
                    found[-1].fields[attributes["name"]] = attributes.get("value") or ""
                found[-1].has_button = True

    Reader().feed(page.text)
    return found


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
