"""A server of our own on loopback, and what the system says of it."""

import json
import os
import re
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Server:
    """Starts `vultus serve` on ports that the system picks; ends it on the way out."""

    def __init__(self, *arguments):
        program = os.environ.get("VULTUS_BIN", ROOT / "target/release/vultus")
        command = [program, "serve", "--port", "0", "--media-port", "0", *arguments]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.log = []
        address = None
        for line in self.process.stderr:
            self.log.append(line)
            if found := re.search(r"open http://(localhost:\d+)/", line):
                address = found[1].replace("localhost", "127.0.0.1")
                break
        if address is None:
            raise SystemExit("the server did not start: " + "".join(self.log))
        self.url = f"http://{address}"
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stderr:
            self.log.append(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def held(self):
        """Resident memory in MB (1e6), threads, open files."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        number = lambda key: int(re.search(rf"^{key}:\s+(\d+)", status, re.MULTILINE)[1])
        files = len(os.listdir(f"/proc/{self.process.pid}/fd"))
        return number("VmRSS") * 1024 / 1e6, number("Threads"), files

    def stats(self):
        with urllib.request.urlopen(self.url + "/v1/stats", timeout=10) as response:
            return json.load(response)

    def offer(self, path, sdp):
        """Posts an offer; gives the answer, where it may be deleted, and the session."""
        request = urllib.request.Request(self.url + path, sdp.encode(), {"Content-Type": "application/sdp"}, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                headers = response.headers
                return response.read().decode(), headers["Location"], headers["Vultus-Session"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path}: {error.code} {error.read().decode()}") from error

    def delete(self, location):
        """Whether the connection was still there."""
        try:
            urllib.request.urlopen(urllib.request.Request(self.url + location, method="DELETE"), timeout=30).close()
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return False
        return True
