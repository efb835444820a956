"""Recomputes the chain of a workspace from the layout in the head of src/store/chain.rs, with nothing but that text.

Prints `SEQ:HASH` of the last entry, then for each layer the number of rows whose digest is in the record.
Usage: python3 chain.py WORKSPACE.gpkg
"""

import sqlite3
import struct
import sys
from hashlib import sha256

sys.stdout.reconfigure(encoding="utf-8")
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)


def n(x):
    return struct.pack("<q", x)


def t(x):
    return n(len(x.encode())) + x.encode()


def image(x):
    if x is None:
        return b"\0"
    return b"\1" + (x[1:] if len(x) == 33 and x[0] == 0xFF else sha256(x).digest())


def opt(x):
    return b"\0" if x is None else b"\1" + n(x)


CONTENT = [
    (b"C", "ordinal, layer, fid, before, after FROM mutu_change WHERE seq = ? ORDER BY ordinal", [n, t, n, image, image]),
    (b"L", "ordinal, layer, parent, child FROM mutu_lineage WHERE seq = ? ORDER BY ordinal", [n, t, n, n]),
    (b"I", "layer, definition, report, how, first_fid, last_fid FROM mutu_import WHERE seq = ?", [t, t, t, t, opt, opt]),
    (b"D", 'layer, block, "rows" FROM mutu_digest WHERE seq = ? ORDER BY layer, block', [t, n, image]),
    (b"K", "kept_from FROM mutu_compact WHERE seq = ?", [n]),
]


def content(seq):
    whole = b""
    for tag, sql, parts in CONTENT:
        for row in db.execute("SELECT " + sql, [seq]):
            whole += tag + b"".join(part(cell) for part, cell in zip(parts, row, strict=True))
    return sha256(whole).digest()


def cell(x):
    match x:
        case None:
            return b"\0"
        case int():
            return b"\1" + n(x)
        case float():
            return b"\2" + struct.pack("<d", x + 0.0)
        case str():
            return b"\3" + t(x)
        case bytes():
            return b"\4" + n(len(x)) + x


(workspace,) = db.execute("SELECT value FROM mutu_workspace WHERE key = 'id'").fetchone()
last, hashed = 0, sha256(b"mutu workspace " + workspace.encode()).digest()
for last, at, author, note, kind, stored in db.execute('SELECT seq, "at", author, note, kind, hash FROM mutu_edit ORDER BY seq'):
    hashed = sha256(hashed + n(last) + t(at) + t(author) + t(note) + t(kind) + content(last)).digest()
    assert hashed == stored, f"number {last}"
print(f"{last}:{hashed.hex()}")

for (layer,) in db.execute("SELECT id FROM mutu_layer ORDER BY id").fetchall():
    blocks = db.execute('SELECT "rows" FROM mutu_digest WHERE layer = ? ORDER BY seq, block', [layer])
    known = {rows[at : at + 24] for (rows,) in blocks for at in range(0, len(rows), 24) if len(rows) % 24 == 0}
    rows = db.execute(f'SELECT * FROM "{layer}"')
    print(layer, sum(n(row[0]) + sha256(b"".join(map(cell, row))).digest()[:16] in known for row in rows))
