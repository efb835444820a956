"""Vector tiles: Mapbox's own decoder, GDAL's MVT driver and PyPI's mapbox-vector-tile read the same features in them, and
these are the stored ones: ids, typed properties, geometry to the unit of the tile, none lost."""
import base64
import json
import math
import tempfile
import urllib.request
from pathlib import Path

from harness import PROGRAMS, demand, node_modules, python, read_json, run

LAYERS = ["parcels", "landuse", "towns", "projects", "villages"]
MATRICES = [9, 12, 14]
MOST_TILES = 12
KINDS = {"Point": 1, "MultiPoint": 1, "LineString": 2, "MultiLineString": 2, "Polygon": 3, "MultiPolygon": 3}

PYPI = """
import base64, json, sys, mapbox_vector_tile
for line in sys.stdin:
    tile = json.loads(line)
    layers = mapbox_vector_tile.decode(base64.b64decode(tile["bytes"]), default_options={"y_coord_down": True})
    features = [f for layer in layers.values() for f in layer["features"]]
    print(json.dumps({"name": tile["name"], "features": [
        {"id": f.get("id"), "geometry": f["geometry"], "properties": f["properties"]} for f in features]}))
"""


def decoders_agree(served):
    """The three decoders and the file agree on every tile that is looked at."""
    tiles = [tile for layer in LAYERS for matrix in MATRICES for tile in tiles_of(served, layer, matrix)]
    lines = "\n".join(json.dumps({"name": tile["name"], "bytes": tile["bytes"]}) for tile in tiles)
    mapbox = decoded(run(["node", PROGRAMS / "vector_tiles.mjs", node_modules()], stdin=lines))
    pypi = decoded(run([python(), "-c", PYPI], stdin=lines))
    seen = 0
    for tile in tiles:
        ours = [normal(f["id"], f["kind"], f["paths"], f["properties"]) for f in mapbox[tile["name"]]["features"]]
        # It tells an absent id as 0, which no feature of ours has.
        theirs = [normal(f["id"] or None, *parts(f["geometry"]), f["properties"]) for f in pypi[tile["name"]]["features"]]
        gdal = [normal(*of_gdal(f)) for f in gdal_features(tile)]
        demand(ours == theirs, tile["name"], "mapbox-vector-tile differs:", difference(ours, theirs))
        demand(without_types(ours) == without_types(gdal), tile["name"], "GDAL differs:",
               difference(without_types(ours), without_types(gdal)))
        for layer in mapbox[tile["name"]]["layers"]:
            demand(layer == {"name": tile["layer"], "version": 2, "extent": 4096}, tile["name"], layer)
        seen += compare_with_source(served, tile, mapbox[tile["name"]]["features"])
    demand(seen > 1000, "only", seen, "features were compared with the file")
    return f"{len(tiles)} tiles, {seen} features as in the file"


def nothing_is_lost(served):
    """At small scales the marks' counts and the drawn features of a matrix sum to what the file holds."""
    for layer in LAYERS:
        stored = sum(1 for feature in source(served, layer).values() if feature["geometry"])
        for matrix in [0, 6, 10]:
            tiles = tiles_of(served, layer, matrix, most=None)
            lines = "\n".join(json.dumps({"name": tile["name"], "bytes": tile["bytes"]}) for tile in tiles)
            features = [f for tile in decoded(run(["node", PROGRAMS / "vector_tiles.mjs", node_modules()], stdin=lines)).values()
                        for f in tile["features"]]
            ids = {f["id"] for f in features if f["id"] is not None}
            gathered = sum(f["properties"]["_count"] for f in features if f["id"] is None)
            demand(len(ids) + gathered == stored, layer, "at", matrix, len(ids), "+", gathered, "of", stored)
    return f"{len(LAYERS)} layers at three scales"


def tiles_of(served, layer, matrix, most=MOST_TILES):
    """The tiles within a layer's limits that are not empty, spread over them where there are more than `most`."""
    base = f"{served.url}/collections/{layer}/tiles/WebMercatorQuad"
    limits = next(l for l in read_json(base)[0]["tileMatrixSetLimits"] if l["tileMatrix"] == str(matrix))
    places = [(row, column) for row in range(limits["minTileRow"], limits["maxTileRow"] + 1)
              for column in range(limits["minTileCol"], limits["maxTileCol"] + 1)]
    found = []
    for row, column in places[::max(1, len(places) // (4 * most)) if most else 1]:
        with urllib.request.urlopen(f"{base}/{matrix}/{row}/{column}", timeout=60) as answer:
            kind, data = answer.headers.get_content_type(), answer.read()
        demand(kind == "application/vnd.mapbox-vector-tile", "a tile is", kind)
        if data:
            found.append({"name": f"{layer}/{matrix}/{row}/{column}", "layer": layer, "matrix": matrix, "row": row,
                          "column": column, "bytes": base64.b64encode(data).decode()})
    return found[:most]


def decoded(said):
    return {tile["name"]: tile for tile in map(json.loads, said.splitlines())}


def gdal_features(tile):
    """What GDAL reads in a tile: units from the north-western corner become its own, south-western ones."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tile.pbf"
        path.write_bytes(base64.b64decode(tile["bytes"]))
        said = run(["ogr2ogr", "-f", "GeoJSON", "/vsistdout/", path, "-oo", "CLIP=NO", "-lco", "COORDINATE_PRECISION=3"])
    return json.loads(said)["features"]


def of_gdal(feature):
    properties = {name: value for name, value in feature["properties"].items() if value is not None}
    identifier = properties.pop("mvt_id", None)
    kind, paths = parts(feature["geometry"])
    return identifier, kind, [[(x, 4096 - y) for x, y in path] for path in paths], properties


def parts(geometry):
    """The kind and the paths of a GeoJSON geometry."""
    kind, at = geometry["type"], geometry["coordinates"]
    paths = {"Point": lambda: [[at]], "MultiPoint": lambda: [at], "LineString": lambda: [at], "MultiLineString": lambda: at,
             "Polygon": lambda: at, "MultiPolygon": lambda: [ring for part in at for ring in part]}[kind]()
    return KINDS[kind], paths


def normal(identifier, kind, paths, properties):
    """A feature in a form in which decoders' liberties (where a ring begins, in which order parts come) do not show."""
    return {"id": identifier, "kind": kind, "paths": sorted(turned(kind, path) for path in paths),
            "properties": dict(sorted(properties.items()))}


def turned(kind, path):
    path = [(round(x), round(y)) for x, y in path]
    if kind != 3:
        return sorted(path) if kind == 1 else min(path, path[::-1])
    ring = path[:-1] if path[0] == path[-1] else path
    both = [ring, ring[::-1]]
    return min(r[i:] + r[:i] for r in both for i in [r.index(min(r))])


def without_types(features):
    """GDAL makes one type of a column: a truth value becomes 0 or 1, a whole number beside others a fraction."""
    plain = lambda value: float(value) if isinstance(value, (bool, int, float)) else value
    return [feature | {"properties": {name: plain(value) for name, value in feature["properties"].items()}}
            for feature in features]


def difference(a, b):
    if len(a) != len(b):
        return f"{len(a)} features and {len(b)}"
    return next((f"{x} and {y}" for x, y in zip(a, b) if x != y), "nothing")


_sources = {}


def source(served, layer):
    """The stored features by their ids, read from the file by GDAL alone."""
    if (served.copy, layer) not in _sources:
        said = run(["ogr2ogr", "-f", "GeoJSON", "/vsistdout/", served.copy, layer, "-preserve_fid",
                    "-lco", "ID_GENERATE=YES", "-lco", "COORDINATE_PRECISION=15", "-lco", "RFC7946=NO"])
        _sources[served.copy, layer] = {int(f["id"]): f for f in json.loads(said)["features"]}
    return _sources[served.copy, layer]


def compare_with_source(served, tile, features):
    """How many features of a tile were found to be as they are in the file."""
    stored, seen = source(served, tile["layer"]), 0
    for feature in features:
        if feature["id"] is None:
            demand(feature["properties"]["_count"] > 1, tile["name"], "a mark of one feature without its id")
            continue
        origin = stored.get(feature["id"])
        demand(origin, tile["name"], "there is no feature", feature["id"])
        for name, value in origin["properties"].items():
            told = feature["properties"].get(name)
            same = math.isclose(told, value, rel_tol=1e-12) if isinstance(told, float) else told == value
            demand(same and type(told) in ({int, float} if isinstance(value, float) else {type(value)}), tile["name"],
                   feature["id"], name, told, value)
        if "_count" not in feature["properties"]:
            lies_as_stored(tile, feature, origin)
        seen += 1
    return seen


def lies_as_stored(tile, feature, origin):
    """Every vertex of the tile's interior is a stored one, to the unit."""
    world = 4096 * 2 ** tile["matrix"]
    corners = set()
    for path in parts(origin["geometry"])[1]:
        for longitude, latitude, *_ in path:
            y = (1 - math.asinh(math.tan(math.radians(latitude))) / math.pi) / 2
            corners.add((round((longitude + 180) / 360 * world - tile["column"] * 4096), round(y * world - tile["row"] * 4096)))
    # A neighbouring unit may be the rounded one where two formulas differ in the last digit; points are floored.
    near = lambda x, y: any((x + i, y + j) in corners for i in (0, -1, 1) for j in (0, -1, 1))
    for path in feature["paths"]:
        for x, y in path:
            if 0 <= x <= 4096 and 0 <= y <= 4096:
                demand(near(x, y), tile["name"], feature["id"], "has a vertex", (x, y), "that is not stored")


CHECKS = [decoders_agree, nothing_is_lost]
