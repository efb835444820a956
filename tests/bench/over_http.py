"""What GIS tools ask for over HTTP: boxes, filters, counts and tiles beside tipg and PostGIS; small requests while an
export streams.

Ratios are of processor time for a request, all processes of a side together: both sides are loaded until the cores are
full, and then that is what a request costs, whoever else shares the machine. Requests differ from each other, so no
answer can be a remembered one.
"""
import http.client
import itertools
import json
import math
import statistics
import threading

import postgis
from tools import Failed

OURS, TIPG = "/collections/parcels", f"/collections/public.{postgis.TABLE}"
# What is asked, how, what of ours, what of tipg, and how many times cheaper ours shall be.
QUESTIONS = [
    ("a box of some 550 parcels", "bbox", "/items?bbox={bbox}&limit=1000", 60),
    ("the first 100 parcels of a CQL2 filter (land use, area ratio)", "filter", "/items?filter={filter}&limit=100", 50),
    ("a count in a box of some 550 parcels (limit=1, numberMatched)", "bbox", "/items?bbox={bbox}&limit=1", 100),
    ("a count in a box of some 13,000 parcels (limit=1, numberMatched)", "count", "/items?bbox={bbox}&limit=1", 100),
]
# Zoom, the aim in CPU milliseconds, features of the tile it is for, and the aim in kilobytes.
TILES = [(14, 3, 1900, None), (12, 40, 33_000, None), (10, 250, 370_000, 500)]


def beside_tipg(bench, server, peer):
    """One row for each question."""
    tipg = peer.serve() if peer else None
    if tipg:
        agree(bench, server, tipg)
    for what, kind, path, aim in QUESTIONS:
        def load(side, prefix, kind=kind, path=path, seconds=bench.seconds):
            extra = "&f=geojson" if side is tipg else ""
            return side.load(seconds, bench.extent, bench.count, prefix + path + extra, kind)
        load(server, OURS, seconds=2)
        turns = [(load(server, OURS), load(tipg, TIPG) if tipg else None) for _ in range(bench.turns)]
        mine = statistics.median(turn[0]["cpu_ms"] for turn in turns)
        told, met, times = {"tipg": "not there"}, None, "–"
        if tipg:
            theirs = statistics.median(turn[1]["cpu_ms"] for turn in turns)
            told, met, times = {"tipg": of([turn[1] for turn in turns])}, theirs >= aim * mine, f"{theirs / mine:.0f}×"
        bench.row(f"{what}, {turns[0][0]['bytes'] / 1000:.1f} kB", f"≥ {aim} × tipg", met,
                  ours=of([turn[0] for turn in turns]), **told,
                  unit="CPU ms each, all processes (requests/s; p99 ms)", times=times)


def of(runs):
    def middle(name):
        return statistics.median(run[name] for run in runs)
    return f"{middle('cpu_ms'):.2f} ({middle('rate'):.0f}; {middle('p99_ms'):.0f})"


def agree(bench, server, tipg):
    """The same questions have the same answers."""
    west, south, east, north = bench.extent
    across, up = (west + east) / 2, (south + north) / 2
    for what, asked in [("features in a box", f"bbox={across},{up},{across + 0.05},{up + 0.05}&limit=1"),
                        ("features of a filter", "filter=land_use%3D%270601%27%20AND%20far%3E1.5&limit=1"),
                        ("features in all", "limit=1")]:
        ours, theirs = (json.loads(side.get(f"{prefix}/items?{asked}{extra}"))["numberMatched"]
                        for side, prefix, extra in ((server, OURS, ""), (tipg, TIPG, "&f=geojson")))
        bench.agree(f"{what}, tipg", ours, theirs, 0)


def tiles(bench, server, peer):
    """Every tile of a zoom once, and again with other words for the same, until there are enough to be timed."""
    columns = [name for name in json.loads(server.get(f"{OURS}/schema"))["properties"]
               if name in ("parcel_id", "town", "land_use", "status", "area_m2", "owner", "far", "updated")]
    wordings = [",".join(names) for names in itertools.islice(itertools.permutations(columns), 0, None, 97)]
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    for zoom, aim, full, kilobytes in TILES:
        places = covering(bench.extent, zoom)
        server.get_on(link, tile(zoom, places[0], wordings[-1]))
        needed = 40 if bench.quick else 120
        rounds = max(1, math.ceil(needed / len(places)))
        before, sizes = server.cpu_s(), {}
        for wording in wordings[:rounds]:
            for place in places:
                sizes.setdefault(place, len(server.get_on(link, tile(zoom, place, wording))))
        each = (server.cpu_s() - before) * 1000 / (rounds * len(places))
        most = max(sizes.values()) / 1000
        mean = bench.count / len(places)
        # The aim is for a tile of so many features: tiles of a zoom are full but at the layer's edge.
        fair = each * full / mean
        middle = sorted(places, key=lambda place: -sizes[place])[:10 if zoom == 14 else 1]
        told, times = {"PostGIS": "not there" if zoom == 14 else "not asked (5.9 s a tile at zoom 10, 2.8 MB at 12)"}, ""
        if peer and zoom == 14:
            took, size = peer.tiles(zoom, middle)
            told["PostGIS"] = f"{took:.0f} (ST_AsMVT of the ten largest; {size / 1000:.0f} kB)"
            before = server.cpu_s()
            for wording in wordings[rounds:rounds + 10]:
                for place in middle:
                    server.get_on(link, tile(zoom, place, wording))
            alike = (server.cpu_s() - before) * 1000 / (10 * len(middle))
            times = f"{took / alike:.0f}× (the same tiles: ours {alike:.2f} ms)"
        bench.row(f"tile of zoom {zoom}, uncached, over HTTP: {mean:,.0f} parcels in the mean",
                  f"≤ {aim} ms for {full:,} parcels" + (f", < {kilobytes} kB" if kilobytes else ""),
                  fair <= aim and (not kilobytes or most < kilobytes),
                  ours=f"{each:.2f} = {fair:.2f} for {full:,} (at most {most:.0f} kB)", **told, unit="CPU ms a tile",
                  times=times)
    link.close()


def tile(zoom, place, wording):
    return f"{OURS}/tiles/WebMercatorQuad/{zoom}/{place[1]}/{place[0]}?f=mvt&properties={wording}"


def covering(box, zoom):
    """(column, row) of the tiles of Web Mercator that a box shares land with."""
    def column(lon):
        return int((lon + 180) / 360 * 2 ** zoom)

    def row(lat):
        return int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * 2 ** zoom)
    west, south, east, north = box
    return [(x, y) for y in range(row(north), row(south) + 1) for x in range(column(west), column(east) + 1)]


def under_export(bench, server):
    """Items by id while the whole layer streams to a client that takes all it gets."""
    path = OURS + "/items/{id}"
    alone = server.load(bench.seconds, bench.extent, bench.count, path, "id", 2)
    stop, sent = threading.Event(), []

    def take():
        while not stop.is_set():
            link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
            link.request("GET", f"{OURS}/export?f=geojson")
            answer = link.getresponse()
            if answer.status != 200:
                sent.append(Failed(f"export: {answer.status}"))
                return
            while not stop.is_set() and (part := answer.read(1 << 20)):
                sent.append(len(part))
            link.close()
    reader = threading.Thread(target=take)
    reader.start()
    try:
        beside = server.load(bench.seconds, bench.extent, bench.count, path, "id", 2)
    finally:
        stop.set()
        reader.join(60)
    if failed := [part for part in sent if isinstance(part, Failed)]:
        raise failed[0]
    streamed = sum(sent) / 1e6 / bench.seconds
    bench.row(f"a parcel by its id while the layer is exported as GeoJSON ({streamed:.0f} MB/s streamed meanwhile)",
              "p99 < 20 ms", beside["p99_ms"] < 20 and streamed > 0, unit="p99 ms (requests/s)",
              ours=f"{beside['p99_ms']:.2f} ({beside['rate']:.0f})", alone=f"{alone['p99_ms']:.2f} ({alone['rate']:.0f})")
