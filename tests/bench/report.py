"""The table of results, and the machine that they hold for."""
import os
import pathlib
import platform
import re
import subprocess
import time

from tools import ROOT


def machine():
    """Processor, memory, system, commit and how busy the machine was before the first row."""
    def read(path, pattern):
        found = re.search(pattern, pathlib.Path(path).read_text())
        return found.group(1) if found else "unknown"

    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    changed = git("status", "--porcelain", "--untracked-files=no", "--", "src", "Cargo.toml", "Cargo.lock")
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=False).stdout.split()
    return {
        "processor": read("/proc/cpuinfo", r"model name\s*: (.*)"),
        "cores": os.cpu_count(),
        "memory_gib": int(read("/proc/meminfo", r"MemTotal:\s+(\d+)")) / 2 ** 20,
        "system": f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}",
        "rustc": rustc[1] if len(rustc) > 1 else "unknown",
        "date": time.strftime("%Y-%m-%d"),
        "commit": git("rev-parse", "--short=10", "HEAD") + (" with changes" if changed else ""),
        "load": os.getloadavg(),
    }


def text(on, results, quick):
    """The whole document."""
    lines = [
        "# What it takes, beside others",
        "",
        "Written by `make bench` (`tests/bench/run.py`); not by hand. Figures of other machines are not comparable:",
        "look at the ratios, and run it where you are.",
        "",
        f"{on['date']}, commit {on['commit']}, rustc {on['rustc']}; {on['cores']} cores of {on['processor']}, "
        f"{on['memory_gib']:.0f} GiB, {on['system']}; load averages before {numbers(on['load'])}, "
        f"after {numbers(os.getloadavg())} (a load above 0 before means others shared the cores: then wall times are "
        "too long, on all sides; CPU seconds and ratios hold).",
        "",
        f"Peers: {', '.join(peers())}. Data: `tests/bench/make_parcels.py --seed 7`.",
        "Medians of " + ("one turn (a smoke test, not a measurement)." if quick else
                         "three turns, us and the peers one after the other; peers that take long at 1M once."),
    ]
    for result in results:
        lines += ["", f"## {result['count']:,} parcels", "", *table(result["rows"])]
        lines += [part for note in result["notes"] for part in ("", note)]
        lines += ["", "Memory of the server:", ""] if result["memory"] else []
        lines += [f"- {when}: {now:.0f} MB resident, {most:.0f} MB at most so far" for when, now, most in result["memory"]]
        lines += ["", "Do the figures agree?", "", "| what | ours | theirs | off by | allowed | |", "|---|---|---|---|---|---|"]
        lines += [f"| {c['what']} | {plain(c['ours'])} | {plain(c['theirs'])} | {c['off']:.1e} | {c['within']:g} | "
                  f"{'yes' if c['ok'] else '**no**'} |" for c in result["checks"]]
    return "\n".join(lines) + "\n"


def table(rows):
    known = ("what", "aim", "met", "ours", "unit", "times")
    lines = ["| what | unit | ours | peers | ours is better by, or share | aim | met |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        others = "; ".join(f"{name} {value}" for name, value in row.items() if name not in known)
        met = {True: "yes", False: "**no**", None: ""}[row["met"]]
        lines.append(f"| {row['what']} | {row['unit']} | **{row['ours']}** | {others} | {row.get('times', '')} | "
                     f"{row['aim']} | {met} |")
    return lines


def peers():
    pinned = (ROOT / "tests" / "bench" / "requirements.txt").read_text().splitlines()
    gdal = subprocess.run(["ogr2ogr", "--version"], capture_output=True, text=True, check=False).stdout.split(",")[0]
    return [line.replace("==", " ") for line in pinned if "==" in line] + [gdal]


def numbers(values):
    return ", ".join(f"{value:.1f}" for value in values)


def plain(value):
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
