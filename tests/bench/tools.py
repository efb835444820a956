"""What the measurements need: programs that are run and timed, peers that take turns, servers and load.

Every process is bounded in time and ended by its own id; servers listen on 127.0.0.1 only.
"""
import contextlib
import http.client
import json
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
WORK = TARGET / "bench"
VENV = WORK / "venv"
PYTHON = VENV / "bin" / "python"
TICK = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A program failed or took too long."""


def timed(command, limit_s, cwd=ROOT):
    """Runs a program: {"wall_s", "cpu_s", "peak_mb", "out"}; CPU is user and system time."""
    log = WORK / "last.log"
    with open(log, "w+b") as out:
        start = time.perf_counter()
        child = subprocess.Popen([str(part) for part in command], stdout=out, stderr=subprocess.STDOUT, cwd=cwd)
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            if time.perf_counter() - start > limit_s:
                child.kill()
                os.wait4(child.pid, 0)
                raise Failed(f"{command[0]} took more than {limit_s} s")
            time.sleep(0.002)
        wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    text = log.read_text(errors="replace")
    if child.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))} ended with {child.returncode}: {text[-2000:]}")
    return {"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss / 1024, "out": text}


class Worker:
    """A process that keeps its data loaded, takes tasks by line and answers with JSON."""

    def __init__(self, name, command):
        self.name = name
        self.child = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      cwd=ROOT, text=True, bufsize=1)

    def ask(self, task, limit_s):
        try:
            self.child.stdin.write(task + "\n")
        except BrokenPipeError:
            raise Failed(f"{self.name} has ended") from None
        if not select.select([self.child.stdout], [], [], limit_s)[0]:
            raise Failed(f"{self.name}: {task} took more than {limit_s} s")
        line = self.child.stdout.readline()
        if not line:
            raise Failed(f"{self.name}: {task} ended the process")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(f"{self.name}: {task}: {answer['error']}")
        return answer

    def close(self):
        end(self.child)


def end(child):
    """Ends a process that we started."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def cpu_of(pid):
    """CPU seconds of a process, of its descendants, and of those of them that have ended."""
    parents, seconds = {}, {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rsplit(")", 1)[1].split()
            parents[int(stat.parent.name)] = int(fields[1])
            seconds[int(stat.parent.name)] = sum(map(int, fields[11:15])) / TICK
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(seconds.get(member, 0) for member in family)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server on 127.0.0.1 that is timed from its start to its first answers."""

    def __init__(self, command, port, environment=None):
        self.port = port
        # Further processes that answer with it: a data base.
        self.beside = []
        self.start = time.perf_counter()
        self.log = open(WORK / "server.log", "w+b")
        self.child = subprocess.Popen([str(part) for part in command], stdout=self.log, stderr=self.log, cwd=ROOT,
                                      env={**os.environ, **(environment or {})})

    def until_answers(self, path, limit_s):
        """Seconds from the start of the program to its first whole answer."""
        while time.perf_counter() - self.start < limit_s:
            if self.child.poll() is not None:
                raise Failed(f"the server ended: {(WORK / 'server.log').read_text(errors='replace')[-2000:]}")
            try:
                self.get(path)
                return time.perf_counter() - self.start
            except (ConnectionError, http.client.HTTPException):
                time.sleep(0.005)
        raise Failed(f"the server did not answer {path} within {limit_s} s")

    def get(self, path, limit_s=120):
        """The body at a path; Failed for any status but 200."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=limit_s)
        try:
            return self.get_on(link, path)
        finally:
            link.close()

    @staticmethod
    def get_on(link, path):
        link.request("GET", path, headers={"Accept": "application/json"})
        answer = link.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise Failed(f"{path}: {answer.status} {body[:300]!r}")
        return body

    def cpu_s(self):
        return sum(cpu_of(pid) for pid in (self.child.pid, *self.beside))

    def memory_mb(self):
        """Resident now, and the most so far."""
        status = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        return tuple(int(re.search(rf"{name}:\s+(\d+)", status).group(1)) / 1024 for name in ("VmRSS", "VmHWM"))

    def load(self, seconds, box, count, path, kind, links=8):
        """Requests a second by wrk, with the CPU milliseconds of the server and the bytes of an answer."""
        environment = {**os.environ, "KIND": kind, "BOX": ",".join(map(str, box)), "N": str(count), "PATHF": path}
        before = self.cpu_s()
        done = subprocess.run(["wrk", "-t2", f"-c{links}", f"-d{seconds}s", "-s", str(HERE / "items.lua"),
                               f"http://127.0.0.1:{self.port}"],
                              env=environment, capture_output=True, text=True, timeout=seconds + 60, check=False)
        told = re.search(r"RESULT (\{.*\})", done.stdout)
        if not told:
            raise Failed(f"wrk: {done.stdout[-500:]} {done.stderr[-500:]}")
        result = json.loads(told.group(1))
        if result["errors"]:
            raise Failed(f"wrk: {result['errors']} of {result['requests']} answers to {path} were errors")
        result["cpu_ms"] = (self.cpu_s() - before) * 1000 / max(1, result["requests"])
        return result

    def close(self):
        end(self.child)
        self.log.close()


@contextlib.contextmanager
def closing(*things):
    """Ends servers and workers, whatever happens."""
    try:
        yield things if len(things) > 1 else things[0]
    finally:
        for thing in things:
            thing.close()
