#!/usr/bin/env bash
# Appends each event, byte for byte, to a file of the day in UTC:
#
#     examples/by-day.sh /var/lib/events drogue tail my-app --group archive
#     hark emulate drogue -- examples/by-day.sh events drogue tail demo-app -n 5
#
# An event that cannot be written, because the disk is full, goes to stderr and ends
# the script with 1. Otherwise it ends with the exit code of hark.
set -euo pipefail

usage='usage: by-day.sh FOLDER octave|drogue|… ARGUMENTS OF HARK'
folder=${1:?$usage}
shift
mkdir -p "$folder"

exec 3< <(exec hark "$@")
hark=$!
trap 'kill "$hark" 2>/dev/null || :' INT TERM # what has come until then is still written

while IFS= read -r event <&3; do
	TZ=UTC printf -v day '%(%F)T' -1
	printf '%s\n' "$event" >>"$folder/$day.ndjson" || {
		printf 'by-day.sh: not written: %s\n' "$event" >&2
		exit 1
	}
done
wait "$hark"
