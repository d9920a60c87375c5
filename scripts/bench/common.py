"""What the benchmarks share: running the program, a registry of their own, and the rows of the table."""

import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
MIB = 1024 * 1024


def program():
    """Path of the program that is measured: $SPLITBASE, or the release build."""
    given = os.environ.get("SPLITBASE")
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    path = pathlib.Path(given) if given else target / "release" / "splitbase"
    if not path.exists():
        subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=ROOT, check=True)
    return str(path.resolve())


class Ran:
    """One run: seconds on the clock, seconds of CPU with all children, most memory of the process itself in bytes, its output."""

    def __init__(self, seconds, cpu, memory, stdout):
        self.seconds, self.cpu, self.memory, self.stdout = seconds, cpu, memory, stdout


def run(command, cwd=None, env=None, memory=False):
    """Runs a command that must succeed. With `memory`, its own peak is read while it runs; its children do not count."""
    peak = [0]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        child = subprocess.Popen(command, cwd=cwd, env=env, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        stop = threading.Event()
        watcher = threading.Thread(target=watch, args=(child.pid, peak, stop)) if memory else None
        if watcher:
            watcher.start()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if watcher:
            stop.set()
            watcher.join()
        out.seek(0)
        err.seek(0)
        if child.returncode != 0:
            sys.exit(f"{command} ended with {child.returncode}:\n{err.read().decode(errors='replace')[-4000:]}")
        return Ran(seconds, usage.ru_utime + usage.ru_stime, peak[0], out.read())


def watch(pid, peak, stop):
    while not stop.is_set():
        try:
            with open(f"/proc/{pid}/status", encoding="ascii") as status:
                found = re.search(r"^VmHWM:\s+(\d+) kB", status.read(), re.MULTILINE)
        except OSError:
            return
        if found:
            peak[0] = max(peak[0], int(found[1]) * 1024)
        stop.wait(0.003)


QUIET = """version: 0.1
log:
  level: error
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: {root}
  cache:
    blobdescriptor: inmemory
http:
  addr: 127.0.0.1:{port}
"""


class Registry:
    """A registry of its own on a free port, its data in a temporary folder; `requests` reads its access log. A `quiet` one writes none: with
    thousands of requests, the log takes more time than the answers."""

    def __init__(self, folder, quiet=False):
        self.log = open(os.path.join(folder, "registry.log"), "w+", encoding="utf-8", errors="replace")
        root = os.path.join(folder, "registry")
        if quiet:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            config = os.path.join(folder, "registry.yml")
            with open(config, "w", encoding="utf-8") as file:
                file.write(QUIET.format(root=root, port=port))
            command, output = ["docker-registry", "serve", config], subprocess.DEVNULL
        else:
            command, output = [str(ROOT / "scripts" / "engine"), "registry", "--root", root], self.log
        self.child = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        for _ in range(400):
            if not quiet:
                found = re.search(r"listening on 127\.0\.0\.1:(\d+)", self.text())
                port = int(found[1]) if found else 0
            with socket.socket() as client:
                if port and client.connect_ex(("127.0.0.1", port)) == 0:
                    self.host = f"localhost:{port}"
                    return
            time.sleep(0.05)
        self.__exit__()
        sys.exit("the registry did not start")

    def cpu(self):
        """Seconds of CPU that it took so far."""
        with open(f"/proc/{self.child.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def text(self):
        with open(self.log.name, encoding="utf-8", errors="replace") as log:
            return log.read()

    def requests(self):
        """(method, path) of each request so far."""
        return re.findall(r'"(GET|HEAD|PUT|POST|PATCH|DELETE) (\S+) HTTP/1\.1"', self.text())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.send_signal(signal.SIGTERM)
        self.child.wait()


OVER = []


def row(what, other, ours, figure, bound, good):
    """Prints one row of the table. `good` is None where there is no bound."""
    verdict = "" if good is None else "ok" if good else "**over**"
    if good is False:
        OVER.append(what)
    print(f"| {what} | {other} | {ours} | {figure} | {bound} | {verdict} |", flush=True)


def finish():
    sys.exit(1 if OVER else 0)


def ms(seconds):
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.1 else f"{seconds * 1000:.1f} ms"


def s(seconds):
    return f"{seconds:.2f} s"


def mib(size):
    return f"{size / MIB:.0f} MiB"


median = statistics.median
