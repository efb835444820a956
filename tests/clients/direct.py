"""The oracle: what GDAL reads from the workspace file itself, and how two readings are compared."""
import json
import re

from harness import Failed, demand, run

# Coordinates and numbers leave the server with nine decimals.
DEGREES = 1.1e-9
# The extent that a server tells is rounded outwards to 1e-7 degree.
EXTENT_DEGREES = 1.01e-7
# What the server adds to the stored properties.
DERIVED = {"area_m2", "area_planar_m2", "area_mu", "area_ha"}


def layers(gpkg):
    """The layers with a geometry, in the file's order: what a GIS lists."""
    said = run(["ogrinfo", "-ro", "-q", gpkg])
    return [m[1] for m in re.finditer(r"^\d+: (\S+)(.*)$", said, re.M) if "(None)" not in m[2]]


def summary(source, layer, *options):
    """(count, extent) as `ogrinfo -so` says them; the extent as it is printed, with six decimals."""
    said = run(["ogrinfo", "-ro", "-so", *options, source, layer])
    count = re.search(r"Feature Count: (\d+)", said)
    extent = re.search(r"Extent: \(([-\d.]+), ([-\d.]+)\) - \(([-\d.]+), ([-\d.]+)\)", said)
    demand(count, "ogrinfo said no count of", source, layer, said)
    return int(count[1]), tuple(float(v) for v in extent.groups()) if extent else None


def features(gpkg, layer, *options, where="TRUE"):
    """{id: feature} of a layer of a GeoPackage, through GDAL; `where` and the `options` of ogr2ogr (-spat) choose."""
    # GeoJSONSeq leaves the id out unless it is a field.
    said = run(["ogr2ogr", "-f", "GeoJSONSeq", "/vsistdout/", gpkg, "-lco", "COORDINATE_PRECISION=12",
                "-lco", "SIGNIFICANT_FIGURES=17", "-sql", f'SELECT fid AS fid_, * FROM "{layer}" WHERE {where}', *options])
    found = [json.loads(line.lstrip("\x1e")) for line in said.splitlines()]
    return {feature["properties"].pop("fid_"): feature for feature in found}


def positions(geometry):
    """All positions of a geometry in their order."""
    if geometry is None:
        return
    stack = [geometry["coordinates"]]
    while stack:
        item = stack.pop()
        if isinstance(item[0], (int, float)):
            yield item
        else:
            stack.extend(reversed(item))


def extent(found):
    """(west, south, east, north) of features; None of none."""
    points = [point for feature in found for point in positions(feature["geometry"])]
    if not points:
        return None
    return (min(p[0] for p in points), min(p[1] for p in points), max(p[0] for p in points), max(p[1] for p in points))


def same_box(a, b, tolerance=DEGREES):
    """Whether two extents are the same box."""
    return a == b or (None not in (a, b) and all(abs(x - y) <= tolerance for x, y in zip(a, b, strict=True)))


def compare(what, wanted, got):
    """Fails unless two readings hold the same features with the same shapes and stored properties."""
    demand(wanted.keys() == got.keys(), f"{what}: wanted {len(wanted)} features, got {len(got)};",
           "missing", sorted(wanted.keys() - got.keys())[:5], "unwanted", sorted(got.keys() - wanted.keys())[:5])
    for fid, feature in wanted.items():
        _compare_one(f"{what}: feature {fid}", feature, got[fid])
    demand(same_box(extent(wanted.values()), extent(got.values())), f"{what}: extents differ")


def _compare_one(what, wanted, got):
    stored, read = wanted["properties"], got["properties"]
    demand(set(read) - DERIVED == set(stored), f"{what}: properties differ:", sorted(set(read) ^ set(stored)))
    for name, value in stored.items():
        demand(_same(value, read[name]), f"{what}: {name} is {value!r} in the workspace and {read[name]!r} in the answer")
    a, b = wanted["geometry"], got["geometry"]
    demand((a and a["type"]) == (b and b["type"]), f"{what}: {a and a['type']} became {b and b['type']}")
    here, there = list(positions(a)), list(positions(b))
    demand(len(here) == len(there), f"{what}: {len(here)} positions became {len(there)}")
    for p, q in zip(here, there, strict=True):
        demand(max(abs(p[0] - q[0]), abs(p[1] - q[1])) <= DEGREES, f"{what}: {p} became {q}")


def _same(a, b):
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (a, b))
    return abs(a - b) <= 1e-9 * max(1, abs(a)) if numbers else a == b


def told_extent(told, found):
    """Whether a told extent holds the features and is no larger than its rounding makes it."""
    true = extent(found)
    holds = told[0] <= true[0] and told[1] <= true[1] and told[2] >= true[2] and told[3] >= true[3]
    return holds and same_box(told, true, EXTENT_DEGREES)


def boxes(whole):
    """Boxes to ask for within an extent: its middle, a corner, a sliver, and one beside it that holds nothing."""
    west, south, east, north = whole
    width, height = east - west, north - south
    if not (width > 0 and height > 0):
        raise Failed(f"no extent to take boxes of: {whole}")
    middle = (west + width / 3, south + height / 3, east - width / 3, north - height / 3)
    return {"middle": middle,
            "corner": (west - 1, south - 1, west + width / 4, south + height / 4),
            "sliver": (west, south + height / 2, east, south + height / 2 + 1e-6),
            "beside": (east + 1, south, east + 2, north)}
