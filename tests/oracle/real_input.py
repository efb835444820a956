#!/usr/bin/env python3
"""An independent count and measure of a parcel file, with GDAL, GEOS and PROJ; no code of ours.

  real_input.py FILE EPSG USE_COLUMN [--overlaps]  ->  one JSON object on standard output

Planar areas are GEOS's in the projected CRS `EPSG`, in square metres; ellipsoidal areas are the geodesic ones of
PROJ (Karney 2013) on the ellipsoid of CGCS2000, with edges cut at 70 m where they are straight in that CRS.
Validity is GEOS's, on the coordinates as the file has them. Of the valid, `thin` names rows with a spike (a turn
where the shorter of two edges, 5 cm or more, ends within 1 mm of the longer) or of a mean width under 10 cm. `union_m2` is the planar area of the union of all
parcels; `lost_m2` of a use is the planar area of its parcels that parcels of earlier rows cover too; `doubt_m2` what its
parcels that cross themselves would gain if every loop counted: what is lost of them is a matter of definition.
Rows count from 1 in the order of the file.
"""
import json
import math
import re
import sys

import pyproj
import shapely.geometry
import shapely.ops
import shapely.strtree
import shapely.validation
import shapely.wkb
from osgeo import ogr, osr

ogr.UseExceptions()
STEP_M = 70.0
CGCS2000 = pyproj.Geod(a=6378137.0, rf=298.257222101)
SPIKE_M = (0.001, 0.05)
SLIVER_M = 0.1
NOISE_M2 = 0.005  # less than half of the last place that is printed


def read(path, use_column):
    """Geometry and use of each row, and the CRS of the file."""
    source = ogr.Open(path)
    if source is None or source.GetLayerCount() != 1:
        sys.exit(f"{path}: GDAL does not see one layer")
    layer = source.GetLayer(0)
    names = [field.name for field in layer.schema]
    if use_column not in names:
        sys.exit(f"{path}: no column {use_column}, but {names}")
    rows = [(shapely.wkb.loads(bytes(f.GetGeometryRef().ExportToIsoWkb())), f.GetField(use_column)) for f in layer]
    return rows, pyproj.CRS.from_wkt(layer.GetSpatialRef().ExportToWkt([]) or sys.exit(f"{path}: no CRS"))


def cut(line, step):
    """Coordinates of a line with points between, so that no edge is longer than `step`."""
    points = list(line.coords)
    for (x0, y0), (x1, y1) in zip(points, points[1:]):
        parts = max(1, math.ceil(math.hypot(x1 - x0, y1 - y0) / step))
        for part in range(parts):
            yield x0 + (x1 - x0) * part / parts, y0 + (y1 - y0) * part / parts


def geodesic_area(surface, to_degrees, step):
    """Shells less holes, whatever the direction of their rings."""
    def ring(line):
        lon, lat = to_degrees.transform(*zip(*cut(line, step)))
        return abs(CGCS2000.polygon_area_perimeter(lon, lat)[0])
    return sum(ring(part.exterior) - sum(map(ring, part.interiors)) for part in parts_of(surface))


def parts_of(shape):
    """Its polygons, whatever it is a collection of."""
    if hasattr(shape, "geoms"):
        return [part for member in shape.geoms for part in parts_of(member)]
    return [shape] if shape.geom_type == "Polygon" else []


def faults(shapes):
    found = []
    for row, shape in enumerate(shapes, 1):
        if not shape.is_valid:
            reason = shapely.validation.explain_validity(shape)
            name, x, y = re.fullmatch(r"(.*)\[(\S+) (\S+)\]", reason).groups()
            found.append({"row": row, "reason": name, "x": float(x), "y": float(y)})
    return found


def thin(shapes, unit):
    def spikes(line):
        points = [p for p, q in zip(line.coords, line.coords[1:]) if p != q]
        for before, at, after in zip(points[-1:] + points, points, points[1:] + points[:1]):
            (near, b), (far, c) = sorted((math.dist(at, end) * unit, end) for end in (before, after))
            if near >= SPIKE_M[1] and shapely.geometry.Point(b).distance(shapely.geometry.LineString([at, c])) * unit < SPIKE_M[0]:
                return True
        return False

    def is_thin(shape):
        rings = [ring for part in parts_of(shape) for ring in (part.exterior, *part.interiors)]
        return shape.area / (shape.length / 2) * unit < SLIVER_M or any(map(spikes, rings))
    return [row for row, shape in enumerate(shapes, 1) if shape.is_valid and is_thin(shape)]


def pieces(shape):
    """A polygon cut by its middle until no piece has many vertices: what crosses a street costs less."""
    vertices = sum(len(ring.coords) for ring in (shape.exterior, *shape.interiors))
    if vertices <= 300:
        return [shape]
    x0, y0, x1, y1 = shape.bounds
    if x1 - x0 > y1 - y0:
        halves = shapely.geometry.box(x0, y0, (x0 + x1) / 2, y1), shapely.geometry.box((x0 + x1) / 2, y0, x1, y1)
    else:
        halves = shapely.geometry.box(x0, y0, x1, (y0 + y1) / 2), shapely.geometry.box(x0, (y0 + y1) / 2, x1, y1)
    return [piece for half in halves for part in parts_of(shape.intersection(half)) for piece in pieces(part)]


def overlaps(shapes):
    """Of each row that overlaps earlier ones the area it has in common with them; of each that crosses itself what
    its loops count twice; the overlapping pairs and their areas; and the area of the union of all."""
    valid = [shape if shape.is_valid else shapely.validation.make_valid(shape) for shape in shapes]
    cut_up = [(row, piece) for row, shape in enumerate(valid)
              for part in parts_of(shape) for piece in pieces(part)]
    place = {id(piece): at for at, (_, piece) in enumerate(cut_up)}
    tree = shapely.strtree.STRtree([piece for _, piece in cut_up])
    pairs = {}
    for later, piece in cut_up:
        near = tree.query(piece)
        for at in (place[id(n)] if hasattr(n, "area") else int(n) for n in near):  # shapes, or places since 2.0
            earlier, other = cut_up[at]
            if earlier < later:
                pairs[later, earlier] = pairs.get((later, earlier), 0.0) + piece.intersection(other).area
    rivals = {}
    for (later, earlier), area in pairs.items():
        if area > 0:
            rivals.setdefault(later, []).append(valid[earlier])
    lost = {row: valid[row].intersection(shapely.ops.unary_union(earlier)).area for row, earlier in rivals.items()}
    doubt = {row: abs(valid[row].area - shape.area) for row, shape in enumerate(shapes) if not shape.is_valid}
    return lost, doubt, pairs, shapely.ops.unary_union(valid).area


def main():
    path, epsg, use_column = sys.argv[1:4]
    rows, crs = read(path, use_column)
    grid = pyproj.CRS.from_epsg(int(epsg))
    unit = grid.axis_info[0].unit_conversion_factor
    shapes = [shape for shape, _ in rows]
    answer = {"count": len(rows), "invalid": faults(shapes), "thin": thin(shapes, unit) if crs == grid else []}
    if crs != grid:
        move = pyproj.Transformer.from_crs(crs, grid, always_xy=True)
        shapes = [shapely.ops.transform(move.transform, shape) for shape in shapes]
    to_degrees = pyproj.Transformer.from_crs(grid, pyproj.CRS.from_epsg(4490), always_xy=True)
    planar = [shape.area * unit ** 2 for shape in shapes]
    ellipsoidal = [geodesic_area(shape, to_degrees, STEP_M / unit) for shape in shapes]
    uses = {}
    for (_, use), flat, curved in zip(rows, planar, ellipsoidal):
        one = uses.setdefault(use, {"use": use, "count": 0, "planar_m2": 0.0, "ellipsoidal_m2": 0.0, "lost_m2": 0.0,
                                    "doubt_m2": 0.0})
        one["count"] += 1
        one["planar_m2"] += flat
        one["ellipsoidal_m2"] += curved
    if "--overlaps" in sys.argv[4:]:
        lost, doubt, pairs, union = overlaps(shapes)
        answer["union_m2"] = union * unit ** 2
        answer["overlapping_pairs"] = sum(area * unit ** 2 > NOISE_M2 for area in pairs.values())
        for name, areas in ("lost_m2", lost), ("doubt_m2", doubt):
            for row, area in areas.items():
                uses[rows[row][1]][name] += area * unit ** 2
    answer |= {"planar_m2": math.fsum(planar), "ellipsoidal_m2": math.fsum(ellipsoidal), "uses": list(uses.values()),
               "parcels": list(zip(planar, ellipsoidal))}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
