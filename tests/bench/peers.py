#!/usr/bin/env python3
"""The peers: GeoPandas (with pyogrio, Shapely, pyproj) and DuckDB, doing the work that we are measured at.

  peers.py geopandas|duckdb BASE   reads tasks from standard input, one a line, and answers each with one line of JSON:
                                   {"cpu_s", "wall_s", "rss_mb", "result", "note"}

BASE is the path prefix that `make_parcels.py` wrote; BASE.points are the places, pairs of 64-bit floats.
Data is loaded, indexes are built and coordinates are projected before the clock starts; `load` alone times loading.
CPU seconds are user and system time of the whole process, all threads.
"""
import json
import pathlib
import sys
import time

import numpy as np

SURVEY_GRID = 4547


def rss_mb():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


class GeoPandas:
    """One frame in memory, with Shapely's STRtree."""

    def __init__(self, base):
        import pyogrio
        self.base = base
        self.load = lambda: pyogrio.read_dataframe(base + ".gpkg", use_arrow=True)
        self.parcels = self.points = self.flat = None

    def before(self, task):
        import geopandas
        import pyproj
        import shapely
        self.shapely = shapely
        if task == "load":
            return
        if self.parcels is None:
            self.parcels = self.load()
        self.shapes = np.asarray(self.parcels.geometry.values)
        self.geod = pyproj.Geod(a=6378137.0, rf=298.257222101)
        move = pyproj.Transformer.from_crs(4326, SURVEY_GRID, always_xy=True)

        def flat(shapes):
            return shapely.transform(shapes, lambda xy: np.stack(move.transform(xy[:, 0], xy[:, 1]), 1))

        def tree(shapes):
            built = shapely.STRtree(shapes)
            built.query(shapely.points(0, 0))                           # the tree is built by its first query
            return built

        points = shapely.points(np.fromfile(self.base + ".points").reshape(-1, 2))
        if task == "locate" and self.points is None:
            self.points, self.tree = points, tree(self.shapes)
        if task in ("nearest", "overlay") and self.flat is None:
            self.flat = flat(self.shapes)
            self.flat_points, self.flat_tree = flat(points), tree(self.flat)
        if task == "overlay":                                           # anew: zones stay prepared once they are
            zones = geopandas.read_file(self.base + "_zones.gpkg", use_arrow=True)
            self.zones = flat(np.asarray(zones.geometry.values))
            self.zone_ids = zones.zone_id.to_numpy()
            self.uses = self.parcels.land_use.to_numpy()

    def run(self, task, argument):
        return getattr(self, "do_" + task)(argument)

    def do_load(self, _):
        frame = self.load()
        self.parcels = frame
        return {"rows": len(frame), "area_m2": float(frame.area_m2.sum())}

    def do_stats(self, _):
        groups = self.parcels.groupby(["town", "land_use"], observed=True).area_m2.agg(["count", "sum"])
        return {"groups": len(groups), "area_m2": float(groups["sum"].sum())}

    def do_areas(self, _):
        area = self.geod.geometry_area_perimeter
        return {"area_m2": float(sum(abs(area(shape)[0]) for shape in self.shapes))}

    def do_locate(self, _):
        pairs = self.tree.query(self.points, predicate="intersects")
        return {"pairs": int(pairs.shape[1]), "points_hit": int(len(np.unique(pairs[0])))}

    def do_nearest(self, _):
        _, metres = self.flat_tree.query_nearest(self.flat_points, return_distance=True, all_matches=False)
        return {"found": len(metres), "sum_of_distances_m": float(metres.sum())}

    def do_overlay(self, _):
        import pandas
        self.shapely.prepare(self.zones)
        zone, parcel = self.flat_tree.query(self.zones, predicate="intersects")
        inside = self.shapely.covers(self.zones[zone], self.flat[parcel])
        area = self.shapely.area(self.flat[parcel])
        rest = ~inside
        area[rest] = self.shapely.area(self.shapely.intersection(self.zones[zone[rest]], self.flat[parcel[rest]]))
        table = pandas.DataFrame({"zone": self.zone_ids[zone], "use": self.uses[parcel], "area": area})
        by = table[table.area > 0].groupby(["zone", "use"]).area.agg(["count", "sum"])
        return {"groups": len(by), "pairs": int((area > 0).sum()), "area_m2": float(by["sum"].sum())}

    def do_export(self, path):
        self.parcels.to_file(path, driver="GeoJSON", engine="pyogrio", use_arrow=True, RFC7946="YES",
                             COORDINATE_PRECISION=9)
        return {"bytes": pathlib.Path(path).stat().st_size}


class DuckDb:
    """One table in memory, with the spatial extension's geometry and R-tree."""

    def __init__(self, base):
        import duckdb
        import duckdb_extension_spatial
        folder = pathlib.Path(duckdb_extension_spatial.__file__).parent
        self.base = base
        self.db = duckdb.connect(config={"allow_unsigned_extensions": "true"})
        self.db.execute(f"LOAD '{next(folder.rglob('spatial.duckdb_extension'))}'")
        self.ready = set()

    def rows(self, sql):
        return self.db.execute(sql).fetchall()

    def once(self, name, *statements):
        if name not in self.ready:
            for sql in statements:
                self.db.execute(sql)
            self.ready.add(name)

    def before(self, task):
        if task == "load":
            return
        if "load" not in self.ready:
            self.run("load", None)
        if task == "areas":                                             # this function wants latitude first
            self.once("flipped", "CREATE TABLE flipped AS SELECT ST_FlipCoordinates(geom) AS geom FROM parcels")
        if task == "locate":
            xy = np.fromfile(self.base + ".points").reshape(-1, 2)      # noqa: F841 (DuckDB reads the variables)
            lon, lat = xy[:, 0].copy(), xy[:, 1].copy()
            self.db.register("places", {"lon": lon, "lat": lat})
            self.once("points", "CREATE TABLE points AS SELECT row_number() OVER () AS n, ST_Point(lon, lat) AS geom FROM places")

    def run(self, task, argument):
        if task == "load":
            self.db.execute("DROP TABLE IF EXISTS parcels")
            self.db.execute(f"CREATE TABLE parcels AS SELECT * FROM ST_Read('{self.base}.gpkg')")
            self.ready.add("load")
            return {"rows": self.rows("SELECT count(*) FROM parcels")[0][0]}
        if task == "stats":
            groups = self.rows("SELECT town, land_use, count(*), sum(area_m2) FROM parcels GROUP BY ALL")
            return {"groups": len(groups), "area_m2": sum(group[3] for group in groups)}
        if task == "areas":
            return {"area_m2": self.rows("SELECT sum(ST_Area_Spheroid(geom)) FROM flipped")[0][0]}
        if task == "locate":
            pairs, hit = self.rows("SELECT count(*), count(DISTINCT points.n) FROM points JOIN parcels "
                                   "ON ST_Intersects(parcels.geom, points.geom)")[0]
            return {"pairs": pairs, "points_hit": hit}
        if task == "export":
            self.db.execute(f"COPY parcels TO '{argument}' WITH (FORMAT gdal, DRIVER 'GeoJSON')")
            return {"bytes": pathlib.Path(argument).stat().st_size}
        raise ValueError(f"DuckDB has no task {task}")


def main():
    peer = {"geopandas": GeoPandas, "duckdb": DuckDb}[sys.argv[1]](sys.argv[2])
    for line in sys.stdin:
        task, _, argument = line.strip().partition(" ")
        try:
            peer.before(task)
            cpu, wall = time.process_time(), time.perf_counter()
            result = peer.run(task, argument)
            answer = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall, "result": result}
        except Exception as error:                                      # noqa: BLE001 (told to the one who asked)
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps({**answer, "rss_mb": rss_mb()}), flush=True)


if __name__ == "__main__":
    main()
