"""Edits: how long until one is durable, how soon it shows, what it costs, also of a tenth of all parcels at once; beside a row
updated by PostGIS.

Works on a copy of the workspace. Over HTTP one parcel after the other is changed as a client does it: it reads a parcel,
sends what it changes with the version it saw, and asks for the parcel, for statistics and for a tile at once.
"""
import http.client
import json
import re
import shutil
import statistics
import subprocess
import time

from over_http import OURS, covering, tile
from tools import WORK, Failed, Server, closing, free_port, timed

EDITS = 300


def edit(bench, program, library):
    copy = WORK / "edited.gpkg"

    def fresh():
        forget(copy)
        shutil.copyfile(bench.workspace, copy)
        return copy
    try:
        single(bench, json.loads(timed([library, "edits", fresh(), *(["1000"] if bench.quick else [])], 900)["out"]))
        large(bench, json.loads(timed([library, "large", fresh()], 900)["out"]))
        over_http(bench, program, fresh())
        large_over_http(bench, program, fresh())
    finally:
        forget(copy)


def forget(copy):
    for path in WORK.glob(copy.name + "*"):
        path.unlink()


def single(bench, told):
    def row(what, aim, met, value, unit, **more):
        bench.row(what, aim, met, ours=value, unit=unit, **more)
    row("a parcel moved, until it is durable and shown (p50; p99; most), in process", "p50 < 10 ms",
        told["commit_p50_ms"] < 10,
        f"{told['commit_p50_ms']:.2f}; {told['commit_p99_ms']:.1f}; {told['commit_max_ms']:.0f}", "ms wall")
    row("the first statistics after it, overlaps counted once (p50; most)", "", None,
        f"{told['statistics_after_edit_p50_ms']:.1f}; {told['statistics_after_edit_max_ms']:.1f}", "ms wall")
    row(f"memory that an edit takes for good, over {told['count']:,}", "", None, f"{told['kb_per_edit']:.1f}", "kB")
    for name, what in (("box", "a box of some 550 parcels found"), ("statistics", "statistics over 280 groups"),
                       ("tile", "the fullest tile of zoom 14")):
        before, after = told["reads_before"][name], told["reads_after"][name]
        row(f"{what}, in process, after {told['count']:,} single edits ({told['segments']} segments)", "≤ 1.5 × before",
            after <= 1.5 * before, f"{after:.3f}", "ms wall", before=f"{before:.3f}", times=f"{after / before:.2f}×")
    row(f"{told['listeners']} listeners hear of an edit, the last of them", "≤ 1000 ms", told["heard_ms"] <= 1000,
        f"{told['heard_ms']:.1f}", "ms wall")


WHAT = {"values": "one value of each", "values, beside each other": "one value of each, of parcels beside each other",
        "moved": "moved", "new": "new", "deleted": "deleted"}


def large(bench, told):
    for name, of in told["kinds"].items():
        bench.row(f"{told['many']:,} parcels in one edit until durable and shown, in process: {WHAT[name]} (judging alone "
                  f"{of['judged_s']:.2f} s, CPU {of['judged_cpu_s']:.2f}; at most {of['more_at_most_mb']:.0f} MB more)",
                  "≤ 5 s", of["committed_s"] <= 5, ours=f"{of['committed_s']:.2f} ({of['committed_cpu_s']:.2f})",
                  unit="s wall (CPU)")


def manager(program, copy):
    """A token of somebody who may edit."""
    made = subprocess.run([program, "user", "token", "--role", "manager", "--name", "bench", "-w", copy],
                          capture_output=True, text=True, check=True, timeout=60).stdout
    return max(re.findall(r"\S{20,}", made), key=len)


def large_over_http(bench, program, copy):
    """`POST /changes` of a tenth of all parcels: patches of a value, then deletions, then whole features moved."""
    token, port, many = manager(program, copy), free_port(), min(100_000, bench.count // 4)
    step = bench.count // many
    with closing(Server([program, "serve", "-w", copy, "--listen", f"127.0.0.1:{port}"], port)) as server:
        server.until_answers("/health/ready", 120)
        server.until_answers(f"{OURS}/statistics?group-by=town&unit=mu", 120)
        held = json.loads(server.get(f"{OURS}/items/1"))
        # All came by one import, and so are all in the same version.
        version = json.loads(server.get(f"{OURS}/items/1/history"))["versions"][0]["version"]
        layer = OURS.rsplit("/", 1)[1]

        def moved(number):
            shape = json.loads(json.dumps(held["geometry"]))
            for at in ring_of(shape):
                at[0] += number * 1e-6
            return {"type": "Feature", "id": number, "geometry": shape,
                    "properties": {name: held["properties"][name] for name in ("parcel_id", "town", "land_use")}}
        kinds = {
            "one value of each": lambda n: {"patch": {"layer": layer, "id": n, "version": version,
                                                      "properties": {"owner": f"owner {n}"}}},
            "deleted": lambda n: {"delete": {"layer": layer, "id": n, "version": version}},
            # Last: so they lie over each other, and finding all that overlap goes on for a while.
            "whole features, elsewhere": lambda n: {"put": {"layer": layer, "version": version, "feature": moved(n)}},
        }
        for turn, (what, change) in enumerate(kinds.items()):
            ids = range(1 + turn, bench.count + 1, step)[:many]
            body = json.dumps({"note": what, "changes": [change(n) for n in ids]}).encode()
            # Resets the most memory so far to what is held now (man 5 proc).
            with open(f"/proc/{server.child.pid}/clear_refs", "w") as refs:
                refs.write("5")
            (held_mb, _), cpu = server.memory_mb(), server.cpu_s()
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
            _, told, wall = ask(link, "POST", "/changes", {"Content-Type": "application/json",
                                                            "Authorization": f"Bearer {token}"}, body)
            link.close()
            cpu, (_, most_mb) = server.cpu_s() - cpu, server.memory_mb()
            if len(json.loads(told)["changes"]) != many:
                raise Failed(f"{what}: not all changes are told")
            bench.row(f"POST /changes of {many:,} parcels, {len(body) / 1e6:.0f} MB: {what} (at most {most_mb - held_mb:.0f} MB "
                      "more memory)", "≤ 5 s", wall <= 5000, ours=f"{wall / 1000:.2f} ({cpu:.2f})", unit="s wall (CPU)")
        left = json.loads(server.get(f"{OURS}/items?limit=1"))["numberMatched"]
        bench.agree("parcels left after the deletions", left, bench.count - many, 0)


def ring_of(shape):
    parts = shape["coordinates"] if shape["type"] == "MultiPolygon" else [shape["coordinates"]]
    return [at for part in parts for ring in part for at in ring]


def over_http(bench, program, copy):
    token, port = manager(program, copy), free_port()
    with closing(Server([program, "serve", "-w", copy, "--listen", f"127.0.0.1:{port}"], port)) as server:
        server.until_answers("/health/ready", 120)
        question = f"{OURS}/statistics?group-by=town&unit=mu"
        server.until_answers(question, 120)
        before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        time.sleep(1.1)
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        took = {"edit": [], "the parcel": [], "statistics": [], "its tile": []}
        for number in range(EDITS):
            one_edit(link, (number * 7919) % bench.count + 1, number, token, (took, question))
        rivals = {}
        if bench.postgis:
            rivals["PostGIS"] = "{0:.2f}; {1:.1f}".format(*updates(bench))
        bench.row("PATCH of a parcel over HTTP (p50; p99); PostGIS: UPDATE of a row, durable, by psql", "p50 < 10 ms",
                  middle(took["edit"]) < 10, ours=f"{middle(took['edit']):.2f}; {late(took['edit']):.1f}", **rivals,
                  unit="ms wall")
        for what in ("the parcel", "statistics", "its tile"):
            bench.row(f"{what}, asked next, shows it (p50; p99)", "", None,
                      ours=f"{middle(took[what]):.2f}; {late(took[what]):.1f}", unit="ms wall")
        # The server has closed the first one while the peer was at work.
        link.close()
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        as_of(bench, link, before)
        link.close()


def ask(link, method, path, headers=None, body=None):
    start = time.perf_counter()
    link.request(method, path, body=body, headers={"Accept": "*/*", **(headers or {})})
    answer = link.getresponse()
    told = answer.read()
    took = (time.perf_counter() - start) * 1000
    if answer.status not in (200, 201, 204):
        raise Failed(f"{method} {path}: {answer.status} {told[:300]!r}")
    return answer, told, took


def one_edit(link, parcel, number, token, told):
    took, question = told
    path = f"{OURS}/items/{parcel}"
    answer, body, _ = ask(link, "GET", path)
    held = json.loads(body)
    west, south = held["geometry"]["coordinates"][0][0] if held["geometry"]["type"] == "Polygon" else \
        held["geometry"]["coordinates"][0][0][0]
    there = tile(16, covering((west, south, west, south), 16)[0], "owner")
    _, tile_before, _ = ask(link, "GET", there)
    owner = f"owner {number}"
    headers = {"If-Match": answer.getheader("ETag"), "Content-Type": "application/merge-patch+json",
               "Authorization": f"Bearer {token}"}
    _, _, wall = ask(link, "PATCH", path, headers, json.dumps({"properties": {"owner": owner}}))
    took["edit"].append(wall)
    _, body, wall = ask(link, "GET", path)
    took["the parcel"].append(wall)
    if json.loads(body)["properties"]["owner"] != owner:
        raise Failed(f"{path} does not show its edit")
    _, body, wall = ask(link, "GET", question + f"&filter=owner%3D%27owner%20{number}%27")
    took["statistics"].append(wall)
    if json.loads(body)["total"]["count"] < 1:
        raise Failed("statistics do not show an edit")
    _, tile_after, wall = ask(link, "GET", there)
    took["its tile"].append(wall)
    if tile_after == tile_before:
        raise Failed(f"{there} does not show an edit")


def as_of(bench, link, moment):
    """The same questions of the present and of a moment before all edits."""
    for what, path in [("statistics over towns and land use", f"{OURS}/statistics?group-by=town,land_use&decimals={{0}}"),
                       ("a box of some 550 parcels", f"{OURS}/items?limit=1000&bbox=112.74,22.64,112.7514,22.65{{0}}")]:
        def timed_over(extra, path=path):
            return statistics.median(ask(link, "GET", path.format(number % 3 if "decimals" in path else number) + extra)[2]
                                     for number in range(9))
        then = f"&datetime={moment}"
        timed_over(then), timed_over("")                                # measured once for each moment
        now, past = timed_over(""), timed_over(then)
        bench.row(f"{what}, as of before {EDITS} edits", "≤ 3 × the present", past <= 3 * now, ours=f"{past:.1f}",
                  **{"the present": f"{now:.1f}"}, unit="ms wall", times=f"{past / now:.2f}×")


def updates(bench):
    """Milliseconds of updates of single rows, each a transaction of its own: the middle and the 99th of a hundred."""
    # Durable, as ours are: the cluster is loaded without.
    bench.postgis.ask("ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf(); SELECT pg_sleep(1);")
    if bench.postgis.ask("SHOW fsync; SHOW synchronous_commit;") != ["on", "on"]:
        raise Failed("PostGIS does not store durably")
    sql = "\\timing on\n" + "".join(
        f"UPDATE parcels SET owner = 'owner {n}' WHERE id = {(n * 7919) % bench.count + 1};\n" for n in range(EDITS))
    told = [float(word) for word in bench.postgis.ask(sql) if re.fullmatch(r"\d+\.\d+", word)]
    return middle(told), late(told)


def middle(took):
    return statistics.median(took)


def late(took):
    return sorted(took)[len(took) * 99 // 100]
