"""QGIS: the workspace file itself opened and edited, and the server read through the OAPIF provider."""
import json
import shutil
import sqlite3

import direct
from harness import PROGRAMS, Skipped, demand, run

# The distribution's own: QGIS is built for it.
SYSTEM_PYTHON = "/usr/bin/python3"
HEADLESS = {"QT_QPA_PLATFORM": "offscreen", "XDG_RUNTIME_DIR": "/tmp"}
EDITED = "parcels"


def qgis(program, *arguments, jobs):
    """What a program says inside QGIS."""
    have = "import qgis.core, sys; sys.exit(0)"
    try:
        run([SYSTEM_PYTHON, "-c", have], env=HEADLESS)
    except Exception:  # noqa: BLE001  whatever keeps it from being imported, it cannot be had
        raise Skipped("QGIS is not on this machine; run:  apt-get install -y --no-install-recommends "
                      "python3-qgis qgis-providers") from None
    return json.loads(run([SYSTEM_PYTHON, PROGRAMS / program, *arguments], stdin=json.dumps(jobs), env=HEADLESS))


def opens_and_edits_workspace(served):
    """Every layer of the file is valid and whole in QGIS; an edit there leaves the file right."""
    file = served.folder / "for-qgis.gpkg"
    shutil.copy(served.copy, file)
    names = direct.layers(served.copy)
    told = qgis("qgis_workspace.py", file, EDITED, jobs=names)
    titles = {layer["id"]: layer["title"] for layer in served.collections()}
    for layer in told["layers"]:
        name = layer["layer"]
        demand(layer["valid"], name, "is not valid:", layer)
        wanted = direct.features(served.copy, name)
        demand(layer["count"] == layer["read"] == len(wanted), name, "count", layer["count"], "wanted", len(wanted))
        demand(direct.same_box(layer["extent"], direct.extent(wanted.values())), name, "extent", layer["extent"])
        demand(layer["crs"] == "EPSG:4490", name, "crs", layer["crs"])
        demand(layer["title"] == titles[name], name, "title", layer["title"], "wanted", titles[name])
        texts = {v for f in wanted.values() for v in f["properties"].values() if isinstance(v, str) and not v[:4].isdigit()}
        demand(texts <= set(layer["texts"]), name, "texts lost:", sorted(texts - set(layer["texts"]))[:5])
    edit = told["edit"]
    demand(edit["done"], "the edit failed:", edit["errors"])
    looks_edited(served, file, edit)
    return f"{len(names)} layers; moved, added and deleted one; R-tree right"


def looks_edited(served, file, edit):
    """The edited file holds exactly the edit, its R-tree fits every feature, SQLite finds nothing wrong."""
    before, after = direct.features(served.copy, EDITED), direct.features(file, EDITED)
    moved, deleted = edit["moved"], edit["deleted"]
    demand(deleted not in after and len(after) == len(before), "one gone, one come: wanted", len(before), "got", len(after))
    demand(after[moved]["properties"]["note"] == edit["note"], "note", after[moved]["properties"]["note"])
    untouched = {fid: feature for fid, feature in before.items() if fid not in (moved, deleted)}
    direct.compare("untouched", untouched, {fid: after[fid] for fid in untouched})
    with sqlite3.connect(file) as db:
        boxes = {row[0]: row[1:] for row in db.execute(f"SELECT id, minx, miny, maxx, maxy FROM rtree_{EDITED}_geom")}
        demand(db.execute("PRAGMA integrity_check").fetchone() == ("ok",), "integrity_check")
    demand(boxes.keys() == after.keys(), "the R-tree has", len(boxes), "entries, features are", len(after))
    for fid, feature in after.items():
        # The tree holds 32-bit floats rounded outwards: 113 degrees to 8e-6.
        demand(direct.same_box(boxes[fid], direct.extent([feature]), 1.6e-5), "R-tree of", fid, boxes[fid])
    there = direct.extent([after[moved]])
    found = direct.features(file, EDITED, "-spat", *(repr(v) for v in there))
    demand(moved in found, "the index does not find the moved feature where it is now")


def reads_server(served):
    """Every layer through the OAPIF provider, whole and in a box, is what GDAL reads from the file."""
    names, jobs = direct.layers(served.copy), []
    stored = {name: direct.features(served.copy, name) for name in names}
    for name in names:
        jobs.append({"layer": name, "box": None})
    for name in ("parcels", "landuse", "tasks"):
        jobs += [{"layer": name, "box": box} for box in direct.boxes(direct.extent(stored[name].values())).values()]
    seen = 0
    for told in qgis("qgis_oapif.py", served.url, jobs=jobs):
        name, box = told["layer"], told["box"]
        what = f"{name} in {box}" if box else name
        demand(told["valid"], what, "is not valid:", told["error"])
        demand(told["crs"] in ("EPSG:4326", "OGC:CRS84"), what, "crs", told["crs"])
        demand(told["count"] == len(stored[name]), what, "count", told["count"], "wanted", len(stored[name]))
        demand(direct.told_extent(told["extent"], stored[name].values()), what, "extent", told["extent"])
        spat = ["-spat", *(repr(v) for v in box)] if box else []
        wanted = direct.features(served.copy, name, *spat) if box else stored[name]
        compare(what, wanted.values(), told["features"])
        seen += len(wanted)
    return f"{len(names)} layers whole, {len(jobs) - len(names)} boxes: {seen} features"


def compare(what, wanted, got):
    """QGIS gives features numbers of its own: the two are put in the order of all that they hold, then compared."""
    demand(len(wanted) == len(got), f"{what}: wanted {len(wanted)} features, got {len(got)}")
    columns = next((feature["properties"].keys() for feature in wanted), ())
    ordered = [sorted(map(unit, side), key=lambda f: order(f, columns)) for side in (wanted, got)]
    direct.compare(what, dict(enumerate(ordered[0])), dict(enumerate(ordered[1])))


def unit(feature):
    """A feature with its shape written in one way: a single part is no collection, rings have one start and turn."""
    shape = feature["geometry"]
    if shape and shape["type"].startswith("Multi") and len(shape["coordinates"]) == 1:
        shape = {"type": shape["type"][5:], "coordinates": shape["coordinates"][0]}
    if shape and shape["type"] == "Polygon":
        shape = shape | {"coordinates": [*map(turned, shape["coordinates"])]}
    if shape and shape["type"] == "MultiPolygon":
        shape = shape | {"coordinates": [[*map(turned, rings)] for rings in shape["coordinates"]]}
    return feature | {"geometry": shape}


def turned(ring):
    """A ring from its lowest position on, in the turn that has the lower neighbour first."""
    near = [tuple(round(v, 9) for v in position[:2]) for position in ring[:-1]]
    start = near.index(min(near))
    forth = [*near[start:], *near[:start]]
    back = [forth[0], *forth[:0:-1]]
    return [*min(forth, back), forth[0]]


def order(feature, columns):
    first = next(direct.positions(feature["geometry"]), (0, 0))
    return (*(str(feature["properties"][c]) for c in columns), round(first[0], 7), round(first[1], 7))


CHECKS = [opens_and_edits_workspace, reads_server]
