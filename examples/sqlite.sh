#!/usr/bin/env bash
# Puts events into a table of SQLite, each once, in the format of CloudEvents:
#
#     examples/sqlite.sh events.db octave subscribe --device pump_07 --since 24h
#     hark emulate drogue -- examples/sqlite.sh events.db drogue tail demo-app -n 5
#     sqlite3 events.db 'SELECT time, subject, data FROM events'
#
# What the database does not take, because someone has locked it for more than
# TIMEOUT milliseconds, goes to events.db.missed.ndjson, and that is said; the script
# exits 1 then, otherwise with the exit code of hark. Each event is a transaction
# of its own, which is good for some hundred events a second.
set -euo pipefail

usage='usage: sqlite.sh DATABASE octave|drogue|… ARGUMENTS OF HARK'
database=${1:?$usage}
shift

sql() { sqlite3 -bail -cmd ".timeout ${TIMEOUT:-30000}" "$database"; }

sql <<'SQL'
CREATE TABLE IF NOT EXISTS events (
	event   TEXT NOT NULL,
	source  TEXT AS (json_extract(event, '$.source')),
	id      TEXT AS (json_extract(event, '$.id')),
	type    TEXT AS (json_extract(event, '$.type')),
	subject TEXT AS (json_extract(event, '$.subject')),
	time    TEXT AS (json_extract(event, '$.time')),
	data         AS (json_extract(event, '$.data')),
	UNIQUE (source, id)
);
SQL

exec 3< <(exec hark "$@" --format cloudevents)
hark=$!
trap 'kill "$hark" 2>/dev/null || :' INT TERM

missed=0
while IFS= read -r event <&3; do
	sql <<<"INSERT INTO events VALUES ('${event//\'/\'\'}') ON CONFLICT DO NOTHING;" || {
		printf '%s\n' "$event" >>"$database.missed.ndjson"
		missed=$((missed + 1))
	}
done
if [ "$missed" -gt 0 ]; then
	echo "sqlite.sh: $missed events are in $database.missed.ndjson instead" >&2
fi
wait "$hark"
[ "$missed" = 0 ]
