#!/usr/bin/env python3
"""House rules that a compiler does not check: layers, banned calls, fences, lengths.

Usage: check_house.py ROOT. Prints one line a finding; exit 1 when there is any. The rules are
described in docs/architecture.md; the tables below are their only other copy.
"""
import pathlib
import re
import sys

# Lowest first. A folder includes only itself and what its row names.
LAYERS = {
    "base": [],
    "model": ["base"],
    "config": ["base", "model"],
    "storage": ["base", "model", "config"],
    "query": ["base", "model", "config", "storage"],
    "ingest": ["base", "model", "config", "storage"],
    "rules": ["base", "model", "config", "storage", "query", "ingest"],
    "notify": ["base", "model", "config", "storage", "query", "ingest", "rules"],
    "http": ["base", "model", "config", "storage", "query", "ingest", "rules", "notify"],
    "cli": ["base", "model", "config", "storage", "query", "ingest", "rules", "notify", "http"],
}
# What folders above storage may see of it.
STORAGE_PUBLIC = {"storage/db.h", "storage/db_inspect.h", "storage/tsdb_tool.h"}
# Third parties and the files (one, as a rule) that may include them.
FENCES = {
    r"re2/": {"src/base/regex.cc"},
    r"cctz/": {"src/base/zone.cc"},
    r"charconv": {"src/base/number.cc"},
    r"uni(case|ctype)\.h": {"src/base/unicode.c"},
    r"xxhash\.h": {"src/base/hash.c", "src/base/hash_avx2.c"},
    r"lmdb\.h": {"src/storage/kv.c"},
    r"roaring/": {"src/storage/postings.c"},
    r"snappy-c\.h": {"src/ingest/snappy.c"},
    r"microhttpd\.h": {"src/http/server_priv.h"},
    r"gnutls/": {"src/http/digest.c", "src/http/tls.c"},
    r"nettle/": {"src/base/md5.c", "src/base/sha256.c", "src/base/uuid.c"},
    r"curl/": {"src/base/http_client.c", "src/base/http_setup.c", "src/base/http_multi.c", "src/base/smtp_client.c", "src/ingest/scrape_transfer.c"},
    r"crypt\.h": {"src/http/digest.c"},
    r"zlib\.h": {"src/base/gzip.c"},
    r"libdeflate\.h": {"src/base/gzip_whole.c"},
    r"jansson\.h": {"src/storage/meta.c", "src/base/jtree.c"},
    r"yaml\.h": {"src/config/yaml.c", "src/config/print.c"},
}
BANNED = re.compile(
    r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atof|alloca|strtod|setlocale|"
    r"rand|srand|system|popen|gmtime|localtime|ctime|asctime|strerror|usleep|sleep|malloc|calloc|realloc)\s*\(")
BANNED_OK = {"src/base/mem.c": {"malloc", "calloc", "realloc"}}
STORAGE_RAW_IO = re.compile(r"(?<![\w.>])(open|pwrite|pread|write|read|rename|unlink|fsync|fdatasync|mkdir|fopen)\s*\(")
STORAGE_RAW_OK = {"src/storage/kv.c"}
FILE_LINES_MAX, HEADER_LINES_MAX, FUNCTION_LINES_MAX = 1000, 350, 100

root = pathlib.Path(sys.argv[1])
findings = []


def report(path, line, text):
    findings.append(f"{path}:{line}: {text}")


def strip_comments(text):
    keep_lines = lambda m: "\n" * m.group(0).count("\n")
    text = re.sub(r"/\*.*?\*/", keep_lines, text, flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)


def check_includes(path, folder, lines):
    for n, line in enumerate(lines, 1):
        m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if m:
            target = m.group(1)
            other = target.split("/")[0]
            if "/" not in target or other not in LAYERS:
                report(path, n, f'include "{target}" is not folder/file.h')
            elif other != folder and other not in LAYERS[folder]:
                report(path, n, f"{folder} must not include {other} (it stands above or beside it)")
            elif other != folder and target.endswith("_priv.h"):
                report(path, n, f"{target} is private to {other}")
            elif other == "storage" and folder != "storage" and target not in STORAGE_PUBLIC:
                report(path, n, f"{folder} may see storage only through {sorted(STORAGE_PUBLIC)}")
        m = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
        if m:
            for pattern, owners in FENCES.items():
                if re.match(pattern, m.group(1)) and path not in owners:
                    report(path, n, f"<{m.group(1)}> belongs behind {sorted(owners)}")


def check_calls(path, lines):
    for n, line in enumerate(lines, 1):
        for m in BANNED.finditer(line):
            if m.group(1) not in BANNED_OK.get(path, set()):
                report(path, n, f"{m.group(1)}() is banned")
        if path.startswith("src/storage/") and path not in STORAGE_RAW_OK:
            m = STORAGE_RAW_IO.search(line)
            if m:
                report(path, n, f"{m.group(1)}(): storage reaches files through base/fs.h only")


def check_lengths(path, lines):
    limit = HEADER_LINES_MAX if path.endswith(".h") else FILE_LINES_MAX
    if len(lines) > limit:
        report(path, len(lines), f"{len(lines)} lines; at most {limit}")
    start = None
    for n, line in enumerate(lines, 1):
        if line.startswith("{") and path.endswith((".c", ".cc")):
            start = n
        elif line.startswith("}") and start is not None:
            if n - start > FUNCTION_LINES_MAX:
                report(path, start, f"function of {n - start} lines; at most {FUNCTION_LINES_MAX}")
            start = None


for file in sorted((root / "src").rglob("*")):
    if file.suffix not in (".c", ".h", ".cc", ".rl"):
        continue
    path = str(file.relative_to(root))
    folder = path.split("/")[1]
    text = file.read_text()
    raw = text.split("\n")
    check_includes(path, folder, raw)
    if file.suffix != ".rl":
        check_calls(path, strip_comments(text).split("\n"))
    check_lengths(path, raw)
    if file.suffix == ".h" and not raw[0].startswith("/* " + file.name + " -- "):
        report(path, 1, f"a header starts with /* {file.name} -- what it is")

for line in findings:
    print(line)
print(f"{len(findings)} findings")
sys.exit(1 if findings else 0)
