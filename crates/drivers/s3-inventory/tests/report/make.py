#!/usr/bin/env python3
"""Writes an S3 Inventory report as Amazon documents it (CSV, gzip, keys as in a query), with nothing of ours in it.

    make.py DIRECTORY [ROWS]   report/manifest.json, report/manifest.checksum, data/*.csv.gz
"""
import csv, gzip, hashlib, io, json, os, random, sys
from urllib.parse import quote_plus

where, rows = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 60
random.seed(11)
hard = ["a b", "a+b", "a%2Fb", "caf\u00e9", "cafe\u0301", "dir/", "a//b", "./x", "../y", "\x01\x7f", "quote\"comma,", "new\nline", "\U0001f600", "Straw", "straw"]
keys = hard + ["logs/2025/%02d/%06d.gz" % (i % 12 + 1, i) for i in range(rows - len(hard))]
random.shuffle(keys)
columns = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass"
os.makedirs(where + "/data", exist_ok=True)
os.makedirs(where + "/report", exist_ok=True)
files, half = [], len(keys) // 2
for number, part in enumerate([keys[:half], keys[half:]]):
    text = io.StringIO()
    out = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for key in part:
        name = quote_plus(key, safe="/*-._")
        size = 0 if key.endswith("/") else len(key) * 10
        out.writerow(["source", name, "v2", "true", "false", size, "2026-11-20T01:02:03.000Z", hashlib.md5(key.encode()).hexdigest(), ["STANDARD", "GLACIER"][len(key) % 2]])
        if key < "b":
            out.writerow(["source", name, "v1", "false", "false", 7, "2025-11-20T01:02:03.000Z", "old", "STANDARD"])
    out.writerow(["source", "gone%d" % number, "v3", "true", "true", "", "2026-11-20T01:02:03.000Z", "", ""])
    packed = gzip.compress(text.getvalue().encode(), mtime=0)
    name = "data/%d.csv.gz" % number
    open(where + "/" + name, "wb").write(packed)
    files.append({"key": name, "size": len(packed), "MD5checksum": hashlib.md5(packed).hexdigest()})
manifest = json.dumps({"sourceBucket": "source", "destinationBucket": "arn:aws:s3:::reports", "version": "2016-11-30",
                       "creationTimestamp": "1763600000000", "fileFormat": "CSV", "fileSchema": columns, "files": files}, indent=2)
open(where + "/report/manifest.json", "w").write(manifest)
open(where + "/report/manifest.checksum", "w").write(hashlib.md5(manifest.encode()).hexdigest() + "\n")
