#!/usr/bin/env python3
"""Deterministic synthetic cadastral fabric (parcels) and large zones (parks, red lines).

  make_parcels.py -n 100000 --seed 7 --out data/p100k --formats geojson,fgb,gpkg,parquet
  -> data/p100k.{geojson,fgb,gpkg,parquet}, data/p100k_zones.{...} and data/p100k.points: 100,000 places in the box
     of the parcels, as pairs of 64-bit floats

Method: (1) the region is split recursively into irregular street blocks; (2) each block is inset by half a
street and carries a jittered nx*ny lattice whose edges, straight or wiggly, are made once and used by both
neighbours, so inner boundaries are shared vertex for vertex; (3) some 2x2 cell groups become one L-shaped
parcel of three cells and a fourth cell; (4) ~2 % of the parcels get a hole, half of the holes are parcels. The
density per km2 is the same for every N: a smaller N covers a smaller window. Coordinates are rounded to 1e-7.
"""
import argparse
import time
import geopandas as gpd
import numpy as np
import pyproj
import shapely

LON0, LON1, LAT0, LAT1 = 112.45, 113.05, 22.45, 22.85
FULL_N = 1_000_000            # N that fills the whole region; a smaller N shrinks the window
A_MIN, A_MAX = 400.0, 50_000.0
TOWNS = ["荷塘镇", "棠下镇", "杜阮镇", "共和镇", "址山镇", "月山镇", "水口镇", "沙坪街道", "雅瑶镇", "司前镇"]
LAND_USE = {  # code: (weight, floor-area-ratio mean); after GB/T 21010
    "0101": (16, 0), "0102": (9, 0), "0103": (5, 0), "0201": (7, 0), "0202": (2, 0), "0301": (8, 0),
    "0305": (3, 0), "0404": (2, 0), "0501": (3, 1.8), "0505": (1, 2.2), "0507": (1, 1.6), "0601": (9, 1.4),
    "0602": (1, 0.3), "0604": (2, 1.1), "0701": (8, 2.4), "0702": (9, 1.2), "0801": (1, 1.5), "0803": (1, 0.9),
    "0806": (1, 1.0), "0810": (2, 0.05), "0906": (0.5, 0.4), "1003": (1, 0), "1006": (2, 0), "1101": (1, 0),
    "1104": (4, 0), "1107": (1, 0), "1202": (1.5, 0), "1204": (0.5, 0)}
STATUS = {"已登记": 55, "待登记": 12, "已批未供": 9, "已供未用": 8, "闲置": 6, "在建": 10}
SURNAMES = list("陈李黄张梁林吴刘何谭冯区余邓周谢")
GIVEN = list("伟强明华英杰文辉志海燕丽玲敏国平建军永兴荣发")
FIRMS = ["江会", "新荷", "粤丰", "宏业", "恒泰", "金瓯", "南粤", "万润", "联合", "鸿图"]
TRADES = ["纺织有限公司", "五金制品厂", "电子科技有限公司", "家具有限公司", "食品股份有限公司", "经济合作社", "村民委员会"]
ZONE_KINDS = {"工业园区": 100, "永久基本农田": 90, "生态保护红线": 70, "城镇开发边界": 40}


def area2(q):
    """Shoelace area of quads (n,4,2)."""
    x, y = q[..., 0], q[..., 1]
    return 0.5 * np.abs((x * np.roll(y, -1, 1) - np.roll(x, -1, 1) * y).sum(1))


def split_blocks(rng, w, h, target=52_000.0):
    """Recursive bisection of the w*h rectangle into irregular quads, corners in counterclockwise order."""
    todo = np.array([[[0, 0], [w, 0], [w, h], [0, h]]], float)
    done = []
    while len(todo):
        small = area2(todo) < target * rng.lognormal(0, 0.45, len(todo))
        done.append(todo[small])
        q = todo[~small]
        side = np.linalg.norm(np.roll(q, -1, 1) - q, axis=2)
        turn = side[:, 0] + side[:, 2] < side[:, 1] + side[:, 3]          # cut across the longer pair of sides
        q = np.where(turn[:, None, None], np.roll(q, -1, 1), q)
        t = 0.5 + rng.uniform(-0.16, 0.16, (len(q), 1))
        s = 1 - np.clip(t + rng.uniform(-0.05, 0.05, t.shape), 0.3, 0.7)
        m0 = q[:, 0] + t * (q[:, 1] - q[:, 0])
        m1 = q[:, 2] + s * (q[:, 3] - q[:, 2])
        todo = np.concatenate([np.stack([q[:, 0], m0, m1, q[:, 3]], 1), np.stack([m0, q[:, 1], q[:, 2], m1], 1)])
    q = np.concatenate(done)
    mid = q.mean(1, keepdims=True)                                        # inset by half a street
    arm = q - mid
    half = rng.choice([3.0, 5.0, 9.0, 16.0], (len(q), 1, 1), p=[.4, .35, .2, .05]) * 1.41
    return mid + arm * np.clip(1 - half / np.linalg.norm(arm, axis=2, keepdims=True), 0.3, 1)


def edge_points(rng, a, b, k, amp):
    """Points of the edges a->b with k inner points, displaced across the edge; (..., k+2, 2)."""
    t = np.linspace(0, 1, k + 2)
    d = b - a
    p = a[..., None, :] + t[:, None] * d[..., None, :]
    if k:
        off = rng.uniform(-amp, amp, d.shape[:-1] + (k + 2,)) * np.sin(np.pi * t)
        p += off[..., None] * np.stack([-d[..., 1], d[..., 0]], -1)[..., None, :]
        p[..., 0, :], p[..., -1, :] = a, b
    return p


def lattice_rings(rng, q, nx, ny, k):
    """Parcel rings of all blocks q (B,4,2) that carry an nx*ny lattice with k inner points an edge."""
    n = len(q)

    def cuts(m):
        c = np.cumsum(rng.uniform(0.6, 1.4, (n, m)), 1)
        return np.concatenate([np.zeros((n, 1)), c / c[:, -1:]], 1)
    u, v = cuts(nx)[:, None, :, None], cuts(ny)[:, :, None, None]
    c = q[:, :, None, None, :]                                            # bilinear in the four corners
    node = (1 - v) * ((1 - u) * c[:, 0] + u * c[:, 1]) + v * (u * c[:, 2] + (1 - u) * c[:, 3])
    cell = np.sqrt(area2(q) / (nx * ny))[:, None, None, None]
    node[:, 1:-1, 1:-1] += rng.uniform(-0.07, 0.07, node[:, 1:-1, 1:-1].shape) * cell
    amp = 0.07 if k > 1 else 0.02
    hor = edge_points(rng, node[:, :, :-1], node[:, :, 1:], k, amp)       # (n, ny+1, nx, k+2, 2)
    ver = edge_points(rng, node[:, :-1], node[:, 1:], k, amp)             # (n, ny, nx+1, k+2, 2)
    f, r = (lambda e: e[..., :-1, :]), (lambda e: e[..., :0:-1, :])       # along, against
    plain = np.ones((n, ny, nx), bool)
    out = []
    if k <= 4:
        for j in range(0, ny - 1, 2):
            for i in range(0, nx - 1, 2):
                s = np.flatnonzero(rng.random(n) < 0.22)                  # an L of three cells, corner cell left
                plain[s, j, i] = plain[s, j, i + 1] = plain[s, j + 1, i] = False
                h, w = hor[s], ver[s]
                out.append(np.concatenate(
                    [f(h[:, j, i]), f(h[:, j, i + 1]), f(w[:, j, i + 2]), r(h[:, j + 1, i + 1]), f(w[:, j + 1, i + 1]),
                     r(h[:, j + 2, i]), r(w[:, j + 1, i]), r(w[:, j, i])], 1))
    ring = np.concatenate([f(hor[:, :-1]), f(ver[:, :, 1:]), r(hor[:, 1:]), r(ver[:, :, :-1])], 3)
    out.append(ring[plain])
    return [o for o in out if len(o)]


def parcel_rings(seed, w, h, mult, towns):
    """All rings grouped by vertex count: list of (m, nv, 2) arrays in metres."""
    rng = np.random.default_rng(seed)
    q = split_blocks(rng, w, h)
    q = np.stack([np.roll(b, s, 0) for b, s in zip(q, rng.integers(0, 4, len(q)))])   # so that Ls face every way
    dist = np.linalg.norm(q.mean(1)[:, None] - towns[None], axis=2).min(1)
    cell = np.clip(mult * 1500 * np.exp(rng.normal(0, 0.65, len(q)) + 0.5 * np.clip(dist / 6000, 0, 1.5)), 480, 24_000)
    side = np.linalg.norm(np.roll(q, -1, 1) - q, axis=2)
    wid, hei = (side[:, 0] + side[:, 2]) / 2, (side[:, 1] + side[:, 3]) / 2
    nx = np.clip(np.rint(wid / np.sqrt(cell)), 1, 12).astype(int)
    ny = np.clip(np.rint(area2(q) / cell / nx), 1, 12).astype(int)
    k = np.where(rng.random(len(q)) < 0.36, rng.integers(2, 9, len(q)), rng.integers(0, 2, len(q)))
    key = (nx * 100 + ny) * 100 + k
    rings = []
    for g in np.unique(key):
        rings += lattice_rings(rng, q[key == g], g // 10000, g // 100 % 100, g % 100)
    return rings


def to_polygons(rings, to_deg):
    sizes = np.concatenate([np.full(len(r), r.shape[1] + 1) for r in rings])
    off = np.concatenate([[0], np.cumsum(sizes)])
    flat = np.concatenate([np.concatenate([r, r[:, :1]], 1).reshape(-1, 2) for r in rings])
    flat = np.round(to_deg(flat), 7)
    return shapely.from_ragged_array(shapely.GeometryType.POLYGON, flat, (off, np.arange(len(sizes) + 1)))


def add_holes(rng, geoms, share=0.02):
    """Cut a hole in `share` of the convex-ish parcels; half of the holes become parcels."""
    cand = np.flatnonzero((shapely.get_num_coordinates(geoms) <= 37) & (rng.random(len(geoms)) < share))
    keep = []
    for i, e in zip(cand, shapely.get_exterior_ring(geoms[cand])):
        xy = shapely.get_coordinates(e)
        c = xy[:-1].mean(0)
        s = np.round(c + (xy[::-1] - c) * rng.uniform(0.2, 0.4), 7)
        poly = shapely.polygons(e, [shapely.linearrings(s)])
        if shapely.is_valid(poly):
            geoms[i] = poly
            if rng.random() < 0.5:
                keep.append(shapely.polygons(s[::-1]))
    return np.concatenate([geoms, np.array(keep, dtype=object)])


def make(n, seed, n_zones):
    m_lat, m_lon = 110_750.0, 102_800.0                                    # metres a degree near 22.65 N
    shrink = min(1.0, np.sqrt(n / FULL_N))
    w, h = (LON1 - LON0) * m_lon * shrink, (LAT1 - LAT0) * m_lat * shrink
    org = np.array([(LON0 + LON1) / 2 - w / 2 / m_lon, (LAT0 + LAT1) / 2 - h / 2 / m_lat])
    to_deg = lambda p: org + p / np.array([m_lon, m_lat])                  # noqa: E731
    rng = np.random.default_rng([seed, 1])
    towns = rng.uniform([0.08 * w, 0.08 * h], [0.92 * w, 0.92 * h], (len(TOWNS), 2))
    mult = 1.0
    for _ in range(8):                                                     # scale the cells until N fits
        rings = parcel_rings([seed, 2], w, h, mult, towns)
        got = sum(map(len, rings))
        if n * 1.03 <= got <= n * 1.05:
            break
        mult *= (got / (n * 1.04)) ** 1.25
    rng = np.random.default_rng([seed, 3])
    geoms = add_holes(rng, to_polygons(rings, to_deg))
    equal_area = pyproj.Transformer.from_crs(4326, 6933, always_xy=True)
    area = shapely.area(shapely.transform(geoms, lambda p: np.stack(equal_area.transform(p[:, 0], p[:, 1]), 1)))
    ok = np.flatnonzero((area >= A_MIN) & (area <= A_MAX) & shapely.is_valid(geoms))
    if len(ok) < n:
        raise SystemExit(f"only {len(ok)} parcels fit, {n} wanted: raise the target")
    ok = rng.permutation(ok)[:n]                                           # file order is random, as in a register
    geoms, area = geoms[ok], area[ok]
    xy = (shapely.get_coordinates(shapely.centroid(geoms)) - org) * [m_lon, m_lat]
    near = shapely.STRtree(shapely.points(towns)).nearest(shapely.points(xy))
    codes, wt = np.array(list(LAND_USE)), np.array([v[0] for v in LAND_USE.values()], float)
    far_mean = np.array([v[1] for v in LAND_USE.values()])
    patch = rng.choice(len(codes), 4096, p=wt / wt.sum())                  # neighbourhoods share a dominant code
    cell = (xy // 350).astype(int) @ np.array([7919, 104729]) % 4096
    lu = np.where(rng.random(n) < 0.6, patch[cell], rng.choice(len(codes), n, p=wt / wt.sum()))
    st, sw = np.array(list(STATUS)), np.array(list(STATUS.values()), float)
    person = np.char.add(rng.choice(SURNAMES, n), np.char.add(rng.choice(GIVEN, n), rng.choice(GIVEN, n)))
    firm = np.char.add(rng.choice(FIRMS, n), rng.choice(TRADES, n))
    town = np.array(TOWNS)[near]
    owner = np.where(np.isin(codes[lu], ["0701", "0702"]), person, np.char.add(town, firm))
    far = np.where(far_mean[lu] > 0, np.round(np.clip(rng.gamma(4, far_mean[lu] / 4 + 1e-9), 0, 8), 2), 0.0)
    day = np.datetime64("2015-01-01") + rng.integers(0, 4200, n).astype("timedelta64[D]")
    parcels = gpd.GeoDataFrame({
        "parcel_id": [f"4407{t:02d}{i:08d}" for t, i in zip(near, range(n))], "town": town, "land_use": codes[lu],
        "status": rng.choice(st, n, p=sw / sw.sum()), "area_m2": np.round(area, 1), "owner": owner, "far": far,
        "updated": day.astype("datetime64[ms]")}, geometry=geoms, crs=4326)

    zones, rows = [], []                                                   # star-shaped, harmonic + fine noise
    kinds, kw = list(ZONE_KINDS), np.array(list(ZONE_KINDS.values()), float)
    for z in range(n_zones):
        nv = int(rng.integers(500, 5001))
        rad = float(np.clip(rng.lognormal(np.log(1200), 0.6), 300, 4000)) * shrink
        th = np.linspace(0, 2 * np.pi, nv, endpoint=False)
        k = np.arange(1, 40)[:, None]
        wave = (rng.normal(0, 0.22, k.shape) / k ** 0.9 * np.cos(k * th + rng.uniform(0, 6.28, k.shape))).sum(0)
        r = rad * np.clip(1 + wave, 0.25, 3) * (1 + rng.uniform(-0.002, 0.002, nv))
        c = rng.uniform([0, 0], [w, h])
        p = np.clip(c + np.stack([r * np.cos(th), r * np.sin(th)], 1), 0, [w, h])
        g = shapely.make_valid(shapely.polygons(np.round(to_deg(p), 7)))
        kind = kinds[rng.choice(len(kinds), p=kw / kw.sum())]
        zones.append(max(shapely.get_parts(g), key=shapely.area))
        rows.append((f"Z{z:04d}", f"{TOWNS[z % len(TOWNS)]}{kind}{z}", kind, int(rng.integers(1, 4))))
    cols = dict(zip(["zone_id", "name", "kind", "level"], zip(*rows)))
    return parcels, gpd.GeoDataFrame(cols, geometry=zones, crs=4326)


def places(gdf, n, seed=5):
    """Places all over the box of the parcels: seven of eight lie in a parcel."""
    x0, y0, x1, y1 = gdf.total_bounds
    rng = np.random.default_rng(seed)
    x = rng.uniform(x0, x1, n)
    return np.stack([x, rng.uniform(y0, y1, n)], 1)


def write(gdf, base, layer, fmt):
    out = gdf.copy()
    if "updated" in out:                                                   # arrow date32 -> OGR Date, Parquet DATE
        out["updated"] = out["updated"].dt.date
    opts = {"geojson": dict(driver="GeoJSON", RFC7946="YES", COORDINATE_PRECISION=7),
            "fgb": dict(driver="FlatGeobuf", SPATIAL_INDEX="YES", layer=layer), "gpkg": dict(driver="GPKG", layer=layer)}
    if fmt == "parquet":
        out.to_parquet(base + ".parquet", write_covering_bbox=True, row_group_size=65536)
    else:
        out.to_file(f"{base}.{fmt}", use_arrow=True, **opts[fmt])


def main():
    ap = argparse.ArgumentParser(description="Deterministic synthetic parcels and zones")
    ap.add_argument("-n", type=int, default=10_000, help="parcels")
    ap.add_argument("--seed", type=int, default=7)
    ap.add_argument("--zones", type=int, default=300, help="zones")
    ap.add_argument("--out", required=True, help="path prefix")
    ap.add_argument("--formats", default="geojson,fgb,gpkg,parquet")
    a = ap.parse_args()
    t = time.time()
    parcels, zones = make(a.n, a.seed, a.zones)
    nv = shapely.get_num_coordinates(parcels.geometry.values)
    print(f"made {len(parcels)} parcels, vertices mean {nv.mean():.1f} max {nv.max()}, area mean "
          f"{parcels.area_m2.mean():.0f} m2, holes {(shapely.get_num_interior_rings(parcels.geometry.values) > 0).sum()}"
          f", zones {len(zones)} ({shapely.get_num_coordinates(zones.geometry.values).sum()} vertices), {time.time() - t:.1f} s")
    places(parcels, 100_000).astype("<f8").tofile(a.out + ".points")
    for fmt in a.formats.split(","):
        t = time.time()
        [write(g, a.out + suffix, layer, fmt) for g, suffix, layer in ((parcels, "", "parcels"), (zones, "_zones", "zones"))]
        print(f"  {fmt}: {time.time() - t:.1f} s")


if __name__ == "__main__":
    main()
