"""PostGIS and tipg, the peer of what is asked over HTTP: a private cluster with the parcels, gone when it is closed.

PostGIS is Debian's `postgresql-15-postgis-3`, tipg comes from PyPI (`requirements.txt`). The cluster lies in a temporary
folder, listens on 127.0.0.1 only, asks for a password that nobody else knows, and belongs to a user who is not root.
Attributes that filters name are indexed, the table is in the order of its index and analysed, as a careful owner has it.
"""
import contextlib
import glob
import os
import pathlib
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from tools import PYTHON, Failed, Server, cpu_of, end, free_port

TABLE = "parcels"
INDEXED = ("land_use", "town", "status", "far")
SETTINGS = {"listen_addresses": "127.0.0.1", "shared_buffers": "2GB", "work_mem": "64MB", "maintenance_work_mem": "512MB",
            "jit": "off", "max_wal_size": "4GB", "unix_socket_directories": "", "autovacuum": "off"}
# Mapbox Vector Tile by PostGIS, with all attributes, ours' buffer and extent.
TILE = """SELECT length(ST_AsMVT(t, 'parcels', 4096, 'mvt', 'id')) FROM (
  SELECT ST_AsMVTGeom(ST_Transform(geom, 3857), ST_TileEnvelope({z}, {x}, {y}), 4096, 64, true) AS mvt, id, parcel_id,
    town, land_use, status, area_m2, owner, far, updated FROM parcels
  WHERE geom && ST_Transform(ST_TileEnvelope({z}, {x}, {y}, margin => 64.0 / 4096), 4326)) t;"""


class Absent(Exception):
    """The peer cannot be set up here."""


def lacking():
    """What is missing of what the peer needs."""
    programs = [name for name in ("initdb", "postgres", "psql") if not program(name)]
    extension = glob.glob("/usr/share/postgresql/*/extension/postgis.control")
    drivers = subprocess.run(["ogrinfo", "--formats"], capture_output=True, text=True, check=False).stdout
    return [*programs, *([] if extension else ["PostGIS"]), *([] if "PostgreSQL" in drivers else ["GDAL's PostgreSQL"])]


def program(name):
    """Debian keeps the server's programs out of the path."""
    kept = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    return kept[-1] if kept else shutil.which(name)


class PostGis:
    """A cluster with the parcels, and tipg in front of it."""

    def __init__(self, base):
        if missing := lacking():
            raise Absent(f"{', '.join(missing)} not found: apt-get install postgresql-15-postgis-3")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-postgis-"))
        self.port, self.word = free_port(), secrets.token_hex(16)
        self.postgres = self.tipg = None
        # PostgreSQL refuses to run as root.
        self.user = {}
        if os.getuid() == 0:
            name = next((n for n in ("postgres", "nobody") if n in {entry.pw_name for entry in pwd.getpwall()}), None)
            if name is None:
                raise Absent("PostgreSQL does not run as root, and there is no user postgres or nobody")
            entry = pwd.getpwnam(name)
            self.user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        try:
            self.begin()
            self.load(base)
        except (Failed, OSError, subprocess.SubprocessError) as error:
            self.close()
            told = getattr(error, "stderr", b"") or b""
            raise Absent(f"{error} {told[-500:] if told else ''}") from None

    def begin(self):
        secret = self.folder / "word"
        secret.write_text(self.word)
        if self.user:
            os.chown(secret, self.user["user"], self.user["group"])
        secret.chmod(0o600)
        cluster = self.folder / "data"
        subprocess.run([program("initdb"), "-D", cluster, "-U", "bench", "-A", "scram-sha-256", "--pwfile", secret,
                        "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync"],
                       check=True, timeout=120, capture_output=True, cwd="/", **self.user)
        settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        self.log = open(self.folder / "log", "wb")
        self.postgres = subprocess.Popen([program("postgres"), "-D", cluster, "-p", str(self.port), *settings],
                                         stdout=self.log, stderr=self.log, cwd="/", **self.user)
        for _ in range(300):
            with contextlib.suppress(subprocess.SubprocessError):
                # For loading; what is timed of writing turns it on again.
                self.ask("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();", "postgres")
                return
            if self.postgres.poll() is not None:
                break
            time.sleep(0.1)
        raise Failed(f"PostgreSQL does not answer: {(self.folder / 'log').read_text(errors='replace')[-500:]}")

    def environment(self):
        return {**os.environ, "PGPASSWORD": self.word}

    def ask(self, sql, database="bench", limit_s=600):
        done = subprocess.run([program("psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "bench", "-d", database,
                               "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"], input=sql.encode(), check=True,
                              capture_output=True, timeout=limit_s, env=self.environment())
        return done.stdout.decode().split()

    def load(self, base):
        self.ask("CREATE DATABASE bench", "postgres")
        self.ask("CREATE EXTENSION postgis")
        where = f"PG:host=127.0.0.1 port={self.port} user=bench dbname=bench"
        start = time.perf_counter()
        subprocess.run(["ogr2ogr", "-f", "PostgreSQL", where, f"{base}.gpkg", TABLE, "-nln", TABLE, "-lco", "FID=id",
                        "-lco", "GEOMETRY_NAME=geom", "-lco", "SPATIAL_INDEX=GIST", "-gt", "unlimited",
                        "--config", "PG_USE_COPY", "YES"],
                       check=True, timeout=900, capture_output=True, env=self.environment())
        indexes = "".join(f"CREATE INDEX ON {TABLE} ({name});" for name in INDEXED)
        self.ask(f"{indexes} CLUSTER {TABLE} USING {TABLE}_geom_geom_idx; VACUUM ANALYZE {TABLE};")
        self.load_s = time.perf_counter() - start

    def serve(self):
        """Starts tipg, a process for each of two cores; raises Absent where it does not answer."""
        port = free_port()
        self.tipg = Server([PYTHON, "-m", "uvicorn", "tipg.main:app", "--host", "127.0.0.1", "--port", port,
                            "--workers", 2, "--log-level", "warning"], port,
                           {"DATABASE_URL": f"postgresql://bench:{self.word}@127.0.0.1:{self.port}/bench"})
        try:
            self.tipg.until_answers(f"/collections/public.{TABLE}", 60)
        except Failed as error:
            raise Absent(str(error)) from None
        self.tipg.beside = [self.postgres.pid]
        return self.tipg

    def tiles(self, zoom, tiles):
        """CPU milliseconds and bytes of each tile; (column, row) of Web Mercator."""
        sql = "".join(TILE.format(z=zoom, x=x, y=y) for x, y in tiles)
        self.ask(TILE.format(z=zoom, x=tiles[0][0], y=tiles[0][1]))     # pages are read, libraries loaded
        before = cpu_of(self.postgres.pid)
        sizes = [int(line) for line in self.ask(sql)]
        # A session's processor time is its parent's once it has ended.
        return (cpu_of(self.postgres.pid) - before) * 1000 / len(tiles), sum(sizes) / len(sizes)

    def close(self):
        if self.tipg:
            self.tipg.close()
        if self.postgres:
            if self.postgres.poll() is None:
                self.postgres.send_signal(signal.SIGINT)                # at once: it would wait for its clients
            end(self.postgres)
            self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit("run tests/bench/run.py")
