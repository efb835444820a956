"""GDAL's OAPIF driver against GDAL's own reading of the workspace: whole layers, boxes, attribute filters."""
import re

import direct
from harness import Failed, demand, run

# A filter of each kind that the driver may push to the server or evaluate itself: text, integer, real, several.
FILTERS = [
    ("parcels", "town = '沙坪街道'"),
    ("parcels", "year_planned = 2024 AND status <> '完成处置'"),
    ("parcels", "far < 0.5"),
    ("parcels", "reason LIKE '%偏低'"),
    ("landuse", "provenance = 'synthetic'"),
]


def lists_layers(served):
    """`ogrinfo OAPIF:` lists the layers that the file has; each has its count and extent."""
    stored = direct.layers(served.copy)
    said = run(["ogrinfo", "-ro", "-q", f"OAPIF:{served.url}"])
    listed = re.findall(r"^\d+: (\S+)", said, re.M)
    demand(listed == stored, "ogrinfo lists", listed, "wanted", stored)
    for layer in stored:
        wanted, got = direct.summary(served.copy, layer), direct.summary(f"OAPIF:{served.url}", layer)
        # Six decimals are printed; what is stored may round either way.
        demand(wanted[0] == got[0] and direct.same_box(wanted[1], got[1], 1.1e-6), layer, "is", got, "wanted", wanted)
    return f"{len(stored)} layers, counts and extents"


def reads_whole(served):
    """`ogr2ogr` of every layer brings every feature with its stored properties and its shape."""
    total = 0
    for layer in direct.layers(served.copy):
        wanted = direct.features(served.copy, layer)
        direct.compare(layer, wanted, fetch(served, layer))
        total += len(wanted)
    # The driver's own page of ten, hence many `next` links.
    direct.compare("villages in small pages", direct.features(served.copy, "villages"),
                   fetch(served, "villages", page=7))
    return f"{total} features equal in properties and shape"


def reads_boxes(served):
    """`-spat` is sent to the server as bbox and gives what the file gives."""
    found = 0
    for layer in ("parcels", "landuse", "tasks", "belts"):
        whole = direct.features(served.copy, layer)
        for name, box in direct.boxes(direct.extent(whole.values())).items():
            spat = ["-spat", *(f"{v:.12f}" for v in box)]
            wanted = direct.features(served.copy, layer, *spat)
            got, asked = fetch(served, layer, *spat, asked=True)
            demand("bbox=" in asked, "the driver did not ask for a box:", asked[-500:])
            direct.compare(f"{layer}, {name} box", wanted, got)
            demand(len(wanted) < len(whole), f"{layer}: the {name} box leaves nothing out")
            demand(wanted or name in ("beside", "corner", "sliver"), f"{layer}: nothing in the {name} box")
            found += len(wanted)
    demand(found > 0, "the boxes held nothing")
    return f"16 boxes, {found} features"


def reads_filtered(served):
    """`-where` gives what the file gives."""
    counts = []
    for layer, where in FILTERS:
        wanted = direct.features(served.copy, layer, where=where)
        direct.compare(f"{layer} where {where}", wanted, fetch(served, layer, "-where", where))
        demand(wanted, f"{layer} where {where}: nothing to compare")
        counts.append(str(len(wanted)))
    return f"{len(FILTERS)} filters: {', '.join(counts)} features"


def is_told_of_dates(served):
    """The driver makes `datetime` of a filter on a date column, malformed for a date, good for a moment: the user sees an
    error either way, never the layer as it was recorded at that time."""
    for where in ("confirmed_on >= '2024/01/01'", "confirmed_on >= '2024/01/01 00:00:00'", "confirmed_on = '2024/01/01 00:00:00'"):
        wanted = direct.features(served.copy, "parcels", where=where.replace("/", "-").replace(" 00:00:00", ""))
        try:
            got = fetch(served, "parcels", "-where", where)
        except Failed as failed:
            # The layer of the demonstration was not there at that moment, which is an error with words of its own.
            refused = "datetime" in str(failed) and "400" in str(failed)
            demand(refused or "its record begins at" in str(failed), "another error than the refusal:", failed)
            continue
        direct.compare(f"the driver filters by itself: {where}", wanted, got)
    return "refused with 400 or 404, ogr2ogr ends with an error, or filters rightly by itself"


def fetch(served, layer, *options, page=1000, asked=False):
    """A layer through the driver into a GeoPackage, read back; with `asked` also what the driver asked for."""
    out = served.folder / "fetched.gpkg"
    out.unlink(missing_ok=True)
    command = ["ogr2ogr", "-f", "GPKG", out, f"OAPIF:{served.url}", layer, "-preserve_fid", "-oo", f"PAGE_SIZE={page}",
               *options]
    debug = {"CPL_DEBUG": "ON", "CPL_LOG": str(served.folder / "gdal.log")} if asked else {}
    run(command, env=debug)
    got = direct.features(out, layer)
    return (got, (served.folder / "gdal.log").read_text()) if asked else got


CHECKS = [lists_layers, reads_whole, reads_boxes, reads_filtered, is_told_of_dates]
