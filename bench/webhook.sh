#!/usr/bin/env bash
# Posts each event to a URL, one after the other, as hark --to does, with curl:
#
#     bench/webhook.sh http://localhost:8080/ connect ws://localhost:8081
#
# curl retries if there is no response, and after 408, 429 and 5xx, for RETRY_TIME
# seconds; hark buffers events meanwhile. Events that are not accepted then are appended
# to MISSED, and that is said; the script ends with 1 then, otherwise with the exit code
# of hark.
set -euo pipefail

usage='usage: webhook.sh URL octave|drogue|… ARGUMENTS OF HARK'
url=${1:?$usage}
shift
MISSED=${MISSED:-missed.ndjson} RETRY_TIME=${RETRY_TIME:-60}

post() {
	curl --fail --silent --show-error --output /dev/null --max-time 20 \
		--retry 10 --retry-max-time "$RETRY_TIME" --retry-connrefused \
		--header 'Content-Type: application/json' --data-binary @- "$url"
}

exec 3< <(exec hark "$@")
hark=$!
trap 'kill "$hark" 2>/dev/null || :' INT TERM

missed=0
while IFS= read -r event <&3; do
	post <<<"$event" || {
		printf '%s\n' "$event" >>"$MISSED"
		missed=$((missed + 1))
	}
done
if [ "$missed" -gt 0 ]; then
	echo "webhook.sh: $missed events are in $MISSED instead" >&2
fi
wait "$hark"
[ "$missed" = 0 ]
