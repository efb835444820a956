"""What every client check stands on: the served workspace, the clients' own environments, and how a check ends.

A check is a function that takes a `Served` and returns one line saying what was compared. It raises `Failed` where the
client did not get what it should, and `Skipped` where the client cannot be had on this machine. Nothing else is an end.
"""
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / "target" / "clients"      # environments and reports; may be thrown away at any moment
PROGRAMS = HERE / "programs"
INSTALL_SECONDS = 600
STOP_SECONDS = 15


class Failed(Exception):
    """The client did not get what it should."""


class Skipped(Exception):
    """The client cannot be had here; says why."""


def demand(true, *words):
    """Fails with the words unless the first is true."""
    if not true:
        raise Failed(" ".join(str(word) for word in words))


def run(command, timeout=300, stdin=None, env=None, cwd=None, ends=(0,)):
    """What a program says on its output; `Failed` with the end of what it says where it ends otherwise than in `ends`."""
    command = [str(part) for part in command]
    try:
        ended = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, cwd=cwd,
                               env=os.environ | (env or {}))
    except FileNotFoundError:
        raise Failed(f"{command[0]} is not on this machine; tests/setup test installs what is needed") from None
    except subprocess.TimeoutExpired:
        raise Failed(f"{command[0]} took more than {timeout} s") from None
    if ended.returncode not in ends:
        said = (ended.stdout + ended.stderr).strip()
        raise Failed(f"{' '.join(command)} ended with {ended.returncode}: …{said[-3000:]}")
    return ended.stdout


def read_json(url):
    """The JSON document at a URL of the server, and the media type that it is declared as."""
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": "*/*"}), timeout=60) as answer:
        return json.load(answer), answer.headers.get_content_type()


def pages(url):
    """The feature collections from a URL on, following `next`."""
    seen = set()
    while url:
        demand(url not in seen, "next leads back to", url)
        seen.add(url)
        page, _ = read_json(url)
        yield page
        url = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)


def program():
    """The program to run: MUTU_BIN, else the debug build of this tree."""
    if given := os.environ.get("MUTU_BIN"):
        return Path(given).resolve()
    subprocess.run(["cargo", "build", "--locked", "--quiet"], cwd=ROOT, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "debug" / "mutu"


def python():
    """The Python that has the clients of requirements.txt; makes it at the first call."""
    return _made("venv", HERE / "requirements.txt", _make_venv) / "bin" / "python"


def node_modules():
    """The folder of the clients of package.json; makes it at the first call."""
    if not shutil.which("npm"):
        raise Skipped("npm is not on this machine")
    return _made("npm", HERE / "package-lock.json", _make_node_modules) / "node_modules"


def _make_venv(folder):
    _install([sys.executable, "-m", "venv", folder])
    _install([folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
              "--require-hashes", "-r", HERE / "requirements.txt"])


def _make_node_modules(folder):
    folder.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    _install(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"], cwd=folder)


def _install(command, cwd=None):
    try:
        run(command, timeout=INSTALL_SECONDS, cwd=cwd)
    except Failed as error:
        raise Skipped(f"cannot be installed: {error}") from None


def _made(name, lock, make):
    """A folder made of a lock file: once, and anew when the lock changes."""
    folder, wanted = WORK / name, hashlib.sha256(lock.read_bytes()).hexdigest()
    WORK.mkdir(parents=True, exist_ok=True)
    with open(WORK / f"{name}.lock", "w") as only_one:
        fcntl.flock(only_one, fcntl.LOCK_EX)
        stamp = folder / "made-of"
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            stamp.write_text(wanted)
    return folder


class Served:
    """A workspace with the demonstration data behind a running server.

    `url` is where it is; `copy` is the same workspace as it was before the server opened it: the oracle is read from
    there by GDAL alone, so nothing of ours stands between the stored and what is expected.
    """

    def __init__(self, url, process, folder, log):
        self.url, self.process, self.folder, self.log = url, process, folder, log
        self.copy = folder / "copy.gpkg"

    @property
    def port(self):
        return int(self.url.rsplit(":", 1)[1])

    def collections(self):
        return read_json(f"{self.url}/collections")[0]["collections"]


@contextmanager
def serving(mutu, folder, log, layers=None):
    """Seeds, imports `layers` ({id: file}), serves on a free port of this machine; ends the server by its process id."""
    workspace = folder / "heshan.gpkg"
    run([mutu, "seed", "--workspace", workspace])
    for layer, file in (layers or {}).items():
        run([mutu, "import", "--workspace", workspace, "--layer", layer, file])
    with open(log, "w") as log_file:
        shutil.copy(workspace, folder / "copy.gpkg")
        process = subprocess.Popen([mutu, "serve", "--workspace", workspace, "--listen", "127.0.0.1:0"],
                                   stderr=subprocess.PIPE, text=True, encoding="utf-8")
        try:
            yield Served(_url_said(process, log_file), process, folder, log)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _url_said(process, log_file):
    """The address that the server says once it listens; the rest of what it says goes to the log."""
    for line in process.stderr:
        log_file.write(line)
        if " is at http:" in line:
            threading.Thread(target=_keep, args=(process.stderr, log_file), daemon=True).start()
            return line.rsplit(" is at ", 1)[1].strip()
    raise Failed(f"the server did not start: {Path(log_file.name).read_text()}")


def _keep(stream, log_file):
    for line in stream:
        if not log_file.closed:
            log_file.write(line)
            log_file.flush()
