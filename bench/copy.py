"""Copies a database of Genkan from SQLite to PostgreSQL, for measuring: copy.py FILE URL

Both have the schema already. Whatever the tables of the second one hold is lost. It has to be
a superuser's URL, since the rows are written without looking at foreign keys.
"""

import sqlite3
import subprocess
import sys


def main(path, url):
    source = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    tables = [name for (name,) in source.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    columns = columns_of(url)
    # Each has applied its own steps.
    copied = sorted(table for table in tables if table in columns and not table.endswith("migrations"))
    psql(url, "TRUNCATE " + ", ".join(f'"{table}"' for table in copied))
    for table in copied:
        copy(source, url, table, columns[table])
    psql(url, "ANALYZE")


def columns_of(url):
    """The columns of each table and their types, as PostgreSQL has them."""
    answer = psql(
        url,
        "SELECT table_name, column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND is_generated = 'NEVER' ORDER BY ordinal_position",
    )
    found = {}
    for line in answer.splitlines():
        table, column, kind = line.split("|")
        found.setdefault(table, []).append((column, kind))
    return found


def copy(source, url, table, columns):
    names = ", ".join(f'"{column}"' for column, _ in columns)
    forms = [form_of(kind) for _, kind in columns]
    target = subprocess.Popen(
        ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", url,
         "--command=SET session_replication_role = replica",
         f'--command=COPY "{table}" ({names}) FROM STDIN'],
        stdin=subprocess.PIPE,
    )
    count = 0
    rows = source.execute(f'SELECT {names} FROM "{table}"')
    while batch := rows.fetchmany(10_000):
        count += len(batch)
        lines = ["\t".join("\\N" if v is None else form(v) for form, v in zip(forms, row)) for row in batch]
        target.stdin.write(("\n".join(lines) + "\n").encode())
    target.stdin.close()
    if target.wait() != 0:
        raise SystemExit(f"copy.py: {table} could not be written")
    print(f"{table}: {count}", file=sys.stderr)


def form_of(kind):
    if kind == "bytea":
        return lambda value: "\\\\x" + (value if isinstance(value, bytes) else value.encode()).hex()
    if kind == "boolean":
        return lambda value: "t" if value else "f"
    if kind in ("bigint", "integer", "smallint", "double precision"):
        return str
    return escaped


def escaped(value):
    text = str(value)
    if "\\" in text or "\n" in text or "\t" in text or "\r" in text:
        text = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return text


def psql(url, statement):
    command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", url, f"--command={statement}"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


main(*sys.argv[1:])
