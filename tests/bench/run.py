#!/usr/bin/env python3
"""Our figures beside the peers' on made-up parcels: tests/bench/run.py [--size 100k,1m] [--quick] [--only tiles,export]

Each row takes turns between us and the peers, in one run on one machine, and quotes medians and their ratio; see
`tools.py` for how things are timed, `peers.py`, `postgis.py` and `library.rs` for what is done. Writes
tests/bench/RESULTS.md; with --quick (one turn each, short loads, slow peers left out) or --only (some steps)
target/bench/RESULTS-quick.md.

Everything it makes lies in target/bench, but for PostGIS's cluster in a temporary folder. Needs cargo, wrk and ogr2ogr
(tests/setup installs them), and PostgreSQL with PostGIS for the rows beside tipg: where it is lacking or does not start
that is said, and the rows stand alone.
"""
import argparse
import contextlib
import functools
import hashlib
import http.client
import json
import random
import shutil
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # before our own modules: the tree stays as it is checked out

import edits                                                            # noqa: E402
import over_http                                                        # noqa: E402
import report                                                           # noqa: E402
from postgis import Absent, PostGis                                     # noqa: E402
from tools import HERE, PYTHON, ROOT, TARGET, VENV, WORK, Failed, Server, Worker, closing, free_port, timed  # noqa: E402

SIZES = {"100k": 100_000, "1m": 1_000_000}
DATA = WORK / "data"
MUTU = TARGET / "release" / "mutu"
CEILING = WORK / "static_server"


def say(text):
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def prepare():
    """Programs, the peers' environment; the path of the built library bench."""
    lacking = [program for program in ("cargo", "rustc", "wrk", "ogr2ogr") if not shutil.which(program)]
    if lacking:
        sys.exit(f"bench: {', '.join(lacking)} not found; tests/setup test installs what is needed")
    WORK.mkdir(parents=True, exist_ok=True)
    wanted = (HERE / "requirements.txt").read_bytes()
    stamp = VENV / "made-of"
    if not stamp.exists() or stamp.read_text() != hashlib.sha256(wanted).hexdigest():
        say("making the peers' environment")
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True, timeout=300)
        subprocess.run([PYTHON, "-m", "pip", "install", "-q", "-r", HERE / "requirements.txt"], check=True, timeout=1200)
        stamp.write_text(hashlib.sha256(wanted).hexdigest())
    say("building")
    subprocess.run(["rustc", "-O", "--edition", "2024", "-o", CEILING, HERE / "static_server.rs"], check=True,
                   timeout=300)
    # This builds the program, too, in the same profile.
    built = subprocess.run(["cargo", "bench", "--locked", "--no-run", "--bench", "library", "--message-format=json"],
                           cwd=ROOT, check=True, timeout=3600, stdout=subprocess.PIPE, text=True).stdout
    targets = [json.loads(line) for line in built.splitlines() if line.startswith("{")]
    return next(t["executable"] for t in targets if t.get("executable") and t["target"]["name"] == "library")


def data(size):
    """The path prefix of the made-up parcels of a size."""
    base = DATA / f"p{size}"
    if not all(base.with_suffix(ending).exists() for ending in (".gpkg", ".points")):
        say(f"making {size} parcels")
        DATA.mkdir(parents=True, exist_ok=True)
        timed([PYTHON, HERE / "make_parcels.py", "-n", SIZES[size], "--seed", 7, "--out", base, "--formats", "gpkg"], 900)
    return base


class Bench:
    """The rows of one size, taken in the order in which a user meets them."""

    def __init__(self, size, quick, library):
        self.size, self.count, self.quick, self.library = size, SIZES[size], quick, library
        self.base = data(size)
        self.workspace = WORK / f"workspace-{size}.gpkg"
        self.turns = 1 if quick else 3
        self.seconds = 2 if quick else 8
        self.rows, self.checks, self.memory, self.notes = [], [], [], []
        self.open = contextlib.ExitStack()

    def row(self, what, aim, met, **figures):
        say(f"  {what}: " + ", ".join(f"{name} {value}" for name, value in figures.items()))
        self.rows.append({"what": what, "aim": aim, "met": met, **figures})

    def agree(self, what, ours, theirs, within):
        off = abs(ours - theirs) / max(abs(theirs), 1e-300)
        self.checks.append({"what": what, "ours": ours, "theirs": theirs, "off": off, "within": within,
                            "ok": off <= within})

    def run(self, steps):
        say(f"{self.size} parcels")
        with self.open:
            if "import" not in steps and not self.workspace.exists():
                self.import_all()
            for step in steps:
                STEPS[step](self)
            if "server" in vars(self):
                self.memory.append(("after all loads", *self.server.memory_mb()))
        return {"size": self.size, "count": self.count, "rows": self.rows, "checks": self.checks,
                "memory": self.memory, "notes": self.notes}

    def keep(self, thing):
        """Closes a thing when all is done."""
        self.open.callback(thing.close)
        return thing

    @functools.cached_property
    def geopandas(self):
        return self.keep(Worker("GeoPandas", [PYTHON, HERE / "peers.py", "geopandas", self.base]))

    @functools.cached_property
    def duckdb(self):
        return self.keep(Worker("DuckDB", [PYTHON, HERE / "peers.py", "duckdb", self.base]))

    @functools.cached_property
    def us(self):
        return self.keep(Worker("library", [self.library, self.workspace, f"{self.base}.points"]))

    @functools.cached_property
    def server(self):
        server = self.keep(self.start())
        server.until_answers("/health/ready", 120)
        # After the start overlaps are looked for beside the answers: not what the load is about.
        server.until_answers("/collections/parcels/statistics?group-by=town,land_use&unit=mu", 120)
        return server

    @functools.cached_property
    def extent(self):
        return json.loads(self.server.get("/collections/parcels"))["extent"]["spatial"]["bbox"][0]

    @functools.cached_property
    def postgis(self):
        """PostGIS with the parcels; None, loudly, where it cannot be had."""
        say("loading PostGIS")
        try:
            return self.keep(PostGis(self.base))
        except Absent as why:
            self.notes.append(f"**PostGIS and tipg are not there**: {why}. The rows that name them have no peer.")
            say("WITHOUT PEER: " + self.notes[-1])
            return None

    def ask_over_http(self):
        over_http.beside_tipg(self, self.server, self.postgis)

    def make_tiles(self):
        over_http.tiles(self, self.server, self.postgis)

    def ask_under_export(self):
        over_http.under_export(self, self.server)

    def change(self):
        edits.edit(self, MUTU, self.library)

    def take_in(self):
        ours, peers = [], {"pyogrio": [], "DuckDB": [], "ogr2ogr to GeoPackage": []}
        for _ in range(self.turns):
            self.forget_workspace()
            ours.append(self.import_layer("parcels", f"{self.base}.gpkg"))
            peers["pyogrio"].append(self.geopandas.ask("load", 300))
            peers["DuckDB"].append(self.duckdb.ask("load", 300))
            copy = WORK / "copy.gpkg"
            copy.unlink(missing_ok=True)
            peers["ogr2ogr to GeoPackage"].append(timed(["ogr2ogr", "-f", "GPKG", copy, f"{self.base}.gpkg"], 600))
            copy.unlink()
        self.import_layer("zones", f"{self.base}_zones.gpkg")
        mine = median(ours, "wall_s")
        self.row("GeoPackage imported (ours: checked, stored durably, history, R-tree; peers: into memory; ogr2ogr: copied)",
                 "≤ 20 s wall", mine <= 20, ours=seconds(ours), **{name: seconds(runs) for name, runs in peers.items()},
                 unit="s wall (CPU)", times=ratio(median(peers["ogr2ogr to GeoPackage"], "wall_s"), mine))

    def import_all(self):
        self.import_layer("parcels", f"{self.base}.gpkg")
        self.import_layer("zones", f"{self.base}_zones.gpkg")

    def import_layer(self, layer, file):
        done = timed([MUTU, "import", file, "--layer", layer, "-w", self.workspace, "--format", "json"], 600)
        report_of = json.loads(done["out"][done["out"].index("{"):])["imports"][0]
        if layer == "parcels":
            self.agree("parcels stored", report_of["stored"], self.count, 0)
        return done

    def forget_workspace(self):
        for path in WORK.glob(self.workspace.name + "*"):
            path.unlink()

    def start(self):
        port = free_port()
        return Server([MUTU, "serve", "-w", self.workspace, "--listen", f"127.0.0.1:{port}"], port)

    def reopen(self):
        ready, answers, loads = [], {"a box": [], "statistics": []}, []
        for turn in range(self.turns):
            with closing(self.start()) as server:
                ready.append(server.until_answers("/health/ready", 120))
                memory = [("ready", *server.memory_mb())]
                box = "/collections/parcels/items?bbox=112.74,22.64,112.7514,22.6506&limit=1000"
                answers["a box"].append(server.until_answers(box, 120))
                memory.append(("after a box", *server.memory_mb()))
                statistics_of = "/collections/parcels/statistics?group-by=town,land_use&unit=mu"
                answers["statistics"].append(server.until_answers(statistics_of, 120))
                memory.append(("after statistics", *server.memory_mb()))
            if turn == 0:
                self.memory = memory
            loads.append(self.geopandas.ask("load", 300))
        first = statistics.median(answers["a box"])
        self.row("reopened: from the start of the program to the first answer (a box)", "≤ 4 s wall", first <= 4,
                 ours=f"{first:.2f}", pyogrio=seconds(loads), unit="s wall (CPU)",
                 times=ratio(median(loads, "wall_s"), first))
        first = statistics.median(answers["statistics"])
        self.row("the same, to the first statistics (overlaps of all parcels found)", "", None, ours=f"{first:.2f}",
                 unit="s wall")
        most = max(peak for _, _, peak in self.memory)
        self.row("resident memory, at most, with indexes, after a box and statistics", "≤ 1200 MB", most <= 1200,
                 ours=f"{most:.0f}", GeoPandas=f"{loads[-1]['rss_mb']:.0f}",
                 DuckDB=f"{self.duckdb.ask('load', 300)['rss_mb']:.0f}", unit="MB",
                 times=ratio(loads[-1]["rss_mb"], most))

    def load(self):
        """Requests by wrk, beside a server that returns as many bytes and does nothing else."""
        server, extent = self.server, self.extent
        requests = [("a box of some 550 parcels", "bbox", "/collections/parcels/items?bbox={bbox}&limit=1000"),
                    ("a parcel by its id", "id", "/collections/parcels/items/{id}")]
        for what, kind, path in requests:
            # The first answers after the start wait for planar areas to be measured: not what is asked here.
            server.load(3, extent, self.count, path, kind)
            size = int(server.load(1, extent, self.count, path, kind)["bytes"])
            port = free_port()
            with closing(Server([CEILING, port, size], port)) as ceiling:
                ceiling.until_answers("/", 10)
                turns = [(server.load(self.seconds, extent, self.count, path, kind),
                          ceiling.load(self.seconds, extent, self.count, path, kind)) for _ in range(self.turns)]
            share = statistics.median(ours["rate"] / most["rate"] for ours, most in turns)
            ours, most = ([turn[side] for turn in turns] for side in (0, 1))
            self.row(f"{what}, {size / 1000:.1f} kB of GeoJSON over HTTP (p99 {median(ours, 'p99_ms'):.1f} ms; static: "
                     f"{median(most, 'p99_ms'):.1f} ms)", "≥ 40 % of static", share >= 0.4,
                     ours=f"{median(ours, 'rate'):.0f} ({median(ours, 'cpu_ms'):.3f})",
                     **{"static server": f"{median(most, 'rate'):.0f} ({median(most, 'cpu_ms'):.3f})"},
                     unit="requests/s (server's CPU ms each)", times=f"{100 * share:.0f} %")

    def ask_statistics(self):
        """Questions that differ from each other, so that no answer can be a remembered one."""
        server = self.server
        asked = [f"/collections/parcels/statistics?group-by={names}&unit={unit}&basis={basis}&decimals={decimals}"
                 for names in ("town,land_use", "land_use,town") for unit in ("mu", "ha", "m2", "km2")
                 for basis in ("ellipsoidal", "planar") for decimals in (2, 3)]
        random.Random(7).shuffle(asked)
        server.get(asked[0].replace("decimals=2", "decimals=4").replace("decimals=3", "decimals=4"))
        link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        took, before = [], server.cpu_s()
        for path in asked:
            start = time.perf_counter()
            body = server.get_on(link, path)
            took.append(time.perf_counter() - start)
        cpu = (server.cpu_s() - before) / len(asked)
        link.close()
        groups = len(json.loads(body)["groups"])
        self.agree("groups of town and land use", groups, self.duckdb.ask("stats", 60)["result"]["groups"], 0)
        runs = {peer.name: [peer.ask("stats", 60) for _ in range(7)] for peer in (self.geopandas, self.duckdb)}
        mine = statistics.median(took) * 1000
        peers = {name: f"{median(of, 'wall_s') * 1000:.1f} ({median(of, 'cpu_s') * 1000:.1f})" for name, of in runs.items()}
        self.row(f"statistics over {groups} groups (ours: over HTTP, overlaps counted once; peers: stored areas, in process)",
                 "≤ 10 ms", mine <= 10, ours=f"{mine:.1f} ({cpu * 1000:.1f})", **peers, unit="ms wall (CPU)",
                 times=ratio(min(median(of, "wall_s") for of in runs.values()) * 1000, mine))

    @property
    def slow(self):
        """Turns of peers that are slow at what is asked."""
        return 1 if self.quick or self.count > 500_000 else 3

    def areas(self):
        ours, peers = self.turn(self.us, "areas", [self.geopandas, self.duckdb], self.slow)
        self.in_cpu("ellipsoidal area of every parcel by the survey rule", 2, ours, peers)
        total = ours[0]["result"]["area_m2"]
        for name, runs in peers.items():
            self.agree(f"ellipsoidal total, survey rule beside {name}'s geodesics", total,
                       runs[0]["result"]["area_m2"], 1e-6)
        gp, db = (peers[name][0]["result"]["area_m2"] for name in ("GeoPandas", "DuckDB"))
        self.agree("ellipsoidal total, GeoPandas beside DuckDB", gp, db, 1e-9)
        summed = self.us.ask("stats", 120)["result"]
        self.agree("statistics' total and overlap beside the areas", summed["area_m2"] + summed["overlap_m2"],
                   total, 1e-8)

    def locate(self):
        ours, peers = self.turn(self.us, "locate", [self.geopandas, self.duckdb], self.turns)
        self.in_cpu("100,000 points located", 0.15, ours, peers)
        for name, runs in peers.items():
            for part in ("pairs", "points_hit"):
                self.agree(f"{part} of 100,000 points, {name}", ours[0]["result"][part], runs[0]["result"][part], 0)

    def nearest(self):
        ours, peers = self.turn(self.us, "nearest", [self.geopandas], self.slow)
        self.in_cpu("nearest parcel of 100,000 points", 0.5, ours, peers)
        self.agree("sum of distances (ours true to scale, GeoPandas in EPSG:4547)",
                   ours[0]["result"]["sum_of_distances_m"],
                   peers["GeoPandas"][0]["result"]["sum_of_distances_m"], 1e-3)

    def overlay(self):
        ours, peers = self.turn(self.us, "overlay", [self.geopandas], self.slow)
        self.in_cpu("overlay with 300 zones, land by zone and use (ours also splits land in several zones)", 5, ours,
                    peers)
        planar = self.us.ask("overlay-planar", 600)["result"]
        self.agree("planar land in zones", planar["area_in_zones_m2"],
                   peers["GeoPandas"][0]["result"]["area_m2"], 1e-6)

    def turn(self, us, task, peers, slow):
        """Our runs and each peer's; peers that are slow at it take fewer turns."""
        ours, theirs = [], {peer.name: [] for peer in peers}
        for turn in range(self.turns):
            ours.append(us.ask(task, 600))
            for peer in peers:
                if turn < slow:
                    theirs[peer.name].append(peer.ask(task, 900))
        return ours, theirs

    def in_cpu(self, what, aim, ours, peers):
        mine = median(ours, "cpu_s")
        best = min(median(runs, "cpu_s") for runs in peers.values())
        told = {name: f"{median(runs, 'cpu_s'):.2f} ({median(runs, 'wall_s'):.2f})" for name, runs in peers.items()}
        self.row(what, f"< {aim} CPU s", mine < aim, ours=f"{mine:.2f} ({median(ours, 'wall_s'):.2f})", **told,
                 unit="CPU s (wall)", times=ratio(best, mine))

    def give_out(self):
        ours, theirs = [], []
        for turn in range(self.turns):
            out = WORK / "out.geojson"
            for runs, command in ((ours, [MUTU, "export", "--layer", "parcels", "--out", out, "-w", self.workspace]),
                                  (theirs, ["ogr2ogr", "-f", "GeoJSON", "-lco", "RFC7946=YES", "-lco",
                                            "COORDINATE_PRECISION=9", out, f"{self.base}.gpkg"])):
                if runs is theirs and turn > 0 and self.count > 500_000:
                    continue
                out.unlink(missing_ok=True)
                done = timed(command, 600)
                done["mb"] = out.stat().st_size / 1e6
                done["rate"] = done["mb"] / done["wall_s"]
                runs.append(done)
                out.unlink()
        mine = median(ours, "rate")

        def told(runs):
            return f"{median(runs, 'rate'):.0f} ({median(runs, 'cpu_s'):.1f}; {runs[0]['mb']:.0f} MB)"
        self.row("export to GeoJSON, from the start of the program", "≥ 200 MB/s", mine >= 200, ours=told(ours),
                 ogr2ogr=told(theirs), unit="MB/s wall (CPU s; size)", times=ratio(mine, median(theirs, "rate")))
        if not self.quick:
            out = WORK / "out.geojson"
            for peer in (self.geopandas, self.duckdb):
                out.unlink(missing_ok=True)
                done = peer.ask(f"export {out}", 900)
                megabytes = done["result"]["bytes"] / 1e6
                self.rows[-1][peer.name] = f"{megabytes / done['wall_s']:.0f} ({done['cpu_s']:.1f}; {megabytes:.0f} MB)"
            out.unlink(missing_ok=True)


# In the order in which they are taken.
STEPS = {"import": Bench.take_in, "open": Bench.reopen, "http": Bench.load, "statistics": Bench.ask_statistics,
         "features": Bench.ask_over_http, "tiles": Bench.make_tiles, "under-export": Bench.ask_under_export,
         "areas": Bench.areas, "locate": Bench.locate, "nearest": Bench.nearest, "overlay": Bench.overlay,
         "export": Bench.give_out, "edits": Bench.change}


def median(runs, name):
    return statistics.median(run[name] for run in runs)


def seconds(runs):
    return f"{median(runs, 'wall_s'):.2f} ({median(runs, 'cpu_s'):.2f})"


def ratio(theirs, ours):
    return f"{theirs / ours:.1f}×" if ours else "–"


def main():
    asks = argparse.ArgumentParser(description="Our figures beside the peers'")
    asks.add_argument("--size", default="100k,1m", help="100k, 1m or both")
    asks.add_argument("--quick", action="store_true", help="one turn each, to see that everything runs")
    asks.add_argument("--only", default=",".join(STEPS), help=f"some steps of {', '.join(STEPS)}")
    asked = asks.parse_args()
    steps = asked.only.split(",")
    if unknown := set(steps) - set(STEPS):
        asks.error(f"unknown step {', '.join(sorted(unknown))}; there are {', '.join(STEPS)}")
    steps = [step for step in STEPS if step in steps]
    part = asked.quick or len(steps) < len(STEPS)
    sizes = asked.size.split(",")
    if unknown := set(sizes) - set(SIZES):
        asks.error(f"unknown size {', '.join(sorted(unknown))}; there are {', '.join(SIZES)}")
    try:
        library = prepare()
        before = report.machine()
        results = [Bench(size, asked.quick, library).run(steps) for size in sizes]
    except (Failed, subprocess.SubprocessError) as error:
        sys.exit(f"bench: {error}")
    out = WORK / "RESULTS-quick.md" if part else HERE / "RESULTS.md"
    (WORK / "results.json").write_text(json.dumps(results, indent=1))
    out.write_text(report.text(before, results, asked.quick))
    say(f"written: {out}")
    if not all(check["ok"] for result in results for check in result["checks"]):
        sys.exit("bench: figures disagree with the peers'; see the table")


if __name__ == "__main__":
    main()
