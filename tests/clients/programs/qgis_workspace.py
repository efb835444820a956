#!/usr/bin/python3
"""Opens a workspace file itself in QGIS, headless, reads every layer, then edits one as a user would.

usage: qgis_workspace.py FILE.gpkg EDITED_LAYER < ["layer", …]
Prints one JSON object: of each layer valid, title, crs, count, extent, the text values of one column; and what the edit
did: one feature moved and renamed, one added, one deleted, saved through QGIS's OGR provider.
Needs Debian's python3-qgis and qgis-providers; run with the system's python3.
"""
import json
import os
import sys

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
from qgis.core import QgsApplication, QgsFeature, QgsGeometry, QgsVectorLayer  # noqa: E402

MOVED_BY = 0.25  # degrees: out of its old box
NOTE = "在 QGIS 中移动"
ADDED = "POLYGON((113.5 23.5, 113.51 23.5, 113.51 23.51, 113.5 23.51, 113.5 23.5))"


def opened(file, name):
    return QgsVectorLayer(f"{file}|layername={name}", name, "ogr")


def read(file, name):
    layer = opened(file, name)
    if not layer.isValid():
        return {"layer": name, "valid": False, "error": layer.error().message()}
    extent = layer.extent()
    texts = sorted({value for f in layer.getFeatures() for value in f.attributes() if isinstance(value, str)})
    return {"layer": name, "valid": True, "title": layer.metadata().title() or layer.dataProvider().layerMetadata().title(),
            "crs": layer.crs().authid(), "count": layer.featureCount(), "read": sum(1 for _ in layer.getFeatures()),
            "extent": [extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()], "texts": texts}


def edit(file, name):
    """Moves and renames the first feature, deletes the second, adds one; saves once."""
    layer = opened(file, name)
    first, second = sorted(layer.getFeatures(), key=lambda f: f.id())[:2]
    moved = QgsGeometry(first.geometry())
    moved.translate(MOVED_BY, MOVED_BY)
    added = QgsFeature(layer.fields())
    added.setGeometry(QgsGeometry.fromWkt(ADDED))
    added.setAttribute("code", "QGIS-1")
    done = [layer.startEditing(), layer.changeGeometry(first.id(), moved),
            layer.changeAttributeValue(first.id(), layer.fields().indexOf("note"), NOTE),
            layer.deleteFeature(second.id()), layer.addFeature(added), layer.commitChanges()]
    return {"done": all(done), "errors": layer.commitErrors(), "moved": first.id(), "deleted": second.id(), "note": NOTE}


file, edited = sys.argv[1:3]
QgsApplication.setPrefixPath("/usr", True)
app = QgsApplication([], False)
app.initQgis()
report = {"layers": [read(file, name) for name in json.load(sys.stdin)], "edit": edit(file, edited)}
print(json.dumps(report, ensure_ascii=False))
sys.stdout.flush()
os._exit(0)  # QGIS 3.22 can crash while tearing down headless
