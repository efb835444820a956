"""check-geojson: every page of every layer, single items, an empty collection, filtered and boxed ones, are RFC 7946."""
import json
import urllib.parse
import urllib.request

from harness import PROGRAMS, demand, node_modules, run

MEDIA_TYPE = "application/geo+json"


def is_geojson(served):
    """Every feature document of the server passes, and the checker sees a document that is wrong."""
    modules = node_modules()
    urls = [url for layer in served.collections() for url in documents(f"{served.url}/collections/{layer['id']}/items")]
    lines = [json.dumps({"url": url, "text": text(url)}, ensure_ascii=False) for url in urls]
    wrong = json.dumps({"url": "wrong", "text": '{"type":"Polygon","coordinates":[[[0,0],[1,1],[0,1]]]}'})
    said = run(["node", PROGRAMS / "check_geojson.mjs", modules], stdin="\n".join([*lines, wrong]))
    *faults, last = [json.loads(line) for line in said.splitlines()]
    demand(last["checked"] == len(urls) + 1, "only", last["checked"], "of", len(urls) + 1, "were checked")
    demand(faults and faults[-1]["url"] == "wrong", "the checker let an unclosed ring pass")
    demand(len(faults) == 1, faults[:-1][:3])
    return f"{len(urls)} documents"


def documents(items):
    """The URLs to check of one layer: all pages, then special ones."""
    url, first = f"{items}?limit=2000", None
    while url:
        yield url
        page = json.loads(text(url))
        first = first or page["features"][0]
        url = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
    yield f"{items}/{first['id']}"
    yield f"{items}?bbox=0,0,1,1"
    yield f"{items}?bbox=112.8,22.6,113,22.8&limit=50"
    if "provenance" in first["properties"]:
        yield f"{items}?{urllib.parse.urlencode({'filter': 'provenance IS NULL'})}"


def text(url):
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": MEDIA_TYPE}), timeout=60) as answer:
        demand(answer.headers.get_content_type() == MEDIA_TYPE, url, "is", answer.headers.get_content_type())
        return answer.read().decode("utf-8")


CHECKS = [is_geojson]
