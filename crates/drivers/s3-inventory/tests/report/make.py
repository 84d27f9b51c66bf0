#!/usr/bin/env python3
"""Writes an S3 Inventory report as Amazon documents it, in every format, with nothing of ours in it.

    make.py DIRECTORY [ROWS [FORMAT...]]     FORMAT: csv parquet orc; all when none is named

CSV: report/manifest.json, report/manifest.checksum, data/*.csv.gz. Parquet and ORC (these need pyarrow): parquet/ and orc/ for
report/, data/*.parquet, data/*.orc. All tell the same rows. The files of one report are made in different ways: Parquet with and
without dictionaries, ORC by each codec that is read, in both versions of its numbers, with dictionaries and with small stripes.
"""
import csv, gzip, hashlib, io, json, os, random, sys
from datetime import datetime, timedelta, timezone
from urllib.parse import quote_plus

where, rows = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 60
formats = sys.argv[3:] or ["csv", "parquet", "orc"]
random.seed(11)
hard = ["a b", "a+b", "a%2Fb", "caf\u00e9", "cafe\u0301", "dir/", "a//b", "./x", "../y", "\x01\x7f", "quote\"comma,", "new\nline", "\U0001f600", "Straw", "straw"]
keys = hard + ["logs/2025/%02d/%06d.gz" % (i % 12 + 1, i) for i in range(rows - len(hard))]
random.shuffle(keys)
names = ["Bucket", "Key", "VersionId", "IsLatest", "IsDeleteMarker", "Size", "LastModifiedDate", "ETag", "StorageClass"]
new, old = datetime(2026, 11, 20, 1, 2, 3, 456000, timezone.utc), datetime(2025, 11, 20, 1, 2, 3, 0, timezone.utc)

def told(part, number):
    """The rows about some keys. None where a report tells nothing."""
    for key in part:
        tag, size, time = hashlib.md5(key.encode()).hexdigest(), len(key) * 10, new
        if key.endswith("/"):
            size = 0
        elif key.startswith("logs/"):
            # Most sizes alike and some far off, as numbers are packed by their widths.
            chance = int(tag, 16)
            size, time = (chance % 900 if chance % 37 else chance % (1 << chance % 50)), new - timedelta(milliseconds=chance % 10**11)
        yield "source", key, "v2", True, False, size, time, tag, ["STANDARD", "GLACIER"][len(key) % 2]
        if key < "b":
            yield "source", key, "v1", False, False, 7, old, "old", "STANDARD"
    yield "source", "gone%d" % number, "v3", True, True, None, new, None, None

def parts(count):
    size = -(-len(keys) // count)
    return [list(told(keys[i * size:(i + 1) * size], i % 2)) for i in range(count)]

def as_csv(told, path, number):
    word = lambda value: "" if value is None else str(value).lower() if isinstance(value, bool) else value.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (value.microsecond // 1000) if isinstance(value, datetime) else value
    text = io.StringIO()
    out = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for bucket, key, *more in told:
        out.writerow([bucket, quote_plus(key, safe="/*-._")] + [word(value) for value in more])
    with open(path, "wb") as file:
        file.write(gzip.compress(text.getvalue().encode(), mtime=0))

# "Locating your inventory list", S3 User Guide: these are the columns of both, and ORC's timestamps have no unit to choose.
plain = ["bucket", "key", "version_id", "is_latest", "is_delete_marker", "size", "last_modified_date", "e_tag", "storage_class"]

def table(told, unit):
    import pyarrow as pa
    types = [pa.string()] * 3 + [pa.bool_()] * 2 + [pa.int64(), pa.timestamp(unit, "UTC"), pa.string(), pa.string()]
    fields = [pa.field(name, type, nullable=name not in ("bucket", "key")) for name, type in zip(plain, types)]
    return pa.Table.from_arrays([pa.array(values, type) for values, type in zip(zip(*told), types)], schema=pa.schema(fields))

def as_parquet(told, path, number):
    import pyarrow.parquet as pq
    pq.write_table(table(told, "ms"), path, compression="snappy", use_dictionary=number % 2 == 0, version="1.0", store_schema=False,
                   data_page_size=[1 << 20, 500][rows < 1000], row_group_size=[200_000, 25][rows < 1000])

def as_orc(told, path, number):
    import pyarrow.orc as orc
    how = [dict(compression="zlib"), dict(compression="snappy", dictionary_key_size_threshold=1), dict(compression="uncompressed", file_version="0.11"),
           dict(compression="zlib", dictionary_key_size_threshold=1, batch_size=10, stripe_size=1024)]
    told = table(told, "ns")
    with orc.ORCWriter(path, **how[number if rows < 10_000 else number % 2]) as out:
        # A stripe ends with what is written at once, when it is full; so that there are several.
        step = -(-told.num_rows // 3)
        for at in range(0, told.num_rows, step):
            out.write(told.slice(at, step))

written = {"csv": ("report", "CSV", as_csv, "csv.gz", 2, ", ".join(names)),
           "parquet": ("parquet", "Parquet", as_parquet, "parquet", 2,
                       "message s3.inventory {  required binary bucket (UTF8);  required binary key (UTF8);  optional binary version_id (UTF8);  optional boolean is_latest;  optional boolean is_delete_marker;  optional int64 size;  optional int64 last_modified_date (TIMESTAMP_MILLIS);  optional binary e_tag (UTF8);  optional binary storage_class (UTF8);}"),
           "orc": ("orc", "ORC", as_orc, "orc", 4,
                   "struct<bucket:string,key:string,version_id:string,is_latest:boolean,is_delete_marker:boolean,size:bigint,last_modified_date:timestamp,e_tag:string,storage_class:string>")}
os.makedirs(where + "/data", exist_ok=True)
for name in formats:
    folder, title, write, suffix, count, schema = written[name]
    os.makedirs(where + "/" + folder, exist_ok=True)
    files = []
    # As many marks of deletion as CSV has: the later parts would repeat them.
    for number, part in enumerate(parts(count)):
        part = part if number < 2 else part[:-1]
        file = "data/%d.%s" % (number, suffix)
        write(part, where + "/" + file, number)
        data = open(where + "/" + file, "rb").read()
        files.append({"key": file, "size": len(data), "MD5checksum": hashlib.md5(data).hexdigest()})
    manifest = json.dumps({"sourceBucket": "source", "destinationBucket": "arn:aws:s3:::reports", "version": "2016-11-30",
                           "creationTimestamp": "1763600000000", "fileFormat": title, "fileSchema": schema, "files": files}, indent=2)
    open(where + "/" + folder + "/manifest.json", "w").write(manifest)
    open(where + "/" + folder + "/manifest.checksum", "w").write(hashlib.md5(manifest.encode()).hexdigest() + "\n")
